"""What stems on disk tell of their quality, kept by the separation beside them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from scoresep.files.learned_files import load_learned
from scoresep.model.project import StemSet
from scoresep.model.quality import Unexplained


def unexplained_of(stem_set: StemSet) -> Unexplained | None:
    """Return what is left unexplained by stems; None where that was not kept."""
    return _read(stem_set.folder, stem_set.input_key)


@lru_cache(maxsize=16)
def _read(folder: str, input_key: str) -> Unexplained | None:
    kept = load_learned(Path(folder), "levels/")
    try:
        power, block_frames = kept["levels/power"], int(kept["levels/block_frames"])
    except (KeyError, ValueError, TypeError):
        return None
    if power.ndim != 2 or len(power) < 2 or block_frames < 1 or not np.isfinite(power).all():
        return None
    return Unexplained(block_frames, power[0].astype(np.float64), power[-1].astype(np.float64))

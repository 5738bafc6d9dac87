"""What stems on disk tell of their making: by which recipe, by what, and when."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from scoresep.files.stem_files import MANIFEST_NAME
from scoresep.model.project import Recipe, StemSet
from scoresep.session.recipes import recipe_of_stems


@dataclass(frozen=True)
class StemFacts:
    """The making of stems.

    Attributes
    ----------
    engine, device : str
        What made them in the end.
    recipe : Recipe or None
        What was asked for; None where that is not known.
    made_at : str
        Time of day on this computer, with the date where that is not today; empty where it is not known.
    """

    engine: str
    device: str
    recipe: Recipe | None
    made_at: str


def facts_of(stem_set: StemSet) -> StemFacts:
    """Return what is known of the making of stems."""
    manifest = Path(stem_set.folder) / MANIFEST_NAME
    try:
        made_s = manifest.stat().st_mtime
    except OSError:
        return StemFacts(stem_set.engine, stem_set.device, None, "")
    made, today = time.localtime(made_s), time.localtime()
    is_today = made[:3] == today[:3]
    made_at = time.strftime("%H:%M" if is_today else "%Y-%m-%d, %H:%M", made)
    return StemFacts(stem_set.engine, stem_set.device, _recipe(stem_set.folder, made_s), made_at)


@lru_cache(maxsize=64)
def _recipe(folder: str, made_s: float) -> Recipe | None:
    return recipe_of_stems(folder)

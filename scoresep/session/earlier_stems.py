"""Stems that were made before of the same recording, and which of them would come out otherwise now.

What notes or rules have changed since is made anew; the rest is taken as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoresep.engines.separation.joining import (
    FADE_S,
    changed_stretches,
    gate,
    joined_stretches,
    otherwise_made,
)
from scoresep.engines.separation.stretches import Stretch
from scoresep.errors import ScoreSepError
from scoresep.files.learned_files import load_learned
from scoresep.files.stem_files import (
    StemSource,
    content_key_in,
    is_of_this_version,
    read_manifest,
    read_stem_set,
)
from scoresep.model.project import StemSet
from scoresep.model.timebase import second_to_frame
from scoresep.session.recipes import claims_of, recipe_in
from scoresep.session.separation_request import SeparationRequest

NOTE_COLUMNS = ("stem_index", "pitch_midi", "onset_frame", "offset_frame", "confidence")
# Where notes have changed in more than this all is learned again, because what is known may be of wrong notes.
MOST_CHANGED = 0.5


@dataclass(frozen=True)
class EarlierStems:
    """Stems that were made before.

    Attributes
    ----------
    stem_set : StemSet
    stretches : tuple of tuple of (int, int)
        For every stem the stretches of frames that are to be made anew: half-open, rising, apart from each other.
    frames : int
        Of the recording.
    """

    stem_set: StemSet
    stretches: tuple[tuple[tuple[int, int], ...], ...]
    frames: int

    @classmethod
    def of(cls, request: SeparationRequest) -> EarlierStems | None:
        """Return the earlier stems of a request; None where they are of no use."""
        if not request.earlier or request.wanted is not None:
            return None
        folder, recording = Path(request.earlier), request.recording
        try:
            stem_set, manifest = read_stem_set(folder), read_manifest(folder)
            columns = {name: load_learned(folder, f"notes/{name}")[f"notes/{name}"] for name in NOTE_COLUMNS}
            notes = replace(request.notes, **columns)  # type: ignore[arg-type]
        except (ScoreSepError, KeyError, ValueError):
            return None
        recipe = recipe_in(manifest) or request.recipe
        was_asked = replace(request, notes=notes, recipe=recipe)
        is_of_this = content_key_in(manifest) == recording.content_key and is_of_this_version(manifest)
        if not is_of_this or was_asked.input_key != stem_set.input_key or recipe.seed != request.recipe.seed:
            return None
        moved = changed_stretches(notes, request.notes, recording.sample_rate, recording.frames)
        if sum(stop - start for start, stop in moved) > MOST_CHANGED * recording.frames:
            return None
        fade, count = max(1, second_to_frame(FADE_S, recording.sample_rate)), len(request.stem_parts)
        old, new = (claims_of(r, request.stem_parts) for r in (recipe, request.recipe))
        of_stems = [otherwise_made(old, new, stem, recording.frames, fade) for stem in range(count)]
        stretches = tuple(tuple(joined_stretches([*moved, *mine], fade)) for mine in of_stems)
        found = cls(stem_set, stretches, recording.frames)
        is_all_new = all(mine == ((0, recording.frames),) for mine in stretches)
        return None if is_all_new else found

    def open(self) -> EarlierStems:
        """Open all that is read later: the folder may be moved meanwhile, as by saving the project.

        Raises
        ------
        AudioFileError
        """
        assert self._sources
        _ = self.learned
        return self

    @cached_property
    def learned(self) -> dict[str, NDArray[Any]]:
        """What was learned for them."""
        return load_learned(Path(self.stem_set.folder))

    @cached_property
    def _sources(self) -> tuple[StemSource, ...]:
        folder = Path(self.stem_set.folder)
        return tuple(StemSource(folder / stem.file) for stem in self.stem_set.stems if stem.part_index is not None)

    def stems(self, stretch: Stretch) -> NDArray[np.float32]:
        """Return the earlier stems of a stretch, without the residual."""
        return np.stack([source.read(stretch.start_frame, stretch.stop_frame) for source in self._sources])

    def changed(self, stretch: Stretch, fade_frames: int) -> NDArray[np.float32]:
        """Return from 0 (as before) to 1 (new) how much of every stem and frame is to be made anew.

        Returns
        -------
        weight : ndarray [shape=(stems, frames)], float32
        """
        open_ends = [[(a or None, b if b < self.frames else None) for a, b in mine] for mine in self.stretches]
        return np.stack([gate(mine, stretch.start_frame, stretch.stop_frame, fade_frames) for mine in open_ends])

    def changed_frames(self) -> int:
        """Return in how many frames of the recording something is to be made anew, whatever the stem."""
        joined = joined_stretches((each for mine in self.stretches for each in mine), 0)
        return sum(stop - start for start, stop in joined)

    def is_touched(self, stem: int, start_frame: int, stop_frame: int) -> bool:
        """Whether anything of a stem is to be made anew between two frames."""
        return any(start < stop_frame and stop > start_frame for start, stop in self.stretches[stem])

"""The overviews of stems' waveforms: built in a worker, kept in the cache under the content key of the stems."""

from __future__ import annotations

import contextlib
from pathlib import Path

from scoresep.files.cache import combined_key
from scoresep.files.peak_files import load_peaks, peaks_of
from scoresep.files.stem_files import StemSource
from scoresep.model.audio import SampleSource
from scoresep.model.peaks import PeakPyramid
from scoresep.model.project import Stem, StemSet
from scoresep.progress import Progress


def stem_peak_key(stem_set: StemSet, stem: Stem) -> str:
    """Return the key under which the overview of a stem is kept.

    What stems were made of does not tell what is in them: another version of the program, or mending earlier ones,
    gives others. The key moves along with their folder where they say what they were made of.
    """
    place = "residual" if stem.part_index is None else f"part{stem.part_index}"
    path = Path(stem_set.folder) / stem.file
    told = [stem_set.input_key or str(path), place]
    with contextlib.suppress(OSError):
        state = path.stat()
        told += [str(state.st_size), str(state.st_mtime_ns)]
    return combined_key(*told)


def build_stem_peaks(stem_set: StemSet, progress: Progress) -> str:
    """Build the overviews of all stems into the cache; runs in a worker.

    Returns
    -------
    input_key : str
        Of the stems.

    Raises
    ------
    AudioFileError
        A stem is missing or damaged.
    Cancelled
    """
    for stem, part in zip(stem_set.stems, progress.parts(len(stem_set.stems)), strict=True):
        peaks_of(StemSource(Path(stem_set.folder) / stem.file), stem_peak_key(stem_set, stem), part)
    return stem_set.input_key


def load_stem_peaks(stem_set: StemSet, sources: dict[int | None, SampleSource]) -> dict[int | None, PeakPyramid] | None:
    """Open the overviews of stems that were built before; None when any of them is missing.

    Parameters
    ----------
    stem_set : StemSet
    sources : dict of SampleSource
        The stems by part index, None for the residual.
    """
    found: dict[int | None, PeakPyramid] = {}
    for stem in stem_set.stems:
        source = sources.get(stem.part_index)
        if source is None:
            continue
        pyramid = load_peaks(stem_peak_key(stem_set, stem), source.frames, source.channels)
        if pyramid is None:
            return None
        found[stem.part_index] = pyramid
    return found

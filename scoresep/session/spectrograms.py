"""The overviews of stems' waveforms: built in a worker, kept in the cache under the content key of the stems."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from scoresep.files.audio.overviews import SpectrogramFile, load_peaks, load_spectrogram, peaks_of, want_slab
from scoresep.files.audio.recordings import open_source
from scoresep.files.audio.stems import StemSource
from scoresep.files.storage.cache import combined_key
from scoresep.model.audio import Recording, SampleSource
from scoresep.model.peaks import PeakPyramid
from scoresep.model.project import Project, Stem, StemSet
from scoresep.model.spectrogram import Spectrogram, SpectrogramShape
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


@dataclass(frozen=True)
class SoundToShow:
    """A recording or one of its stems, as something that has a spectrogram.

    Attributes
    ----------
    content_key : str
    recording : Recording
    stem_path : str
        Empty for the recording itself.
    """

    content_key: str
    recording: Recording
    stem_path: str = ""

    @property
    def shape(self) -> SpectrogramShape:
        """How large its spectrogram is."""
        return SpectrogramShape(self.recording.frames, self.recording.sample_rate)


def recording_to_show(project: Project) -> SoundToShow | None:
    """Return the recording of a project."""
    recording = project.recording
    return None if recording is None else SoundToShow(recording.content_key, recording)


def stem_to_show(project: Project, part_index: int | None, stem_set: StemSet | None = None) -> SoundToShow | None:
    """Return a stem of a project or of other stems of it (None: the residual); None where there is none.

    Parameters
    ----------
    project : Project
    part_index : int or None
        None for the residual.
    stem_set : StemSet, optional
        Other stems than the project's own.
    """
    stem_set, recording = stem_set or project.stem_set, project.recording
    stem = next((s for s in stem_set.stems if s.part_index == part_index), None) if stem_set is not None else None
    if stem_set is None or stem is None or recording is None:
        return None
    return SoundToShow(stem_peak_key(stem_set, stem), recording, str(Path(stem_set.folder) / stem.file))


def load(sound: SoundToShow) -> Spectrogram | None:
    """Open a spectrogram as far as it was computed; it shows what is added to it. None where nothing was."""
    return load_spectrogram(sound.content_key, sound.recording.frames, sound.recording.sample_rate)


def want(sound: SoundToShow, frame: int) -> None:
    """Ask for what lies at a frame, and after it, to be computed next."""
    want_slab(sound.content_key, frame // sound.shape.slab_frames)


def build_spectrograms(sounds: tuple[SoundToShow, ...], progress: Progress) -> tuple[str, ...]:
    """Compute what is missing in the spectrograms of some sounds, side by side; runs in a worker.

    Returns
    -------
    content_keys : tuple of str

    Raises
    ------
    AudioFileError
        A file is missing or damaged.
    OutputError
        The cache cannot take it.
    Cancelled
        What was computed stays, and need not be computed again.
    """
    from scoresep.engines.spectrogram import SlabTransform

    progress.update(0.0, "Drawing the spectrogram")
    with contextlib.ExitStack() as stack:
        sources = [_open(sound, stack) for sound in sounds]
        files = [SpectrogramFile(sound.content_key, sound.shape) for sound in sounds]
        transforms = {
            shape: SlabTransform(shape.sample_rate, shape.column_frames) for shape in {s.shape for s in sounds}
        }
        total = sum(sound.shape.slabs for sound in sounds)
        is_missing = True
        while is_missing:
            is_missing = False
            for sound, source, file in zip(sounds, sources, files, strict=True):
                slab = file.builder.next_slab(file.wanted_slab)
                if slab is not None:
                    start_frame = slab * sound.shape.slab_frames
                    file.builder.put(slab, transforms[sound.shape].levels_at(source, start_frame))
                    is_missing = True
                progress.update(sum(f.builder.spectrogram.ready_slabs for f in files) / total)
    return tuple(sound.content_key for sound in sounds)


def _open(sound: SoundToShow, stack: contextlib.ExitStack) -> SampleSource:
    if sound.stem_path:
        return StemSource(sound.stem_path)
    return stack.enter_context(open_source(sound.recording))

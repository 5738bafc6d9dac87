"""Export of stems, of the mix, or of a stretch of either, as files of sound for other programs.

What is exported is a list of tracks, each a sum of stems with gains, so that this module knows nothing of mixers. All
files of an export keep their proportions: where whole numbers would clip, one common gain is applied to all and written
down in the manifest.
"""

from __future__ import annotations

import contextlib
import json
import math
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoresep import version
from scoresep.errors import InputError, OutputError, UsageError
from scoresep.files.audio.export_formats import FLOAT_WAV, ExportFormat, check_fits, sample_writer
from scoresep.files.audio.recordings import open_source
from scoresep.files.audio.stems import EXPORT_KIND, MANIFEST_NAME, StemSource, read_manifest, recording_facts
from scoresep.files.audio.wav import HEADER_BYTES, WavSamples
from scoresep.files.storage.atomic import output_errors
from scoresep.files.storage.part_folders import PartFolder
from scoresep.files.storage.paths import ESCAPED, absolute_path, allow_many_files, is_utf8, render_template
from scoresep.model.audio import Patch, PatchedSource, Recording, SampleSource, SilentSource
from scoresep.progress import Progress

DEFAULT_TEMPLATE = "{number} {part}"
TEMPLATE_FIELDS = ("number", "song", "part", "instrument", "engine")
BLOCK_FRAMES = 1 << 16
COMPRESSED_BITS = 4  # of a sample, about, for the room on the disk that is asked for
PROJECT_SHARE = 0.3  # of the time, for a project with the sound inside
PEAK_SHARE = 0.3  # of the time, for the pass that looks for the loudest sample


@dataclass(frozen=True)
class ExportPatch:
    """The sound of a note that is laid over an input.

    Attributes
    ----------
    path : str
        Of a WAV file of 32-bit float.
    start_frame : int
        Where in the recording it begins.
    factor : float
        What it is multiplied with.
    """

    path: str
    start_frame: int
    factor: float


@dataclass(frozen=True)
class ExportInput:
    """One sound that goes into a track.

    Attributes
    ----------
    source : str, Recording or None
        Path of a stem, the recording itself, or silence for patches to lie over.
    gains : tuple of tuple of float, optional
        For every output channel the factor of every channel of the source. None: all channels as they are.
    patches : tuple of ExportPatch
    """

    source: str | Recording | None
    gains: tuple[tuple[float, ...], ...] | None = None
    patches: tuple[ExportPatch, ...] = ()


@dataclass(frozen=True)
class ExportTrack:
    """One file to be written: the sum of its inputs.

    Attributes
    ----------
    name : str
        Of the part, or ``Mix``.
    inputs : tuple of ExportInput
    part_index : int or None
        None for the residual, a mix, or the recording.
    instrument : str
        For the template.
    stretch : tuple of int or None
        Frames [start, end) of this file; None for those of the request.
    """

    name: str
    inputs: tuple[ExportInput, ...]
    part_index: int | None = None
    instrument: str = ""
    stretch: tuple[int, int] | None = None


@dataclass(frozen=True)
class ExportedProject:
    """A project of another program that is written with the files of sound.

    Attributes
    ----------
    name : str
        Of its file.
    holds_sound : bool
        Whether the sound is inside, so that the files do not stand beside it.
    write : callable
        Of a module; called as ``write(path, sounds, check)`` with the files of sound in the order of the tracks, and
        what is told now and then which share is done.
    """

    name: str
    holds_sound: bool
    write: Callable[[Path, Sequence[Path], Callable[[float], None]], None]


@dataclass(frozen=True)
class ExportRequest:
    """All that an export depends on; can be sent to a worker process.

    Attributes
    ----------
    folder : str
    tracks : tuple of ExportTrack
    recording : Recording
        What the stems were made of.
    file_format : ExportFormat
    template : str
        For the names of the files, see `TEMPLATE_FIELDS`.
    song, engine, device : str
        For template and manifest.
    start_frame : int
    end_frame : int or None
        The stretch [start_frame, end_frame); None: to the end.
    may_replace : bool
        Whether files of the same names are replaced.
    project : ExportedProject or None
    """

    folder: str
    tracks: tuple[ExportTrack, ...]
    recording: Recording
    file_format: ExportFormat = FLOAT_WAV
    template: str = DEFAULT_TEMPLATE
    song: str = ""
    engine: str = ""
    device: str = ""
    start_frame: int = 0
    end_frame: int | None = None
    may_replace: bool = False
    project: ExportedProject | None = None

    @property
    def stretch(self) -> tuple[int, int]:
        """First frame and the one after the last.

        Raises
        ------
        UsageError
            Nothing of the recording lies in between.
        """
        start = max(self.start_frame, 0)
        end = self.recording.frames if self.end_frame is None else min(self.end_frame, self.recording.frames)
        if start >= end:
            raise UsageError("The stretch to export is empty; choose an end after its start, within the recording.")
        return start, end

    def stretch_of(self, track: ExportTrack) -> tuple[int, int]:
        """First frame of a track and the one after its last."""
        return self.stretch if track.stretch is None else track.stretch


@dataclass(frozen=True)
class ExportReport:
    """What was written.

    Attributes
    ----------
    folder : str
    files : tuple of str
        Names, in the order of the tracks.
    manifest : str
        Name of the manifest; empty where there is none, beside a project that holds the sound.
    gain_db : float
        Applied to all files alike; 0 where nothing had to be turned down.
    """

    folder: str
    files: tuple[str, ...]
    manifest: str
    gain_db: float


def export_names(request: ExportRequest) -> tuple[str, ...]:
    """Return the names that the files will have, for a preview as well as for the work; no two are the same.

    Raises
    ------
    UsageError
        Something is wrong with the template.
    """
    project = request.project
    if project is None:
        return _track_names(request)
    return (project.name,) if project.holds_sound else (project.name, *_track_names(request))


def _track_names(request: ExportRequest) -> tuple[str, ...]:
    digits = max(2, len(str(len(request.tracks))))
    names: list[str] = []
    taken: set[str] = set()
    for i, track in enumerate(request.tracks):
        values = (f"{i + 1:0{digits}d}", request.song, track.name, track.instrument, request.engine)
        name = base = render_template(request.template, dict(zip(TEMPLATE_FIELDS, values, strict=True)))
        number = 2
        while _folded(name) in taken:
            name = f"{base} {number}"
            number += 1
        taken.add(_folded(name))
        names.append(name + request.file_format.suffix)
    return tuple(names)


def files_in_the_way(request: ExportRequest) -> tuple[str, ...]:
    """Return the files that the export would replace; ask the person, then set `may_replace`.

    Raises
    ------
    UsageError
        Something is wrong with the template.
    """
    return tuple(name for name in export_names(request) if (absolute_path(request.folder) / name).exists())


def export_audio(request: ExportRequest, progress: Progress | None = None) -> ExportReport:
    """Write the files of an export, all or none.

    Parameters
    ----------
    request : ExportRequest
    progress : Progress, optional

    Raises
    ------
    UsageError
        Nothing is chosen, or template, stretch or format do not fit.
    OutputError
        A file is in the way, the folder cannot be written, or the disk is full.
    InputError
        A stem or the recording cannot be read, or they do not belong together.
    Cancelled
    """
    progress = progress or Progress()
    if not request.tracks:
        raise UsageError("Nothing is chosen to be exported; choose at least one part.")
    names, published = _track_names(request), export_names(request)
    folder = absolute_path(request.folder)
    if not is_utf8(folder):  # libsndfile is given names as text
        raise OutputError(f"The name {str(folder)!a} is not text in UTF-8; choose another folder.")
    in_the_way = files_in_the_way(request)
    if in_the_way and not request.may_replace:
        raise OutputError(f"'{folder / in_the_way[0]}' exists already; choose another folder, or allow replacing.")
    with contextlib.ExitStack() as stack:
        tracks = [_OpenTrack(track, request, stack) for track in request.tracks]
        for track in tracks:
            frames = track.stretch[1] - track.stretch[0]
            check_fits(request.file_format, track.channels, request.recording.sample_rate, frames)
        gain_db = 0.0
        if not request.file_format.is_float:
            gain_db = _common_gain_db(tracks, progress.part(0.0, PEAK_SHARE))
            progress = progress.part(PEAK_SHARE, 1.0)
        values = sum(track.channels * (track.stretch[1] - track.stretch[0]) for track in tracks)
        part = PartFolder(
            folder, values * (request.file_format.bits or COMPRESSED_BITS) // 8 + HEADER_BYTES * len(tracks)
        )
        stack.callback(part.abort)
        if request.project is not None:
            progress, last = progress.part(0.0, 1.0 - PROJECT_SHARE), progress.part(1.0 - PROJECT_SHARE, 1.0)
        _write_tracks(tracks, names, part.path, gain_db, request, progress)
        if request.project is not None:
            with output_errors(folder):
                _write_project(request.project, part.path, names, last)
        if request.project is not None and request.project.holds_sound:
            part.publish(published, in_the_way)
            return ExportReport(str(folder), published, "", gain_db)
        manifest = manifest_name(folder, request.recording)
        with output_errors(folder):
            files = _exported_files(request, names, gain_db)
            write_export_manifest(part.path / manifest, folder, request.recording, files)
        part.publish([*published, manifest], [*in_the_way, manifest])
    return ExportReport(str(folder), published, manifest, gain_db)


def _write_project(project: ExportedProject, folder: Path, names: Sequence[str], progress: Progress) -> None:
    """Write a project beside its sounds; where it holds them itself, they go."""
    sounds = [folder / name for name in names]
    project.write(folder / project.name, sounds, lambda share: progress.update(share, f"Writing {project.name}"))
    if project.holds_sound:
        for sound in sounds:
            sound.unlink()


class _OpenTrack:
    """A track whose inputs are open."""

    def __init__(self, track: ExportTrack, request: ExportRequest, stack: contextlib.ExitStack) -> None:
        recording, self.stretch, self.name = request.recording, request.stretch_of(track), track.name
        self._inputs = [
            (_open(i, recording, stack), None if i.gains is None else np.array(i.gains, np.float32))
            for i in track.inputs
        ]
        outputs = {s.channels if g is None else len(g) for s, g in self._inputs}
        if len(outputs) != 1:
            raise ValueError(f"the inputs of {track.name!r} have {sorted(outputs)} channels")
        (self.channels,) = outputs
        for source, _ in self._inputs:
            if (source.frames, source.sample_rate) != (recording.frames, recording.sample_rate):
                raise InputError(f"The stem of “{track.name}” is not of this recording; separate again.")

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Read the sum of the inputs, block by block."""
        start_frame, end_frame = self.stretch
        for start in range(start_frame, end_frame, BLOCK_FRAMES):
            stop = min(start + BLOCK_FRAMES, end_frame)
            total = np.zeros((self.channels, stop - start), np.float32)
            for source, gains in self._inputs:
                if gains is None:
                    total += source.read(start, stop)
                elif gains.any():  # nothing is read for what is muted
                    total += gains @ source.read(start, stop)
            yield total


def _open(wanted: ExportInput, recording: Recording, stack: contextlib.ExitStack) -> SampleSource:
    source: SampleSource
    if wanted.source is None:
        source = SilentSource(recording.frames, recording.channels, recording.sample_rate)
    elif isinstance(wanted.source, Recording):
        source = stack.enter_context(open_source(wanted.source))
    else:
        source = StemSource(wanted.source)
    if not wanted.patches:
        return source
    allow_many_files()
    return PatchedSource(source, [Patch(p.start_frame, WavSamples(Path(p.path)), p.factor) for p in wanted.patches])


def _common_gain_db(tracks: Sequence[_OpenTrack], progress: Progress) -> float:
    """Find the gain, rounded down to hundredths of a dB, at which nothing clips; 0 where nothing does anyway."""
    peak = 0.0
    for track, inner in zip(tracks, progress.parts(len(tracks)), strict=True):
        done, total = 0, track.stretch[1] - track.stretch[0]
        for block in track.blocks():
            peak = max(peak, float(np.abs(block).max(initial=0.0)))
            done += block.shape[1]
            inner.update(done / total, "Looking for the loudest moment")
    if peak <= 1.0:  # at full scale itself the error is one step, as in files of whole numbers anyway
        return 0.0
    return math.floor(100 * 20 * math.log10(1.0 / peak)) / 100


def _write_tracks(
    tracks: Sequence[_OpenTrack],
    names: Sequence[str],
    folder: Path,
    gain_db: float,
    request: ExportRequest,
    progress: Progress,
) -> None:
    gain = np.float32(10.0 ** (gain_db / 20.0))
    for i, (track, name, inner) in enumerate(zip(tracks, names, progress.parts(len(tracks)), strict=True)):
        with output_errors(Path(request.folder)):
            rate, title = request.recording.sample_rate, " - ".join(filter(None, (request.song, track.name)))
            writer = sample_writer(folder / name, request.file_format, track.channels, rate, i, title)
            try:
                done, total = 0, track.stretch[1] - track.stretch[0]
                for block in track.blocks():
                    writer.write(block if gain_db == 0.0 else block * gain)
                    done += block.shape[1]
                    inner.update(done / total, f"Writing {name}")
                writer.close()
            finally:
                writer.discard()


def _exported_files(request: ExportRequest, names: Sequence[str], gain_db: float) -> list[ExportedFile]:
    made_by, form = (request.engine, request.device), request.file_format.text
    return [
        ExportedFile(name, track.part_index, track.name, *made_by, form, *request.stretch_of(track), gain_db)
        for name, track in zip(names, request.tracks, strict=True)
    ]


def _folded(name: str) -> str:
    """Return a name as file systems compare it that know no capitals, or several ways to write an accent."""
    return unicodedata.normalize("NFC", name).casefold()


@dataclass(frozen=True)
class ExportedFile:
    """One exported file.

    Attributes
    ----------
    file : str
    part_index : int or None
        None for the residual, a mix, or the recording.
    part : str
    engine, device : str
        What made the stems.
    format : str
    start_frame, end_frame : int
        The stretch of the recording that it holds.
    gain_db : float
        What it was turned up (down: negative), alike for all files of one export.
    """

    file: str
    part_index: int | None
    part: str
    engine: str
    device: str
    format: str
    start_frame: int
    end_frame: int
    gain_db: float


def manifest_name(folder: Path, recording: Recording) -> str:
    """Return the name for the manifest of an export: that of an earlier export of the same recording, or a free one."""
    number = 1
    while True:
        name = MANIFEST_NAME if number == 1 else f"{Path(MANIFEST_NAME).stem} {number}{Path(MANIFEST_NAME).suffix}"
        if not (folder / name).exists() or _earlier_files(folder, name, recording) is not None:
            return name
        number += 1


def write_export_manifest(path: Path, final_folder: Path, recording: Recording, files: Sequence[ExportedFile]) -> None:
    """Write the manifest of an export, with the files of earlier exports that stand beside the new ones.

    Parameters
    ----------
    path : Path
        Where to write.
    final_folder : Path
        Where it will stand.
    recording : Recording
    files : sequence of ExportedFile
        At least one.

    Raises
    ------
    OSError
    """
    new_names = {f.file for f in files}
    earlier = [
        entry
        for entry in _earlier_files(final_folder, path.name, recording) or []
        if entry["file"] not in new_names and (final_folder / entry["file"]).is_file()
    ]
    manifest = {
        "scoresep": version.__version__,
        "kind": EXPORT_KIND,
        "engine": files[0].engine,
        "device": files[0].device,
        "recording": recording_facts(recording),
        "stems": [*earlier, *(asdict(f) for f in files)],
    }
    path.write_text(
        json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8", errors=ESCAPED, newline="\n"
    )


def _earlier_files(folder: Path, name: str, recording: Recording) -> list[dict[str, Any]] | None:
    """Return what the manifest of an earlier export of the same recording lists; None where there is none."""
    try:
        manifest = read_manifest(folder, name)
    except InputError:
        return None
    is_same = manifest.get("kind") == EXPORT_KIND and manifest.get("recording") == recording_facts(recording)
    return list(manifest["stems"]) if is_same else None

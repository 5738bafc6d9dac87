"""Alignments in files of other programs: read from whatever tells when something is played, and exported.

Read are the table of notes, a MIDI performance, and times of bars or beats; which of them a file is, its content tells.
Written is MIDI, or tables and labels: all files of it, or none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from scoresep.errors import InputError, OutputError
from scoresep.files.audio.export import ExportReport
from scoresep.files.midi import holds_midi
from scoresep.files.midi.alignment import MidiPart, PerformedNotes, midi_bytes, read_performance
from scoresep.files.storage.atomic import output_errors
from scoresep.files.storage.part_folders import PartFolder
from scoresep.files.storage.paths import absolute_path, expanded_path, safe_name
from scoresep.files.tables.labels import (
    Instant,
    LabelledInstant,
    PitchedNote,
    audacity_bytes,
    instants_bytes,
    instants_of,
    notes_of,
    pitched_notes_bytes,
    read_instants,
    segments_of_parts,
)
from scoresep.files.tables.notes import REQUIRED_COLUMNS, notes_csv_bytes, read_notes_csv
from scoresep.files.tables.segments import segments_csv_bytes
from scoresep.model.alignment import Alignment, NoteTimes
from scoresep.model.audio import Recording
from scoresep.model.score import UnfoldedScore
from scoresep.model.segments import Segment
from scoresep.progress import Progress

NOTES_NAME, SEGMENTS_NAME, SEGMENT_LABELS_NAME = "notes.csv", "segments.csv", "Audacity segments.txt"
FILE_BYTES = 1 << 16  # about what one file of it takes
FORMATS = "notes.csv, a MIDI performance, labels of Audacity or a layer of Sonic Visualiser"


@dataclass(frozen=True)
class NoteTable:
    """Times of the notes of a score, as a table says them; one sentence for each doubt about it."""

    times: NoteTimes
    warnings: tuple[str, ...] = ()


def read_alignment(
    path: str | Path, unfolded: UnfoldedScore, recording: Recording
) -> NoteTable | PerformedNotes | tuple[Instant, ...]:
    """Read a file that tells when what is played.

    Parameters
    ----------
    path : str or Path
        A table of notes, a MIDI performance, labels of Audacity or a layer of Sonic Visualiser.
    unfolded : UnfoldedScore
        To which the rows of a table of notes belong.
    recording : Recording
        In whose frames they lie.

    Returns
    -------
    content : NoteTable or PerformedNotes or tuple of Instant
        The last for times of bars or beats.

    Raises
    ------
    InputError
        It cannot be read, or is nothing of the kind.
    """
    path = expanded_path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"'{path}' cannot be read ({error.strerror}); choose {FORMATS}.") from error
    if holds_midi(data):
        return read_performance(path, data)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"'{path}' is no alignment that can be read; choose {FORMATS}.") from error
    if any(column in text.split("\n", 1)[0] for column in REQUIRED_COLUMNS):
        return NoteTable(*read_notes_csv(path, unfolded, recording.sample_rate, recording.frames))
    return read_instants(path, text)


@dataclass(frozen=True)
class AlignmentExportRequest:
    """All that an export of an alignment depends on; can be sent to a worker process.

    Attributes
    ----------
    folder : str
    form : {'midi', 'labels'}
    song : str
        Name of the recording, for the names of files.
    unfolded : UnfoldedScore or None
        None where there is no score: then the segments alone are written, as labels.
    alignment : Alignment or None
        Its present notes are what is written.
    parts : tuple of MidiPart
        One for each part of the score, or each set of instruments.
    segments : tuple of Segment
    sample_rate, frames : int
        Of the recording.
    may_replace : bool
        Whether files of the same names are replaced.
    """

    folder: str
    form: Literal["midi", "labels"]
    song: str
    unfolded: UnfoldedScore | None
    alignment: Alignment | None
    parts: tuple[MidiPart, ...]
    segments: tuple[Segment, ...]
    sample_rate: int
    frames: int
    may_replace: bool = False


def alignment_files(request: AlignmentExportRequest) -> dict[str, Callable[[], bytes]]:
    """Return what makes the content of each file, by the names of the files; nothing is made before it is called."""
    unfolded, alignment, rate = request.unfolded, request.alignment, request.sample_rate
    names = [part.name for part in request.parts]
    segments = {SEGMENTS_NAME: partial(segments_csv_bytes, request.segments, names, rate)}
    segment_labels = partial(_made_of, audacity_bytes, partial(segments_of_parts, request.segments, names, rate))
    if unfolded is None or alignment is None:
        return {**segments, SEGMENT_LABELS_NAME: segment_labels}
    if request.form == "midi":
        title = unfolded.score.title or request.song
        name = f"{safe_name(request.song, 'Recording')} aligned.mid"
        return {name: partial(midi_bytes, unfolded, alignment, request.parts, rate, title)}
    files: dict[str, Callable[[], bytes]] = {
        NOTES_NAME: partial(notes_csv_bytes, unfolded, alignment, rate, names),
        **segments,
    }
    for what, with_beats in (("bars", False), ("beats", True)):
        instants = partial(instants_of, unfolded, alignment, rate, request.frames, with_beats)
        files[f"Audacity {what}.txt"] = partial(_instant_labels, instants)
        files[f"Sonic Visualiser {what}.csv"] = partial(_made_of, instants_bytes, instants)
    files[SEGMENT_LABELS_NAME] = segment_labels
    digits = max(2, len(str(len(names))))
    for index, name in enumerate(names):
        notes = partial(notes_of, unfolded, alignment, index, rate)
        numbered = f"notes {safe_name(f'{index + 1:0{digits}d} {name}')}"
        files[f"Audacity {numbered}.txt"] = partial(_note_labels, notes, name)
        files[f"Sonic Visualiser {numbered}.csv"] = partial(_made_of, pitched_notes_bytes, notes)
    return files


def _made_of(write: Callable[[Any], bytes], rows: Callable[[], Any]) -> bytes:
    return write(rows())


def _instant_labels(instants: Callable[[], list[LabelledInstant]]) -> bytes:
    return audacity_bytes((time, time, label) for time, label in instants())


def _note_labels(notes: Callable[[], list[PitchedNote]], name: str) -> bytes:
    return audacity_bytes((start, start + length, label or name) for start, _, length, label in notes())


def alignment_files_in_the_way(request: AlignmentExportRequest) -> tuple[str, ...]:
    """Return the files that the export would replace; ask the person, then set `may_replace`."""
    folder = absolute_path(request.folder)
    return tuple(name for name in alignment_files(request) if (folder / name).exists())


def export_alignment(request: AlignmentExportRequest, progress: Progress | None = None) -> ExportReport:
    """Write the files of an alignment, all or none.

    Raises
    ------
    OutputError
        A file is in the way, the folder cannot be written, or the disk is full.
    Cancelled
    """
    progress = progress or Progress()
    files = alignment_files(request)
    folder = absolute_path(request.folder)
    in_the_way = alignment_files_in_the_way(request)
    if in_the_way and not request.may_replace:
        raise OutputError(f"'{folder / in_the_way[0]}' exists already; choose another folder, or allow replacing.")
    part = PartFolder(folder, FILE_BYTES * len(files))
    try:
        for i, (name, make) in enumerate(files.items()):
            progress.update(i / len(files), f"Writing {name}")
            content = make()
            with output_errors(folder):
                (part.path / name).write_bytes(content)
        part.publish(list(files), in_the_way)
    except BaseException:
        part.abort()
        raise
    return ExportReport(str(folder), tuple(files), "", 0.0)

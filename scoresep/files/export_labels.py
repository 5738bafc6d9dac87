"""Tables of times for other programs: label tracks of Audacity, layers of Sonic Visualiser.

References
----------
Audacity manual, "Importing and Exporting Labels": start, end and label of each line, with tabs between.
Sonic Visualiser reference, "Import Annotation Layer": columns of time, value, duration and label.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from scoresep.files.csv_tables import table_bytes
from scoresep.model.alignment import Alignment
from scoresep.model.grid import grid_quarters
from scoresep.model.score import UnfoldedScore
from scoresep.model.segments import Segment
from scoresep.model.timebase import SAME_QUARTER

END_LABEL = "end"
PITCH_CLASSES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")

Stretch = tuple[float, float, str]  # start and end in seconds, label
Instant = tuple[float, str]
PitchedNote = tuple[float, float, float, str]  # time, pitch and duration in seconds, label


def audacity_bytes(stretches: Iterable[Stretch]) -> bytes:
    """Make a label track of Audacity; instants are stretches without length."""
    lines = [f"{start:.6f}\t{end:.6f}\t{' '.join(label.split())}\n" for start, end, label in stretches]
    return "".join(lines).encode()


def instants_bytes(instants: Iterable[Instant]) -> bytes:
    """Make a layer of time instants for Sonic Visualiser: time, label."""
    return table_bytes((), ([f"{time:.6f}", label] for time, label in instants))


def pitched_notes_bytes(notes: Iterable[PitchedNote]) -> bytes:
    """Make a layer of notes for Sonic Visualiser: time, value (MIDI pitch), duration, label."""
    rows = ([f"{time:.6f}", f"{pitch:g}", f"{length:.6f}", label] for time, pitch, length, label in notes)
    return table_bytes((), rows)


def position_label(unfolded: UnfoldedScore, quarter: float, with_beat: bool) -> str:
    """Write a position as labels have it: ``3``, ``3.2``; the second time of a bar is ``3.2 (2)``, the end ``end``."""
    if quarter > unfolded.end_quarter - SAME_QUARTER:
        return END_LABEL
    step, beat = unfolded.quarter_to_beat(quarter)
    number = unfolded.score.measures[step.measure_index].number
    text = f"{number}.{beat:.6g}" if with_beat else number
    return text if step.occurrence == 1 else f"{text} ({step.occurrence})"


def instants_of(
    unfolded: UnfoldedScore, alignment: Alignment, sample_rate: int, frames: int, with_beats: bool
) -> list[Instant]:
    """Return the bar lines (or beats) that lie in the recording, and the end of the score."""
    quarters = grid_quarters(unfolded, 0, len(unfolded.path.steps), with_beats)
    at = alignment.time_map.quarters_to_frames(quarters)
    inside = (at >= 0) & (at <= frames)
    return [
        (frame / sample_rate, position_label(unfolded, quarter, with_beats))
        for quarter, frame in zip(quarters[inside].tolist(), at[inside].tolist(), strict=True)
    ]


def notes_of(unfolded: UnfoldedScore, alignment: Alignment, part_index: int, sample_rate: int) -> list[PitchedNote]:
    """Return the notes of a part that the recording contains, in time; unpitched ones have the pitch 0."""
    notes, times = unfolded.notes, alignment.note_times
    rows = np.flatnonzero((notes.part_index == part_index) & times.is_present)
    rows = rows[np.argsort(times.onset_frame[rows], kind="stable")]
    found = []
    for i in rows.tolist():
        onset, offset, pitch = int(times.onset_frame[i]), int(times.offset_frame[i]), float(notes.pitch_midi[i])
        label = "" if np.isnan(pitch) else pitch_name(pitch)
        value = 0.0 if np.isnan(pitch) else pitch
        found.append((onset / sample_rate, value, (offset - onset) / sample_rate, label))
    return found


def segments_of_parts(segments: Sequence[Segment], part_names: Sequence[str], sample_rate: int) -> list[Stretch]:
    """Return who plays when: the names of the parts, or ``silence``."""
    return [
        (
            s.start_frame / sample_rate,
            s.end_frame / sample_rate,
            " + ".join(part_names[i] for i in s.part_indices) or str(s.category),
        )
        for s in segments
    ]


def pitch_name(pitch_midi: float) -> str:
    """Write the nearest pitch of the keyboard: 60 is ``C4``."""
    key = round(pitch_midi)
    return f"{PITCH_CLASSES[key % 12]}{key // 12 - 1}"

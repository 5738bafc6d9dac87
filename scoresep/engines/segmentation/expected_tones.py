"""Which tones the score lets a listener expect at every moment of a recording, and for a while around."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoresep.engines.segmentation.options import SegmentationOptions
from scoresep.model.alignment import Alignment
from scoresep.model.score import UnfoldedScore
from scoresep.model.segments import BRIDGED_GAP_S, join_intervals

TOGETHER_S = 0.05


@dataclass(frozen=True, eq=False)
class ExpectedTones:
    """Notes as they should sound, as columns of one length, sorted by part and onset.

    Attributes
    ----------
    part_index, pitch_midi : ndarray [shape=(tones,)], int64
        Pitches as they sound in the recording.
    onset_s, offset_s : ndarray [shape=(tones,)], float64
        Where the alignment puts them.
    first_s, last_s : ndarray [shape=(tones,)], float64
        Between which the tone is listened for: a tone after a rest may come early, one before a rest may be held.
    is_heard : ndarray [shape=(tones,)], bool
        Whether the aligner found it.
    """

    part_index: NDArray[np.int64]
    pitch_midi: NDArray[np.int64]
    onset_s: NDArray[np.float64]
    offset_s: NDArray[np.float64]
    first_s: NDArray[np.float64]
    last_s: NDArray[np.float64]
    is_heard: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.part_index)


def expected_tones(
    unfolded: UnfoldedScore, alignment: Alignment, sample_rate: int, options: SegmentationOptions
) -> ExpectedTones:
    """Gather the tones of a score that may sound in a recording.

    Notes that the aligner has not found count as long as they lie between those that it has, and it has found others
    of their part.
    """
    notes, times = unfolded.notes, alignment.note_times
    onset_s, offset_s = times.onset_frame / sample_rate, times.offset_frame / sample_rate
    heard = times.is_present
    first_s = onset_s[heard].min(initial=np.inf)
    last_s = offset_s[heard].max(initial=-np.inf)
    inside = heard | ((onset_s > first_s) & (offset_s < last_s))
    inside &= np.isin(notes.part_index, notes.part_index[heard])
    keep = np.flatnonzero(inside & ~notes.is_grace & np.isfinite(notes.pitch_midi) & (offset_s > onset_s))
    keep = keep[np.lexsort((onset_s[keep], notes.part_index[keep]))]
    part = notes.part_index[keep].astype(np.int64)
    pitch = np.rint(notes.pitch_midi[keep]).astype(np.int64) + alignment.transposition_semitones
    on, off = onset_s[keep], offset_s[keep]
    first, last = on.copy(), off.copy()
    for p in np.unique(part):
        mine = part == p
        first[mine], last[mine] = _listened_for(on[mine], off[mine], options)
    return ExpectedTones(part, pitch, on, off, first, last, heard[keep])


def _listened_for(
    onset_s: NDArray[np.float64], offset_s: NDArray[np.float64], options: SegmentationOptions
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return between which moments the tones of one part, sorted by onset, are listened for."""
    ended_s = np.concatenate([[-np.inf], np.maximum.accumulate(offset_s)[:-1]])
    after_rest = onset_s > ended_s + TOGETHER_S
    # Notes of one chord share the rest before their first.
    chord_start = np.searchsorted(onset_s, onset_s - TOGETHER_S)
    after_rest, ended_s = after_rest[chord_start], ended_s[chord_start]
    next_s = np.append(onset_s, np.inf)[np.searchsorted(onset_s, onset_s + TOGETHER_S, side="right")]
    # The next onset after a tone's end: whoever still sounds then ends the rest.
    next_entry_s = np.append(onset_s, np.inf)[np.searchsorted(onset_s, offset_s - TOGETHER_S)]
    before_rest = (next_entry_s > offset_s + TOGETHER_S) & (np.maximum.accumulate(offset_s)[-1:] >= 0)
    first_s = np.where(after_rest, np.maximum(onset_s - options.early_s, ended_s), onset_s - TOGETHER_S)
    held_s = np.minimum(offset_s + options.held_s, np.maximum(next_entry_s, next_s))
    return first_s, np.where(before_rest, held_s, offset_s + TOGETHER_S)


@dataclass(frozen=True, eq=False)
class ToneTable:
    """Which kinds of tones (one part, one pitch) are expected at every frame, in slots.

    Attributes
    ----------
    part_index, pitch_midi : ndarray [shape=(kinds,)], int64
    kind : ndarray [shape=(frames, slots)], int32
        `len(part_index)` where a slot is empty.
    is_written : ndarray [shape=(frames, slots)], bool
        Whether the score has the tone at that moment, and not only near it.
    """

    part_index: NDArray[np.int64]
    pitch_midi: NDArray[np.int64]
    kind: NDArray[np.int32]
    is_written: NDArray[np.bool_]

    def is_of_part(self, part: int) -> NDArray[np.bool_]:
        """Return which slots hold tones of a part, shape (frames, slots)."""
        return np.append(self.part_index == part, False)[self.kind]


def tone_table(tones: ExpectedTones, frames: int, frame_rate_hz: float) -> ToneTable:
    """Lay expected tones out over the frames of a recording."""
    kinds, kind_of_tone = np.unique(np.stack([tones.part_index, tones.pitch_midi]), axis=1, return_inverse=True)
    kind_of_tone = kind_of_tone.ravel()
    starts = np.clip(np.rint(tones.first_s * frame_rate_hz).astype(np.int64), 0, frames)
    stops = np.clip(np.rint(tones.last_s * frame_rate_hz).astype(np.int64) + 1, 0, frames)
    written_starts = np.clip(np.rint(tones.onset_s * frame_rate_hz).astype(np.int64), 0, frames)
    written_stops = np.clip(np.rint(tones.offset_s * frame_rate_hz).astype(np.int64), 0, frames)
    blocks = []
    for first in range(0, frames, 2000):
        last = min(first + 2000, frames)
        here = np.flatnonzero((starts < last) & (stops > first))
        used, column = np.unique(kind_of_tone[here], return_inverse=True)
        expected = np.zeros((last - first, len(used)), np.bool_)
        written = np.zeros((last - first, len(used)), np.bool_)
        for tone, k in zip(here.tolist(), column.tolist(), strict=True):
            expected[max(starts[tone] - first, 0) : stops[tone] - first, k] = True
            written[max(written_starts[tone] - first, 0) : max(written_stops[tone] - first, 0), k] = True
        slots = int(expected.sum(axis=1).max(initial=0))
        order = np.argsort(~expected, axis=1, kind="stable")[:, :slots]
        kind = np.where(np.take_along_axis(expected, order, 1), used[order] if len(used) else 0, kinds.shape[1])
        blocks.append((kind.astype(np.int32), np.take_along_axis(written & expected, order, 1)))
    slots = max((b[0].shape[1] for b in blocks), default=0)
    table = np.full((frames, slots), kinds.shape[1], np.int32)
    is_written = np.zeros((frames, slots), np.bool_)
    for i, (kind, written) in enumerate(blocks):
        rows = slice(2000 * i, 2000 * i + len(kind))
        table[rows, : kind.shape[1]], is_written[rows, : kind.shape[1]] = kind, written
    return ToneTable(kinds[0], kinds[1], table, is_written)


@dataclass(frozen=True, eq=False)
class WrittenParts:
    """Where the aligned score has every part sound.

    Attributes
    ----------
    is_written : ndarray [shape=(frames, parts)], bool
        Gaps that do not end an activity are bridged.
    note_number : ndarray [shape=(frames, parts)], int64
        Counts up wherever a note of the part begins, and where a stretch of notes ends.
    """

    is_written: NDArray[np.bool_]
    note_number: NDArray[np.int64]


def written_parts(tones: ExpectedTones, parts: int, frames: int, frame_rate_hz: float) -> WrittenParts:
    """Lay the parts' notes out over the frames of a recording."""
    is_written = np.zeros((frames, parts), np.bool_)
    number = np.zeros((frames, parts), np.int64)
    for part in range(parts):
        mine = tones.part_index == part
        onsets = np.clip(np.rint(tones.onset_s[mine] * frame_rate_hz).astype(np.int64), 0, frames)
        offsets = np.clip(np.rint(tones.offset_s[mine] * frame_rate_hz).astype(np.int64), 0, frames)
        starts, ends = join_intervals(onsets, offsets, round(BRIDGED_GAP_S * frame_rate_hz))
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            is_written[start:end, part] = True
        begins = np.zeros(frames + 1, np.bool_)
        begins[onsets] = True
        begins[ends] = True
        number[:, part] = np.cumsum(begins[:-1])
    return WrittenParts(is_written, number)

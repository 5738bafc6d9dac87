"""What the tones of every part sound like in one recording, and how much of each is in every spectrum.

A nonnegative factorisation whose dictionary holds one spectrum for every pitch of every part, and whose gains are free
only where the score lets the tone be expected.

Also here: which tones the score lets a listener expect at every moment of a recording, and for a while around.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoresep.engines.features import PitchScale
from scoresep.engines.segmentation import SegmentationOptions
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

    Parameters
    ----------
    unfolded : UnfoldedScore
    alignment : Alignment
    sample_rate : int
        Frames in a second.
    options : SegmentationOptions
    """
    notes, times = unfolded.notes, alignment.note_times
    onset_s, offset_s = times.onset_frame / sample_rate, times.offset_frame / sample_rate
    observed = times.is_present
    first_s = onset_s[observed].min(initial=np.inf)
    last_s = offset_s[observed].max(initial=-np.inf)
    inside = observed | ((onset_s > first_s) & (offset_s < last_s))
    inside &= np.isin(notes.part_index, notes.part_index[observed])
    keep = np.flatnonzero(inside & ~notes.is_grace & np.isfinite(notes.pitch_midi) & (offset_s > onset_s))
    keep = keep[np.lexsort((onset_s[keep], notes.part_index[keep]))]
    part = notes.part_index[keep].astype(np.int64)
    pitch = np.rint(notes.pitch_midi[keep]).astype(np.int64) + alignment.transposition_semitones
    on, off = onset_s[keep], offset_s[keep]
    first, last = on.copy(), off.copy()
    for p in np.unique(part):
        mine = part == p
        first[mine], last[mine] = _sought(on[mine], off[mine], options)
    return ExpectedTones(part, pitch, on, off, first, last, observed[keep])


def _sought(
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
    """Lay expected tones out over the frames of a recording.

    Parameters
    ----------
    tones : ExpectedTones
    frames : int
        Of the features.
    frame_rate_hz : float
        Frames of the features in a second.
    """
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
    """Lay the parts' notes out over the frames of a recording.

    Parameters
    ----------
    tones : ExpectedTones
    parts : int
        How many the score has.
    frames : int
        Of the features.
    frame_rate_hz : float
        Frames of the features in a second.
    """
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


HARMONICS = 12
# Size of each harmonic relative to the one below it, a first guess; and what leaks into the semitones beside it.
HARMONIC_DECAY, LEAKAGE = 0.7, 0.35
# How many frames of full sound the first guess, and what the other pitches of a part tell, count for.
GUESS_FRAMES, NEIGHBOUR_FRAMES = 5.0, 100.0
NEIGHBOUR_SEMITONES = 5.0
FLOOR = 1e-4
BLOCK_VALUES = 8_000_000
FIT_AGAIN = 6

Floats = NDArray[np.float32]


def first_spectra(table: ToneTable, scale: PitchScale) -> Floats:
    """Guess the spectrum of every kind of tone, each adding up to 1; shape (kinds + 1, bins), the last one empty."""
    spectra = np.zeros((len(table.part_index) + 1, scale.bins), np.float32)
    number = np.arange(1, HARMONICS + 1)
    offset = np.rint(12 * np.log2(number)).astype(np.int64)
    for beside, share in ((-1, LEAKAGE), (1, LEAKAGE), (0, 1.0)):
        bins = table.pitch_midi[:, None] - scale.lowest_midi + offset + beside
        row, column = np.nonzero((bins >= 0) & (bins < scale.bins))
        at = bins[row, column]
        spectra[row, at] = np.maximum(spectra[row, at], share * HARMONIC_DECAY ** (number[column] - 1))
    return np.asarray(spectra / np.maximum(spectra.sum(axis=1, keepdims=True), 1e-9), np.float32)


def fitted_gains(
    observed: Floats, spectra: Floats, kind: NDArray[np.int32], rounds: int, start: Floats | None = None
) -> tuple[Floats, Floats]:
    """Find how much of every expected tone explains what is heard best.

    Parameters
    ----------
    observed : ndarray [shape=(frames, bins)], float32
        Sizes, not powers.
    spectra : ndarray [shape=(kinds + 1, bins)], float32
    kind : ndarray [shape=(frames, slots)], int32
    rounds : int
    start : ndarray [shape=(frames, slots)], float32, optional
        Gains to begin with; those of 0 stay 0.

    Returns
    -------
    gains : ndarray [shape=(frames, slots)], float32
    divergence : ndarray [shape=(frames,)], float32
        What stays unexplained (generalised Kullback-Leibler divergence).

    References
    ----------
    D. D. Lee, H. S. Seung, "Algorithms for non-negative matrix factorization", NIPS 2000
    """
    frames, slots = kind.shape
    gains, divergence = np.zeros((frames, slots), np.float32), np.empty(frames, np.float32)
    for rows in _blocks(frames, slots, observed.shape[1]):
        atoms, v = spectra[kind[rows]], observed[rows]
        if start is None:
            g = np.where(kind[rows] < len(spectra) - 1, v.sum(axis=1, keepdims=True) / max(slots, 1), 0)
        else:
            g = start[rows]
        g = g.astype(np.float32)
        for _ in range(rounds):
            explained = np.matmul(g[:, None, :], atoms)[:, 0] + np.float32(FLOOR)
            g *= np.matmul(atoms, (v / explained)[:, :, None])[:, :, 0]
        explained = np.matmul(g[:, None, :], atoms)[:, 0] + np.float32(FLOOR)
        divergence[rows] = (v * np.log(np.maximum(v, 1e-9) / explained) - v + explained).sum(axis=1)
        gains[rows] = g
    return gains, divergence


def explained_by(gains: Floats, spectra: Floats, kind: NDArray[np.int32]) -> Floats:
    """Return the spectra that tones with these gains add up to, shape (frames, bins).

    Parameters
    ----------
    gains : ndarray [shape=(frames, slots)], float32
    spectra : ndarray [shape=(kinds, bins)], float32
        One for every pitch of every part.
    kind : ndarray [shape=(frames, slots)], int32
        Which spectrum a tone has.
    """
    explained = np.empty((len(kind), spectra.shape[1]), np.float32)
    for rows in _blocks(len(kind), kind.shape[1], spectra.shape[1]):
        explained[rows] = np.matmul(gains[rows][:, None, :], spectra[kind[rows]])[:, 0] + np.float32(FLOOR)
    return explained


def divergence_with_at_least(
    observed: Floats, spectra: Floats, kind: NDArray[np.int32], start: Floats, own: NDArray[np.bool_], least: float
) -> Floats:
    """Return what stays unexplained, shape (frames,), when some tones must together have a gain of at least `least`.

    Parameters
    ----------
    observed, spectra, kind
        As in `fitted_gains`.
    start : ndarray [shape=(frames, slots)], float32
        Gains to begin with.
    own : ndarray [shape=(frames, slots)], bool
        The tones in question; every frame has one.
    least : float
    """
    divergence = np.empty(len(kind), np.float32)
    for rows in _blocks(len(kind), kind.shape[1], observed.shape[1]):
        atoms, v, mine, g = spectra[kind[rows]], observed[rows], own[rows].astype(np.float32), start[rows]
        count = mine.sum(axis=1, keepdims=True)
        for _ in range(FIT_AGAIN):
            explained = np.matmul(g[:, None, :], atoms)[:, 0] + np.float32(FLOOR)
            g = g * np.matmul(atoms, (v / explained)[:, :, None])[:, :, 0]
            g += mine * np.maximum(least - (g * mine).sum(axis=1, keepdims=True), 0).astype(np.float32) / count
        explained = np.matmul(g[:, None, :], atoms)[:, 0] + np.float32(FLOOR)
        divergence[rows] = (v * np.log(np.maximum(v, 1e-9) / explained) - v + explained).sum(axis=1)
    return divergence


def learned_spectra(
    observed: Floats, spectra: Floats, table: ToneTable, gains: Floats, weight: Floats, guess: Floats
) -> Floats:
    """Learn the spectra of all kinds of tones anew from what they explain.

    Kinds that are seldom heard lean on the part's other pitches nearby, moved along the semitones, and these on the
    first guess.

    Parameters
    ----------
    observed, spectra, gains
        As in `fitted_gains`.
    table : ToneTable
    weight : ndarray [shape=(frames, slots)], float32
        How surely each tone sounds; what is doubtful teaches nothing.
    guess : ndarray [shape=(kinds + 1, bins)], float32

    Returns
    -------
    spectra : ndarray [shape=(kinds + 1, bins)], float32
    """
    bins = observed.shape[1]
    owned = np.zeros(spectra.shape, np.float64)
    for rows in _blocks(len(observed), table.kind.shape[1], bins):
        atoms = spectra[table.kind[rows]]
        explained = np.matmul(gains[rows][:, None, :], atoms)[:, 0] + np.float32(FLOOR)
        share = atoms * (gains[rows] * weight[rows])[:, :, None] * (observed[rows] / explained)[:, None, :]
        flat = table.kind[rows].ravel()
        order = np.argsort(flat, kind="stable")
        kinds, first = np.unique(flat[order], return_index=True)
        if len(kinds):
            owned[kinds] += np.add.reduceat(share.reshape(len(flat), bins)[order], first, axis=0)
    owned /= max(float(observed.sum(axis=1).mean()), 1e-9)
    out = guess.astype(np.float64)
    for part in np.unique(table.part_index):
        mine = np.flatnonzero(table.part_index == part)
        for k in mine.tolist():
            near = GUESS_FRAMES * guess[k].astype(np.float64)
            for other in mine.tolist():
                up = int(table.pitch_midi[k] - table.pitch_midi[other])
                near += np.exp(-abs(up) / NEIGHBOUR_SEMITONES) * _moved(owned[other], up)
            mixed = owned[k] + NEIGHBOUR_FRAMES * near / near.sum()
            out[k] = np.where(guess[k] > 0, mixed, 0)
    return np.asarray(out / np.maximum(out.sum(axis=1, keepdims=True), 1e-9), np.float32)


def _moved(spectrum: NDArray[np.float64], up: int) -> NDArray[np.float64]:
    moved = np.zeros_like(spectrum)
    if up >= 0:
        moved[up:] = spectrum[: len(spectrum) - up]
    else:
        moved[:up] = spectrum[-up:]
    return moved


def _blocks(frames: int, slots: int, bins: int) -> list[slice]:
    size = max(BLOCK_VALUES // max(slots * bins, 1), 1)
    return [slice(first, min(first + size, frames)) for first in range(0, frames, size)]

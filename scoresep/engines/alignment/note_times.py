"""From the moments of events to the times of single notes: players are not quite together, and notes end."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scoresep.engines.alignment.note_onsets import onset_evidence
from scoresep.engines.features import PitchScale
from scoresep.model.score import PathNotes

TOGETHER_S = 0.02  # common deviation of one note from its event
GRACE_S = 0.07


def single_onsets_s(
    rise: NDArray[np.float32],
    scale: PitchScale,
    sounding_midi: NDArray[np.float64],
    note_s: NDArray[np.float64],
    is_grace: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Find the onset of every note near the moment of its event."""
    offset_s = np.arange(-6, 7) * 0.01
    evidence = onset_evidence(rise, scale, sounding_midi, note_s[:, None] + offset_s)
    value = 1.0 * evidence - 0.5 * (offset_s / TOGETHER_S) ** 2
    onset_s = note_s + offset_s[value.argmax(axis=1)]
    return np.asarray(np.where(is_grace, note_s - GRACE_S, onset_s))


def offsets_s(
    notes: PathNotes, onset_s: NDArray[np.float64], note_s: NDArray[np.float64], end_s: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return when notes end: as written, but not after the same part plays the same pitch again.

    Parameters
    ----------
    notes : PathNotes
    onset_s : ndarray [shape=(notes,)], float64
        Of the single notes.
    note_s, end_s : ndarray [shape=(notes,)], float64
        Where the time map puts beginnings and ends.
    """
    offset_s = np.where(notes.is_grace, onset_s, np.maximum(end_s, onset_s + 0.02))
    order = np.lexsort((notes.onset_quarter, np.nan_to_num(notes.pitch_midi, nan=-1), notes.part_index))
    same = (
        (notes.part_index[order][1:] == notes.part_index[order][:-1])
        & (notes.pitch_midi[order][1:] == notes.pitch_midi[order][:-1])
        & (onset_s[order][1:] > onset_s[order][:-1])
    )
    limit = np.full(len(order), np.inf)
    limit[:-1][same] = onset_s[order][1:][same]
    offset_s[order] = np.minimum(offset_s[order], limit)
    return np.asarray(np.maximum(offset_s, onset_s))

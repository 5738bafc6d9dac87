"""From the moments of events to the times of single notes: players are not quite together, and notes end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoresep.model.score import PathNotes


@dataclass(frozen=True, eq=False)
class NoteGuess:
    """What was found of single notes; NaN where nothing was sought.

    Attributes
    ----------
    onset_s : ndarray [shape=(notes,)], float64
    absence : ndarray [shape=(notes,)], float64
        Logarithm of how much likelier all that is heard is without the note than with it.
    """

    onset_s: NDArray[np.float64]
    absence: NDArray[np.float64]


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

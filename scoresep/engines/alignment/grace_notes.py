"""When grace notes begin: between the note before and their main note, where their own tones are heard to rise.

The score gives them no time of their own, so that nothing else is aligned by them; they are placed last.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scoresep.engines.alignment.note_patches import HeardLevels
from scoresep.engines.alignment.rises import onset_rises
from scoresep.model.score import PathNotes
from scoresep.model.timebase import SAME_QUARTER

# What a grace note usually lasts, how far from it (as a factor, e being 1) is about as unlikely as no rise at all, and
# what is the least and the most that is tried.
USUAL_S, LEAST_S, LONGEST_S = 0.07, 0.03, 0.3
SPREAD = 0.5
STEP_S = 0.01
# Rises are weighed against that; less than `LEAST_RISE` is none.
RISE_WEIGHT, LEAST_RISE = 2.0, 0.5


def grace_onsets_s(
    levels: HeardLevels,
    notes: PathNotes,
    sounding_midi: NDArray[np.float64],
    onset_s: NDArray[np.float64],
    main_s: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return when every note begins, grace notes placed anew before the notes that they lead to.

    Those of one part that lead to one moment follow each other as the score has them.

    Parameters
    ----------
    levels : HeardLevels
    notes : PathNotes
    sounding_midi : ndarray [shape=(notes,)], float64
        As they sound in the recording.
    onset_s : ndarray [shape=(notes,)], float64
        Of all other notes; NaN where nothing was sought.
    main_s : ndarray [shape=(notes,)], float64
        When the moment comes at which a note is written; NaN where nothing was sought.
    """
    out = onset_s.copy()
    graces = np.flatnonzero(notes.is_grace & np.isfinite(main_s))
    order = graces[np.lexsort((notes.written_index[graces], notes.onset_quarter[graces], notes.part_index[graces]))]
    if not len(order):
        return out
    is_first = np.append(True, np.diff(notes.part_index[order]) != 0)
    is_first[1:] |= np.diff(notes.onset_quarter[order]) > SAME_QUARTER
    for group in np.split(order, np.flatnonzero(is_first)[1:]):
        part = (notes.part_index == notes.part_index[group[0]]) & ~notes.is_grace & np.isfinite(onset_s)
        together = part & (np.abs(notes.onset_quarter - notes.onset_quarter[group[0]]) < SAME_QUARTER)
        until_s = float(onset_s[together].min(initial=main_s[group[0]]))
        before = part & (notes.onset_quarter < notes.onset_quarter[group[0]] - SAME_QUARTER)
        since_s = float(onset_s[before].max(initial=-np.inf))
        out[group] = _placed(levels, sounding_midi[group], since_s, until_s)
    return out


def _placed(levels: HeardLevels, midi: NDArray[np.float64], since_s: float, until_s: float) -> NDArray[np.float64]:
    """Place some grace notes one after the other between the note before and the main note (best path), in seconds."""
    count = len(midi)
    room_s = max(until_s - since_s, 0.0)
    usual_s = min(USUAL_S, 0.5 * room_s / count)
    longest_s = min(count * LONGEST_S, 0.8 * room_s)
    if longest_s < (count + 1) * STEP_S:
        return np.asarray(until_s - usual_s * np.arange(count, 0, -1), np.float64)
    places_s = until_s - STEP_S * np.arange(int(longest_s / STEP_S), 0, -1)
    rises = onset_rises(levels, midi, np.broadcast_to(places_s, (count, len(places_s))))
    gain = RISE_WEIGHT * np.maximum(rises - LEAST_RISE, 0).astype(np.float64)
    length_s = np.append(places_s, until_s)[None, :] - places_s[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        off = np.log(length_s / usual_s) / SPREAD
    lasts = np.where(length_s >= min(LEAST_S, usual_s) - 1e-9, -0.5 * off**2, -np.inf)
    best, came_from = gain[-1] + lasts[:, -1], []
    for number in range(count - 2, -1, -1):
        after = lasts[:, :-1] + best[None, :]
        came_from.append(after.argmax(axis=1))
        best = gain[number] + after.max(axis=1)
    at = int(best.argmax())
    if not np.isfinite(best[at]):
        return np.asarray(until_s - usual_s * np.arange(count, 0, -1), np.float64)
    path = [at]
    for following in reversed(came_from):
        path.append(int(following[path[-1]]))
    return np.asarray(places_s[path])

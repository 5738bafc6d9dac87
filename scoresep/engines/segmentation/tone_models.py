"""What the tones of every part sound like in one recording, and how much of each is in every spectrum.

A nonnegative factorisation whose dictionary holds one spectrum for every pitch of every part, and whose gains are free
only where the score lets the tone be expected.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scoresep.engines.features import PitchScale
from scoresep.engines.segmentation.expected_tones import ToneTable

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
    heard: Floats, spectra: Floats, kind: NDArray[np.int32], rounds: int, start: Floats | None = None
) -> tuple[Floats, Floats]:
    """Find how much of every expected tone explains what is heard best.

    Parameters
    ----------
    heard : ndarray [shape=(frames, bins)], float32
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
    for rows in _blocks(frames, slots, heard.shape[1]):
        atoms, v = spectra[kind[rows]], heard[rows]
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
    """Return the spectra that tones with these gains add up to, shape (frames, bins)."""
    explained = np.empty((len(kind), spectra.shape[1]), np.float32)
    for rows in _blocks(len(kind), kind.shape[1], spectra.shape[1]):
        explained[rows] = np.matmul(gains[rows][:, None, :], spectra[kind[rows]])[:, 0] + np.float32(FLOOR)
    return explained


def divergence_with_at_least(
    heard: Floats, spectra: Floats, kind: NDArray[np.int32], start: Floats, own: NDArray[np.bool_], least: float
) -> Floats:
    """Return what stays unexplained, shape (frames,), when some tones must together have a gain of at least `least`.

    Parameters
    ----------
    heard, spectra, kind
        As in `fitted_gains`.
    start : ndarray [shape=(frames, slots)], float32
        Gains to begin with.
    own : ndarray [shape=(frames, slots)], bool
        The tones in question; every frame has one.
    least : float
    """
    divergence = np.empty(len(kind), np.float32)
    for rows in _blocks(len(kind), kind.shape[1], heard.shape[1]):
        atoms, v, mine, g = spectra[kind[rows]], heard[rows], own[rows].astype(np.float32), start[rows]
        count = mine.sum(axis=1, keepdims=True)
        for _ in range(FIT_AGAIN):
            explained = np.matmul(g[:, None, :], atoms)[:, 0] + np.float32(FLOOR)
            g = g * np.matmul(atoms, (v / explained)[:, :, None])[:, :, 0]
            g += mine * np.maximum(least - (g * mine).sum(axis=1, keepdims=True), 0).astype(np.float32) / count
        explained = np.matmul(g[:, None, :], atoms)[:, 0] + np.float32(FLOOR)
        divergence[rows] = (v * np.log(np.maximum(v, 1e-9) / explained) - v + explained).sum(axis=1)
    return divergence


def learned_spectra(
    heard: Floats, spectra: Floats, table: ToneTable, gains: Floats, weight: Floats, guess: Floats
) -> Floats:
    """Learn the spectra of all kinds of tones anew from what they explain.

    Kinds that are seldom heard lean on the part's other pitches nearby, moved along the semitones, and these on the
    first guess.

    Parameters
    ----------
    heard, spectra, gains
        As in `fitted_gains`.
    table : ToneTable
    weight : ndarray [shape=(frames, slots)], float32
        How surely each tone sounds; what is doubtful teaches nothing.
    guess : ndarray [shape=(kinds + 1, bins)], float32

    Returns
    -------
    spectra : ndarray [shape=(kinds + 1, bins)], float32
    """
    bins = heard.shape[1]
    owned = np.zeros(spectra.shape, np.float64)
    for rows in _blocks(len(heard), table.kind.shape[1], bins):
        atoms = spectra[table.kind[rows]]
        explained = np.matmul(gains[rows][:, None, :], atoms)[:, 0] + np.float32(FLOOR)
        share = atoms * (gains[rows] * weight[rows])[:, :, None] * (heard[rows] / explained)[:, None, :]
        flat = table.kind[rows].ravel()
        order = np.argsort(flat, kind="stable")
        kinds, first = np.unique(flat[order], return_index=True)
        if len(kinds):
            owned[kinds] += np.add.reduceat(share.reshape(len(flat), bins)[order], first, axis=0)
    owned /= max(float(heard.sum(axis=1).mean()), 1e-9)
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

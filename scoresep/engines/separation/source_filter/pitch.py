"""Follows the pitch of every note through the mixture, around what the score says.

How well a pitch explains a window is first read from the whitened spectrum at its multiples, then, once the sounds of
all parts are roughly known, from how much likelier it makes the mixture beside the other parts. The best way through
the windows of a note is found by dynamic programming: pitch may glide and swing, but not jump for nothing.

References
----------
G. D. Forney, "The Viterbi algorithm", Proceedings of the IEEE 61(3), 1973, doi:10.1109/PROC.1973.9030. A. Klapuri,
"Multiple fundamental frequency estimation by summing harmonic amplitudes", ISMIR 2006 (summing over multiples).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scoresep.engines.separation.source_filter import SourceFilterSettings
from scoresep.engines.separation.source_filter.fitting import TINY, Fit
from scoresep.engines.separation.source_filter.partials import FINE, LINE_BINS, NoteFrames, line_table

SALIENT_PARTIALS = 16
SALIENT_HZ = 4000.0
SALIENCE_WEIGHT = 5.0  # of a window's salience against a move from window to window
LIKELIHOOD_WEIGHT = 0.3  # the same for likelihoods, in units of the mixture's mean magnitude
SWING_CENTS = 22.0  # from window to window, hop 23 ms: moves that cost half a unit
AT_ONCE = 4000  # cells


def candidates(settings: SourceFilterSettings) -> NDArray[np.float32]:
    """Return the pitches that are tried, in cents above the score."""
    reach = settings.reach_cents
    return np.arange(-reach, reach + 1, settings.step_cents).astype(np.float32)


def track_pitch(fit: Fit, check: Callable[[], None]) -> NDArray[np.float32]:
    """Return the pitch of every cell of a fit, in cents above the score; the fit is left as it stands in the end."""
    settings, cells = fit.settings, fit.cells
    candidate_cents = candidates(settings)
    if not len(cells):
        return np.zeros(0, np.float32)
    scores = salience(fit, candidate_cents)
    cents = interpolate_peak(scores, viterbi_path(SALIENCE_WEIGHT * scores, cells, candidate_cents), candidate_cents)
    for turn in range(settings.track_rounds):
        fit.set_pitch(cents, cells.glides(cents), settings.track_partials)
        fit.improve(10 if turn == 0 else 5, check, (settings.sharing_first, settings.sharing_first))
        scores = likelihoods(fit, candidate_cents, check)
        cents = interpolate_peak(
            scores, viterbi_path(LIKELIHOOD_WEIGHT * scores, cells, candidate_cents), candidate_cents
        )
    return cents


def salience(fit: Fit, candidate_cents: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how much stands at the multiples of every pitch, shape (cells, tried)."""
    grid, magnitude = fit.grid, fit.magnitude
    size = 2 * int(150.0 / grid.bin_hz) + 1
    around = torch.nn.functional.avg_pool1d(magnitude[:, None], size, 1, size // 2, count_include_pad=False)[:, 0]
    around = around + 0.03 * magnitude.mean(1, keepdim=True) + TINY
    white = torch.log1p((magnitude / around) ** 2).reshape(-1)
    number = torch.arange(1, SALIENT_PARTIALS + 1, device=magnitude.device)
    weight = number**-0.5
    result = np.zeros((len(fit.midi), len(candidate_cents)), np.float32)
    for start in range(0, len(fit.midi), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        midi = torch.from_numpy((fit.midi[some, None] + candidate_cents / 100.0).astype(np.float32)).to(
            magnitude.device
        )
        at = (440.0 / grid.bin_hz) * torch.exp2((midi - 69.0) / 12.0)[..., None] * number
        is_inside = (at < min(SALIENT_HZ / grid.bin_hz, grid.bins - 2)) | (number == 1)
        low = at.floor().long().clamp(max=grid.bins - 2)
        part, base = (at - low).clamp(0.0, 1.0), fit.window[some, None, None] * grid.bins
        value = white[base + low] * (1.0 - part) + white[base + low + 1] * part
        counted = weight * is_inside
        result[some] = ((value * counted).sum(-1) / counted.sum(-1)).cpu().numpy()
    return result


def likelihoods(fit: Fit, candidate_cents: NDArray[np.float32], check: Callable[[], None]) -> NDArray[np.float32]:
    """Return how much likelier every pitch makes the mixture than silence of the note, shape (cells, tried).

    The Kullback-Leibler divergence to the other parts' model, less that to the model with the note at this pitch.

    Parameters
    ----------
    fit : Fit
        The model of the mixture.
    candidate_cents : ndarray [shape=(tried,)], float32
        Above what the score says.
    check : callable
        Called now and then; raises when the work is to stop.
    """
    grid, count = fit.grid, min(SALIENT_PARTIALS, fit.lines.index.shape[1])
    shapes, model = fit.shapes(), fit.model()
    partials = fit.loudness.sum(1, keepdim=True) * fit.sound()
    unit = float(fit.magnitude.mean()) + TINY
    result = np.zeros((len(fit.midi), len(candidate_cents)), np.float32)
    for start in range(0, len(fit.midi), AT_ONCE):
        check()
        some = slice(start, start + AT_ONCE)
        rows = fit.window[some]
        own = model.new_zeros(len(rows), grid.bins)
        local = (fit.lines.index[some] - rows[:, None, None] * grid.bins).flatten(1)
        own.scatter_add_(1, local, shapes[some].flatten(1))
        others = (model[rows] - own).clamp(min=TINY)
        midi = torch.from_numpy(fit.midi[some].astype(np.float32)).to(model.device)
        for k, cents in enumerate(candidate_cents.tolist()):
            bins, shape = _still_lines(midi + cents / 100.0, count, fit)
            line = (shape * partials[some, :count, None]).flatten(1)
            below, observed = others.gather(1, bins), fit.magnitude[rows].gather(1, bins)
            gain = (observed * torch.log1p(line / below) - line).sum(1) / unit
            result[some, k] = gain.cpu().numpy()
    return result


def _still_lines(midi: Tensor, count: int, fit: Fit) -> tuple[Tensor, Tensor]:
    """Return bins, shape (cells, count * LINE_BINS), and lines, shape (cells, count, LINE_BINS), of steady pitches."""
    grid, device = fit.grid, midi.device
    table = torch.from_numpy(line_table()[0]).to(device)
    number = torch.arange(1, count + 1, device=device)
    centre = (440.0 / grid.bin_hz) * torch.exp2((midi - 69.0) / 12.0)[:, None] * number
    bins = centre.round().long()[..., None] + (torch.arange(LINE_BINS, device=device) - LINE_BINS // 2)
    column = ((bins - centre[..., None]).abs() * FINE).round().long().clamp(max=len(table) - 1)
    value = table[column] * ((bins >= 0) & (bins < grid.bins))
    return bins.clamp(0, grid.bins - 1).flatten(1), value / (value.sum(-1, keepdim=True) + 1e-6)


def viterbi_path(
    scores: NDArray[np.float32], cells: NoteFrames, candidate_cents: NDArray[np.float32]
) -> NDArray[np.int64]:
    """Return for every cell which pitch lies on the best way through its note, shape (cells,).

    Parameters
    ----------
    scores : ndarray [shape=(cells, tried)], float32
        Log-likelihoods.
    cells : NoteFrames
        Note by note.
    candidate_cents : ndarray [shape=(tried,)], float32
        Above what the score says.
    """
    starts = np.unique(cells.run_start)
    lengths = cells.run_stop[starts] - starts
    order = np.argsort(-lengths, kind="stable")
    starts, lengths = starts[order], lengths[order]
    move = np.abs(candidate_cents[:, None] - candidate_cents) / SWING_CENTS
    cost = np.minimum(0.5 * move**2, 1.0 + 0.35 * move).astype(np.float32)
    came_from = np.zeros((len(starts), int(lengths.max()), len(candidate_cents)), np.int16)
    best = scores[starts].copy()
    for step in range(1, int(lengths.max())):
        alive = int((lengths > step).sum())
        reached = best[:alive, :, None] - cost
        came_from[:alive, step] = reached.argmax(1)
        best[:alive] = reached.max(1) + scores[starts[:alive] + step]
    way = np.zeros(len(cells), np.int64)
    at = best.argmax(1)
    for step in range(int(lengths.max()) - 1, -1, -1):
        alive = int((lengths > step).sum())
        way[starts[:alive] + step] = at[:alive]
        at[:alive] = came_from[np.arange(alive), step, at[:alive]]
    return way


def interpolate_peak(
    scores: NDArray[np.float32], way: NDArray[np.int64], candidate_cents: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the pitches of a way in cents, between the steps by a parabola through the neighbours.

    Parameters
    ----------
    scores : ndarray [shape=(cells, tried)], float32
        Log-likelihoods.
    way : ndarray [shape=(cells,)], int64
        Which pitch lies on the path.
    candidate_cents : ndarray [shape=(tried,)], float32
        Above what the score says.
    """
    row, inner = np.arange(len(way)), np.clip(way, 1, len(candidate_cents) - 2)
    left, middle, right = (scores[row, inner + k] for k in (-1, 0, 1))
    bend = left - 2.0 * middle + right
    is_peak = (bend < -1e-9) & (inner == way)
    shift = np.clip(0.5 * (left - right) / np.where(is_peak, bend, 1.0), -0.5, 0.5)
    cents: NDArray[np.float32] = (
        candidate_cents[way] + np.where(is_peak, shift, 0.0) * (candidate_cents[1] - candidate_cents[0])
    ).astype(np.float32)
    return cents

"""The same model with no score: a given number of sets, told apart by their sound alone.

It cannot say which parts a set holds. It is here to be compared with, and shows what the score is worth.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scoresep.engines.features import compressed
from scoresep.engines.segmentation.evidence import EVIDENCE_SCALE
from scoresep.engines.segmentation.hidden_markov import Floats, Gaussians, baum_welch, best_path, constant_chain

POOLED = 5  # frames of EVIDENCE_SCALE that are taken together
DIMENSIONS = 12
KEPT_S = 2.0
CLUSTER_ROUNDS, LEARNING_ROUNDS = 20, 12


def find_states(heard: NDArray[np.float32], states: int, seed: int = 0) -> NDArray[np.int64]:
    """Divide a recording into stretches of so many different sounds.

    Parameters
    ----------
    heard : ndarray [shape=(frames, bins)], float32
        From `evidence.listen`.
    states : int
        Number of sets.
    seed : int
        Of the first guess.

    Returns
    -------
    state : ndarray [shape=(frames,)], int64
        Which of the sets sounds, in no particular order.
    """
    observed = _reduced(heard)
    states = max(min(states, len(observed)), 1)
    state = _clusters(observed, states, np.random.default_rng(seed))
    start = Gaussians(
        np.stack(
            [observed[state == k].mean(axis=0) if (state == k).any() else observed.mean(axis=0) for k in range(states)]
        ),
        np.tile(observed.var(axis=0) + 1e-3, (states, 1)),
    )
    leaves = POOLED / EVIDENCE_SCALE.frame_rate_hz / KEPT_S
    step = np.full((states, states), leaves / max(states - 1, 1))
    np.fill_diagonal(step, 1 - leaves if states > 1 else 1.0)
    chain = constant_chain(np.full(states, -np.log(states)), np.log(step), len(observed))
    model, chain, _ = baum_welch(observed, chain, start, LEARNING_ROUNDS, variance_floor=0.05)
    path = best_path(chain, model.log_likelihood(observed))
    return np.repeat(path, POOLED)[: len(heard)]


def _reduced(heard: NDArray[np.float32]) -> Floats:
    """Return pooled, compressed spectra on their principal axes, scaled to unit variance on the first."""
    missing = -len(heard) % POOLED
    power = np.pad(heard**2, ((0, missing), (0, 0)), mode="edge").reshape(-1, POOLED, heard.shape[1]).mean(axis=1)
    values = compressed(power, 1.0).astype(np.float64)
    values -= values.mean(axis=0)
    _, axes = np.linalg.eigh(values.T @ values)
    observed = values @ axes[:, ::-1][:, :DIMENSIONS]
    return np.asarray(observed / max(float(observed[:, 0].std()), 1e-9))


def _clusters(observed: Floats, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Divide observations into clusters (k-means, spread first guess), shape (frames,).

    References
    ----------
    D. Arthur, S. Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007
    """
    centres = observed[rng.integers(len(observed))][None]
    while len(centres) < count:
        distance = _distances(observed, centres).min(axis=1) + 1e-12
        centres = np.concatenate([centres, observed[rng.choice(len(observed), p=distance / distance.sum())][None]])
    for _ in range(CLUSTER_ROUNDS):
        nearest = _distances(observed, centres).argmin(axis=1)
        for k in np.unique(nearest):
            centres[k] = observed[nearest == k].mean(axis=0)
    return np.asarray(_distances(observed, centres).argmin(axis=1), np.int64)


def _distances(observed: Floats, centres: Floats) -> Floats:
    squares = (observed**2).sum(axis=1)[:, None] + (centres**2).sum(axis=1) - 2 * observed @ centres.T
    return np.asarray(np.maximum(squares, 0))

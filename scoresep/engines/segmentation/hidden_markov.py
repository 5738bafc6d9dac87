"""Hidden Markov models whose states share what they sound like, learned from one recording alone.

Knows nothing of music. Every recurrence of a state is the same state, so that its model is tied; what is special
about a moment is said by the prior of that moment and by the transitions that are in force there.

References
----------
L. R. Rabiner, "A tutorial on hidden Markov models and selected applications in speech recognition", Proc. IEEE 77(2),
1989, doi:10.1109/5.18626
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Chain:
    """How states follow each other.

    Attributes
    ----------
    log_start : ndarray [shape=(states,)], float64
    log_transition : ndarray [shape=(kinds, states, states)], float64
        From row to column, for every kind of moment.
    kind : ndarray [shape=(frames,)], int64
        Which transitions lead into every frame; that of frame 0 is not used.
    """

    log_start: Floats
    log_transition: Floats
    kind: NDArray[np.int64]


def constant_chain(log_start: Floats, log_transition: Floats, frames: int) -> Chain:
    """Return the chain whose transitions are the same at all times, log_transition (states, states)."""
    return Chain(log_start, log_transition[None], np.zeros(frames, np.int64))


def posterior(chain: Chain, log_likelihood: Floats) -> tuple[Floats, float]:
    """Run forwards and backwards through a chain.

    Parameters
    ----------
    chain : Chain
    log_likelihood : ndarray [shape=(frames, states)], float64
        Of what is observed, given each state, with the prior of the moment.

    Returns
    -------
    posterior : ndarray [shape=(frames, states)], float64
        Probability of every state at every frame, given all frames.
    log_evidence : float
        Logarithm of the likelihood of everything.
    """
    forward, scale, likelihood, step = _forward(chain, log_likelihood)
    backward = np.ones_like(forward)
    for t in range(len(forward) - 2, -1, -1):
        np.matmul(step[chain.kind[t + 1]], likelihood[t + 1] * backward[t + 1], out=backward[t])
        backward[t] /= backward[t].sum()
    both = forward * backward
    return both / both.sum(axis=1, keepdims=True), float(scale)


def _forward(chain: Chain, log_likelihood: Floats) -> tuple[Floats, float, Floats, Floats]:
    """Return forward probabilities normed per frame, the log evidence, scaled likelihoods and transitions."""
    highest = log_likelihood.max(axis=1)
    likelihood = np.exp(log_likelihood - highest[:, None])
    step = np.exp(chain.log_transition)
    turned = np.ascontiguousarray(step.transpose(0, 2, 1))
    forward, total = np.empty_like(likelihood), np.empty(len(likelihood))
    state = np.exp(chain.log_start)
    for t, kind in enumerate(chain.kind.tolist()):
        state = (state if t == 0 else turned[kind] @ state) * likelihood[t]
        total[t] = state.sum()
        state = state / total[t]
        forward[t] = state
    return forward, float(np.log(total).sum() + highest.sum()), likelihood, step


def pair_counts(chain: Chain, log_likelihood: Floats) -> Floats:
    """Return the expected number of every transition, shape (states, states), over all kinds."""
    forward, _, likelihood, step = _forward(chain, log_likelihood)
    counts = np.zeros(step.shape[1:])
    after = np.ones(forward.shape[1])
    for t in range(len(forward) - 2, -1, -1):
        ahead = likelihood[t + 1] * after
        both = forward[t][:, None] * step[chain.kind[t + 1]] * ahead
        counts += both / both.sum()
        after = step[chain.kind[t + 1]] @ ahead
        after /= after.sum()
    return counts


def best_path(chain: Chain, log_likelihood: Floats) -> NDArray[np.int64]:
    """Return the likeliest sequence of states (Viterbi), shape (frames,)."""
    frames, states = log_likelihood.shape
    came_from = np.empty((frames, states), np.int16)
    score = chain.log_start + log_likelihood[0]
    turned = np.ascontiguousarray(chain.log_transition.transpose(0, 2, 1))
    every = np.arange(states)
    for t, kind in enumerate(chain.kind.tolist()[1:], 1):
        arrivals = turned[kind] + score
        best = arrivals.argmax(axis=1)
        came_from[t] = best
        score = arrivals[every, best] + log_likelihood[t]
    path = np.empty(frames, np.int64)
    path[-1] = int(score.argmax())
    for t in range(frames - 1, 0, -1):
        path[t - 1] = came_from[t, path[t]]
    return path


@dataclass(frozen=True, eq=False)
class Gaussians:
    """What the states sound like: one Gaussian with a diagonal covariance each.

    Attributes
    ----------
    mean, variance : ndarray [shape=(states, features)], float64
    """

    mean: Floats
    variance: Floats

    def log_likelihood(self, observed: Floats, seen: Floats | None = None) -> Floats:
        """Return the log density of observations in every state, shape (frames, states).

        Parameters
        ----------
        observed : ndarray [shape=(frames, features)], float64
        seen : ndarray [shape=(frames, features)], float64, optional
            How much every observation counts, 1 by default; those of 0 say nothing for or against any state.
        """
        known = np.ones_like(observed) if seen is None else seen
        values, precision = observed * known, 1 / self.variance
        distance = values**2 @ precision.T - 2 * values @ (self.mean * precision).T
        constant = self.mean**2 * precision + np.log(2 * np.pi * self.variance)
        return np.asarray(-0.5 * (distance + known @ constant.T))


def fitted(
    observed: Floats, weight: Floats, prior: Gaussians, prior_frames: float, seen: Floats | None = None
) -> Gaussians:
    """Learn Gaussians from weighted observations; states that are seldom seen stay close to the prior.

    Parameters
    ----------
    observed : ndarray [shape=(frames, features)], float64
    weight : ndarray [shape=(frames, states)], float64
        How much every frame belongs to every state.
    prior : Gaussians
    prior_frames : float
        How many frames the prior counts for; 0 is maximum likelihood.
    seen : ndarray [shape=(frames, features)], float64, optional
        How much every observation counts, 1 by default.

    References
    ----------
    Maximum a posteriori estimates: J.-L. Gauvain, C.-H. Lee, IEEE Trans. Speech Audio Process. 2(2), 1994,
    doi:10.1109/89.279278
    """
    known = np.ones_like(observed) if seen is None else seen
    values = observed * known
    count, first = weight.T @ known, weight.T @ values
    total = np.maximum(count + prior_frames, 1e-9)
    mean = (first + prior_frames * prior.mean) / total
    square = weight.T @ values**2 - 2 * mean * first + count * mean**2
    prior_square = prior_frames * (prior.variance + (prior.mean - mean) ** 2)
    return Gaussians(mean, (square + prior_square) / total)


def baum_welch(
    observed: Floats, chain: Chain, model: Gaussians, rounds: int, variance_floor: float = 1e-3
) -> tuple[Gaussians, Chain, list[float]]:
    """Learn what states sound like and how they follow each other by maximum likelihood; transitions of one kind only.

    Returns
    -------
    model : Gaussians
    chain : Chain
    log_evidence : list of float
        Before every round; it never falls while no variance meets the floor.
    """
    evidence = []
    for _ in range(rounds):
        log_likelihood = model.log_likelihood(observed)
        belongs, log_evidence = posterior(chain, log_likelihood)
        counts = pair_counts(chain, log_likelihood)
        evidence.append(log_evidence)
        model = fitted(observed, belongs, model, 0.0)
        model = Gaussians(model.mean, np.maximum(model.variance, variance_floor))
        step = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-300)
        with np.errstate(divide="ignore"):
            chain = constant_chain(np.log(belongs[0]), np.log(step), len(observed))
    return model, chain, evidence

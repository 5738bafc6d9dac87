"""The hidden Markov model of who sounds: its states are sets of parts, learned from one recording alone.

Every recurrence of a set is the same state, so that its model is tied; what is special about a moment is said by the
prior of that moment and by the transitions that are in force there. hmmlearn runs the learning and the passes forwards
and backwards; it knows constant transitions only, so that stretches of one kind are chained.

References
----------
L. R. Rabiner, "A tutorial on hidden Markov models and selected applications in speech recognition", Proc. IEEE 77(2),
1989, doi:10.1109/5.18626
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hmmlearn import _hmmc
from hmmlearn.base import BaseHMM, ConvergenceMonitor
from numpy.typing import NDArray

from scoresep.engines.segmentation.evidence import EVIDENCE_SCALE, Evidence
from scoresep.engines.segmentation.tone_models import WrittenParts

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
    forward, backward, log_evidence = _forward_backward(chain, log_likelihood)
    both = forward * backward
    return both / both.sum(axis=1, keepdims=True), log_evidence


def _forward_backward(chain: Chain, log_likelihood: Floats) -> tuple[Floats, Floats, float]:
    """Return forward and backward probabilities, each frame's up to a factor, and the log evidence.

    A stretch begins with what the one before it leads to, and what comes after it is laid on its last likelihood.
    """
    highest = log_likelihood.max(axis=1)
    likelihood, step = np.exp(log_likelihood - highest[:, None]), np.exp(chain.log_transition)
    stretches = _stretches(chain.kind)
    forward, backward, scale = np.empty_like(likelihood), np.empty_like(likelihood), np.empty(len(likelihood))
    log_evidence, start = float(highest.sum()), np.exp(chain.log_start)
    for first, after, kind in stretches:
        if first:
            start = forward[first - 1] @ step[kind]
        log_here, forward[first:after], scale[first:after] = _hmmc.forward_scaling(
            start, step[kind], likelihood[first:after]
        )
        log_evidence += log_here
    ahead = np.ones(likelihood.shape[1])
    for first, after, kind in reversed(stretches):
        likelihood[after - 1] *= ahead
        backward[first:after] = _hmmc.backward_scaling(start, step[kind], likelihood[first:after], scale[first:after])
        before = step[kind] @ (likelihood[first] * backward[first])
        backward[after - 1] *= ahead
        ahead = before / before.sum()
    return forward, backward, log_evidence


def _stretches(kind: NDArray[np.int64]) -> list[tuple[int, int, int]]:
    """Return first frame, frame after the last, and kind of all stretches of one kind; frame 0 goes with the next."""
    borders = np.append(0, np.flatnonzero(np.diff(kind[1:])) + 2) if len(kind) > 1 else np.zeros(1, np.int64)
    kinds = kind[np.minimum(borders + (borders == 0), len(kind) - 1)]
    return list(zip(borders.tolist(), [*borders[1:].tolist(), len(kind)], kinds.tolist(), strict=True))


def best_path(chain: Chain, log_likelihood: Floats) -> NDArray[np.int64]:
    """Return the likeliest sequence of states (Viterbi), shape (frames,).

    Own, since hmmlearn's does not tell how good each state is at the end of a stretch, so that it cannot be chained.
    """
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


# What is heard is averaged over so long, but never across the beginnings and ends of a part's notes. A note of some
# length is one observation, however many frames it has, and a long one hardly more.
AVERAGED_S, WHOLE_OBSERVATION_S, MORE_OBSERVATIONS_PER_S, RESTING_OBSERVATIONS_PER_S = 0.6, 0.3, 0.7, 3.0
# Logarithms of how likely a part starts or stops against the score, anywhere and where one of its notes begins, or does
# not do so where the score has it; and how unlikely every second is in which a part departs from the score.
CHANGES_ANYWHERE, CHANGES_AT_NOTES, STAYS_AT_EDGES, RETURNS, DEPARTS = -10.0, -7.0, -7.0, -4.0, -1.0
NEAR_NOTE_S = 0.1
# Level (dB) and need. What an absent part's tones still seem to hold lies about so far below a sounding part's.
ABSENT_BELOW = np.array([18.0, 3.0])
LEAST_BELOW = np.array([4.0, 1.0])
SOUNDING_DEVIATION, ABSENT_DEVIATION = np.array([7.0, 2.5]), np.array([8.0, 1.5])
SMALLEST_DEVIATION = np.array([6.0, 1.8])
PRIOR_COUNT, PART_PRIOR_COUNT = 20.0, 30.0
# Learning ends when so small a share of the path changes.
SETTLED = 1e-3
# A part whose level has this median, where it should tell, is missing; so much time is needed to say so.
MISSING_DB, TELLING, LEAST_TELLING_S = -7.0, 0.35, 5.0
HIGHEST_LEVEL_DB, LOWEST_LEVEL_DB = 3.0, -24.0


@dataclass(frozen=True, eq=False)
class DecodedPartSets:
    """What was found out about sets.

    Attributes
    ----------
    is_sounding : ndarray [shape=(frames, parts)], bool
    probability : ndarray [shape=(frames, parts)], float64
        That the part sounds.
    """

    is_sounding: NDArray[np.bool_]
    probability: Floats


def decode_part_sets(
    evidence: Evidence, written: WrittenParts, start: Floats, rounds: int, largest_group: int
) -> DecodedPartSets:
    """Find the set of sounding parts at every frame.

    Parameters
    ----------
    evidence : Evidence
    written : WrittenParts
    start : ndarray [shape=(frames, parts)], float64
        How surely every part sounds, as far as it is known.
    rounds : int
        How often, at most, the models are learned anew.
    largest_group : int
        Sets of at most so many neighbouring parts are told apart jointly.
    """
    frames, parts = written.is_written.shape
    sounding, probability = np.zeros((frames, parts), np.bool_), np.zeros((frames, parts))
    observed, counts = _observations(evidence, written)
    for group in np.array_split(np.arange(parts), int(np.ceil(parts / largest_group))):
        mine = WrittenParts(written.is_written[:, group], written.note_number[:, group])
        found = _decide(
            observed[:, group], counts[:, group], evidence.is_expected[:, group], mine, start[:, group], rounds
        )
        sounding[:, group], probability[:, group] = found.is_sounding, found.probability
    return DecodedPartSets(sounding, probability)


def missing_parts(evidence: Evidence, written: WrittenParts) -> NDArray[np.bool_]:
    """Return which parts are so soft, wherever the score has them, that the recording lacks them altogether."""
    missing = np.zeros(written.is_written.shape[1], np.bool_)
    for part in range(len(missing)):
        telling = written.is_written[:, part] & (evidence.distinctness[:, part] > TELLING)
        if telling.sum() > LEAST_TELLING_S * EVIDENCE_SCALE.frame_rate_hz:
            missing[part] = np.median(evidence.level_db[telling, part]) < MISSING_DB
    return missing


def _observations(evidence: Evidence, written: WrittenParts) -> tuple[Floats, Floats]:
    """Return averaged level and need (frames, parts, 2), and for how many observations each counts (frames, parts)."""
    both = np.stack([np.clip(evidence.level_db, LOWEST_LEVEL_DB, HIGHEST_LEVEL_DB), evidence.likelihood_gain], axis=-1)
    reach = round(AVERAGED_S / 2 * EVIDENCE_SCALE.frame_rate_hz)
    frames, parts = written.is_written.shape
    at = np.arange(frames)
    averaged, counts = np.zeros(both.shape), np.zeros((frames, parts))
    for part in range(parts):
        number = written.note_number[:, part]
        begins = np.searchsorted(number, number, side="left")
        ends = np.searchsorted(number, number, side="right")
        low, high = np.maximum(at - reach, begins), np.minimum(at + reach + 1, ends)
        total = np.concatenate([np.zeros((1, 2)), np.cumsum(both[:, part], axis=0, dtype=np.float64)])
        averaged[:, part] = (total[high] - total[low]) / (high - low)[:, None]
        length_s = (ends - begins) / EVIDENCE_SCALE.frame_rate_hz
        independent = np.clip(length_s / WHOLE_OBSERVATION_S, 0.3, 1) + MORE_OBSERVATIONS_PER_S * length_s
        resting = RESTING_OBSERVATIONS_PER_S * length_s
        counts[:, part] = np.where(written.is_written[:, part], np.minimum(independent, 2.5), resting) / (ends - begins)
    return averaged, counts * np.clip((evidence.distinctness - 0.2) / 0.4, 0, 1)


def _decide(
    observed: Floats, counts: Floats, expected: NDArray[np.bool_], written: WrittenParts, start: Floats, rounds: int
) -> DecodedPartSets:
    frames, parts = counts.shape
    members = ((np.arange(2**parts)[:, None] >> np.arange(parts)) & 1).astype(np.bool_)
    log_prior, belief = np.zeros((frames, len(members))), np.ones((frames, len(members)))
    for part in range(parts):
        departs = written.is_written[:, part, None] != members[None, :, part]
        cost = np.where(expected[:, part], DEPARTS / EVIDENCE_SCALE.frame_rate_hz, -1e4)
        log_prior += departs * cost[:, None]
        belief *= np.where(members[:, part], start[:, part, None], 1 - start[:, part, None])
    moments = MomentPriors(_chain(written, members), log_prior, np.repeat(counts, 2, axis=1), belief)
    model = PartSetHMM(members, moments, max(rounds, 1)).fit(observed.reshape(frames, -1))
    return DecodedPartSets(members[model.path_], model.posterior_ @ members)


@dataclass(frozen=True, eq=False)
class MomentPriors:
    """What is special about every moment of one recording.

    Attributes
    ----------
    chain : Chain
    log_prior : ndarray [shape=(frames, states)], float64
    weight : ndarray [shape=(frames, features)], float64
        How much every observation counts.
    belief : ndarray [shape=(frames, states)], float64
        How likely every state is before anything is learned.
    """

    chain: Chain
    log_prior: Floats
    weight: Floats
    belief: Floats


class QuietMonitor(ConvergenceMonitor):  # type: ignore[misc] # hmmlearn has no types
    """Counts rounds without a warning where one loses evidence, as models that lean on priors may."""

    def report(self, log_prob: float) -> None:
        """Count a round."""
        self.history.append(log_prob)
        self.iter += 1


class PathMonitor(QuietMonitor):
    """Ends the learning once the likeliest path hardly changes."""

    is_settled = False

    @property
    def converged(self) -> bool:
        """Whether no further round is wanted."""
        return bool(self.is_settled or self.iter == self.n_iter)


class PartSetHMM(BaseHMM):  # type: ignore[misc] # hmmlearn has no types
    """The model of the sets of one group of parts, for one recording.

    Parameters
    ----------
    members : ndarray [shape=(states, parts)], bool
        The parts of every set.
    moments : MomentPriors
    n_iter : int
        How often, at most, the sets are learned.

    Attributes
    ----------
    gaussians_ : Gaussians
        What the sets sound like.
    posterior_ : ndarray [shape=(frames, states)], float64
        By these.
    path_ : ndarray [shape=(frames,)], int64
        The likeliest by these.
    """

    def __init__(self, members: NDArray[np.bool_], moments: MomentPriors, n_iter: int) -> None:
        super().__init__(len(members), n_iter=n_iter, implementation="scaling")
        self.members, self.moments = members, moments
        self.monitor_ = PathMonitor(0.0, n_iter, False)

    def _init(self, X: Floats, lengths: object = None) -> None:
        self.startprob_ = np.exp(self.moments.chain.log_start)
        self.transmat_ = np.exp(self.moments.chain.log_transition)  # one for every kind of moment
        self.path_ = self.moments.belief.argmax(axis=1)
        self.gaussians_ = _learned(X, self.moments.weight, self.moments.belief, self.members)

    def _check(self) -> None:
        self._check_sum_1("startprob_")
        self._check_sum_1("transmat_")

    def _compute_log_likelihood(self, X: Floats) -> Floats:
        return self.gaussians_.log_likelihood(X, self.moments.weight) + self.moments.log_prior

    def _fit_scaling(self, X: Floats) -> tuple[Floats, float, Floats, Floats, Floats]:
        log_likelihood = self._compute_log_likelihood(X)
        forward, backward, log_evidence = _forward_backward(self.moments.chain, log_likelihood)
        both = forward * backward
        return log_likelihood, log_evidence, both / both.sum(axis=1, keepdims=True), forward, backward

    def _accumulate_sufficient_statistics(
        self, stats: dict[str, Any], X: Floats, lattice: Floats, posteriors: Floats, *_: Floats
    ) -> None:
        stats.update(observed=X, posterior=posteriors, path=best_path(self.moments.chain, lattice))

    def _do_mstep(self, stats: dict[str, Any]) -> None:
        self.monitor_.is_settled = bool(np.mean(self.path_ != stats["path"]) < SETTLED)
        self.posterior_, self.path_ = stats["posterior"], stats["path"]
        if not self.monitor_.is_settled and self.monitor_.iter + 1 < self.n_iter:
            self.gaussians_ = _learned(stats["observed"], self.moments.weight, self.posterior_, self.members)


def _learned(observed: Floats, weight: Floats, belongs: Floats, members: NDArray[np.bool_]) -> Gaussians:
    """Learn the models of all sets; a set that is seldom heard leans on what its parts sound like in all sets."""
    sounding = belongs @ members
    parts = members.shape[1]
    mean, variance = np.empty((2, 2 * parts)), np.empty((2, 2 * parts))
    start = Gaussians(np.stack([-ABSENT_BELOW, [0.0, 0.0]]), np.stack([ABSENT_DEVIATION**2, SOUNDING_DEVIATION**2]))
    for part in range(parts):
        columns = slice(2 * part, 2 * part + 2)
        likelihood_gain = np.array(
            [0.0, np.clip(_usual_need(observed[:, columns.stop - 1], sounding[:, part]), 2.0, 5.0)]
        )
        share = np.stack([1 - sounding[:, part], sounding[:, part]], axis=1)
        prior = Gaussians(start.mean + likelihood_gain, start.variance)
        learned = fitted(observed[:, columns], share, prior, PART_PRIOR_COUNT, weight[:, columns])
        highest = np.maximum(learned.mean[1], prior.mean[1] - LEAST_BELOW)
        mean[1, columns] = highest
        mean[0, columns] = np.minimum(learned.mean[0], highest - 0.5 * ABSENT_BELOW)
        variance[:, columns] = learned.variance
    choice = np.repeat(members, 2, axis=1).astype(np.int64)
    column = np.arange(2 * parts)
    of_parts = Gaussians(mean[choice, column], variance[choice, column])
    learned = fitted(observed, belongs, of_parts, PRIOR_COUNT, weight)
    return Gaussians(learned.mean, np.maximum(learned.variance, np.tile(SMALLEST_DEVIATION**2, parts)))


def _usual_need(likelihood_gain: Floats, sounding: Floats) -> float:
    sure = sounding > 0.5
    return float(np.median(likelihood_gain[sure])) if sure.any() else 3.0


def _chain(written: WrittenParts, members: NDArray[np.bool_]) -> Chain:
    """Return how sets follow each other: a part starts and stops where its notes do, seldom elsewhere."""
    frames, parts = written.is_written.shape
    reach = round(NEAR_NOTE_S * EVIDENCE_SCALE.frame_rate_hz)
    near = np.zeros((frames, parts), np.bool_)
    for part in range(parts):
        for note in (np.flatnonzero(np.diff(written.note_number[:, part])) + 1).tolist():
            near[max(note - reach, 0) : note + reach, part] = True
    edge = np.diff(written.is_written, axis=0, prepend=written.is_written[:1])
    bits = np.concatenate([near, edge, written.is_written], axis=1)
    kinds_bits, kind = np.unique(bits, axis=0, return_inverse=True)
    kinds = []
    for easy, is_edge, is_written in kinds_bits.reshape(-1, 3, parts):
        away = np.where(easy, CHANGES_AT_NOTES, CHANGES_ANYWHERE)
        change = np.where(members == is_written, away, RETURNS)
        stay = np.log(-np.expm1(change))
        # Where the score changes, to go on as before is what departs from it.
        change = np.where(is_edge, np.log(-np.expm1(STAYS_AT_EDGES)), change)
        stay = np.where(is_edge, STAYS_AT_EDGES, stay)
        differ = members[:, None, :] != members[None, :, :]
        kinds.append(np.where(differ, change[:, None, :], stay[:, None, :]).sum(axis=2))
    start = np.full(len(members), -np.log(len(members)))
    return Chain(start, np.array(kinds), kind.ravel())

"""Which set of parts sounds at every moment: a hidden Markov model whose states are the sets.

Every occurrence of a set shares one model. The score gives the first guess, the prior of every moment, and where a set
may easily change; everything else is learned from the one recording, by re-estimation until the boundaries settle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoresep.engines.segmentation.evidence import EVIDENCE_SCALE, Evidence
from scoresep.engines.segmentation.expected_tones import WrittenParts
from scoresep.engines.segmentation.hidden_markov import Chain, Floats, Gaussians, best_path, fitted, posterior

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
# A part whose level has this median, where it should tell, is missing; so much time is needed to say so.
MISSING_DB, TELLING, LEAST_TELLING_S = -7.0, 0.35, 5.0
HIGHEST_LEVEL_DB, LOWEST_LEVEL_DB = 3.0, -24.0


@dataclass(frozen=True, eq=False)
class Decided:
    """What was found out about sets.

    Attributes
    ----------
    is_sounding : ndarray [shape=(frames, parts)], bool
    probability : ndarray [shape=(frames, parts)], float64
        That the part sounds.
    """

    is_sounding: NDArray[np.bool_]
    probability: Floats


def find_sets(evidence: Evidence, written: WrittenParts, start: Floats, rounds: int, largest_group: int) -> Decided:
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
    return Decided(sounding, probability)


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
    both = np.stack([np.clip(evidence.level_db, LOWEST_LEVEL_DB, HIGHEST_LEVEL_DB), evidence.need], axis=-1)
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
) -> Decided:
    frames, parts = counts.shape
    members = ((np.arange(2**parts)[:, None] >> np.arange(parts)) & 1).astype(np.bool_)
    chain = _chain(written, members)
    prior = np.zeros((frames, len(members)))
    for part in range(parts):
        departs = written.is_written[:, part, None] != members[None, :, part]
        cost = np.where(expected[:, part], DEPARTS / EVIDENCE_SCALE.frame_rate_hz, -1e4)
        prior += departs * cost[:, None]
    flat, weight = observed.reshape(frames, -1), np.repeat(counts, 2, axis=1)
    belongs = np.ones((frames, len(members)))
    for part in range(parts):
        belongs *= np.where(members[:, part], start[:, part, None], 1 - start[:, part, None])
    path = belongs.argmax(axis=1)
    for _ in range(max(rounds, 1)):
        model = _learned(flat, weight, belongs, members)
        likelihood = model.log_likelihood(flat, weight) + prior
        belongs, _ = posterior(chain, likelihood)
        before, path = path, best_path(chain, likelihood)
        if np.mean(before != path) < 1e-3:
            break
    return Decided(members[path], belongs @ members)


def _learned(observed: Floats, weight: Floats, belongs: Floats, members: NDArray[np.bool_]) -> Gaussians:
    """Learn the models of all sets; a set that is seldom heard leans on what its parts sound like in all sets."""
    sounding = belongs @ members
    parts = members.shape[1]
    mean, variance = np.empty((2, 2 * parts)), np.empty((2, 2 * parts))
    start = Gaussians(np.stack([-ABSENT_BELOW, [0.0, 0.0]]), np.stack([ABSENT_DEVIATION**2, SOUNDING_DEVIATION**2]))
    for part in range(parts):
        columns = slice(2 * part, 2 * part + 2)
        need = np.array([0.0, np.clip(_usual_need(observed[:, columns.stop - 1], sounding[:, part]), 2.0, 5.0)])
        share = np.stack([1 - sounding[:, part], sounding[:, part]], axis=1)
        prior = Gaussians(start.mean + need, start.variance)
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


def _usual_need(need: Floats, sounding: Floats) -> float:
    sure = sounding > 0.5
    return float(np.median(need[sure])) if sure.any() else 3.0


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

"""The hidden Markov model against brute force over all paths, and against a plain pass frame by frame."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoresep.engines.segmentation.part_set_hmm import (
    Chain,
    Gaussians,
    best_path,
    fitted,
    posterior,
)


def random_chain(rng: np.random.Generator, frames: int, states: int, kinds: int) -> tuple[Chain, np.ndarray]:
    start = np.log(rng.dirichlet(np.ones(states)))
    step = np.log(rng.dirichlet(np.ones(states), (kinds, states)))
    return Chain(start, step, rng.integers(0, kinds, frames)), rng.normal(0, 3, (frames, states))


def log_score(chain: Chain, likelihood: np.ndarray, path: tuple[int, ...]) -> float:
    score = chain.log_start[path[0]] + likelihood[0, path[0]]
    for t in range(1, len(path)):
        score += chain.log_transition[chain.kind[t], path[t - 1], path[t]] + likelihood[t, path[t]]
    return float(score)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 3), st.integers(1, 3))
def test_all_paths_tried_one_by_one_give_the_same(seed: int, frames: int, states: int, kinds: int) -> None:
    chain, likelihood = random_chain(np.random.default_rng(seed), frames, states, kinds)
    paths = list(itertools.product(range(states), repeat=frames))
    scores = np.array([log_score(chain, likelihood, p) for p in paths])
    evidence = float(np.logaddexp.reduce(scores))
    weight = np.exp(scores - evidence)
    expected = np.zeros((frames, states))
    for path, w in zip(paths, weight, strict=True):
        expected[np.arange(frames), path] += w
    found, log_evidence = posterior(chain, likelihood)
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert log_evidence == pytest.approx(evidence)
    best = best_path(chain, likelihood)
    assert log_score(chain, likelihood, tuple(best.tolist())) == pytest.approx(scores.max())


def plain_posterior(chain: Chain, log_likelihood: np.ndarray) -> np.ndarray:
    """Run forwards and backwards frame by frame, as the textbook has it."""
    likelihood, step = np.exp(log_likelihood - log_likelihood.max(axis=1, keepdims=True)), np.exp(chain.log_transition)
    forward, backward = np.empty_like(likelihood), np.ones_like(likelihood)
    forward[0] = np.exp(chain.log_start) * likelihood[0]
    for t in range(1, len(forward)):
        forward[t] = (forward[t - 1] @ step[chain.kind[t]]) * likelihood[t]
        forward[t] /= forward[t].sum()
    for t in range(len(forward) - 2, -1, -1):
        backward[t] = step[chain.kind[t + 1]] @ (likelihood[t + 1] * backward[t + 1])
        backward[t] /= backward[t].sum()
    return forward * backward / (forward * backward).sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("frames", "stretches"), [(1, 1), (2, 2), (2000, 1), (2000, 90), (2000, 2000)])
def test_stretches_chained_give_what_one_pass_gives(frames: int, stretches: int) -> None:
    rng = np.random.default_rng(frames + stretches)
    chain, likelihood = random_chain(rng, frames, 8, 5)
    kind = rng.integers(0, 5, stretches)[np.sort(rng.integers(0, stretches, frames))]
    chain = Chain(chain.log_start, chain.log_transition, kind)
    likelihood = 8 * likelihood - 1e4 * (rng.random(likelihood.shape) < 0.2)
    np.testing.assert_allclose(posterior(chain, likelihood)[0], plain_posterior(chain, likelihood), rtol=0, atol=1e-12)


def test_what_was_not_seen_says_nothing_and_the_prior_holds_where_little_was_heard() -> None:
    model = Gaussians(np.array([[0.0, 5.0], [3.0, -5.0]]), np.ones((2, 2)))
    observed = np.array([[1.0, 77.0]])
    only_first = model.log_likelihood(observed, np.array([[1.0, 0.0]]))
    expected = [-0.5 * (d**2 + np.log(2 * np.pi)) for d in (1.0, 2.0)]
    np.testing.assert_allclose(only_first, [expected])
    learned = fitted(observed, np.array([[1.0, 0.0]]), model, 1e6, np.array([[1.0, 0.0]]))
    np.testing.assert_allclose(learned.mean, model.mean, atol=1e-4)
    np.testing.assert_allclose(learned.variance, model.variance, atol=1e-4)

"""The hidden Markov model against brute force over all paths, and against hmmlearn."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoresep.engines.segmentation.hidden_markov import (
    Chain,
    Gaussians,
    baum_welch,
    best_path,
    constant_chain,
    fitted,
    pair_counts,
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
    pairs = np.zeros((states, states))
    for path, w in zip(paths, weight, strict=True):
        expected[np.arange(frames), path] += w
        for a, b in itertools.pairwise(path):
            pairs[a, b] += w
    found, log_evidence = posterior(chain, likelihood)
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert log_evidence == pytest.approx(evidence)
    np.testing.assert_allclose(pair_counts(chain, likelihood), pairs, atol=1e-9)
    best = best_path(chain, likelihood)
    assert log_score(chain, likelihood, tuple(best.tolist())) == pytest.approx(scores.max())


def test_learning_agrees_with_hmmlearn() -> None:
    hmm = pytest.importorskip("hmmlearn.hmm")
    rng = np.random.default_rng(3)
    state = np.repeat(rng.integers(0, 3, 40), 10)
    observed = np.array([[0.0, 0.0], [3.0, 1.0], [-2.0, 4.0]])[state] + rng.normal(0, 1, (400, 2))
    mean = np.array([[0.5, 0.0], [2.0, 0.0], [-1.0, 2.0]])
    start = np.full(3, 1 / 3)
    step = np.full((3, 3), 0.1) + 0.7 * np.eye(3)
    oracle = hmm.GaussianHMM(
        3, "diag", n_iter=5, tol=-np.inf, init_params="", params="stmc", covars_prior=0, covars_weight=1, min_covar=0
    )
    oracle.startprob_, oracle.transmat_, oracle.means_, oracle.covars_ = start, step, mean.copy(), np.ones((3, 2)) * 2
    oracle.fit(observed)
    chain = constant_chain(np.log(start), np.log(step), len(observed))
    model, chain, evidence = baum_welch(observed, chain, Gaussians(mean, np.ones((3, 2)) * 2), 5, variance_floor=0.0)
    np.testing.assert_allclose(evidence, list(oracle.monitor_.history), rtol=1e-6)
    np.testing.assert_allclose(model.mean, oracle.means_, atol=1e-5)
    np.testing.assert_allclose(np.exp(chain.log_transition[0]), oracle.transmat_, atol=1e-5)
    np.testing.assert_array_equal(best_path(chain, model.log_likelihood(observed)), oracle.predict(observed))


def test_learning_never_makes_the_recording_less_likely() -> None:
    rng = np.random.default_rng(0)
    observed = rng.normal(size=(200, 3)) + np.repeat(rng.normal(0, 2, (10, 3)), 20, axis=0)
    chain = constant_chain(np.full(4, -np.log(4)), np.log(np.full((4, 4), 0.05) + 0.8 * np.eye(4)), 200)
    start = Gaussians(observed[rng.choice(200, 4, replace=False)], np.full((4, 3), 4.0))
    _, _, evidence = baum_welch(observed, chain, start, 15)
    assert np.all(np.diff(evidence) > -1e-6)


def test_what_was_not_seen_says_nothing_and_the_prior_holds_where_little_was_heard() -> None:
    model = Gaussians(np.array([[0.0, 5.0], [3.0, -5.0]]), np.ones((2, 2)))
    observed = np.array([[1.0, 77.0]])
    only_first = model.log_likelihood(observed, np.array([[1.0, 0.0]]))
    expected = [-0.5 * (d**2 + np.log(2 * np.pi)) for d in (1.0, 2.0)]
    np.testing.assert_allclose(only_first, [expected])
    learned = fitted(observed, np.array([[1.0, 0.0]]), model, 1e6, np.array([[1.0, 0.0]]))
    np.testing.assert_allclose(learned.mean, model.mean, atol=1e-4)
    np.testing.assert_allclose(learned.variance, model.variance, atol=1e-4)

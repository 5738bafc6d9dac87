"""Stretches that sound alike, where there is no score: sets of instruments told apart by their sound alone.

It cannot say which instruments a set holds, nor how many; what it finds is named by letters and by where it is silent.
The model is hmmlearn's `GaussianHMM` on timbre: the shape of the spectrum without its fine structure and its level.
"""

from __future__ import annotations

import numpy as np
import scipy.fft
import scipy.linalg
import scipy.ndimage
from hmmlearn.hmm import GaussianHMM
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from scoresep.engines.segmentation.evidence import EVIDENCE_SCALE, measure_evidence
from scoresep.engines.segmentation.part_set_hmm import QuietMonitor
from scoresep.model.audio import SampleSource
from scoresep.model.segments import Activity
from scoresep.model.timebase import seconds_to_frames
from scoresep.progress import Progress

Floats = NDArray[np.float64]

SILENT = -1
POOLED = 5  # frames of EVIDENCE_SCALE that are taken together
SMOOTHED_S = 1.0  # some notes, so that what they have in common tells more than which ones they are
CEPSTRA, DIMENSIONS = 20, 8
FLOOR_DB, SILENT_DB, LEAST_SILENCE_S = -60.0, -50.0, 0.3
KEPT_S = 5.0
FIRST_GUESSES, LEARNING_ROUNDS, LEAST_VARIANCE = 4, 20, 0.05
ORDINARY = 0.9  # share of the steps from second to second that are notes; among the largest are changes of the set
REGULAR = 1e-3  # share of the mean variance, where notes change nothing
MOST_TRIED = 8  # sets, where nobody says how many
# On 14 mixtures of real stems with 3 or 4 sets 1.5 s finds 2.4 sets too many, 2.5 s is right or one off in 12, 3 s in
# all; but of sets that sound for 15 s in all it finds too few.
INDEPENDENT_S = 2.5


def segment_without_score(source: SampleSource, sets: int | None, progress: Progress) -> tuple[Activity, ...]:
    """Find the stretches in which every set sounds.

    Parameters
    ----------
    source : SampleSource
    sets : int or None
        How many, silence not counted; None for as many as are heard.
    progress : Progress

    Returns
    -------
    activities : tuple of Activity
        One for each set that was found, in the order in which they enter; never two at a time.
    """
    progress.update(0.0, "Finding what sounds alike")
    evidence = measure_evidence(source, 0.0, progress.part(0.0, 0.7))
    number = find_sets(evidence, sets)
    progress.update(1.0)
    first = np.append(0, np.flatnonzero(np.diff(number)) + 1)
    border_s = (np.append(first, len(number)) - 0.5) / EVIDENCE_SCALE.frame_rate_hz
    border = np.clip(seconds_to_frames(border_s, source.sample_rate), 0, source.frames)
    border[-1] = source.frames  # the last spectra are centred beyond the end
    start, end, which = border[:-1], border[1:], number[first]
    mine = [(which == k) & (end > start) for k in range(int(number.max(initial=SILENT)) + 1)]
    return tuple(Activity(k, start[here], end[here]) for k, here in enumerate(mine))


def find_sets(evidence: NDArray[np.float32], sets: int | None = None, seed: int = 0) -> NDArray[np.int64]:
    """Divide a recording into stretches of so many different sounds.

    Parameters
    ----------
    evidence : ndarray [shape=(frames, bins)], float32
        From `evidence.measure_evidence`.
    sets : int, optional
        How many, silence not counted; by default as many as the Bayesian information criterion asks for.
    seed : int
        Of the first guess.

    Returns
    -------
    number : ndarray [shape=(frames,)], int64
        Which set sounds, counted from 0 in the order in which they enter; -1 where it is silent.
    """
    power = _pooled(evidence)
    sounds = _sounds(power)
    number = np.full(len(power), SILENT, np.int64)
    if sounds.sum() == 1:
        number[sounds] = 0
    elif sounds.any():
        edges = np.flatnonzero(np.diff(sounds, prepend=False, append=False)).reshape(-1, 2)
        observed = _timbre(power, edges)
        lengths = np.diff(edges, axis=1).ravel()
        most = min(len(np.unique(observed, axis=0)), len(observed) // 2)  # a set is learned from two moments or more
        tried = range(1, MOST_TRIED + 1) if sets is None else (sets,)
        models = [_learned(observed, lengths, count, seed) for count in sorted({max(min(n, most), 1) for n in tried})]
        best = min(models, key=lambda model: _criterion(model, observed, lengths))
        found = _settled(best.predict(observed, lengths), lengths)
        _, first, place = np.unique(found, return_index=True, return_inverse=True)
        number[sounds] = first.argsort().argsort()[place]
    return np.repeat(number, POOLED)[: len(evidence)]


def _pooled(evidence: NDArray[np.float32]) -> Floats:
    missing = -len(evidence) % POOLED
    power = np.pad(evidence.astype(np.float64) ** 2, ((0, missing), (0, 0)), mode="edge")
    return np.asarray(power.reshape(-1, POOLED, evidence.shape[1]).mean(axis=1))


def _sounds(power: Floats) -> NDArray[np.bool_]:
    """Return where there is more than silence, shape (frames,); what is silent for a moment only is none."""
    level = power.mean(axis=1)
    sounds = level > max(_loud(level), 1e-20) * 10 ** (SILENT_DB / 10)
    shortest = round(LEAST_SILENCE_S * EVIDENCE_SCALE.frame_rate_hz / POOLED)
    label, count = scipy.ndimage.label(~sounds)
    lengths = np.bincount(label, minlength=count + 1)
    return np.asarray(sounds | (lengths[label] < shortest))


def _loud(level: Floats) -> float:
    """Return the level of what is loud, however much silence there is beside it."""
    return float((level**2).sum() / max(float(level.sum()), 1e-20))


def _timbre(power: Floats, edges: NDArray[np.int64]) -> Floats:
    """Return what changes slowly in the shape of the spectrum of what sounds, scaled by how far notes change it.

    Notes come and go, players stay: on the axes that are slowest, compared with how much they vary at all, other
    pitches look alike and other instruments do not.

    References
    ----------
    L. Wiskott, T. Sejnowski, "Slow feature analysis: unsupervised learning of invariances", Neural Computation 14(4),
    2002, doi:10.1162/089976602317318938
    """
    floor = _loud(power.max(axis=1)) * 10 ** (FLOOR_DB / 10)
    cepstra = scipy.fft.dct(np.log(power + max(floor, 1e-20)), axis=1, norm="ortho")[:, 1 : CEPSTRA + 1]
    reach = round(SMOOTHED_S * EVIDENCE_SCALE.frame_rate_hz / POOLED)
    weight = np.sqrt(power.mean(axis=1, keepdims=True))  # so that a fading end is no timbre of its own
    runs = [_smoothed(cepstra[a:b] * weight[a:b], reach) / _smoothed(weight[a:b], reach) for a, b in edges.tolist()]
    values = np.concatenate(runs)
    values -= values.mean(axis=0)
    slow = values.T @ values / len(values)
    steps = np.concatenate([run[reach:] - run[:-reach] for run in runs if len(run) > reach] or [values])
    size = (steps**2).sum(axis=1)
    steps = steps[size <= np.quantile(size, ORDINARY)]
    fast = steps.T @ steps / max(len(steps), 1)
    fast += (REGULAR * np.trace(slow) / len(slow) + 1e-12) * np.eye(len(fast))
    _, axes = scipy.linalg.eigh(slow, fast)
    return np.asarray(values @ axes[:, ::-1][:, :DIMENSIONS])


def _smoothed(values: Floats, reach: int) -> Floats:
    return np.asarray(scipy.ndimage.uniform_filter1d(values, reach, axis=0, mode="constant"))


def _learned(observed: Floats, lengths: NDArray[np.int64], sets: int, seed: int) -> GaussianHMM:
    """Learn what so many sets sound like; how long one stays is given, since a recording has few changes to learn from.

    References
    ----------
    First guess: D. Arthur, S. Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007
    """
    model = GaussianHMM(
        sets,
        "diag",
        n_iter=LEARNING_ROUNDS,
        params="mc",
        init_params="",
        covars_prior=LEAST_VARIANCE,
        min_covar=LEAST_VARIANCE,
        implementation="log",
    )
    cluster = KMeans(sets, n_init=FIRST_GUESSES, random_state=seed).fit(observed)
    spread = [observed[cluster.labels_ == k].var(axis=0) + LEAST_VARIANCE for k in range(sets)]
    model.means_, model.covars_ = cluster.cluster_centers_, np.array(spread)
    leaves = POOLED / EVIDENCE_SCALE.frame_rate_hz / KEPT_S
    model.monitor_ = QuietMonitor(model.tol, model.n_iter, False)
    model.startprob_ = np.full(sets, 1 / sets)
    model.transmat_ = np.full((sets, sets), leaves / max(sets - 1, 1))
    np.fill_diagonal(model.transmat_, 1 - leaves if sets > 1 else 1.0)
    return model.fit(observed, lengths)


def _settled(found: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give what is shorter than the smoothing to the sets around it: on the way between two sounds lies a third.

    Parameters
    ----------
    found : ndarray [shape=(moments,)], int64
        The sets.
    lengths : ndarray [shape=(stretches,)], int64
        Of the stretches without silence, one after the other.
    """
    shortest = round(SMOOTHED_S * EVIDENCE_SCALE.frame_rate_hz / POOLED)
    settled = found.copy()
    for end, length in zip(np.cumsum(lengths).tolist(), lengths.tolist(), strict=True):
        run = settled[end - length : end]
        borders = np.flatnonzero(np.diff(run, prepend=run[0] - 1, append=run[-1] - 1))
        stays = np.repeat(np.diff(borders) >= shortest, np.diff(borders))
        if stays.any():
            kept = np.flatnonzero(stays)
            middle = (kept[1:] + kept[:-1] + 1) // 2
            run[:] = run[kept[np.searchsorted(middle, np.arange(length), side="right")]]
    return settled


def _criterion(model: GaussianHMM, observed: Floats, lengths: NDArray[np.int64]) -> float:
    """Return the Bayesian information criterion; frames of one phrase are alike, and count for one observation.

    References
    ----------
    G. Schwarz, "Estimating the dimension of a model", Annals of Statistics 6(2), 1978, doi:10.1214/aos/1176344136
    """
    together = INDEPENDENT_S * EVIDENCE_SCALE.frame_rate_hz / POOLED
    free = 2 * model.means_.size
    return float(-2 * model.score(observed, lengths) / together + free * np.log(max(len(observed) / together, 2)))

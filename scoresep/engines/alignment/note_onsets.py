"""When notes begin: what the onset network says of every note, gathered for events, and sharpened for single notes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from scoresep.engines.alignment.note_patches import FRAMES, HALF_WIDTH, HeardLevels, PlacedNotes, patches
from scoresep.engines.alignment.onset_network import onset_network
from scoresep.engines.features import ONSET_SCALE
from scoresep.engines.side_by_side import side_by_side
from scoresep.progress import Progress

BLOCK_NOTES = 256
STEP_S = 1 / ONSET_SCALE.frame_rate_hz
CANDIDATE_OFFSETS_S = np.arange(-HALF_WIDTH, HALF_WIDTH + 1) * STEP_S
# Common deviation of a note from the others that begin with it.
TOGETHER_S = 0.018
# What the network may be wrong about for reasons that it does not know of.
DOUBT = 0.02
# Share of absent notes among those that the network learned from.
ABSENT_SHARE = 0.045


@dataclass(frozen=True, eq=False)
class NoteJudgements:
    """What the network says of every note.

    Attributes
    ----------
    middle_s : ndarray [shape=(notes,)], float64
        Time of the middle frame of each row.
    probability : ndarray [shape=(notes, FRAMES)], float32
        Of an onset in each frame; a row adds up to 1 - `absence`.
    absence : ndarray [shape=(notes,)], float32
        That there is no onset of this note near.
    """

    middle_s: NDArray[np.float64]
    probability: NDArray[np.float32]
    absence: NDArray[np.float32]


def judge(heard: HeardLevels, notes: PlacedNotes, progress: Progress) -> NoteJudgements:
    """Let the network judge all notes around where they are placed at present."""
    count = len(notes.onset_s)
    probability = np.empty((count, FRAMES), np.float32)
    absence = np.empty(count, np.float32)
    order = np.argsort(notes.onset_s, kind="stable")
    network = onset_network()
    blocks = [order[first : first + BLOCK_NOTES] for first in range(0, count, BLOCK_NOTES)]

    def judged(which: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.exp(network.log_probability(patches(heard, notes, which)))

    for k, (which, found) in enumerate(zip(blocks, side_by_side(judged, blocks), strict=True)):
        probability[which], absence[which] = found[:, :FRAMES], found[:, FRAMES]
        progress.update((k + 1) / len(blocks))
    middle_s = np.rint(notes.onset_s / STEP_S) * STEP_S
    return NoteJudgements(middle_s, probability, absence)


def event_evidence(judged: NoteJudgements, event_of_note: NDArray[np.int64], events: int) -> NDArray[np.float32]:
    """Gather the judgements on all notes of every event.

    Parameters
    ----------
    judged : NoteJudgements
        The notes of one event share one middle.
    event_of_note : ndarray [shape=(notes,)], int64
    events : int

    Returns
    -------
    evidence : ndarray [shape=(events, FRAMES)], float32
        For moments `CANDIDATE_OFFSETS_S` from the middle: logarithm of how much likelier it is that the event happens
        there than that it does not happen at all.
    """
    blurred = gaussian_filter1d(judged.probability, TOGETHER_S / STEP_S, axis=1, mode="constant")
    likelihood = blurred * (1 - DOUBT) * FRAMES + judged.absence[:, None] + DOUBT
    log_ratio = np.log(likelihood / ((judged.absence[:, None] + DOUBT) / ABSENT_SHARE))
    evidence = np.zeros((events, FRAMES), np.float32)
    np.add.at(evidence, event_of_note, log_ratio)
    size = np.maximum(np.bincount(event_of_note, minlength=events), 1)
    # Notes that sound together mislead together: ten of them are not ten independent witnesses.
    return np.asarray(evidence / size[:, None] ** 0.25, np.float32)


def single_onsets_s(
    judged: NoteJudgements, event_s: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the onset of every note near the moment of its event.

    Parameters
    ----------
    judged : NoteJudgements
    event_s : ndarray [shape=(notes,)], float64
        When the event of each note happens.

    Returns
    -------
    onset_s : ndarray [shape=(notes,)], float64
        Middle of the likeliest few hundredths of a second.
    absence : ndarray [shape=(notes,)], float64
        Logarithm of how much likelier all this is without than with the note.
    """
    frame_s = judged.middle_s[:, None] + CANDIDATE_OFFSETS_S
    near = np.exp(-0.5 * ((frame_s - event_s[:, None]) / TOGETHER_S) ** 2)
    doubt = (judged.absence[:, None] + DOUBT) / FRAMES
    posterior = gaussian_filter1d((judged.probability + doubt) * near, 1.0, axis=1, mode="constant")
    best = posterior.argmax(axis=1)
    around = np.clip(best[:, None] + np.arange(-2, 3), 0, FRAMES - 1)
    weight = np.take_along_axis(posterior, around, axis=1) + 1e-30
    onset_s = (weight * np.take_along_axis(frame_s, around, axis=1)).sum(axis=1) / weight.sum(axis=1)
    likelihood = (judged.probability * near).sum(axis=1) / np.maximum(near.sum(axis=1), 1e-9) * FRAMES
    absence = np.log((judged.absence + DOUBT * ABSENT_SHARE) / ABSENT_SHARE / (likelihood + judged.absence + DOUBT))
    return np.asarray(np.where(posterior.max(axis=1) > 1e-12, onset_s, event_s)), absence

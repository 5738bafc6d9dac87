"""From the moments of events to the times of single notes: players are not quite together, and notes end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import joblib
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from scoresep.engines.alignment.onset_detection import (
    DB_SCALE,
    FRAMES,
    HALF_WIDTH,
    OnsetSpectrogram,
    PlacedNotes,
    harmonic_flux,
    onset_network,
    patches,
)
from scoresep.engines.features import ONSET_SCALE, THREADS
from scoresep.model.score import PathNotes
from scoresep.model.timebase import SAME_QUARTER
from scoresep.progress import Progress


@dataclass(frozen=True, eq=False)
class NoteGuess:
    """What was found of single notes; NaN where nothing was sought.

    Attributes
    ----------
    onset_s : ndarray [shape=(notes,)], float64
    absence : ndarray [shape=(notes,)], float64
        Logarithm of how much likelier all that is heard is without the note than with it.
    """

    onset_s: NDArray[np.float64]
    absence: NDArray[np.float64]


def offsets_s(
    notes: PathNotes, onset_s: NDArray[np.float64], note_s: NDArray[np.float64], end_s: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return when notes end: as written, but not after the same part plays the same pitch again.

    Parameters
    ----------
    notes : PathNotes
    onset_s : ndarray [shape=(notes,)], float64
        Of the single notes.
    note_s, end_s : ndarray [shape=(notes,)], float64
        Where the time map puts beginnings and ends.
    """
    offset_s = np.where(notes.is_grace, onset_s, np.maximum(end_s, onset_s + 0.02))
    order = np.lexsort((notes.onset_quarter, np.nan_to_num(notes.pitch_midi, nan=-1), notes.part_index))
    same = (
        (notes.part_index[order][1:] == notes.part_index[order][:-1])
        & (notes.pitch_midi[order][1:] == notes.pitch_midi[order][:-1])
        & (onset_s[order][1:] > onset_s[order][:-1])
    )
    limit = np.full(len(order), np.inf)
    limit[:-1][same] = onset_s[order][1:][same]
    offset_s[order] = np.minimum(offset_s[order], limit)
    return np.asarray(np.maximum(offset_s, onset_s))


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


def judge(observed: OnsetSpectrogram, notes: PlacedNotes, progress: Progress) -> NoteJudgements:
    """Let the network judge all notes around where they are placed at present.

    Parameters
    ----------
    observed : OnsetSpectrogram
        What is heard around onsets.
    notes : PlacedNotes
        With their present places.
    progress : Progress
    """
    count = len(notes.onset_s)
    probability = np.empty((count, FRAMES), np.float32)
    absence = np.empty(count, np.float32)
    order = np.argsort(notes.onset_s, kind="stable")
    network = onset_network()

    def blocks() -> Iterator[NDArray[np.int64]]:
        for first in range(0, count, BLOCK_NOTES):
            progress.update(first / count)
            yield order[first : first + BLOCK_NOTES]

    def judge_block(which: NDArray[np.int64]) -> None:
        found = np.exp(network.log_probability(patches(observed, notes, which)))
        probability[which], absence[which] = found[:, :FRAMES], found[:, FRAMES]

    joblib.Parallel(THREADS, backend="threading", batch_size=1)(joblib.delayed(judge_block)(w) for w in blocks())
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


@dataclass(frozen=True)
class GraceNoteModel:
    """How long grace notes last, and what their attacks count.

    Attributes
    ----------
    usual_s, least_s, longest_s : float
    spread : float
        How far from the usual (as a factor, e being 1) is about as unlikely as no rise at all.
    step_s : float
        From one moment that is tried to the next.
    flux_weight, least_flux : float
        What a rise counts against that; less than `least_flux` is none.
    """

    usual_s: float = 0.07
    least_s: float = 0.03
    longest_s: float = 0.3
    spread: float = 0.5
    step_s: float = 0.01
    flux_weight: float = 2.0
    least_flux: float = 0.5


GRACE = GraceNoteModel()


def grace_onsets_s(
    levels: OnsetSpectrogram,
    notes: PathNotes,
    sounding_midi: NDArray[np.float64],
    onset_s: NDArray[np.float64],
    main_s: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return when every note begins, grace notes placed anew before the notes that they lead to.

    Those of one part that lead to one moment follow each other as the score has them.

    Parameters
    ----------
    levels : OnsetSpectrogram
    notes : PathNotes
    sounding_midi : ndarray [shape=(notes,)], float64
        As they sound in the recording.
    onset_s : ndarray [shape=(notes,)], float64
        Of all other notes; NaN where nothing was sought.
    main_s : ndarray [shape=(notes,)], float64
        When the moment comes at which a note is written; NaN where nothing was sought.
    """
    out = onset_s.copy()
    graces = np.flatnonzero(notes.is_grace & np.isfinite(main_s))
    order = graces[np.lexsort((notes.written_index[graces], notes.onset_quarter[graces], notes.part_index[graces]))]
    if not len(order):
        return out
    is_first = np.append(True, np.diff(notes.part_index[order]) != 0)
    is_first[1:] |= np.diff(notes.onset_quarter[order]) > SAME_QUARTER
    for group in np.split(order, np.flatnonzero(is_first)[1:]):
        part = (notes.part_index == notes.part_index[group[0]]) & ~notes.is_grace & np.isfinite(onset_s)
        together = part & (np.abs(notes.onset_quarter - notes.onset_quarter[group[0]]) < SAME_QUARTER)
        until_s = float(onset_s[together].min(initial=main_s[group[0]]))
        before = part & (notes.onset_quarter < notes.onset_quarter[group[0]] - SAME_QUARTER)
        since_s = float(onset_s[before].max(initial=-np.inf))
        out[group] = _placed(levels, sounding_midi[group], since_s, until_s)
    return out


def _placed(levels: OnsetSpectrogram, midi: NDArray[np.float64], since_s: float, until_s: float) -> NDArray[np.float64]:
    """Place some grace notes one after the other between the note before and the main note (best path), in seconds."""
    count = len(midi)
    room_s = max(until_s - since_s, 0.0)
    usual_s = min(GRACE.usual_s, 0.5 * room_s / count)
    longest_s = min(count * GRACE.longest_s, 0.8 * room_s)
    if longest_s < (count + 1) * GRACE.step_s:
        return np.asarray(until_s - usual_s * np.arange(count, 0, -1), np.float64)
    places_s = until_s - GRACE.step_s * np.arange(int(longest_s / GRACE.step_s), 0, -1)
    rises = harmonic_flux(levels, midi, np.broadcast_to(places_s, (count, len(places_s))))
    gain = GRACE.flux_weight * np.maximum(rises - GRACE.least_flux, 0).astype(np.float64)
    length_s = np.append(places_s, until_s)[None, :] - places_s[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        off = np.log(length_s / usual_s) / GRACE.spread
    lasts = np.where(length_s >= min(GRACE.least_s, usual_s) - 1e-9, -0.5 * off**2, -np.inf)
    best, came_from = gain[-1] + lasts[:, -1], []
    for number in range(count - 2, -1, -1):
        after = lasts[:, :-1] + best[None, :]
        came_from.append(after.argmax(axis=1))
        best = gain[number] + after.max(axis=1)
    at = int(best.argmax())
    if not np.isfinite(best[at]):
        return np.asarray(until_s - usual_s * np.arange(count, 0, -1), np.float64)
    path = [at]
    for following in reversed(came_from):
        path.append(int(following[path[-1]]))
    return np.asarray(places_s[path])


RATE_HZ = ONSET_SCALE.frame_rate_hz


@dataclass(frozen=True)
class ReleaseModel:
    """When a held chord that nothing follows is over.

    Attributes
    ----------
    fallen_db, fallen_s : float
        It is over where it stays for so long so far below what it would be if it went on as it began.
    steepest_db_per_s : float
        Plucked sounds fade meanwhile, at most so quickly.
    let_go_db, let_go_s : float
        It was let go where it last was not yet below that by a few dB, at most so long before.
    least_longer_s : float
        It is looked for until so long after the written end, or for as long again as the chord is written.
    clearly_s : float
        Nearer to it than this, the written end stands: when each part is let go is the segmentation's to find.
    attack_s, least_body_s : float
        What of the chord is passed over as its attack, and how much is looked at to see how it goes on.
    """

    fallen_db: float = 8.0
    fallen_s: float = 0.05
    steepest_db_per_s: float = -30.0
    let_go_db: float = 3.0
    let_go_s: float = 0.08
    least_longer_s: float = 1.0
    clearly_s: float = 0.12
    attack_s: float = 0.1
    least_body_s: float = 0.15


RELEASE = ReleaseModel()


def last_sound_end_s(levels: OnsetSpectrogram, onset_s: float, written_end_s: float) -> float | None:
    """Return when a chord that nothing follows falls silent; None where it is not heard to, or about as written.

    Parameters
    ----------
    levels : OnsetSpectrogram
    onset_s : float
        When the last of its notes begins.
    written_end_s : float
        When it ends by the tempo.
    """
    level_db = levels.overall[:, 0].astype(np.float64) * DB_SCALE
    length_s = written_end_s - onset_s
    first = max(round((onset_s + min(RELEASE.attack_s, 0.3 * length_s)) * RATE_HZ), 0)
    body = level_db[first : round((onset_s + max(0.6 * length_s, RELEASE.least_body_s)) * RATE_HZ)]
    latest = min(round((written_end_s + max(RELEASE.least_longer_s, length_s)) * RATE_HZ), len(level_db))
    frame = np.arange(first + len(body) // 2, latest)
    least = round(RELEASE.fallen_s * RATE_HZ)
    if len(body) < 4 or len(frame) < least:
        return None
    start_db, slope = _line(body)
    below_db = start_db + slope * (frame - first) - level_db[frame]
    found = np.flatnonzero(np.convolve(below_db > RELEASE.fallen_db, np.ones(least), "valid") == least)
    if not len(found):
        return None
    held = np.flatnonzero(below_db[: found[0] + 1] <= RELEASE.let_go_db)
    last_held = max(int(held[-1]) if len(held) else 0, int(found[0]) - round(RELEASE.let_go_s * RATE_HZ))
    end_s = float(frame[max(last_held, 0)]) / RATE_HZ
    return end_s if abs(end_s - written_end_s) > RELEASE.clearly_s else None


def _line(body_db: NDArray[np.float64]) -> tuple[float, float]:
    """Return the level at the start of a held sound, and by how much it falls in every frame."""
    at = np.arange(len(body_db))
    slope = float(np.polyfit(at, body_db, 1)[0]) if len(body_db) > 15 else 0.0
    slope = min(max(slope, RELEASE.steepest_db_per_s / RATE_HZ), 0.0)
    return float(np.median(body_db - slope * at)), slope

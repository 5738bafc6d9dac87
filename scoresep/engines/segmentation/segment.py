"""Who plays when, found in the sound with the help of the aligned score.

What is very short is merged: gaps of up to `model.segments.BRIDGED_GAP_S` between notes of a part do not end its
activity, and where a part is not heard for less than `SegmentationOptions.shortest_left_out_s` against the score, it
counts as playing on. Edges of different parts are not drawn together: players begin and end apart, and that is told.

Also here: when exactly a part stops and starts: edges from the level of the tone in question, frame by frame.

Which tones sound at all is decided elsewhere. A tone that ends is held, and then fades into silence or into its own
reverberation; where the fading begins, the tone ends.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scoresep.engines.segmentation import SegmentationOptions
from scoresep.engines.segmentation.evidence import EVIDENCE_SCALE, PartEvidence, measure_evidence
from scoresep.engines.segmentation.part_set_hmm import decode_part_sets, missing_parts
from scoresep.engines.segmentation.tone_models import (
    TOGETHER_S,
    ExpectedTones,
    WrittenParts,
    expected_tones,
    tone_table,
    written_parts,
)
from scoresep.model.alignment import Alignment
from scoresep.model.audio import SampleSource
from scoresep.model.quality import DOUBTFUL_CONFIDENCE
from scoresep.model.score import UnfoldedScore
from scoresep.model.segments import BRIDGED_GAP_S, Activity, ActivityPosterior, activities_from_notes, join_intervals
from scoresep.model.timebase import second_to_frame, seconds_to_frames
from scoresep.progress import Progress

RATE_HZ = EVIDENCE_SCALE.frame_rate_hz
# The steepest slope of a tone while it is held (a plucked string fades all the time), and slopes after it was let go
# or before it began, in dB per second.
STEEPEST_DB_PER_S, FADING_DB_PER_S, RISING_DB_PER_S = -30.0, (-45.0, -120.0, -400.0), (150.0, 400.0)
RANGE_DB = 25.0
DEVIATION_DB = 4.0
# Neighbouring frames see nearly the same samples.
INDEPENDENCE = 0.3
BEFORE_S, SETTLED_S = 0.12, 0.4
# How unlikely it is that a note is held on, for every second; and that it is let go early.
HELD_PER_S, EARLY_PER_S = 1.5, 4.0
# An entry is only believed to be where the aligner has not put it when it is so far off and so much likelier.
DISPLACED_S, DISPLACED_GAIN = 0.3, 8.0


@dataclass(frozen=True, eq=False)
class Tone:
    """The tone at an edge of a stretch.

    Attributes
    ----------
    level_db : ndarray [shape=(frames,)], float64
        Of the tone, over all of the recording or from `first_frame` on.
    certainty : ndarray [shape=(frames,)], float64
        How far the level can be trusted, 0 to 1.
    first_frame : int
    onset_s, offset_s : float
        As aligned.
    pitch_midi : int
    """

    level_db: NDArray[np.float64]
    certainty: NDArray[np.float64]
    first_frame: int
    onset_s: float
    offset_s: float
    pitch_midi: int

    def window_frames(self) -> int:
        """Return the length of the window through which the tone was heard."""
        seconds = [n / hz for from_midi, hz, n in EVIDENCE_SCALE.windows if from_midi <= self.pitch_midi][-1]
        return max(round(seconds * RATE_HZ), 1)


def end_s(tone: Tone, latest_s: float) -> float:
    """Find when a tone ends.

    Parameters
    ----------
    tone : Tone
    latest_s : float
        To which the tone is listened for.
    """
    earliest_s = max(tone.offset_s - BEFORE_S, tone.onset_s + 0.3 * (tone.offset_s - tone.onset_s))
    rows = _rows(tone, tone.onset_s + 0.05, latest_s + SETTLED_S)
    places = np.arange(np.ceil(earliest_s * RATE_HZ), np.floor(latest_s * RATE_HZ) + 1).astype(np.int64)
    if len(rows) < 5 or not len(places):
        return tone.offset_s
    late_s = places / RATE_HZ - tone.offset_s
    cost = np.where(late_s > 0, HELD_PER_S * late_s, -EARLY_PER_S * late_s)
    gain = _likelihood(tone, rows, places, FADING_DB_PER_S) - cost
    now = int(np.argmin(np.abs(late_s)))
    best = int(np.argmax(gain))
    is_found = 0 < best < len(places) - 1 and gain[best] - gain[now] > 0.5
    return _between(gain, best, places) if is_found else tone.offset_s


def start_s(tone: Tone, earliest_s: float) -> float:
    """Find when a tone begins: where the aligner has it, unless it is clearly heard to enter elsewhere.

    Parameters
    ----------
    tone : Tone
    earliest_s : float
        From which the tone is listened for.
    """
    latest_s = tone.onset_s + 0.7 * (tone.offset_s - tone.onset_s)
    rows = _rows(tone, earliest_s - 0.1, tone.offset_s - 0.05)
    places = np.arange(np.ceil(earliest_s * RATE_HZ), np.floor(latest_s * RATE_HZ) + 1).astype(np.int64)
    if len(rows) < 5 or not len(places):
        return tone.onset_s
    gain = _likelihood(tone, rows, places, RISING_DB_PER_S)
    gain -= HELD_PER_S * np.abs(places / RATE_HZ - tone.onset_s)
    now, best = int(np.argmin(np.abs(places / RATE_HZ - tone.onset_s))), int(np.argmax(gain))
    found_s = _between(gain, best, places)
    is_found = 0 < best < len(places) - 1 and gain[best] - gain[now] > DISPLACED_GAIN
    return found_s if is_found and abs(found_s - tone.onset_s) > DISPLACED_S else tone.onset_s


def _rows(tone: Tone, first_s: float, last_s: float) -> NDArray[np.int64]:
    low = max(int(np.ceil(first_s * RATE_HZ)), tone.first_frame)
    return np.arange(low, min(int(last_s * RATE_HZ), tone.first_frame + len(tone.level_db)))


def _likelihood(
    tone: Tone, rows: NDArray[np.int64], places: NDArray[np.int64], slopes: tuple[float, ...]
) -> NDArray[np.float64]:
    """Return the logarithm of how well an edge at every place explains the level, shape (places,).

    Parameters
    ----------
    tone : Tone
    rows : ndarray [shape=(n,)], int64
        Frames whose level is looked at.
    places : ndarray [shape=(places,)], int64
    slopes : tuple of float
        In dB per second beyond the edge: falling for the end of a tone, rising for its beginning.
    """
    level, weight = tone.level_db[rows - tone.first_frame], tone.certainty[rows - tone.first_frame]
    held = _held_line(tone, rows)
    lowest = float(np.median(held)) - RANGE_DB
    level, held = np.maximum(level, lowest), np.maximum(held, lowest)
    beyond = rows[None, :] - places[:, None]
    best = np.full(len(places), -np.inf)
    for slope in slopes:
        expected = np.maximum(held + _shape(beyond, slope, tone.window_frames()), lowest)
        error = np.minimum(((level - expected) / DEVIATION_DB) ** 2, 9.0)
        best = np.maximum(best, -0.5 * INDEPENDENCE * (weight * error).sum(axis=1))
    return best


def _held_line(tone: Tone, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the level that the tone would have at some frames if it were held on as in its middle."""
    length_s = tone.offset_s - tone.onset_s
    body = _rows(tone, tone.onset_s + min(0.1, 0.3 * length_s), tone.offset_s - min(0.08, 0.2 * length_s))
    if not len(body):
        return np.full(len(rows), float(tone.level_db.max(initial=-60.0)))
    level, second = tone.level_db[body - tone.first_frame], body / RATE_HZ
    loud = level > np.median(level) - RANGE_DB / 2
    slope = 0.0
    if loud.sum() > 15:
        slope = float(np.clip(np.polyfit(second[loud], level[loud], 1)[0], STEEPEST_DB_PER_S, 0.0))
    centre = float(np.median(level - slope * second))
    return np.asarray(centre + slope * rows / RATE_HZ)


def _shape(beyond: NDArray[np.int64], slope: float, window: int) -> NDArray[np.float64]:
    """Return the level around an edge as it is seen through a window, in dB, for frames after the edge."""
    reach = int(max(np.abs(beyond).max(initial=0), 1)) + window
    frame = np.arange(-reach, reach + 1)
    line = np.minimum(slope * frame / RATE_HZ, 0.0)
    blur = np.hanning(window + 2)[1:-1]
    seen = np.convolve(10 ** (np.maximum(line, -60) / 20), blur / blur.sum(), "same")
    return np.asarray(20 * np.log10(np.maximum(seen, 1e-3))[beyond + reach])


def _between(gain: NDArray[np.float64], best: int, places: NDArray[np.int64]) -> float:
    """Return the place of a maximum, in seconds, between the frames by a parabola."""
    shift = 0.0
    if 0 < best < len(gain) - 1:
        left, mid, right = gain[best - 1 : best + 2]
        bend = left - 2 * mid + right
        shift = float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5)) if bend < -1e-9 else 0.0
    return (float(places[best]) + shift) / RATE_HZ


DEFAULT_OPTIONS = SegmentationOptions()
PASSES = 2
# So far around its place in the score, or in what was found of sets, an edge is looked for.
NEAR_S = 0.25
# How often a decision is right that nothing heard speaks for or against, and after what time what is heard tells more.
USUALLY_RIGHT, TELLS_AFTER_S = 0.65, 0.2


def segment(
    source: SampleSource,
    unfolded: UnfoldedScore,
    alignment: Alignment,
    progress: Progress,
    options: SegmentationOptions = DEFAULT_OPTIONS,
) -> tuple[Activity, ...]:
    """Find the stretches in which every part sounds.

    Parameters
    ----------
    source : SampleSource
    unfolded : UnfoldedScore
    alignment : Alignment
    progress : Progress
    options : SegmentationOptions

    Returns
    -------
    activities : tuple of Activity
        One for each part.
    """
    progress.update(0.0, "Finding who plays when")
    parts = len(unfolded.score.parts)
    as_written = activities_from_notes(unfolded.notes, alignment.note_times, parts, source.frames, source.sample_rate)
    tones = expected_tones(unfolded, alignment, source.sample_rate, options)
    # A score that does not belong to the recording cannot tell where to listen.
    if not options.listens or not len(tones) or alignment.confidence < DOUBTFUL_CONFIDENCE:
        return as_written
    observed = measure_evidence(source, alignment.tuning_cents, progress.part(0.0, 0.5))
    if not observed.any():
        return as_written
    table = tone_table(tones, len(observed), EVIDENCE_SCALE.frame_rate_hz)
    written = written_parts(tones, parts, len(observed), EVIDENCE_SCALE.frame_rate_hz)
    listener = PartEvidence(observed, table, parts)
    surely = written.is_written.astype(np.float64)
    for i in range(PASSES):
        progress.update(0.5 + 0.15 * i)
        evidence = listener.evidence(surely)
        if i == 0:
            missing = missing_parts(evidence, written)
            written = WrittenParts(written.is_written & ~missing, written.note_number)
            surely = surely * np.where(missing, 0.1, 1.0)
        decided = decode_part_sets(evidence, written, surely, options.rounds, options.largest_group)
        surely = decided.probability
    progress.update(0.95)
    is_played = _without_short_gaps(tones, _is_played(tones, decided.is_sounding), options.shortest_left_out_s)
    # What the aligner has not found is not claimed either.
    is_played &= tones.is_heard
    start, end = _edges(tones, is_played, decided.is_sounding, listener, evidence.distinctness)
    unpitched = set(np.unique(unfolded.notes.part_index).tolist()) - set(np.unique(tones.part_index).tolist())
    activities = []
    for part in range(parts):
        if part in unpitched:
            activities.append(as_written[part])
            continue
        mine = (tones.part_index == part) & np.isfinite(start)
        edges = [np.clip(seconds_to_frames(s[mine], source.sample_rate), 0, source.frames) for s in (start, end)]
        gap = second_to_frame(BRIDGED_GAP_S, source.sample_rate)
        activities.append(Activity(part, *join_intervals(edges[0], edges[1], gap)))
    listened = tuple(set(range(parts)) - unpitched)
    return attach_posterior(tuple(activities), listened, decided.probability, source)


def attach_posterior(
    activities: tuple[Activity, ...], listened: tuple[int, ...], probability: NDArray[np.float64], source: SampleSource
) -> tuple[Activity, ...]:
    """Note with every activity how surely its part was heard, between all moments at which some part starts or stops.

    What is heard in a short time says little: there the decision counts as right in `USUALLY_RIGHT` of the cases.

    Parameters
    ----------
    activities : tuple of Activity
    listened : tuple of int
        Parts that were listened for.
    probability : ndarray [shape=(frames of EVIDENCE_SCALE, parts)], float64
        That each part sounds.
    source : SampleSource
    """
    edges = [column for activity in activities for column in (activity.start_frame, activity.end_frame)]
    moments = np.unique(np.concatenate([[0], *edges]))
    moments = moments[moments < max(source.frames, 1)]
    border_s = np.append(moments, source.frames) / source.sample_rate
    length_s = np.maximum(np.diff(border_s), 1e-9)
    total = np.concatenate([np.zeros((1, probability.shape[1])), np.cumsum(probability, axis=0)])
    frame_s = (np.arange(len(total)) - 0.5) / EVIDENCE_SCALE.frame_rate_hz
    total /= EVIDENCE_SCALE.frame_rate_hz
    out = list(activities)
    for part in listened:
        observed = np.diff(np.interp(border_s, frame_s, total[:, part])) / length_s
        at = np.searchsorted(activities[part].start_frame, moments, side="right")
        sounds = np.append(-1, activities[part].end_frame)[at] > moments
        decided = np.where(sounds, USUALLY_RIGHT, 1 - USUALLY_RIGHT)
        observed = (length_s * observed + TELLS_AFTER_S * decided) / (length_s + TELLS_AFTER_S)
        out[part] = replace(activities[part], heard=ActivityPosterior(moments, np.clip(observed, 0.0, 1.0)))
    return tuple(out)


def _is_played(tones: ExpectedTones, is_sounding: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which tones sound for at least half of their time, shape (tones,)."""
    total = np.concatenate([np.zeros((1, is_sounding.shape[1])), np.cumsum(is_sounding, axis=0)])
    rate = EVIDENCE_SCALE.frame_rate_hz
    first = np.clip(np.rint(tones.onset_s * rate).astype(np.int64), 0, len(is_sounding) - 1)
    last = np.clip(np.rint(tones.offset_s * rate).astype(np.int64), first + 1, len(is_sounding))
    return np.asarray((total[last, tones.part_index] - total[first, tones.part_index]) / (last - first) >= 0.5)


def _without_short_gaps(tones: ExpectedTones, is_played: NDArray[np.bool_], shortest_s: float) -> NDArray[np.bool_]:
    """Count tones as played that are not heard where their part leaves out less than `shortest_s` altogether."""
    is_played = is_played.copy()
    edge = np.flatnonzero(np.diff(is_played) | (np.diff(tones.part_index) != 0)) + 1
    for first, last in zip(np.append(0, edge), np.append(edge, len(tones)), strict=True):
        if not is_played[first] and tones.offset_s[first:last].max() - tones.onset_s[first] < shortest_s:
            is_played[first:last] = True
    return is_played


def _edges(
    tones: ExpectedTones,
    is_played: NDArray[np.bool_],
    is_sounding: NDArray[np.bool_],
    listener: PartEvidence,
    distinctness: NDArray[np.float32],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return when every tone begins and ends, shape (tones,) each; NaN for those that are not played."""
    start, end = np.where(is_played, tones.onset_s, np.nan), np.where(is_played, tones.offset_s, np.nan)
    onsets_s = np.unique(tones.onset_s[is_played])
    for part in np.unique(tones.part_index):
        mine = np.flatnonzero((tones.part_index == part) & is_played)
        if not len(mine):
            continue
        onset_s, offset_s = tones.onset_s[mine], tones.offset_s[mine]
        ended_s = np.concatenate([[-np.inf], np.maximum.accumulate(offset_s)[:-1]])
        begins = np.flatnonzero(onset_s > ended_s + BRIDGED_GAP_S)
        for first, after in zip(begins, np.append(begins[1:], len(mine)), strict=True):
            stretch = mine[first:after]
            entry = int(stretch[0])
            before_s = float(ended_s[first])
            tone = _tone(tones, entry, listener, distinctness)
            start[entry] = start_s(
                tone,
                max(_since_s(is_sounding[:, part], tone.onset_s - 0.1) - 0.1, float(tones.first_s[entry]), before_s),
            )
            last = int(stretch[np.argmax(tones.offset_s[stretch])])
            next_s = float(onset_s[after]) if after < len(mine) else np.inf
            tone = _tone(tones, last, listener, distinctness)
            # Until somebody else enters, nothing but endings happens; from then on a note is held only if the set says
            # so.
            other_s = onsets_s[np.searchsorted(onsets_s, tone.offset_s - TOGETHER_S) :]
            until_s = max(_until_s(is_sounding[:, part], tone.offset_s), other_s[0] if len(other_s) else np.inf)
            latest_s = min(until_s + NEAR_S, float(tones.last_s[last]), next_s)
            end[last] = max(end_s(tone, latest_s), start[last] + 0.02)
            # Others that end with the last, as in a chord, end with it here too; the stretch is what counts.
            late = stretch[end[stretch] > end[last]]
            end[late] = np.maximum(end[last], start[late] + 0.02)
    return start, end


def _since_s(is_sounding: NDArray[np.bool_], moment_s: float) -> float:
    """Return since when a part has been sounding at a moment; the moment itself where it is not."""
    frame = min(max(int(moment_s * EVIDENCE_SCALE.frame_rate_hz) - 1, 0), len(is_sounding) - 1)
    silent = np.flatnonzero(~is_sounding[: frame + 1])
    return min(moment_s, (int(silent[-1]) + 1 if len(silent) else 0) / EVIDENCE_SCALE.frame_rate_hz)


def _until_s(is_sounding: NDArray[np.bool_], moment_s: float) -> float:
    """Return until when a part goes on sounding from a moment; the moment itself where it does not."""
    frame = min(int(np.ceil(moment_s * EVIDENCE_SCALE.frame_rate_hz)) + 1, len(is_sounding))
    silent = np.flatnonzero(~is_sounding[frame:])
    return max(moment_s, (frame + int(silent[0]) if len(silent) else len(is_sounding)) / EVIDENCE_SCALE.frame_rate_hz)


def _tone(tones: ExpectedTones, index: int, listener: PartEvidence, distinctness: NDArray[np.float32]) -> Tone:
    part, pitch = int(tones.part_index[index]), int(tones.pitch_midi[index])
    rate = EVIDENCE_SCALE.frame_rate_hz
    first = max(int(tones.first_s[index] * rate) - 10, 0)
    last = max(int(tones.last_s[index] * rate) + 40, first + 1)
    level = listener.part_level_db(part, first, last)
    certainty = distinctness[first : first + len(level), part].astype(np.float64)
    return Tone(level, certainty, first, float(tones.onset_s[index]), float(tones.offset_s[index]), pitch)

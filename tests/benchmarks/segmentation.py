"""Three ways to find who plays when, side by side: the score's notes, the model, and the model without a score.

    python tests/benchmarks/segmentation.py FOLDER [CASE ...] [--also CASE_FOLDER ...]

Makes performances that depart from their scores (`performances`) in FOLDER, which needs fluidsynth and its sound font,
aligns each with its score, and prints a table of: the share of moments at which the set of parts is right, the same for
the category (silence, single, mixed), the F1 of boundaries within 100 ms, and how much faster than real time the model
is.
Without a score nothing says which parts a set holds: every set is taken for the one that it meets most often, so that
these figures are the best that could be made of it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scoresep.engines.segmentation import SegmentationOptions
from scoresep.engines.segmentation.evidence import EVIDENCE_SCALE, measure_evidence
from scoresep.engines.segmentation.segment import segment
from scoresep.engines.segmentation.without_score import find_sets
from scoresep.files.audio.recordings import open_source
from scoresep.model.segments import Activity
from scoresep.progress import Progress
from scoresep.session import pipeline

sys.path.insert(0, str(Path(__file__).parent))
import performances

FRAME_S, GAP_S, RELEASE_S, TOLERANCE_S = 0.02, 0.15, 0.2, 0.1
WAYS = ("notes", "model", "no score")


@dataclass(frozen=True)
class Figures:
    """How good one segmentation is."""

    right_set: float
    right_category: float
    boundary_f1: float


def activity_of_notes(notes: list[list[float]], parts: int, frames: int) -> NDArray[np.bool_]:
    """Return who plays at every frame, gaps of up to `GAP_S` bridged, shape (parts, frames)."""
    active = np.zeros((parts, frames), np.bool_)
    ended_s = [-1e9] * parts
    for part, _, _, _, start_s, end_s in sorted(notes, key=lambda n: n[4]):
        p = int(part)
        first_s = min(start_s, ended_s[p]) if start_s - ended_s[p] <= GAP_S else start_s
        active[p, max(round(first_s / FRAME_S), 0) : max(round(end_s / FRAME_S), 0)] = True
        ended_s[p] = max(ended_s[p], end_s)
    return active


def compare(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> Figures:
    """Compare who plays, (parts, frames) each; for a while after a part has ended it may still ring."""
    ringing = np.zeros_like(truth)
    reach = round(RELEASE_S / FRAME_S)
    for part, frame in np.argwhere(truth[:, :-1] & ~truth[:, 1:]):
        ringing[part, frame + 1 : frame + 1 + reach] = ~truth[part, frame + 1 : frame + 1 + reach]
    agreed = np.where(ringing, truth, found)
    category = np.minimum(agreed.sum(axis=0), 2) == np.minimum(truth.sum(axis=0), 2)
    return Figures(float((agreed == truth).all(axis=0).mean()), float(category.mean()), _boundary_f1(found, truth))


def _boundary_f1(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    a, b = (np.flatnonzero((x[:, 1:] != x[:, :-1]).any(axis=0)) * FRAME_S for x in (found, truth))
    i = j = matched = 0
    while i < len(a) and j < len(b):
        if abs(a[i] - b[j]) <= TOLERANCE_S + 1e-9:
            matched, i, j = matched + 1, i + 1, j + 1
        elif a[i] < b[j]:
            i += 1
        else:
            j += 1
    return 2 * matched / max(len(a) + len(b), 1)


def _of_activities(activities: tuple[Activity, ...], frames: int, rate: int) -> NDArray[np.bool_]:
    active = np.zeros((len(activities), frames), np.bool_)
    for a in activities:
        for start, end in zip(a.start_frame.tolist(), a.end_frame.tolist(), strict=True):
            active[a.part_index, round(start / rate / FRAME_S) : round(end / rate / FRAME_S)] = True
    return active


def _of_states(state: NDArray[np.int64], truth: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Take every state for the set of parts that it meets most often."""
    frames = truth.shape[1]
    at = np.minimum((np.arange(frames) * FRAME_S * EVIDENCE_SCALE.frame_rate_hz).astype(np.int64), len(state) - 1)
    out = np.zeros_like(truth)
    for k in np.unique(state):
        here = state[at] == k
        if here.any():
            best = Counter(tuple(column) for column in truth[:, here].T.tolist()).most_common(1)[0][0]
            out[:, here] = np.array(best)[:, None]
    return out


def measure(case: Path) -> tuple[dict[str, Figures], float]:
    """Segment a case in the three ways; returns the figures, and how much faster than real time the model was."""
    audio, score = (next(p for p in sorted(case.iterdir()) if p.stem == stem) for stem in ("mix", "score"))
    truth_file = json.loads((case / "truth.json").read_text(encoding="utf-8"))
    project = pipeline.align(pipeline.open_files(audio, score)[0])
    recording, unfolded, alignment = project.recording, project.unfolded, project.alignment
    assert recording is not None
    assert unfolded is not None
    assert alignment is not None
    frames = int(recording.duration_s / FRAME_S)
    truth = activity_of_notes(truth_file["notes"], len(truth_file["parts"]), frames)
    with open_source(recording) as source:
        by_notes = segment(source, unfolded, alignment, Progress(), SegmentationOptions(listens=False))
        began_s = time.perf_counter()
        by_model = segment(source, unfolded, alignment, Progress())
        needed_s = time.perf_counter() - began_s
        observed = measure_evidence(source, alignment.tuning_cents, Progress())
    found = {
        "notes": _of_activities(by_notes, frames, recording.sample_rate),
        "model": _of_activities(by_model, frames, recording.sample_rate),
        "no score": _of_states(find_sets(observed, len({tuple(column) for column in truth.T.tolist()})), truth),
    }
    return {way: compare(active, truth) for way, active in found.items()}, recording.duration_s / needed_s


def main() -> int:
    """Make the cases, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(performances.CASES)}; none: all")
    parser.add_argument("--also", nargs="*", type=Path, default=[], help="folders with mix.*, score.* and truth.json")
    arguments = parser.parse_args()
    names = arguments.cases or list(performances.CASES)
    folders = [performances.make(name, arguments.folder) for name in names] + arguments.also
    print("| case | " + " | ".join(f"{way}: set, category, F1" for way in WAYS) + " | x real time |")
    print("|---" * (len(WAYS) + 2) + "|")
    rows, failed = [], 0
    for folder in folders:
        try:
            figures, speed = measure(folder)
        except Exception:
            failed += 1
            traceback.print_exc()
            continue
        values = np.array([[figures[w].right_set, figures[w].right_category, figures[w].boundary_f1] for w in WAYS])
        rows.append((values, speed))
        print(_row(folder.name, values, speed), flush=True)
    if rows:
        print(_row("mean", np.mean([v for v, _ in rows], axis=0), float(np.mean([s for _, s in rows]))))
    return 1 if failed else 0


def _row(name: str, values: NDArray[np.float64], speed: float) -> str:
    return f"| {name} | " + " | ".join(", ".join(f"{x:.3f}" for x in v) for v in values) + f" | {speed:.0f} |"


if __name__ == "__main__":
    sys.exit(main())

"""The alignment beside that of others, and whether its confidence means what it says.

    python tests/benchmarks/alignment.py CASE ... [--make-references] [--picture FILE.svg]

A CASE folder holds mix.*, score.* and truth.json: ``{"notes": [[part, midi, onset_quarter, end_quarter, onset_s,
end_s], ...]}``, pitch as in the score, and where the truth itself is only roughly known ``"accuracy_s"``.

The references, synctoolbox and plain chroma DTW, live in an environment of their own (``references/requirements.txt``);
--make-references makes it. They get the score as it is written, at its marked tempo, and the same recording.

Printed as Markdown: the share of true notes found within 25, 50 and 100 ms, F1 within 50 ms, notes missed and
invented, and how many times faster than real time; then how the stated confidence compares with what was right, for
notes and for measures (right: within 50 ms and what the truth may itself be off), how well "doubtful" finds what is
more than 100 ms wrong, and how far ends of notes are off.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoresep.engines.alignment import AlignmentOptions
from scoresep.engines.alignment.score_events import nominal_seconds
from scoresep.model.path import PathChoices, performance_path, unfold
from scoresep.model.project import Project
from scoresep.model.quality import DOUBTFUL_CONFIDENCE
from scoresep.session import pipeline

sys.path.insert(0, str(Path(__file__).parent))
from calibration import curve, doubtful, means_of_stretches
from note_truth import FoundNotes, Matched, Truth, matched, read_truth
from pictures import write_picture
from reference_environment import DEFAULT_FOLDER, make_environment, run_references, why_absent

OURS = "ScoreSep"
RIGHT_S, WRONG_S = 0.05, 0.1
TOLERANCES = {"25 ms": 0.025, "50 ms": 0.05, "100 ms": 0.1}
COLUMNS = (*TOLERANCES, "F1 50 ms", "missed", "invented", "x real time")


@dataclass
class Case:
    """One recording with its score and truth, and what was found."""

    folder: Path
    truth: Truth
    audio: Path
    project: Project
    found: dict[str, FoundNotes] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def duration_s(self) -> float:
        assert self.project.recording is not None
        return self.project.recording.duration_s

    def matched(self, program: str) -> Matched:
        return matched(self.found[program], self.truth)

    def row(self, program: str) -> list[float]:
        """Return the figures of `COLUMNS`."""
        if program not in self.found:
            return [0.0, 0.0, 0.0, 0.0, len(self.truth.notes), 0, np.nan]
        m = self.matched(program)
        shares = [m.share_within(s) for s in TOLERANCES.values()]
        return [*shares, m.f1(RIGHT_S), m.missed, m.invented, self.duration_s / self.seconds[program]]


def opened(folder: Path) -> Case:
    audio, score = (next(p for p in sorted(folder.iterdir()) if p.stem == stem) for stem in ("mix", "score"))
    return Case(folder, read_truth(folder), audio, pipeline.open_files(audio, score)[0])


def align_ours(case: Case) -> None:
    """Align with the program, as its command line does."""
    began_s = time.perf_counter()
    case.project = pipeline.align(case.project)
    case.seconds[OURS] = time.perf_counter() - began_s
    alignment, unfolded, recording = case.project.alignment, case.project.unfolded, case.project.recording
    assert alignment is not None
    assert unfolded is not None
    assert recording is not None
    notes, times = unfolded.notes, alignment.note_times
    keep = np.flatnonzero(times.is_present & ~notes.is_grace & np.isfinite(notes.pitch_midi))
    case.found[OURS] = FoundNotes(
        notes.part_index[keep],
        notes.pitch_midi[keep],
        notes.onset_quarter[keep],
        times.onset_frame[keep] / recording.sample_rate,
        times.offset_frame[keep] / recording.sample_rate,
        times.confidence[keep].astype(np.float64),
        notes.step_index[keep],
    )


def written_notes(case: Case) -> tuple[FoundNotes, list[list[float]]]:
    """Return the notes in the order written, without times, and as the references want them."""
    assert case.project.score is not None
    unfolded = unfold(case.project.score, performance_path(case.project.score, PathChoices())[0])
    notes = unfolded.notes
    keep = np.flatnonzero(~notes.is_grace & np.isfinite(notes.pitch_midi))
    ends = (notes.onset_quarter + notes.duration_quarter)[keep]
    tempo = AlignmentOptions().default_quarters_per_minute
    start_s, end_s = (nominal_seconds(unfolded, q, tempo) for q in (notes.onset_quarter[keep], ends))
    rows = np.stack([np.rint(notes.pitch_midi[keep]), start_s, np.maximum(end_s - start_s, 0.02)], axis=1)
    nothing = np.full(len(keep), np.nan)
    found = FoundNotes(
        notes.part_index[keep],
        notes.pitch_midi[keep],
        notes.onset_quarter[keep],
        nothing,
        nothing,
        nothing,
        notes.step_index[keep],
    )
    return found, rows.tolist()


def align_references(cases: list[Case], environment: Path) -> list[str]:
    """Let the references align all cases; returns their names."""
    written = [written_notes(case) for case in cases]
    task: list[dict[str, Any]] = [
        {"name": case.folder.name, "audio": str(case.audio.resolve()), "notes": rows}
        for case, (_, rows) in zip(cases, written, strict=True)
    ]
    for case, (notes, _), answers in zip(cases, written, run_references(environment, task), strict=True):
        for program, answer in answers.items():
            if "failed" in answer:
                print(f"{program} failed on {case.folder.name}: {answer['failed']}", file=sys.stderr)
                continue
            onset_s = np.array(answer["onset_s"])
            case.found[program] = FoundNotes(**{**vars(notes), "onset_s": onset_s})
            case.seconds[program] = answer["seconds"]
    return sorted({program for case in cases for program in case.found if program != OURS}, reverse=True)


def print_table(cases: list[Case], programs: list[str]) -> None:
    print("| case | program | " + " | ".join(COLUMNS) + " |")
    print("|---" * (len(COLUMNS) + 2) + "|")
    for case in cases:
        for program in programs:
            print(_row(case.folder.name, program, case.row(program)))
    for program in programs:
        print(_row("**mean**", program, np.nanmean([case.row(program) for case in cases], axis=0).tolist()))


def _row(name: str, program: str, figures: list[float]) -> str:
    shares = [f"{x:.3f}" for x in figures[:4]]
    counts = [f"{x:.1f}" if x != round(x) else f"{x:.0f}" for x in figures[4:6]]
    return f"| {name} | {program} | " + " | ".join([*shares, *counts, f"{figures[6]:.0f}"]) + " |"


@dataclass(frozen=True, eq=False)
class Stated:
    """What was stated of all cases' notes, and what is true."""

    confidence: NDArray[np.float64]
    is_right: NDArray[np.bool_]
    is_wrong: NDArray[np.bool_]
    stretch_confidence: NDArray[np.float64]
    stretch_right: NDArray[np.float64]
    late_end_s: NDArray[np.float64]


def stated(cases: list[Case]) -> Stated:
    columns: list[list[NDArray[Any]]] = []
    for case in cases:
        found, m = case.found[OURS], case.matched(OURS)
        right, wrong = m.error_s < RIGHT_S + case.truth.accuracy_s, m.error_s > WRONG_S
        of_stretches = [means_of_stretches(v, found.stretch) for v in (found.confidence, right.astype(np.float64))]
        late = m.offset_error_s[np.isfinite(m.offset_error_s)]
        columns.append([found.confidence, right, wrong, *of_stretches, late])
    return Stated(*(np.concatenate(column) for column in zip(*columns, strict=True)))


def print_confidence(cases: list[Case]) -> dict[str, Any]:
    """Print what the stated confidence is worth; returns the curves."""
    all_notes = stated(cases)
    curves = {
        "notes": curve(all_notes.confidence, all_notes.is_right),
        "measures": curve(all_notes.stretch_confidence, all_notes.stretch_right),
    }
    for name, c in curves.items():
        print(f"\nConfidence of {name}: expected calibration error {c.expected_error:.3f}\n")
        print("| stated | " + " | ".join(_share(x) for x in c.stated) + " |")
        print("|---" * (len(c.stated) + 1) + "|")
        print("| right | " + " | ".join(_share(x) for x in c.right) + " |")
        print("| count | " + " | ".join(str(n) for n in c.count.tolist()) + " |")
    u = doubtful(all_notes.confidence, all_notes.is_wrong, DOUBTFUL_CONFIDENCE)
    print(
        f"\nDoubtful (confidence below {DOUBTFUL_CONFIDENCE}): {u.share:.3f} of the notes. More than 100 ms wrong, or"
        f" not played: {u.wrong:.3f} of all notes and {u.precision:.3f} of the doubtful, {u.recall:.3f} of the"
        " wrong ones."
    )
    late = np.abs(all_notes.late_end_s)
    print(
        f"\nEnds of notes: median error {1000 * float(np.median(late)):.0f} ms,"
        f" within 50 ms {float((late < RIGHT_S).mean()):.3f}, within 100 ms {float((late < WRONG_S).mean()):.3f}."
    )
    return curves


def _share(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.2f}"


def main() -> int:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="+", type=Path, metavar="CASE")
    parser.add_argument("--picture", type=Path, help="write the figures as a picture here (SVG)")
    parser.add_argument("--environment", type=Path, default=DEFAULT_FOLDER, help="of the references")
    parser.add_argument("--make-references", action="store_true", help="make that environment first (needs pip)")
    parser.add_argument("--alone", action="store_true", help="leave the references out")
    arguments = parser.parse_args()
    if arguments.make_references:
        make_environment(arguments.environment)
    cases, failed = [], 0
    for folder in arguments.cases:
        try:
            case = opened(folder)
            align_ours(case)
            cases.append(case)
        except Exception:
            failed += 1
            traceback.print_exc()
    if not cases:
        return 1
    programs, absent = [OURS], why_absent(arguments.environment)
    if not arguments.alone and absent is None:
        programs += align_references(cases, arguments.environment)
    print_table(cases, programs)
    if absent is not None or arguments.alone:
        print(f"\nsynctoolbox and chroma DTW are not in this table. {absent or 'They were left out as asked.'}")
    curves = print_confidence(cases)
    if arguments.picture:
        means = {p: np.mean([case.row(p)[:3] for case in cases], axis=0) for p in programs}
        shares = {p: dict(zip(TOLERANCES, m.tolist(), strict=True)) for p, m in means.items()}
        write_picture(arguments.picture, shares, curves)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

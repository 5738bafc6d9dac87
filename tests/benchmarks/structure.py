"""How well alignment does with recordings that do not hold just their score from the first to the last bar.

    python tests/benchmarks/structure.py CASE_FOLDER... [--edits NAME ...] [--tables edits excerpts strangers] [--each]

A case folder holds mix.*, score.* and truth.json, as `performances` makes them. Prints Markdown tables: for every way
of editing a recording (`edited_recordings`) the means over the cases; for short excerpts from the beginning of every
case, and for the scores of the cases against one another's recordings, how often it is told rightly whether they belong
together. A bar that is repeated sounds the same each time: a note counts as found at any of its times.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from scoresep.engines.alignment import AlignmentOptions
from scoresep.engines.alignment.align import align_as_played
from scoresep.engines.segmentation.segment import segment
from scoresep.model.alignment import Alignment
from scoresep.model.audio import ArraySource
from scoresep.model.path import PathChoices, performance_path, unfold
from scoresep.model.score import TempoMark, UnfoldedScore
from scoresep.progress import Progress
from scoresep.session import pipeline

sys.path.insert(0, str(Path(__file__).parent))
import edited_recordings
from edited_recordings import Edited, Music, Original

COLUMNS = ("within 50 ms", "F1", "told absent", "extra told", "extra invented s", "extra silent", "confidence", "CPU x")
TOLD = re.compile(r"(\d+):(\d\d) to (\d+):(\d\d)")


@dataclass(frozen=True, eq=False)
class Piece:
    """A case with its score read."""

    original: Original
    unfolded: UnfoldedScore


def read_case(folder: Path) -> Piece:
    """Read recording, truth and score of a case."""
    audio, score = (next(p for p in sorted(folder.iterdir()) if p.stem == stem) for stem in ("mix", "score"))
    unfolded = pipeline.open_files(audio, score)[0].unfolded
    assert unfolded is not None
    return Piece(edited_recordings.load(folder, unfolded.step_start_quarter[:-1], score), unfolded)


def run(piece: Piece, recording: Edited) -> tuple[UnfoldedScore, Alignment, float]:
    """Align; returns also the score as it was found to be played, and the seconds of CPU."""
    unfolded = piece.unfolded
    if recording.tempo != 1:
        unfolded = _at_tempo(unfolded, recording.tempo)
    source = ArraySource(recording.samples[None], recording.rate)
    began_s = time.process_time()
    choices, alignment = align_as_played(source, unfolded, PathChoices(), AlignmentOptions(), Progress())
    needed_s = time.process_time() - began_s
    return unfold(unfolded.score, performance_path(unfolded.score, choices)[0]), alignment, needed_s


def _at_tempo(unfolded: UnfoldedScore, factor: float) -> UnfoldedScore:
    """Return a score marked faster or slower; where nothing is marked, 90 quarters a minute are."""
    score = unfolded.score
    marks = score.tempo_marks or (TempoMark(0.0, 90.0),)
    faster = tuple(replace(m, quarters_per_minute=m.quarters_per_minute * factor) for m in marks)
    return unfold(replace(score, tempo_marks=faster), unfolded.path)


def _place(unfolded: UnfoldedScore, quarter: float) -> tuple[int, int]:
    """Return measure, and position in it in fiftieths of a quarter."""
    step = unfolded.step_at(quarter)
    offset = quarter - float(unfolded.step_start_quarter[step])
    return unfolded.path.measure_indices[step], round(offset * 50)


def told_extra_s(alignment: Alignment) -> list[tuple[float, float]]:
    """Return the stretches that the warnings tell of."""
    found = [tuple(map(int, m)) for w in alignment.warnings for m in TOLD.findall(w)]
    return [(60 * a + b, 60 * c + d) for a, b, c, d in found]


def measure(piece: Piece, recording: Edited) -> list[float]:
    """Return the figures of `COLUMNS` for one edited recording; NaN where there is nothing to measure."""
    unfolded, alignment, needed_s = run(piece, recording)
    notes, times = unfolded.notes, alignment.note_times
    of_note: dict[tuple[int, ...], list[int]] = {}
    for k in np.flatnonzero(np.isfinite(notes.pitch_midi) & (notes.duration_quarter > 0)).tolist():
        place = _place(unfolded, float(notes.onset_quarter[k]))
        of_note.setdefault((int(notes.part_index[k]), int(notes.pitch_midi[k]), *place), []).append(k)
    keys = [(int(n[0]), int(n[1]), *_place(piece.unfolded, n[2])) for n in piece.original.notes]
    observed = {key for key, onsets_s in zip(keys, recording.onsets_s, strict=True) if onsets_s}
    hits = played = 0
    absent: list[bool] = []
    for key, onsets_s in zip(keys, recording.onsets_s, strict=True):
        same = of_note.get(key, [])
        onset_s = [times.onset_frame[k] / recording.rate for k in same if times.is_present[k]]
        if onsets_s:
            played += 1
            hits += any(abs(a - b) < 0.05 for a in onset_s for b in onsets_s)
        elif same and key not in observed:
            absent.append(not onset_s)
    found = int((times.is_present & (notes.duration_quarter > 0)).sum())
    precision, recall = hits / max(found, 1), hits / max(played, 1)
    seconds = np.arange(len(recording.samples) // recording.rate * 4) / 4 + 0.125
    extra, told = (
        np.any([(seconds >= a) & (seconds < b) for a, b in stretches] or [seconds < 0], axis=0)
        for stretches in (recording.extra_s, told_extra_s(alignment))
    )
    far = np.convolve(extra, np.ones(9), "same") == 0  # a second from its edges
    inner = np.convolve(~extra, np.ones(9), "same") == 0
    source = ArraySource(recording.samples[None], recording.rate)
    activities = segment(source, unfolded, alignment, Progress())
    sounding = np.zeros(len(seconds), np.bool_)
    for a in activities:
        for start, end in zip(a.start_frame / recording.rate, a.end_frame / recording.rate, strict=True):
            sounding |= (seconds >= start) & (seconds < end)
    return [
        recall,
        2 * precision * recall / max(precision + recall, 1e-9),
        float(np.mean(absent)) if absent else np.nan,
        float(told[extra].mean()) if extra.any() else np.nan,
        float((told & far).sum() / 4),
        float((~sounding[inner]).mean()) if inner.any() else np.nan,
        alignment.confidence,
        len(recording.samples) / recording.rate / needed_s,
    ]


def edits_table(pieces: list[Piece], names: list[str], each: bool) -> None:
    """Print the figures of every way of editing, means over the cases."""
    print("| recording | " + " | ".join(COLUMNS) + " | worst case |\n" + "|---" * (len(COLUMNS) + 2) + "|", flush=True)
    for name in names:
        rows = []
        for k, piece in enumerate(pieces):
            other = pieces[(k + 3) % len(pieces)].original
            rows.append(measure(piece, edited_recordings.make(piece.original, name, other)))
            if each:
                print(f"| - {piece.original.name} | " + _cells(rows[-1]) + " | |", flush=True)
        table = np.array(rows)
        means = [float(np.mean(c[np.isfinite(c)])) if np.isfinite(c).any() else np.nan for c in table.T]
        worst = int(np.argmin(table[:, 0]))
        print(f"| {name} | {_cells(means)} | {pieces[worst].original.name} {table[worst, 0]:.2f} |", flush=True)


def _cells(row: list[float]) -> str:
    return " | ".join(
        "" if not np.isfinite(x) else f"{x:.0f}" if c == "CPU x" else f"{x:.1f}" if c.endswith(" s") else f"{x:.3f}"
        for c, x in zip(COLUMNS, row, strict=True)
    )


def excerpts_table(pieces: list[Piece], lengths_s: tuple[float, ...] = (3, 6, 12, 30)) -> None:
    """Print how often it is told rightly whether the first seconds of a recording belong to a score."""
    print("\n| first seconds | belong, but said not to | strangers, not recognised | least and mean confidence |")
    print("|---" * 4 + "|")
    for length_s in lengths_s:
        own, strange = [], []
        for k, piece in enumerate(pieces):
            original = piece.original
            if original.duration_s < 0.9 * length_s:
                continue
            start_s = max(min(n[4] for n in original.notes) - 0.5, 0)
            cut = edited_recordings.edited(original, [Music(start_s, start_s + length_s)], 0)
            own.append(run(piece, cut)[1].confidence)
            strange += [run(pieces[(k + step) % len(pieces)], cut)[1].confidence for step in (1, 2)]
        told, missed = sum(c < 0.5 for c in own), sum(c >= 0.5 for c in strange)
        print(
            f"| {length_s:.0f} | {told} of {len(own)} | {missed} of {len(strange)} "
            f"| {min(own):.2f}, {np.mean(own):.2f} |",
            flush=True,
        )


def strangers_table(pieces: list[Piece]) -> None:
    """Print the confidence of every score with every recording."""
    names = [p.original.name for p in pieces]
    print("\n| score | " + " | ".join(names) + " |\n" + "|---" * (len(names) + 1) + "|")
    wrong = missed = 0
    for piece in pieces:
        row = []
        for other in pieces:
            whole = edited_recordings.edited(other.original, [Music(0, min(other.original.duration_s, 60))], 0)
            row.append(run(piece, whole)[1].confidence)
            wrong += other is piece and row[-1] < 0.5
            missed += other is not piece and row[-1] >= 0.5
        print(f"| {piece.original.name} | " + " | ".join(f"{c:.2f}" for c in row) + " |", flush=True)
    print(f"\nBelong together, but said not to: {wrong} of {len(pieces)}.")
    print(f"Strangers, not recognised: {missed} of {len(pieces) * (len(pieces) - 1)}.")


def main() -> int:
    """Read the cases and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="CASE_FOLDER")
    parser.add_argument("--edits", nargs="*", default=list(edited_recordings.NAMES), choices=edited_recordings.NAMES)
    parser.add_argument("--tables", nargs="*", default=["edits", "excerpts", "strangers"])
    parser.add_argument("--each", action="store_true", help="print every case as well")
    arguments = parser.parse_args()
    pieces = [read_case(folder) for folder in arguments.folders]
    if "edits" in arguments.tables:
        edits_table([p for p in pieces if p.original.duration_s > 25], arguments.edits, arguments.each)
    if "excerpts" in arguments.tables:
        excerpts_table(pieces)
    if "strangers" in arguments.tables:
        strangers_table(pieces)
    return 0


if __name__ == "__main__":
    sys.exit(main())

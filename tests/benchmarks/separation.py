"""Every engine of separation on every case, beside a textbook NMF and the oracle.

    python tests/benchmarks/separation.py CASE ... [--engines nmf,auto] [--budgets balanced] [--notes found|true]
                                                   [--device cpu] [--seconds N] [--picture FILE.svg]

A CASE folder holds mix.*, score.*, truth.json and stem<i>.* (a part without a stem is taken for silent).

Printed as Markdown: the mean over the sounding parts of the scale-invariant SDR in dB (not below -30); then, for every
method, the means over all cases of how far it stays below the oracle, how loud parts are while they rest, relative to
the recording, and how many times faster than real time learning and separating are together. The oracle is the ideal
ratio mask of the true stems. With --notes true the notes' true times are given instead of those that are found.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import istft, stft
from stem_metrics import FLOOR_DB, si_sdr_db

from scoresep.engines.separation import AUTO, BUDGETS, SeparationOptions, engine_names, make_engine
from scoresep.files.audio.recordings import open_recording, open_source
from scoresep.model.alignment import SoundingNotes
from scoresep.model.audio import ArraySource
from scoresep.progress import Progress
from scoresep.session import pipeline
from scoresep.session.separation_job import separation_request

sys.path.insert(0, str(Path(__file__).parent))
from bar_chart import write_bar_chart
from note_truth import read_truth
from textbook_nmf import textbook_nmf

TEXTBOOK, ORACLE = "textbook NMF", "oracle"
WINDOW, HOP = 4096, 1024
REST_MARGIN_S, LEAST_REST = 0.5, 0.02  # of a part that rests less than this share nothing can be said
NOTE_COLUMNS = ("stem_index", "pitch_midi", "onset_frame", "offset_frame", "confidence")

Samples = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Case:
    """One recording, its notes and its true stems, shapes (channels, frames) and (stems, channels, frames)."""

    name: str
    samples: Samples
    rate: int
    notes: SoundingNotes
    truth: Samples

    @property
    def seconds(self) -> float:
        """Length."""
        return self.samples.shape[1] / self.rate


@dataclass
class Figures:
    """How good the stems of one method are on one case."""

    si_sdr_db: list[float] = field(default_factory=list)
    leak_db: float = np.nan
    times_real_time: float = np.nan

    @property
    def mean_db(self) -> float:
        """Mean over the parts."""
        return float(np.mean(self.si_sdr_db)) if self.si_sdr_db else FLOOR_DB


def load_case(folder: Path, takes_true_notes: bool, seconds: float | None) -> Case:
    """Read a case, and find its notes or take the true ones."""
    files = {path.stem: path for path in sorted(folder.iterdir())}
    project, _ = pipeline.open_files(files["mix"], files["score"])
    request = separation_request(pipeline.align(project), "")
    samples, rate = _read(files["mix"]), request.recording.sample_rate
    frames = samples.shape[1] if seconds is None else min(samples.shape[1], round(seconds * rate))
    notes = _true_notes(request.notes, request.stem_parts, folder, rate) if takes_true_notes else request.notes
    here = notes.onset_frame < frames
    notes = replace(notes, **{name: getattr(notes, name)[here] for name in NOTE_COLUMNS})
    stems = [_read(files[f"stem{p}"]) if f"stem{p}" in files else np.zeros_like(samples) for p in request.stem_parts]
    return Case(folder.name, samples[:, :frames], rate, notes, np.stack([stem[:, :frames] for stem in stems]))


def _read(path: Path) -> Samples:
    with open_source(open_recording(str(path))) as source:
        return source.read(0, source.frames)


def _true_notes(found: SoundingNotes, stem_parts: tuple[int, ...], folder: Path, rate: int) -> SoundingNotes:
    stem_of = {part: stem for stem, part in enumerate(stem_parts)}
    rows = [row for row in read_truth(folder).notes if int(row[0]) in stem_of]
    table = np.array([[stem_of[int(part)], pitch, on * rate, off * rate] for part, pitch, _, _, on, off in rows])
    return SoundingNotes(
        table[:, 0].astype(np.int32),
        table[:, 1],
        table[:, 2].round().astype(np.int64),
        table[:, 3].round().astype(np.int64),
        np.ones(len(table), np.float32),
        found.stem_count,
        found.programs,
    )


def oracle(case: Case) -> Samples:
    """Separate by the ideal ratio mask of the true stems."""

    def spectra(samples: Samples) -> NDArray[np.complex64]:
        return np.stack([stft(c, nperseg=WINDOW, noverlap=WINDOW - HOP)[2] for c in samples])

    mix, powers = spectra(case.samples), [np.abs(spectra(stem)) ** 2 for stem in case.truth]
    total, made = sum(powers) + 1e-12, np.zeros_like(case.truth)
    for stem, power in zip(made, powers, strict=True):
        for channel, spectrum in zip(stem, mix * (power / total), strict=True):
            back = istft(spectrum, nperseg=WINDOW, noverlap=WINDOW - HOP)[1][: case.samples.shape[1]]
            channel[: len(back)] = back
    return made


def engine_stems(case: Case, engine: str, budget: str, device: str) -> Samples:
    """Separate with an engine of the program."""
    source = ArraySource(case.samples, case.rate)
    learned = make_engine(engine).fit(source, case.notes, SeparationOptions(device, budget), Progress())
    return learned.separate(source, case.notes, 0, source.frames, Progress())


def figures_of(case: Case, stems: Samples, spent_s: float) -> Figures:
    """Hold stems against the true ones."""
    values = [si_sdr_db(made, true) for made, true in zip(stems, case.truth, strict=True) if true.any()]
    at, margin = np.arange(case.samples.shape[1]), round(REST_MARGIN_S * case.rate)
    leaks = []
    for index, made in enumerate(stems):
        rests = np.ones(len(at), np.bool_)
        mine = case.notes.stem_index == index
        for onset, offset in zip(case.notes.onset_frame[mine], case.notes.offset_frame[mine], strict=True):
            rests[max(onset - margin, 0) : offset + margin] = False
        if rests.mean() > LEAST_REST and (power := (case.samples[:, rests] ** 2).mean()) > 0:
            leaks.append(10 * np.log10((made[:, rests] ** 2).mean() / power + 1e-9))
    return Figures(values, float(np.mean(leaks)) if leaks else np.nan, case.seconds / max(spent_s, 1e-9))


def main() -> int:
    """Run all methods on all cases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="+", type=Path, metavar="CASE")
    parser.add_argument("--engines", default=",".join(n for n in engine_names() if n != AUTO) + f",{AUTO}")
    parser.add_argument("--budgets", default="balanced", help=f"of {', '.join(BUDGETS)}, joined by commas")
    parser.add_argument("--notes", choices=["found", "true"], default="found")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seconds", type=float, help="only so much of every recording")
    parser.add_argument("--picture", type=Path, help="SVG file")
    options = parser.parse_args()
    names = [(e, b) for e in options.engines.split(",") if e for b in options.budgets.split(",")]
    methods: dict[str, Callable[[Case], Samples]] = {
        TEXTBOOK: lambda case: textbook_nmf(case.samples, case.rate, case.notes),
        **{
            (engine if len(options.budgets.split(",")) == 1 else f"{engine} {budget}"): (
                lambda case, engine=engine, budget=budget: engine_stems(case, engine, budget, options.device)
            )
            for engine, budget in names
        },
        ORACLE: oracle,
    }
    table: dict[str, dict[str, Figures]] = {}
    is_whole = True
    print("| case | " + " | ".join(methods) + " |\n|---" + "|---" * len(methods) + "|", flush=True)
    for folder in options.cases:
        try:
            case = load_case(folder, options.notes == "true", options.seconds)
        except Exception:
            traceback.print_exc()
            is_whole = False
            continue
        row = table[case.name] = {}
        for method, make in methods.items():
            start_s = time.perf_counter()
            try:
                stems = make(case)
                row[method] = figures_of(case, stems, time.perf_counter() - start_s)
            except Exception:
                traceback.print_exc()
                row[method], is_whole = Figures(), False
        print(f"| {case.name} | " + " | ".join(f"{f.mean_db:.1f}" for f in row.values()) + " |", flush=True)
    if table:
        _print_means(table, methods)
        if options.picture is not None:
            shown = {name: {m: f.mean_db for m, f in row.items()} for name, row in table.items()}
            write_bar_chart(options.picture, "SI-SDR, mean over parts, dB", shown, -5.0, 20.0)
    return 0 if is_whole and table else 1


def _print_means(table: dict[str, dict[str, Figures]], methods: dict[str, Callable[[Case], Samples]]) -> None:
    def means(value: Callable[[Figures, Figures], float]) -> str:
        columns = [[value(row[m], row[ORACLE]) for row in table.values()] for m in methods]
        known = [[v for v in column if np.isfinite(v)] for column in columns]
        return " | ".join(f"{np.mean(values):.1f}" if values else "–" for values in known) + " |"

    print("| **mean** | " + means(lambda mine, _: mine.mean_db))
    print("| below the oracle | " + means(lambda mine, best: best.mean_db - mine.mean_db))
    print("| heard in rests, dB | " + means(lambda mine, _: mine.leak_db))
    print("| × real time | " + means(lambda mine, _: mine.times_real_time))


if __name__ == "__main__":
    sys.exit(main())

"""Scores that are hard to read, and what others found in them (skipped where the data is absent)."""

from __future__ import annotations

import csv
import json
import xml.etree.ElementTree as ET
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from scoresep.errors import ScoreFileError
from scoresep.files.scores import parse_score, read_score
from scoresep.model.path import PathChoices, performance_path, repeat_sites, unfold
from scoresep.model.score import Score

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SCORES, CASES = DATA / "scores", DATA / "cases"
needs_scores = pytest.mark.skipif(not SCORES.is_dir(), reason=f"the scores are not at {SCORES}")
needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason=f"the cases are not at {CASES}")


def index() -> list[dict[str, str]]:
    if not SCORES.is_dir():
        return []
    with (SCORES / "INDEX.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def parsed(name: str) -> Score:
    path = SCORES / name
    return parse_score(path.read_bytes(), path.name)


def document(path: Path) -> ET.Element:
    if path.suffix == ".mxl":
        with zipfile.ZipFile(path) as archive:
            name = next(n for n in archive.namelist() if n.endswith(".xml") and "META-INF" not in n)
            return ET.fromstring(archive.read(name))
    return ET.parse(path).getroot()


# What no score would do differently: notes that sound, counted in the document itself.
def sounding_notes(root: ET.Element) -> list[ET.Element]:
    return [n for n in root.iter("note") if n.find("rest") is None and n.find("cue") is None]


@needs_scores
@pytest.mark.parametrize("row", index(), ids=lambda row: row["file"])
def test_every_score_is_read_as_the_index_counts(row: dict[str, str]) -> None:
    score = parsed(row["file"])
    root = document(SCORES / row["file"])
    notes = sounding_notes(root)
    unlisted = {"lilypond_suite/41h-TooManyParts.xml": 2}  # the index counts the list of parts
    assert len(score.parts) == int(row["parts"]) + unlisted.get(row["file"], 0)
    assert len(score.measures) * len(score.parts) == int(row["measures"])
    assert len(list(root.iter("note"))) == int(row["notes"])  # the index counts rests and cues as well
    assert len(score.notes) == len(notes)
    assert score.notes.is_grace.sum() == int(row["grace"])
    on_percussion_clef = {"lilypond_suite/12ab-Clefs-Percussion-NonTrad.xml": 1}  # written with a pitch
    unpitched = int(row["unpitched"]) + on_percussion_clef.get(row["file"], 0)
    assert np.isnan(score.notes.pitch_midi).sum() == unpitched
    assert sum(m.repeat_passes > 0 for m in score.measures) + sum(m.starts_repeat for m in score.measures) == int(
        row["repeats"]
    )
    path, _ = performance_path(score)
    unfolded = unfold(score, path)
    ties = score.notes.tied_from_previous.sum()
    if path.measure_indices == tuple(range(len(score.measures))):
        assert len(score.notes) - ties <= len(unfolded.notes) <= len(score.notes)
    assert unfolded.end_quarter > 0
    assert all(0 < p < 128 for p in score.notes.pitch_midi[np.isfinite(score.notes.pitch_midi)])
    assert not score.own_durations, "no score here disagrees with itself"


@needs_scores
@pytest.mark.parametrize("row", index(), ids=lambda row: row["file"])
def test_every_score_opens_or_is_refused_in_one_sentence(
    row: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCORESEP_CACHE_DIR", str(tmp_path))
    path = SCORES / row["file"]
    if sounding_notes(document(path)):
        assert len(read_score(path).notes)
        return
    with pytest.raises(ScoreFileError) as caught:
        read_score(path)
    assert str(caught.value) == f"'{path.name}' holds no notes; choose another score or export it again."


LILYPOND_PATHS = {
    "45a-SimpleRepeat.xml": "1 1 1 1 1 2",
    "45b-RepeatWithAlternatives.xml": "1 2 1 3 4",
    "45c-RepeatMultipleTimes.xml": "1 2 3 2 3 2 3 2 3 2 3 4 5 6 7 4 5 6 7 4 5 6 7 8",
    "45d-Repeats-Nested-Alternatives.xml": "1 2 1 3 4 5 6 7 8 9 10 11 6 7 8 9 10 11 12",
    "45e-Repeats-Nested-Alternatives.xml": "1 2 1 3 4 5 5 6 7 6 8 9 8 9 10",
    "45f-Repeats-InvalidEndings.xml": "1 2 3 4 1 2 3 4 5",
    "45g-Repeats-NotEnded.xml": "1 2",
}


@needs_scores
@pytest.mark.parametrize("name", LILYPOND_PATHS)
def test_paths_of_the_suite(name: str) -> None:
    score = parsed(f"lilypond_suite/{name}")
    path, warnings = performance_path(score)
    assert " ".join(score.measures[i].number for i in path.measure_indices) == LILYPOND_PATHS[name]
    assert bool(warnings) == (name[:3] in ("45d", "45f", "45g"))


@needs_scores
@pytest.mark.parametrize("name", ["complex", "dacapo", "timeline", "volta_numbers"])
def test_the_paths_that_partitura_gives(name: str) -> None:
    score, result = parsed(f"partitura/test_unfold_{name}.xml"), parsed(f"partitura/test_unfold_{name}_result.xml")
    path, warnings = performance_path(score, PathChoices(repeats_after_jump=True))
    assert not warnings
    mine, theirs = unfold(score, path), unfold(result, performance_path(result)[0])
    assert [score.measures[i].number for i in path.measure_indices] == [m.number for m in result.measures]
    for column in ("part_index", "step_index", "onset_quarter", "duration_quarter", "pitch_midi", "is_grace"):
        np.testing.assert_allclose(getattr(mine.notes, column), getattr(theirs.notes, column), err_msg=column)
    np.testing.assert_allclose(mine.step_start_quarter, theirs.step_start_quarter)


@needs_scores
def test_by_default_no_repeat_is_taken_again_after_da_capo() -> None:
    score = parsed("partitura/test_unfold_dacapo.xml")
    played = [score.measures[i].number for i in performance_path(score)[0].measure_indices]
    assert "".join(played) == "12123434565678781234"
    assert [s.label for s in repeat_sites(score)][-1] == "bars 7-8, 2 times"


LEADS = {
    "lilypond_suite/46d-PickupMeasure-ImplicitMeasures.xml": [2.5, 0, 2, 0],
    "lilypond_suite/46c-Midmeasure-Clef.xml": [0, 0, 2, 0],
    "lilypond_suite/46f-IncompleteMeasures.xml": [2, 0, 0, 0],
    "lilypond_suite/46g-PickupMeasure-Chordnames-FiguredBass.xml": [3, 0],
    "lilypond_suite/46e-PickupMeasure-SecondVoiceStartsLater.xml": [3, 0],
    "partitura/test_anacrusis.xml": [3, 0, 0, 3, 0],
    "partitura/test_partial_measures.xml": [0, 0, 2, 0, 0, 2, 0],
}


@needs_scores
@pytest.mark.parametrize("name", LEADS)
def test_what_is_missing_in_front(name: str) -> None:
    assert [m.lead_quarter for m in parsed(name).measures] == LEADS[name]


@needs_scores
def test_sounding_pitch_of_transposing_instruments() -> None:
    change = parsed("lilypond_suite/72c-TransposingInstruments-Change.xml")
    assert change.notes.pitch_midi.tolist() == [63, 58, 58]
    full = parsed("lilypond_suite/72b-TransposingInstruments-Full.xml")
    assert len(set(full.notes.pitch_midi.tolist())) == 1, "all eleven instruments sound the same C"
    octaves = parsed("partitura/example_octave_shift.musicxml")
    assert max(octaves.notes.pitch_midi) - min(octaves.notes.pitch_midi) < 24


@needs_cases
@pytest.mark.parametrize(
    "case", sorted(p.name for p in CASES.glob("*") if (p / "truth.json").exists()) if CASES.is_dir() else []
)
def test_the_notes_of_real_recordings(case: str) -> None:
    """All notes that the players played, and no others, stand where the truth has them."""
    score = read_score(next(CASES.joinpath(case).glob("score.*")))
    truth = json.loads((CASES / case / "truth.json").read_text())["notes"]
    notes = unfold(score, performance_path(score)[0]).notes
    rows = zip(notes.part_index, notes.pitch_midi, notes.onset_quarter, notes.duration_quarter, strict=True)
    mine = Counter((int(p), int(m), round(float(q), 2), round(float(q + d), 2)) for p, m, q, d in rows if d > 0)
    assert mine == Counter((p, m, round(q, 2), round(e, 2)) for p, m, q, e, *_ in truth)

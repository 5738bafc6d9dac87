"""The tables that scripts rely on: written as the contract says, and the notes read back to the frame."""

from __future__ import annotations

import csv
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_scores import even_alignment, scale_score, score_of, straight

from scoresep.errors import InputError, OutputError
from scoresep.files.tables.notes import COLUMNS, read_notes_csv, write_notes_csv
from scoresep.files.tables.segments import write_segments_csv
from scoresep.model.alignment import Alignment, NoteTimes
from scoresep.model.path import unfold
from scoresep.model.score import PerformancePath, UnfoldedScore
from scoresep.model.segments import Activity, Segment, segments_of

RATE = 44_100
UNFOLDED = straight(scale_score())
ALIGNMENT = even_alignment(UNFOLDED)


def with_times(alignment: Alignment, **columns: object) -> Alignment:
    return replace(alignment, note_times=replace(alignment.note_times, **columns))


def dict_rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def test_notes_are_written_as_the_contract_says(tmp_path: Path) -> None:
    path = tmp_path / "new" / "notes.csv"
    is_present = np.ones(len(UNFOLDED.notes), bool)
    is_present[0] = False
    write_notes_csv(path, UNFOLDED, with_times(ALIGNMENT, is_present=is_present), RATE)
    content = path.read_bytes()
    assert content.startswith(
        b"part_index,part,measure,occurrence,beat,pitch_midi,onset_quarter,duration_quarter,onset_s,offset_s,confidence\n"
    )
    assert b"\r" not in content
    rows = dict_rows(path)
    assert len(rows) == len(UNFOLDED.notes) - 1, "what the recording lacks is left out"
    at = 5
    row, times = rows[at - 1], ALIGNMENT.note_times
    assert row["part"] == UNFOLDED.score.parts[int(UNFOLDED.notes.part_index[at])].name
    assert row["pitch_midi"] == f"{UNFOLDED.notes.pitch_midi[at]:.0f}"
    assert row["onset_s"] == f"{times.onset_frame[at] / RATE:.6f}"
    assert row["onset_quarter"] == f"{UNFOLDED.notes.onset_quarter[at]:.6f}"
    assert list(row) == list(COLUMNS)


def test_unpitched_notes_have_an_empty_pitch_and_repeats_count_occurrences(tmp_path: Path) -> None:
    score = score_of([(0, 0, 0.0, 1.0, np.nan), (0, 1, 0.5, 1.0, 60.5)], 2)
    unfolded = unfold(score, PerformancePath((0, 1, 1)))
    path = tmp_path / "notes.csv"
    write_notes_csv(path, unfolded, even_alignment(unfolded), RATE)
    rows = dict_rows(path)
    assert [(r["pitch_midi"], r["measure"], r["occurrence"], float(r["beat"])) for r in rows] == [
        ("", "1", "1", 1.0),
        ("60.5", "2", "1", 1.5),
        ("60.5", "2", "2", 1.5),
    ]
    assert read_notes_csv(path, unfolded, RATE)[0].is_present.all()


@st.composite
def aligned(draw: st.DrawFn) -> tuple[UnfoldedScore, Alignment]:
    """Draw a score with unisons, equal pitches and repeats, and any times for its notes."""
    note = st.tuples(
        st.integers(0, 1),
        st.integers(0, 2),
        st.sampled_from([0.0, 1 / 3, 0.5, 3.0]),
        st.sampled_from([0.0, 0.25, 1.0]),
        st.sampled_from([60.0, 60.5, 64.0, np.nan]),
    )
    score = score_of(draw(st.lists(note, min_size=1, max_size=25)), 3)
    unfolded = unfold(score, PerformancePath(draw(st.sampled_from([(0, 1, 2), (0, 1, 0, 1, 2), (2, 2, 0, 1)]))))
    size = len(unfolded.notes)
    onset = np.array(draw(st.lists(st.integers(0, 10**7), min_size=size, max_size=size)), np.int64)
    length = np.array(draw(st.lists(st.integers(0, 10**5), min_size=size, max_size=size)), np.int64)
    present = np.array(draw(st.lists(st.booleans(), min_size=size, max_size=size)), bool)
    confidence = np.array(draw(st.lists(st.integers(0, 1000), min_size=size, max_size=size)), np.float32) / 1000
    times = NoteTimes(onset, onset + length, confidence, present)
    return unfolded, replace(even_alignment(unfolded), note_times=times)


@settings(max_examples=60, deadline=None)
@given(case=aligned(), rate=st.sampled_from([8000, 44_100, 192_000]), seed=st.integers(0, 5))
def test_reading_gives_the_times_back_in_whatever_order_the_rows_stand(
    tmp_path_factory: pytest.TempPathFactory, case: tuple[UnfoldedScore, Alignment], rate: int, seed: int
) -> None:
    unfolded, alignment = case
    path = tmp_path_factory.mktemp("csv") / "notes.csv"
    write_notes_csv(path, unfolded, alignment, rate)
    head, *lines = path.read_text().splitlines()
    np.random.default_rng(seed).shuffle(lines)
    path.write_text("\n".join([head, *lines]))
    written = alignment.note_times
    if not written.is_present.any():
        with pytest.raises(InputError, match="No row"):
            read_notes_csv(path, unfolded, rate)
        return
    times, warnings = read_notes_csv(path, unfolded, rate)
    assert not warnings
    assert times.is_present.sum() == written.is_present.sum()

    def sounds(of: NoteTimes) -> list[tuple[object, ...]]:
        """Unisons of one length are the same to every table: compare what sounds, not the rows."""
        notes = unfolded.notes
        columns = (notes.part_index, notes.onset_quarter, notes.duration_quarter, np.nan_to_num(notes.pitch_midi))
        times = (of.onset_frame, of.offset_frame, np.round(of.confidence, 4))
        return sorted(zip(*(c[of.is_present].tolist() for c in (*columns, *times)), strict=True))

    assert sounds(times) == sounds(written)
    assert np.all(times.offset_frame >= times.onset_frame)


def test_rows_are_found_by_bar_and_beat_when_another_repeat_is_taken_and_by_quarter_when_bars_are_renamed(
    tmp_path: Path,
) -> None:
    path = tmp_path / "notes.csv"
    score = scale_score()
    write_notes_csv(path, UNFOLDED, ALIGNMENT, RATE)
    repeated = unfold(score, PerformancePath((0, 0, 1, 2, 3)))
    times, warnings = read_notes_csv(path, repeated, RATE)
    assert not warnings
    second = (repeated.notes.step_index == 1) & ~times.is_present
    assert second.sum() == (repeated.notes.step_index == 1).sum(), "what was not in the table is not in the recording"
    assert times.is_present.sum() == len(UNFOLDED.notes)
    path.write_text(path.read_text().replace("Violin,1,", "Violin,A,"))
    times, warnings = read_notes_csv(path, UNFOLDED, RATE)
    assert times == ALIGNMENT.note_times
    assert not warnings


def test_tables_from_spreadsheets_and_without_the_optional_columns_are_read(tmp_path: Path) -> None:
    path = tmp_path / "notes.csv"
    write_notes_csv(path, UNFOLDED, ALIGNMENT, RATE)
    rows = dict_rows(path)
    path.write_bytes(
        b"\xef\xbb\xbf" + path.read_bytes().replace(b",", b";").replace(b".", b",").replace(b"\n", b"\r\n")
    )
    assert read_notes_csv(path, UNFOLDED, RATE)[0] == ALIGNMENT.note_times
    few = ("onset_s", "offset_s", "pitch_midi", "part_index", "onset_quarter")
    path.write_text("\n".join([",".join(few), *(",".join(r[c] for c in few) for r in rows)]))
    times, _ = read_notes_csv(path, UNFOLDED, RATE)
    assert np.array_equal(times.onset_frame, ALIGNMENT.note_times.onset_frame)
    assert np.all(times.confidence == 1)


def test_rows_that_fit_nothing_are_counted_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "notes.csv"
    write_notes_csv(path, UNFOLDED, ALIGNMENT, RATE)
    with path.open("a") as file:
        file.write("7,Tuba,1,1,1.0,30,0.0,1.0,0.1,0.2,1.0\n")
    times, (warning,) = read_notes_csv(path, UNFOLDED, RATE)
    assert times == ALIGNMENT.note_times
    assert f"line {len(UNFOLDED.notes) + 2}" in warning
    assert f"1 of {len(UNFOLDED.notes) + 1} rows" in warning


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "lacks the columns"),
        (b"a,b\n1,2\n", "lacks the columns part_index"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"part_index,pitch_midi,onset_quarter,onset_s,offset_s\n0,60,0,abc,2\n", "line 2: “abc” in column onset_s"),
        (b"part_index,pitch_midi,onset_quarter,onset_s,offset_s\n0,60,0,nan,2\n", "not a number"),
        (b"part_index,pitch_midi,onset_quarter,onset_s,offset_s\n0.5,60,0,1,2\n", "not a whole number"),
        (b"part_index,pitch_midi,onset_quarter,onset_s,offset_s\n0,60,0,3,2\n", "ends before it begins"),
        (b"part_index,pitch_midi,onset_quarter,onset_s,offset_s\n0,60\n", "not a number"),
        (b"part_index,pitch_midi,onset_quarter,onset_s,offset_s\n9,60,0,1,2\n", "No row"),
        (b"part_index,pitch_midi,onset_quarter,onset_s,offset_s\n", "No row"),
    ],
)
def test_wrong_tables_are_one_sentence(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "notes.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_notes_csv(path, UNFOLDED, RATE)


def test_a_missing_table_and_a_place_that_cannot_be_written_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_notes_csv(tmp_path / "none.csv", UNFOLDED, RATE)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        write_notes_csv(tmp_path / "file" / "notes.csv", UNFOLDED, ALIGNMENT, RATE)


def test_segments_are_written_gapless_with_their_parts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    activities = (
        Activity(0, np.array([100, 5000]), np.array([3000, 44_100])),
        Activity(1, np.array([2000]), np.array([4000])),
    )
    segments = segments_of(activities, 44_100)
    path = tmp_path / "segments.csv"
    write_segments_csv(path, segments, ["Violin", "Flute + Oboe"], RATE)
    rows = dict_rows(path)
    assert list(rows[0]) == ["start_s", "end_s", "category", "part_indices", "parts"]
    assert [r["category"] for r in rows] == ["silence", "single", "mixed", "single", "silence", "single"]
    assert [r["part_indices"] for r in rows] == ["", "0", "0+1", "1", "", "0"]
    assert rows[2]["parts"] == "Violin+Flute & Oboe"
    assert rows[0]["start_s"] == "0.000000"
    assert rows[-1]["end_s"] == "1.000000"
    assert all(a["end_s"] == b["start_s"] for a, b in pairwise(rows))
    write_segments_csv("-", [Segment(0, 10, ())], [], RATE)
    assert capsys.readouterr().out.startswith("start_s,end_s,category")

"""An archive may claim anything: what it would become in memory is limited before any of it is read."""

from __future__ import annotations

import json
import os
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from project_on_disk import rewritten
from small_scores import scale_score, straight

from scoresep.errors import OutputError, ProjectFileError
from scoresep.files.project import archive as project_archive
from scoresep.files.project.archive import read_archive, read_archive_entry, read_archive_text, write_archive
from scoresep.files.project.project_files import load_project, save_project
from scoresep.model.project import PartSettings, Project
from scoresep.model.segments import Activity

LIMIT = 1 << 18


def archive(
    path: Path, text: dict[str, Any] | bytes, columns: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED
) -> None:
    with zipfile.ZipFile(path, "w", method) as file:
        file.writestr("project.json", text if isinstance(text, bytes) else json.dumps(text))
        for name, content in columns.items():
            file.writestr(f"columns/{name}", content)


def refused_within(path: Path, limit_bytes: int) -> str:
    """Return what is said of an archive that is refused without taking more memory than this."""
    tracemalloc.start()
    try:
        with pytest.raises(ProjectFileError) as caught:
            read_archive(path)
        assert tracemalloc.get_traced_memory()[1] < limit_bytes
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_columns_are_limited_together_and_not_each_for_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project_archive, "MAX_COLUMNS_BYTES", LIMIT)
    path = tmp_path / "many.scoresep"
    for count in (4, 5):
        names = [str(i) for i in range(count)]
        archive(path, {"columns": {n: ["|b1", LIMIT // 4] for n in names}}, {n: bytes(LIMIT // 4) for n in names})
        if count == 4:
            assert sum(map(len, read_archive(path)[1].values())) == LIMIT
    refused_within(path, LIMIT // 2)


@pytest.mark.parametrize("length", [10**15, -1, 7, "8", True, None, 8.0])
def test_a_column_is_as_long_as_it_says_or_not_read(tmp_path: Path, length: object) -> None:
    archive(tmp_path / "x.scoresep", {"columns": {"a": ["<f8", length]}}, {"a": bytes(64)})
    refused_within(tmp_path / "x.scoresep", 2**20)


def test_an_entry_that_becomes_larger_than_it_says_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.scoresep"
    archive(path, {"columns": {"a": ["|b1", 10]}}, {"a": bytes(2**22)})
    content = bytearray(path.read_bytes())
    for at in (content.rindex(b"PK\x01\x02", 0, content.index(b"PK\x05\x06")) + 24,):  # the size in the list of entries
        content[at : at + 4] = (10).to_bytes(4, "little")
    path.write_bytes(content)
    refused_within(path, 2**20)


def test_the_values_of_the_text_are_counted_before_they_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(project_archive, "MAX_TEXT_VALUES", 10_000)
    archive(tmp_path / "x.scoresep", b'{"columns": {}, "x": [' + b"[]," * 200_000 + b"0]}", {})
    refused_within(tmp_path / "x.scoresep", 4 * 2**20)  # of which the lists themselves would take thrice as much


def test_a_long_text_and_a_long_list_of_entries_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project_archive, "MAX_TEXT_BYTES", LIMIT)
    archive(tmp_path / "text.scoresep", b'{"columns": {}, "x": "' + b"x" * LIMIT + b'"}', {})
    refused_within(tmp_path / "text.scoresep", LIMIT * 4)
    monkeypatch.setattr(project_archive, "MAX_DIRECTORY_BYTES", LIMIT)
    archive(tmp_path / "list.scoresep", {"columns": {}}, {f"{i:06d}": b"" for i in range(5000)})
    refused_within(tmp_path / "list.scoresep", LIMIT * 8)


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_other_packing_is_a_sentence(tmp_path: Path, method: int) -> None:
    archive(tmp_path / "x.scoresep", {"columns": {}}, {"a": bytes(1000)}, method)
    assert "LZMA" in refused_within(tmp_path / "x.scoresep", 2**20)


def test_a_pipe_in_the_place_of_a_project_is_a_sentence(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.scoresep")
    with pytest.raises(ProjectFileError, match="a pipe, not a file"):
        load_project(tmp_path / "x.scoresep")


def test_what_could_not_be_read_again_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project_archive, "MAX_COLUMNS_BYTES", 100)
    write_archive(tmp_path / "x.scoresep", {"x": 1}, {"a": np.zeros(10)})
    before = (tmp_path / "x.scoresep").read_bytes()
    with pytest.raises(OutputError, match="too large"):
        write_archive(tmp_path / "x.scoresep", {"x": 1}, {"a": np.zeros(20)})
    assert (tmp_path / "x.scoresep").read_bytes() == before
    assert read_archive_text(tmp_path / "x.scoresep") == {"x": 1}


def _same_bar(count: int) -> Callable[[dict[str, Any]], None]:
    def change(text: dict[str, Any]) -> None:
        text["project"]["path"]["measure_indices"] = [0] * count

    return change


def test_a_path_through_a_score_is_limited_by_the_notes_that_it_would_lay_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scoresep.files.project import project_files

    unfolded = straight(scale_score())
    project = Project(score=unfolded.score, path=unfolded.path, parts=(PartSettings("A", ""),) * 2)
    save_project(project, tmp_path / "x.scoresep")
    per_bar = int((unfolded.score.notes.measure_index == 0).sum())
    monkeypatch.setattr(project_files, "MAX_PATH_NOTES", 100 * per_bar)
    load_project(rewritten(tmp_path / "x.scoresep", _same_bar(100)))
    with pytest.raises(ProjectFileError, match="damaged"):
        load_project(rewritten(tmp_path / "x.scoresep", _same_bar(101)))


@pytest.mark.parametrize("filler", ["", "x" * 100_000])
def test_one_entry_is_found_wherever_it_stands(tmp_path: Path, filler: str) -> None:
    path = tmp_path / "x.scoresep"
    write_archive(path, {"a": {"links": 1}, "filler": filler, "links": {"b": [1, "ü"]}}, {})
    assert read_archive_entry(path, "links") == {"b": [1, "ü"]}
    assert read_archive_entry(path, "nothing") is None
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ProjectFileError):
        read_archive_entry(path, "links")


def test_no_limit_touches_the_largest_pieces_that_there_are(tmp_path: Path) -> None:
    columns = {str(i): np.zeros(51_200 * 4) for i in range(30)}  # four times the largest score of the benchmarks
    write_archive(tmp_path / "x.scoresep", {"bars": [{"a": i, "b": [i] * 40} for i in range(5_000)]}, columns)
    assert len(read_archive(tmp_path / "x.scoresep")[1]) == 30


def test_rows_are_limited_where_each_becomes_a_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from scoresep.files.project import project_files

    unfolded = straight(scale_score())
    activities = tuple(Activity(i, np.arange(4) * 10, np.arange(4) * 10 + 5) for i in range(2))
    parts = (PartSettings("A", ""), PartSettings("B", ""))
    project = Project(score=unfolded.score, path=unfolded.path, parts=parts, activities=activities)
    save_project(project, tmp_path / "x.scoresep")
    monkeypatch.setattr(project_files, "MAX_STRETCHES", 8)
    assert load_project(tmp_path / "x.scoresep").project == project
    monkeypatch.setattr(project_files, "MAX_STRETCHES", 7)
    loaded = load_project(tmp_path / "x.scoresep")
    assert loaded.project.activities is None
    assert "activities" in loaded.warnings[0]
    monkeypatch.setattr(project_archive, "MAX_COLUMN_ROWS", 10)
    with pytest.raises(ProjectFileError, match="damaged"):
        load_project(tmp_path / "x.scoresep")

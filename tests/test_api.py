"""The Python API does the whole job in the lines that README shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from duet import make_duet

import scoresep

ROOT = Path(__file__).resolve().parent.parent


def test_the_lines_of_the_readme_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = re.search(r"## Python API.*?```python\n(.*?)```", text, re.DOTALL)
    assert lines is not None
    assert len(lines[1].splitlines()) <= 16
    make_duet(tmp_path)
    monkeypatch.chdir(tmp_path)
    exec(compile(lines[1], "README.md", "exec"), {})
    assert (tmp_path / "duet.scoresep").exists()
    assert (tmp_path / "notes.csv").exists()
    assert (tmp_path / "stems" / "manifest.json").exists()
    again = scoresep.open(tmp_path / "duet.scoresep")
    assert again.alignment is not None
    assert again.stem_set is not None
    assert len(again.stem_set.stems) == 3


def test_everything_that_is_promised_is_there() -> None:
    assert dir(scoresep) == sorted(scoresep.__all__)
    for name in scoresep.__all__:
        assert getattr(scoresep, name) is not None
    with pytest.raises(AttributeError):
        _ = scoresep.nonsense


def test_a_project_does_not_take_another_score(tmp_path: Path) -> None:
    with pytest.raises(scoresep.ScoreSepError, match="brings its score"):
        scoresep.open(tmp_path / "a.scoresep", tmp_path / "b.musicxml")

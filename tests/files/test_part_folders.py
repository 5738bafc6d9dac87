"""Giving a folder its final name while somebody reads in it, as far as that can be tried on any system."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scoresep.errors import OutputError
from scoresep.files import part_folders
from scoresep.files.part_folders import PartFolder


@pytest.mark.parametrize(("is_windows", "refusals"), [(True, 3), (True, 10**6), (False, 3)])
def test_windows_is_given_time_until_nobody_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_windows: bool, refusals: int
) -> None:
    left, rename = [refusals], os.rename

    def refusing(source: Path, target: Path) -> None:
        left[0] -= 1
        if left[0] >= 0:
            raise PermissionError(13, "in use")
        rename(source, target)

    part = PartFolder(tmp_path / "stems")
    (part.path / "a.wav").write_bytes(b"a")
    monkeypatch.setattr(part_folders, "_IS_WINDOWS", is_windows)
    monkeypatch.setattr(part_folders, "_TRY_AGAIN_S", 0.0)
    monkeypatch.setattr(part_folders.os, "rename", refusing)
    if is_windows and refusals == 3:
        part.publish(["a.wav"])
        assert (tmp_path / "stems" / "a.wav").read_bytes() == b"a"
    else:
        with pytest.raises(OutputError, match="not allowed"):
            part.publish(["a.wav"])
        assert left[0] == (refusals - 1 if not is_windows else refusals - part_folders._TRIES)
        part.abort()

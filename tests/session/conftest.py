"""A desk for every test that works with a session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from duet import Duet, make_duet
from session_desk import Desk, SharedRunner


@pytest.fixture(scope="session")
def duet(tmp_path_factory: pytest.TempPathFactory) -> Duet:
    """Return the files of the duet; not to be changed."""
    return make_duet(tmp_path_factory.mktemp("duet"))


@pytest.fixture
def desk(duet: Duet, shared_runner: SharedRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Return a desk whose program folders are its own."""
    monkeypatch.setenv("SCORESEP_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("SCORESEP_CONFIG_DIR", str(tmp_path / "config"))
    desk = Desk(duet, shared_runner, tmp_path)
    yield desk
    for session in desk.sessions:
        session.close()

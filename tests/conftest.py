"""What all tests share: folders of their own, a seeded generator, the big test data, and a guard against threads."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

# Before anything imports Qt
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"

# Where programs look for a person's own folders: XDG on Linux, the home folder on macOS, the others on Windows
PERSONAL_FOLDERS = (
    "HOME",
    "USERPROFILE",
    "APPDATA",
    "LOCALAPPDATA",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
)


def pytest_configure(config: pytest.Config) -> None:
    """Give the whole run, and the processes it starts, a home folder of its own, before any test is imported."""
    home = tempfile.TemporaryDirectory(prefix="scoresep-home-", ignore_cleanup_errors=True)
    config.add_cleanup(home.cleanup)
    for name in PERSONAL_FOLDERS:
        folder = Path(home.name) / ("" if name in ("HOME", "USERPROFILE") else name.lower())
        folder.mkdir(exist_ok=True)
        os.environ[name] = str(folder)
    for name in [name for name in os.environ if name.startswith("SCORESEP_")]:
        del os.environ[name]


@pytest.fixture(autouse=True)
def _no_thread_left() -> Iterator[None]:
    """Fail a test that leaves a thread which would keep the program from ending."""
    before = set(threading.enumerate())
    yield
    deadline_s = time.monotonic() + 2.0
    while True:
        left = [
            thread.name
            for thread in threading.enumerate()
            if thread not in before and thread.is_alive() and not thread.daemon
        ]
        if not left:
            return
        if time.monotonic() > deadline_s:
            pytest.fail(f"The test left threads running: {', '.join(left)}")
        time.sleep(0.01)


@pytest.fixture
def rng() -> np.random.Generator:
    """Return the same random numbers in every run."""
    return np.random.default_rng(20240601)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of large test data, which lies beside the repository and is not part of it."""
    if not SHARED_DATA.is_dir():
        pytest.skip("needs ../shared/data, which is not here")
    return SHARED_DATA

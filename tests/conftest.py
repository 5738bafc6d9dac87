"""What all tests share: folders of their own, a seeded generator, the big test data, and a guard against threads."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from demo_run import Demo
    from session_desk import SharedRunner

# Before anything imports Qt
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
# Before anything imports torch: threads that wait by spinning make a test four times as dear on a busy machine
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

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
    for _ in range(1000):  # so often that only a thread that stays is found, also on a busy machine
        left = [t.name for t in threading.enumerate() if t not in before and t.is_alive() and not t.daemon]
        if not left:
            return
        time.sleep(0.01)
    pytest.fail(f"The test left threads running: {', '.join(left)}")


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


@pytest.fixture(scope="session")
def shared_runner() -> Iterator[SharedRunner]:
    """Return workers that stay warm from test to test: starting one loads torch, or much else."""
    from session_desk import SharedRunner  # not before the home folder is the run's own

    runner = SharedRunner()
    yield runner
    runner.end()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """Return what `scoresep demo` makes, which takes a while; not to be changed. All processes of a run share it."""
    from demo_run import shared_demo

    own = tmp_path_factory.getbasetemp()
    return shared_demo(own.parent if "PYTEST_XDIST_WORKER" in os.environ else own)

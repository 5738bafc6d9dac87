"""What the tests of the files layer share: folders of their own, and small sounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray

from scoresep.files.engraving import engrave
from scoresep.files.scores import reader

settings.register_profile("files", deadline=None)  # nothing fails since others keep the machine busy
settings.load_profile("files")


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Keep the cache, the settings and the autosaves of the person who runs the tests out of them."""
    folder = tmp_path_factory.mktemp("own")
    for name in ("CACHE", "CONFIG", "STATE"):
        monkeypatch.setenv(f"SCORESEP_{name}_DIR", str(folder / name.lower()))
    yield folder


@pytest.fixture(scope="session")
def in_this_process() -> Callable[[], AbstractContextManager[None]]:
    """Return what lets other people's readers and engravers work in the process of the test for a while.

    Starting one takes half a second; that they run in one of their own is told in `test_limited_reading`.
    """

    @contextmanager
    def here() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            for module in (engrave, reader):
                patch.setattr(module, "run_limited", lambda task, _, progress: task.function(*task.inputs, progress))
            yield

    return here


@pytest.fixture
def sweep() -> NDArray[np.float32]:
    """Return two channels of tones with a little noise, 1.5 s at 44.1 kHz, shape (channels, frames)."""
    rng = np.random.default_rng(7)
    t = np.arange(66_151) / 44_100
    left = 0.4 * np.sin(2 * np.pi * (300 + 200 * t) * t) + 0.02 * rng.standard_normal(len(t))
    right = 0.3 * np.sin(2 * np.pi * 523 * t) * np.exp(-t) + 0.02 * rng.standard_normal(len(t))
    return np.stack([left, right]).astype(np.float32)

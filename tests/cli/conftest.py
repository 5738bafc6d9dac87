"""One duet for all tests of the command line."""

from __future__ import annotations

import signal

import pytest
from duet import Duet, make_duet


@pytest.fixture(scope="session", name="piece")
def _piece(tmp_path_factory: pytest.TempPathFactory) -> Duet:
    return make_duet(tmp_path_factory.mktemp("piece"))


@pytest.fixture(scope="session", autouse=True)
def _interrupts_arrive() -> None:
    """Hear Ctrl+C, and let programs that are started hear it, also where a script runs the tests in its background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)

"""One duet for all tests of the command line."""

from __future__ import annotations

import signal

import pytest
from duet import Duet, make_duet


@pytest.fixture(scope="session", name="piece")
def _piece(tmp_path_factory: pytest.TempPathFactory) -> Duet:
    return make_duet(tmp_path_factory.mktemp("piece"))


@pytest.fixture(scope="session", autouse=True)
def _signals_arrive() -> None:
    """Hear signals, and let programs that are started hear them, also where a script runs the tests behind it."""
    for name, handler in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)

"""One duet for all tests of the command line."""

from __future__ import annotations

import pytest
from duet import Duet, make_duet


@pytest.fixture(scope="session", name="piece")
def _piece(tmp_path_factory: pytest.TempPathFactory) -> Duet:
    return make_duet(tmp_path_factory.mktemp("piece"))

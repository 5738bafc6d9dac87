"""The public contract as it was written down: nothing that people and their scripts rely on changes unnoticed."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from demo_run import Demo

SAME_TIME_S = 0.01
SAME_CONFIDENCE = 0.05
SAME_LEVEL_DB = 1.0
AUDIBLE_DB = -60.0


def _contract() -> ModuleType:
    spec = importlib.util.spec_from_file_location("golden_contract", Path(__file__).with_name("contract.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


contract = _contract()


def assert_same_tables(now: dict[str, dict[str, list]], before: dict[str, dict[str, list]]) -> None:
    for table in ("notes", "segments"):
        assert list(now[table]) == list(before[table]), "columns"
        for column, values in before[table].items():
            if column in ("onset_s", "offset_s", "start_s", "end_s"):
                assert now[table][column] == pytest.approx(values, abs=SAME_TIME_S), f"{table}: {column}"
            elif column == "confidence":
                assert now[table][column] == pytest.approx(values, abs=SAME_CONFIDENCE), f"{table}: {column}"
            else:
                assert now[table][column] == values, f"{table}: {column}"


def test_the_words_of_command_line_api_and_keys_still_stand() -> None:
    now, before = contract.measure("surface"), contract.golden("surface")
    for command, options in before["commands"].items():
        assert set(options) <= set(now["commands"][command]), command
    assert set(before["api"]) <= set(now["api"])
    for function, parameters in before["parameters"].items():
        assert now["parameters"][function][: len(parameters)] == parameters, function
    assert before["keys"].items() <= now["keys"].items()


@pytest.mark.slow
def test_the_demo_gives_what_it_gave(demo: Demo) -> None:
    now, before = contract.measure_demo(demo.folder), contract.golden("demo")
    assert now["files"] == before["files"]
    assert (now["parts"], now["path"]) == (before["parts"], before["path"])
    assert_same_tables(now, before)
    stems, stems_before = now["stems"], before["stems"]
    for same in ("manifest", "frames_channels", "sample_rates", "files"):
        assert stems[same] == stems_before[same], same
    assert stems["sum_error_db"] < -120
    level, level_before = np.array(stems["level_db"]), np.array(stems_before["level_db"])
    is_heard = level_before > AUDIBLE_DB
    assert np.abs(level - level_before)[is_heard].max() < SAME_LEVEL_DB


@pytest.mark.parametrize("name", sorted(contract.golden("cases")))
def test_real_recordings_give_what_they_gave(name: str, tmp_path: Path) -> None:
    case = contract.CASES / name
    if not case.is_dir():
        pytest.skip("the recordings of real players lie beside the project, and are not here")
    assert_same_tables(contract.measure_case(case, tmp_path), contract.golden("cases")[name])

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from scoresep.engines.separation import engine_names, make_engine
from scoresep.engines.separation.devices import DEVICES, choose_device, device_states, is_out_of_memory
from scoresep.errors import DeviceError, UsageError


def test_engines_are_named_without_loading_torch() -> None:
    code = (
        "import sys; from scoresep.engines.separation import engine_names; engine_names(); "
        "import scoresep.engines.separation.devices; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_name_gives_an_engine() -> None:
    assert engine_names()[0] == "auto"
    for name in engine_names():
        assert make_engine(name).name == name
    with pytest.raises(UsageError, match="nmf"):
        make_engine("magic")


def test_every_device_is_there_or_says_why_not() -> None:
    states = device_states()

    assert {state.name for state in states} == set(DEVICES) - {"auto"}
    assert all(state.text for state in states)
    assert next(state for state in states if state.name == "cpu").is_usable


def test_auto_takes_what_can_be_used_and_others_are_refused_with_a_reason() -> None:
    usable = [state.name for state in device_states() if state.is_usable]

    assert choose_device("auto").type == usable[0]
    assert choose_device("cpu").type == "cpu"
    for state in device_states():
        if not state.is_usable:
            with pytest.raises(DeviceError, match=state.name):
                choose_device(state.name)
    with pytest.raises(UsageError, match="cuda"):
        choose_device("abacus")


def test_lack_of_memory_is_told_from_other_errors() -> None:
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(torch.OutOfMemoryError("x"))
    assert is_out_of_memory(RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"))
    assert not is_out_of_memory(RuntimeError("shapes do not fit"))
    assert not is_out_of_memory(ValueError("out of memory"))

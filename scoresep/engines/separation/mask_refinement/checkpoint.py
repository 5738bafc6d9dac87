"""The state of learning as arrays, to be kept beside the stems, and taken up again."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from scoresep.engines.separation.base import Arrays
from scoresep.engines.separation.checkpoint import moments_from_arrays, moments_to_arrays
from scoresep.engines.separation.mask_refinement.inputs import RecordingStatistics
from scoresep.engines.separation.mask_refinement.settings import MaskRefinerSettings
from scoresep.engines.separation.mask_refinement.training import State

VERSION = 1


def to_arrays(
    state: State, settings: MaskRefinerSettings, heard: RecordingStatistics | None
) -> dict[str, NDArray[Any]]:
    """Return all that is needed to use the network and to go on with its training."""
    arrays: dict[str, NDArray[Any]] = {
        "form": _form(settings),
        "steps": np.array(state.steps, np.int64),
        "mean_power": np.array(heard.mean_power if heard else 0.0, np.float64),
        "blend": np.array(heard.blend if heard else 0.0, np.float64),
        "profiles": heard.profiles if heard else np.zeros(0, np.float32),
    }
    for kind, network in ("network", state.network), ("mean", state.mean):
        for name, value in network.state_dict().items():
            arrays[f"{kind}.{name}"] = value.detach().cpu().numpy().copy()
    return {**arrays, **moments_to_arrays(state.network, state.optimizer)}


def from_arrays(
    arrays: Arrays | None, stems: int, settings: MaskRefinerSettings, seed: int, device: torch.device
) -> tuple[State, RecordingStatistics | None]:
    """Return the state that was kept and what was heard; a fresh state where it does not fit."""
    state = State.fresh(stems, settings, seed, device)
    if arrays is None or not _fits(arrays, state, settings):
        return state, None
    for kind, network in ("network", state.network), ("mean", state.mean):
        network.load_state_dict({name: torch.from_numpy(arrays[f"{kind}.{name}"]) for name in network.state_dict()})
    state.steps = int(arrays["steps"])
    moments_from_arrays(state.network, state.optimizer, arrays, state.steps, device)
    heard = (
        RecordingStatistics(float(arrays["mean_power"]), arrays["profiles"], float(arrays["blend"]))
        if arrays["profiles"].size
        else None
    )
    return state, heard


def _form(settings: MaskRefinerSettings) -> NDArray[np.float64]:
    """Return what must agree for weights to fit."""
    of_network = (settings.harmonics, settings.reach_bins, settings.width, *settings.dilations)
    return np.array([VERSION, settings.window_s, settings.limit_hz, *of_network], np.float64)


def _fits(arrays: Arrays, state: State, settings: MaskRefinerSettings) -> bool:
    form = _form(settings)
    if not {"steps", "mean_power", "profiles", "blend"} <= set(arrays):
        return False
    if "form" not in arrays or arrays["form"].shape != form.shape or not np.allclose(arrays["form"], form):
        return False
    values = state.network.state_dict()
    return all(
        f"{kind}.{name}" in arrays and arrays[f"{kind}.{name}"].shape == tuple(value.shape)
        for kind in ("network", "mean")
        for name, value in values.items()
    )

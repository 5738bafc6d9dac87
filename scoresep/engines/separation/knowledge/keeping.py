"""The state of learning as arrays, to be kept beside the stems, and taken up again."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from scoresep.engines.separation.knowledge.hearing import Heard
from scoresep.engines.separation.knowledge.settings import KnowledgeSettings
from scoresep.engines.separation.knowledge.training import State
from scoresep.engines.separation.protocol import Arrays

VERSION = 1
TEACHER = "teacher."


def with_teacher(arrays: Arrays) -> dict[str, NDArray[Any]]:
    """Return the teacher's arrays under names that do not clash with one's own."""
    return {TEACHER + name: array for name, array in arrays.items()}


def of_teacher(arrays: Arrays | None) -> dict[str, NDArray[Any]] | None:
    """Return the teacher's arrays under their own names; None where there are none."""
    if arrays is None:
        return None
    found = {name[len(TEACHER) :]: array for name, array in arrays.items() if name.startswith(TEACHER)}
    return found or None


def arrays_of(state: State, settings: KnowledgeSettings, heard: Heard | None) -> dict[str, NDArray[Any]]:
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
    for name, parameter in state.network.named_parameters():
        moments = state.optimizer.state.get(parameter)
        if moments:
            arrays[f"first.{name}"] = moments["exp_avg"].cpu().numpy().copy()
            arrays[f"second.{name}"] = moments["exp_avg_sq"].cpu().numpy().copy()
    return arrays


def state_of(
    arrays: Arrays | None, stems: int, settings: KnowledgeSettings, seed: int, device: torch.device
) -> tuple[State, Heard | None]:
    """Return the state that was kept and what was heard; a fresh state where it does not fit."""
    state = State.fresh(stems, settings, seed, device)
    if arrays is None or not _fits(arrays, state, settings):
        return state, None
    for kind, network in ("network", state.network), ("mean", state.mean):
        network.load_state_dict({name: torch.from_numpy(arrays[f"{kind}.{name}"]) for name in network.state_dict()})
    state.steps = int(arrays["steps"])
    for name, parameter in state.network.named_parameters():
        if f"first.{name}" in arrays:
            first, second = (torch.from_numpy(arrays[f"{k}.{name}"]).to(device) for k in ("first", "second"))
            moments = {"step": torch.tensor(float(state.steps)), "exp_avg": first.clone(), "exp_avg_sq": second.clone()}
            state.optimizer.state[parameter] = moments
    heard = (
        Heard(float(arrays["mean_power"]), arrays["profiles"], float(arrays["blend"]))
        if arrays["profiles"].size
        else None
    )
    return state, heard


def _form(settings: KnowledgeSettings) -> NDArray[np.float64]:
    """Return what must agree for weights to fit."""
    of_network = (settings.harmonics, settings.reach_bins, settings.width, *settings.dilations)
    return np.array([VERSION, settings.window_s, settings.limit_hz, *of_network], np.float64)


def _fits(arrays: Arrays, state: State, settings: KnowledgeSettings) -> bool:
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

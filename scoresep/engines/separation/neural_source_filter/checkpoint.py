"""What was learned as arrays, to be kept with the project, and taken up again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from scoresep.engines.separation.base import Arrays
from scoresep.engines.separation.checkpoint import (
    covariances_from_array,
    covariances_to_array,
    moments_from_arrays,
    moments_to_arrays,
)
from scoresep.engines.separation.neural_source_filter.settings import NeuralSourceFilterSettings
from scoresep.engines.separation.neural_source_filter.training import State
from scoresep.engines.separation.source_filter.note_frames import Tracks
from scoresep.engines.separation.source_filter.settings import SourceFilterSettings
from scoresep.engines.separation.spatial import Covariances
from scoresep.model.audio import SampleSource

VERSION = 1


@dataclass
class NeuralSourceFilterParameters:
    """What is known of a recording.

    Attributes
    ----------
    tracks : Tracks
    shape : SourceFilterSettings
        As its pitches want them.
    level : float
        Mean of what is fitted.
    state : State
    covariances : Covariances or None
        Where the stems stand in stereo.
    """

    tracks: Tracks
    shape: SourceFilterSettings
    level: float
    state: State
    covariances: Covariances | None = None


def form_of(source: SampleSource, stems: int, settings: NeuralSourceFilterSettings) -> str:
    """Return what must agree for arrays to fit; how long the training is need not."""
    network = settings.bands, settings.width, settings.code, settings.part_code, settings.heard_partials, settings.order
    return f"{VERSION} {source.frames} {source.channels} {source.sample_rate} {stems} {network} {settings.shape}"


def to_arrays(
    found: NeuralSourceFilterParameters, form: str, settings: NeuralSourceFilterSettings
) -> dict[str, NDArray[Any]]:
    """Return everything as arrays."""
    state, where = found.state, found.covariances
    arrays: dict[str, NDArray[Any]] = {
        "form": np.array(form),
        "moves": np.array(found.shape != settings.shape),
        "level": np.array(found.level),
        "steps": np.array(state.steps, np.int64),
        "covariances": covariances_to_array(where),
        **vars(found.tracks),
    }
    for name, parameter in state.network.named_parameters():
        arrays[f"network.{name}"] = parameter.detach().cpu().numpy().copy()
    return {**arrays, **moments_to_arrays(state.network, state.optimizer)}


def tracks_of(checkpoint: Arrays | None, form: str) -> tuple[Tracks, bool] | None:
    """Return the tracks that were kept and whether their pitches move; None where they are of something else."""
    if checkpoint is None or str(checkpoint.get("form")) != form or "moves" not in checkpoint:
        return None
    try:
        tracks = Tracks(*(np.asarray(checkpoint[name]) for name in Tracks.__dataclass_fields__))
    except KeyError:
        return None
    if len(tracks.note_keys) + 1 != len(tracks.start) or len(tracks.cents) != tracks.start[-1]:
        return None
    return tracks, bool(checkpoint["moves"])


def from_arrays(state: State, checkpoint: Arrays, device: torch.device) -> float | None:
    """Go on from the state that was kept, and return the level that it holds for; None where it does not fit."""
    parameters = dict(state.network.named_parameters())
    if not {"steps", "level", "covariances", *(f"network.{name}" for name in parameters)} <= set(checkpoint):
        return None
    for kind in ("network", "first", "second"):
        if any(checkpoint[key].shape != p.shape for n, p in parameters.items() if (key := f"{kind}.{n}") in checkpoint):
            return None
    state.steps = int(checkpoint["steps"])
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(torch.from_numpy(checkpoint[f"network.{name}"]))
    moments_from_arrays(state.network, state.optimizer, checkpoint, state.steps, device)
    return float(checkpoint["level"])


def covariances_of(checkpoint: Arrays, stems: int, bins: int) -> Covariances | None:
    """Return where the stems stand, as it was kept; None where nothing fits."""
    planes = np.asarray(checkpoint["covariances"])
    return covariances_from_array(planes) if planes.shape == (4, stems + 1, bins) else None

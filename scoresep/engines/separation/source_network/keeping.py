"""What was learned as arrays, to be kept with the project, and taken up again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from scoresep.engines.separation.protocol import Arrays
from scoresep.engines.separation.source_filter.settings import SourceFilterSettings
from scoresep.engines.separation.source_filter.tracks import Tracks
from scoresep.engines.separation.source_network.settings import SourceNetworkSettings
from scoresep.engines.separation.source_network.training import State
from scoresep.engines.separation.spatial import Covariances
from scoresep.model.audio import SampleSource

VERSION = 1


@dataclass
class Findings:
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


def form_of(source: SampleSource, stems: int, settings: SourceNetworkSettings) -> str:
    """Return what must agree for arrays to fit; how long the training is need not."""
    network = settings.bands, settings.width, settings.code, settings.part_code, settings.heard_partials, settings.order
    return f"{VERSION} {source.frames} {source.channels} {source.sample_rate} {stems} {network} {settings.shape}"


def arrays_of(findings: Findings, form: str, settings: SourceNetworkSettings) -> dict[str, NDArray[Any]]:
    """Return everything as arrays."""
    state, where = findings.state, findings.covariances
    arrays: dict[str, NDArray[Any]] = {
        "form": np.array(form),
        "moves": np.array(findings.shape != settings.shape),
        "level": np.array(findings.level),
        "steps": np.array(state.steps, np.int64),
        "covariances": np.zeros((0, 0, 0), np.float32) if where is None else _planes(where),
        **vars(findings.tracks),
    }
    for name, parameter in state.network.named_parameters():
        arrays[f"network.{name}"] = parameter.detach().cpu().numpy().copy()
        moments = state.optimizer.state.get(parameter)
        if moments:
            arrays[f"first.{name}"] = moments["exp_avg"].cpu().numpy().copy()
            arrays[f"second.{name}"] = moments["exp_avg_sq"].cpu().numpy().copy()
    return arrays


def tracks_of(known: Arrays | None, form: str) -> tuple[Tracks, bool] | None:
    """Return the tracks that were kept and whether their pitches move; None where they are of something else."""
    if known is None or str(known.get("form")) != form or "moves" not in known:
        return None
    try:
        tracks = Tracks(*(np.asarray(known[name]) for name in Tracks.__dataclass_fields__))
    except KeyError:
        return None
    if len(tracks.note_keys) + 1 != len(tracks.start) or len(tracks.cents) != tracks.start[-1]:
        return None
    return tracks, bool(known["moves"])


def take_state(state: State, known: Arrays, device: torch.device) -> float | None:
    """Go on from the state that was kept, and return the level that it holds for; None where it does not fit."""
    parameters = dict(state.network.named_parameters())
    if not {"steps", "level", "covariances", *(f"network.{name}" for name in parameters)} <= set(known):
        return None
    for kind in ("network", "first", "second"):
        if any(known[key].shape != p.shape for n, p in parameters.items() if (key := f"{kind}.{n}") in known):
            return None
    state.steps = int(known["steps"])
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(torch.from_numpy(known[f"network.{name}"]))
            if f"first.{name}" in known and f"second.{name}" in known:
                first, second = (torch.from_numpy(known[f"{k}.{name}"].copy()).to(device) for k in ("first", "second"))
                step = torch.tensor(float(state.steps))
                state.optimizer.state[parameter] = {"step": step, "exp_avg": first, "exp_avg_sq": second}
    return float(known["level"])


def covariances_of(known: Arrays, stems: int, bins: int) -> Covariances | None:
    """Return where the stems stand, as it was kept; None where nothing fits."""
    planes = np.asarray(known["covariances"])
    return Covariances(*torch.from_numpy(planes)) if planes.shape == (4, stems + 1, bins) else None


def _planes(where: Covariances) -> NDArray[np.float32]:
    planes = where.left, where.right, where.cross_real, where.cross_imag
    return np.stack([plane.cpu().numpy() for plane in planes])

"""What engines have learned as arrays: what their checkpoints have in common."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from scoresep.engines.separation.base import Arrays
from scoresep.engines.separation.spatial import Covariances


def with_prefix(prefix: str, arrays: Arrays) -> dict[str, NDArray[Any]]:
    """Return the arrays of another engine under names that do not clash with one's own."""
    return {prefix + name: array for name, array in arrays.items()}


def under_prefix(prefix: str, arrays: Arrays | None) -> dict[str, NDArray[Any]] | None:
    """Return the arrays of another engine under its own names; None where there are none."""
    found = {name.removeprefix(prefix): array for name, array in (arrays or {}).items() if name.startswith(prefix)}
    return found or None


def covariances_to_array(where: Covariances | None) -> NDArray[np.float32]:
    """Return the planes of covariances, shape (4, stems + 1, bins); of size 0 where there are none."""
    if where is None:
        return np.zeros((0, 0, 0), np.float32)
    planes = where.left, where.right, where.cross_real, where.cross_imag
    return np.stack([plane.cpu().numpy() for plane in planes])


def covariances_from_array(planes: NDArray[np.float32]) -> Covariances | None:
    """Return the covariances of such planes."""
    return Covariances(*torch.from_numpy(planes)) if planes.size else None


def covariances_shape(channels: int, stem_count: int, bins: int) -> tuple[int, int, int]:
    """Return the shape of the planes: only stereo recordings have any."""
    return (4, stem_count + 1, bins) if channels == 2 and stem_count else (0, 0, 0)


def moments_to_arrays(network: torch.nn.Module, optimizer: torch.optim.Adam) -> dict[str, NDArray[Any]]:
    """Return the running means by which Adam goes on, as ``first.*`` and ``second.*``."""
    arrays = {}
    for name, parameter in network.named_parameters():
        moments = optimizer.state.get(parameter)
        if moments:
            arrays[f"first.{name}"] = moments["exp_avg"].cpu().numpy().copy()
            arrays[f"second.{name}"] = moments["exp_avg_sq"].cpu().numpy().copy()
    return arrays


def moments_from_arrays(
    network: torch.nn.Module, optimizer: torch.optim.Adam, arrays: Arrays, steps: int, device: torch.device
) -> None:
    """Let Adam go on from the running means that were kept after so many steps."""
    for name, parameter in network.named_parameters():
        if f"first.{name}" in arrays and f"second.{name}" in arrays:
            first, second = (torch.tensor(arrays[f"{kind}.{name}"], device=device) for kind in ("first", "second"))
            step = torch.tensor(float(steps))
            optimizer.state[parameter] = {"step": step, "exp_avg": first, "exp_avg_sq": second}

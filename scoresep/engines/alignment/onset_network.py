"""A small network that says where in its patch a note begins, or that it does not.

It is a stack of convolutions over time with some 20 000 weights, evaluated with numpy. `packaging/onset_training.py`
tells how it was trained, on renderings of scores whose note times are known.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from scoresep.engines.alignment.note_patches import FRAMES
from scoresep.resources import resource_path

WEIGHTS_FILE = "alignment/onset_network.npz"
DILATIONS = (1, 2, 4, 8)
TAPS = 5
MARGIN = (TAPS // 2) * max(DILATIONS)
STRIDE = FRAMES + MARGIN
BLOCK_NOTES = 32  # what a processor keeps at hand


@dataclass(frozen=True, eq=False)
class OnsetNetwork:
    """The weights of the network.

    Attributes
    ----------
    mean, scale : ndarray [shape=(channels,)], float32
        A patch is brought to (patch - mean) * scale first.
    kernels : tuple of ndarray [shape=(taps, channels in, channels out)], float32
        Of each convolution, with `biases` [shape=(channels out,)].
    heads : dict of str to ndarray
        ``o1``, ``o2``: from the last layer to one value a frame; ``n1``, ``n2``: to the value of "no onset here". Each
        with a bias under its name and ``b``.
    """

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    kernels: tuple[NDArray[np.float32], ...]
    biases: tuple[NDArray[np.float32], ...]
    heads: dict[str, NDArray[np.float32]]

    def log_probability(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the logarithm of the probability of an onset in every frame, and in none.

        Parameters
        ----------
        patches : ndarray [shape=(notes, FRAMES, CHANNELS)], float32

        Returns
        -------
        log_probability : ndarray [shape=(notes, FRAMES + 1)], float32
            The last column is "no onset here". The exponentials of every row add up to 1.
        """
        rows = [self._scores(patches[i : i + BLOCK_NOTES]) for i in range(0, len(patches), BLOCK_NOTES)]
        score = np.concatenate(rows) if rows else np.zeros((0, FRAMES + 1), np.float32)
        score = score - score.max(axis=1, keepdims=True)
        return np.asarray(score - np.log(np.exp(score).sum(axis=1, keepdims=True)), np.float32)

    def _scores(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        notes = len(patches)
        # All patches stand one after the other with silence between; every product is one of a patch, and so small that
        # BLAS starts no threads for it.
        hidden = np.zeros((2 * MARGIN + notes * STRIDE, patches.shape[2]), np.float32)
        inner = _one_by_one(hidden)[:, :FRAMES]
        np.subtract(patches, self.mean, out=inner)
        inner *= self.scale
        for depth, (kernel, bias, dilation) in enumerate(zip(self.kernels, self.biases, DILATIONS, strict=True)):
            out = np.zeros((len(hidden), len(bias)), np.float32)
            inner = _one_by_one(out)
            _add_convolved(hidden, kernel, dilation, inner)
            inner += bias
            np.maximum(inner, 0, out=inner)
            inner[:, FRAMES:] = 0
            if depth:
                out += hidden
            hidden = out
        last = np.ascontiguousarray(_one_by_one(hidden)[:, :FRAMES])
        gated = np.maximum(last @ self.heads["o1"] + self.heads["o1b"], 0)
        frame_score = (gated @ self.heads["o2"] + self.heads["o2b"])[..., 0]
        attention = np.exp(frame_score - frame_score.max(axis=1, keepdims=True))
        attention /= attention.sum(axis=1, keepdims=True)
        pooled = np.concatenate([(gated * attention[..., None]).sum(axis=1), gated.mean(axis=1)], axis=1)
        none_score = np.maximum(pooled @ self.heads["n1"] + self.heads["n1b"], 0) @ self.heads["n2"] + self.heads["n2b"]
        return np.concatenate([frame_score, none_score], axis=1)


def _one_by_one(hidden: NDArray[np.float32], shift: int = 0) -> NDArray[np.float32]:
    """Return a view of all patches, and the silence after each, or of what lies `shift` frames after that."""
    return hidden[MARGIN + shift : len(hidden) - MARGIN + shift].reshape(-1, STRIDE, hidden.shape[1])


def _add_convolved(
    hidden: NDArray[np.float32], kernel: NDArray[np.float32], dilation: int, out: NDArray[np.float32]
) -> None:
    """Convolve along time."""
    one = np.empty_like(out)
    for tap in range(TAPS):
        np.matmul(_one_by_one(hidden, (tap - TAPS // 2) * dilation), kernel[tap], out=one)
        out += one


@cache
def onset_network() -> OnsetNetwork:
    """Load the network that comes with the program."""
    with np.load(resource_path(WEIGHTS_FILE)) as stored:
        arrays = {name: stored[name].astype(np.float32) for name in stored.files}
    layers = range(len(DILATIONS))
    return OnsetNetwork(
        arrays["mean"],
        arrays["scale"],
        tuple(arrays[f"kernel{i}"] for i in layers),
        tuple(arrays[f"bias{i}"] for i in layers),
        {name: arrays[name] for name in ("o1", "o1b", "o2", "o2b", "n1", "n1b", "n2", "n2b")},
    )

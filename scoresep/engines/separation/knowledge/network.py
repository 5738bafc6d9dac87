"""The network: from the tiles of all voices to how the bins that several parts share are divided among these.

One network serves all parts, so that little material is enough; a part differs by what it is told of its notes, and by
a vector of its own. What the score knows is projected and added to what is seen of the spectrum, as in Ho et al.

References
----------
C.-w. Ho, S. M. Siniscalchi, K. Li, C.-H. Lee, "A knowledge-driven approach to music segmentation, music source
separation and cinematic audio source separation", 2026, arXiv:2602.21476. Y. N. Dauphin, A. Fan, M. Auli, D. Grangier,
"Language modeling with gated convolutional networks", ICML 2017, arXiv:1612.08083 (the gates).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scoresep.engines.separation.knowledge.settings import KnowledgeSettings
from scoresep.engines.separation.knowledge.tiles import ON_BIN, ON_FRAME, ON_PARTIAL, Tiles

TIME_TAPS, PARTIAL_TAPS = 5, 3
NOTHING = -1e4  # the logarithm of no loudness


class TileNetwork(nn.Module):
    """Convolutions over time and partials.

    Parameters
    ----------
    stems : int
    settings : KnowledgeSettings
    """

    def __init__(self, stems: int, settings: KnowledgeSettings) -> None:
        super().__init__()
        width, across = settings.width, 2 * settings.reach_bins + 1
        self.see = nn.Linear(ON_BIN * across + ON_PARTIAL, width)
        self.know = nn.Linear(ON_FRAME, width)
        self.part = nn.Parameter(torch.zeros(stems, width))
        self.layers = nn.ModuleList(_layer(width, dilation) for dilation in settings.dilations)
        self.tell = nn.Linear(width, across)
        nn.init.zeros_(self.tell.weight)
        nn.init.zeros_(self.tell.bias)

    def forward(self, tiles: Tiles) -> Tensor:
        """Return how loud every voice is in its tile, as logarithms; shape (voices, windows, harmonics * across)."""
        seen = self.see(tiles.seen) + self.know(tiles.known)[:, :, None] + self.part[tiles.stem][:, None, None]
        state = torch.relu(seen).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
        for layer in self.layers:
            value, gate = layer(state).chunk(2, 1)
            state = state + torch.relu(value) * torch.sigmoid(gate)
        told: Tensor = (self.tell(state.permute(0, 2, 3, 1)) + tiles.base).flatten(2)
        return told


def reach_windows(settings: KnowledgeSettings) -> int:
    """Return how many windows before and after one the network looks at, the refining of its pitch included."""
    return sum(TIME_TAPS // 2 * dilation for dilation in settings.dilations) + 2


def shares_of(network: TileNetwork, tiles: Tiles, stems: int) -> tuple[Tensor, Tensor]:
    """Divide every bin among the parts that have a partial there.

    Returns
    -------
    shares : Tensor [shape=(stems, windows, bins)], float32
        Add up to 1 over the parts inside.
    inside : Tensor [shape=(stems, windows, bins)], bool
    """
    loud = network(tiles).gather(2, tiles.place).masked_fill(~tiles.inside, NOTHING)
    silent = loud.new_full(loud.shape[1:], NOTHING)
    of_stem = [loud[tiles.stem == stem] for stem in range(stems)]
    # the voices of one part add up; a loop over parts, because adding up by index is not repeatable on a GPU
    loudness = torch.stack([torch.logsumexp(one, 0) if len(one) else silent for one in of_stem])
    inside = loudness > 0.5 * NOTHING
    return loudness.softmax(0) * inside, inside


def _layer(width: int, dilation: int) -> nn.Conv2d:
    padding = (TIME_TAPS // 2 * dilation, PARTIAL_TAPS // 2)
    return nn.Conv2d(width, 2 * width, (TIME_TAPS, PARTIAL_TAPS), padding=padding, dilation=(dilation, 1))

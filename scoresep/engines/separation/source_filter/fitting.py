"""Fits the sounds of notes to a stretch of the mixture: how loud every note is, and how loud its partials are.

The magnitude of the mixture is modelled as the sum of all partials and a floor, by multiplicative updates for the
Kullback-Leibler divergence (Lee and Seung 2001). The loudness of a partial is that of its note in the window times the
sound of the note; the sound is drawn to what other notes of the part say, the nearer in pitch the more. Regularity is
what separates partials that fall together: sounds that are free in every window explain the mixture better and separate
it worse.

References
----------
D. D. Lee, H. S. Seung, "Algorithms for non-negative matrix factorization", NIPS 2001. K. Schulze-Forster, G. Richard,
L. Kelley, C. S. J. Doire, R. Badeau, "Unsupervised music source separation using differentiable parametric source
models", IEEE/ACM Transactions on Audio, Speech, and Language Processing 31, 2023, arXiv:2201.09592.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scoresep.engines.separation.grid import FrameGrid
from scoresep.engines.separation.source_filter.cells import Cells, View
from scoresep.engines.separation.source_filter.lines import Lines, Tones, make_lines
from scoresep.engines.separation.source_filter.settings import SourceFilterSettings
from scoresep.model.alignment import SoundingNotes

TINY = 1e-9
FLOOR_HZ = 150.0  # on either side, over which the local energy is taken
SEMITONES = 128
FAR_SHARE = 0.05  # what a far pitch of the part counts for


class Sounds:
    """What is known of the sound of every note, and of every part at every semitone.

    Parameters
    ----------
    notes : SoundingNotes
    partials : int
    settings : SourceFilterSettings
    device : torch.device

    Attributes
    ----------
    of_note : Tensor [shape=(notes, partials)], float32
        Adds up to 1.
    heard, exposed : Tensor [shape=(stems, SEMITONES, partials)], float32
        What was heard in stretches that are done, and what a sound of 1 would have given.
    """

    def __init__(
        self, notes: SoundingNotes, partials: int, settings: SourceFilterSettings, device: torch.device
    ) -> None:
        first = 1.0 / torch.arange(1, partials + 1, device=device)
        self.of_note = (first / first.sum()).repeat(len(notes), 1)
        pitch = np.clip(np.round(np.nan_to_num(notes.pitch_midi)), 0, SEMITONES - 1)
        self.row = torch.from_numpy(notes.stem_index.astype(np.int64) * SEMITONES + pitch.astype(np.int64)).to(device)
        self.heard = torch.zeros(max(notes.stem_count, 1), SEMITONES, partials, device=device)
        self.exposed = torch.zeros_like(self.heard)
        apart = torch.arange(SEMITONES, device=device)
        apart = (apart[:, None] - apart) / settings.neighbour_semitones
        self._near = torch.exp(-0.5 * apart**2) + FAR_SHARE

    def learn(self, note: Tensor, heard: Tensor, exposed: Tensor, sharing: float) -> None:
        """Take one step towards what was heard of notes.

        Parameters
        ----------
        note : Tensor [shape=(some,)], int64
            Each once.
        heard, exposed : Tensor [shape=(some, partials)], float32
        sharing : float
            How many windows of mean loudness the opinion of the part's other notes counts for.
        """
        shared = self.shared(note, heard, exposed)
        trust = sharing * exposed.sum(1, keepdim=True) / (exposed > 0).sum(1, keepdim=True).clamp(min=1)
        sound = (heard + trust * shared) / (exposed + trust + TINY)
        self.of_note[note] = sound / (sound.sum(1, keepdim=True) + TINY)

    def shared(self, note: Tensor, heard: Tensor, exposed: Tensor) -> Tensor:
        """Return what the part's other notes say, shape (some, partials)."""
        row, flat = self.row[note], self.heard.flatten(0, 1)
        stems, above, below = self.heard.shape[0], flat.clone(), self.exposed.flatten(0, 1).clone()
        above.index_add_(0, row, heard)
        below.index_add_(0, row, exposed)
        above = self._near @ above.view(stems, SEMITONES, -1)
        below = self._near @ below.view(stems, SEMITONES, -1)
        return (above / (below + TINY)).flatten(0, 1)[row]

    def add(self, note: Tensor, heard: Tensor, exposed: Tensor) -> None:
        """Remember what was heard in a stretch that is done."""
        self.heard.flatten(0, 1).index_add_(0, self.row[note], heard)
        self.exposed.flatten(0, 1).index_add_(0, self.row[note], exposed)


class Fit:
    """The fit of one stretch.

    Parameters
    ----------
    magnitude : Tensor [shape=(windows, bins)], float32
        Of the mixture.
    cells : Cells
    first : int
        First window of the stretch.
    view : View
    sounds : Sounds
    """

    def __init__(self, magnitude: Tensor, cells: Cells, first: int, view: View, sounds: Sounds) -> None:
        device, notes, grid, settings = magnitude.device, view.notes, view.grid, view.settings
        self.magnitude, self.cells, self.grid, self.settings, self.sounds = magnitude, cells, grid, settings, sounds
        self.floor = floor_of(magnitude, grid, settings.floor)
        self.window = torch.from_numpy(cells.window - first).to(device)
        self.nearness = torch.from_numpy(cells.nearness).to(device)
        self.midi = notes.pitch_midi[cells.note]
        present, place = np.unique(cells.note, return_inverse=True)
        self.note, self.place = torch.from_numpy(present).to(device), torch.from_numpy(place.reshape(-1)).to(device)
        self.stem = torch.from_numpy(notes.stem_index[cells.note].astype(np.int64)).to(device)
        count = torch.zeros(len(magnitude), device=device).index_add_(0, self.window, self.nearness)
        self.loudness = self.nearness * (magnitude.sum(1) / (count + 1.0))[self.window]
        self.lines: Lines

    def set_pitch(self, cents: NDArray[np.float32], glide: NDArray[np.float32], partials: int) -> None:
        """Say where the notes sound.

        Parameters
        ----------
        cents, glide : ndarray [shape=(cells,)], float32
            Above the score's pitch; semitones by which it changes within a window.
        partials : int
        """
        device = self.magnitude.device
        midi = torch.from_numpy((self.midi + cents / 100.0).astype(np.float32)).to(device)
        change = torch.from_numpy(glide).to(device)
        windows = len(self.magnitude)
        self.lines = make_lines(Tones(self.window, midi, change), partials, self.settings.top_hz, self.grid, windows)

    def partial_loudness(self) -> Tensor:
        """Return the loudness of every partial of every cell, shape (cells, partials)."""
        sound = self.sounds.of_note[self.note][self.place, : self.lines.index.shape[1]]
        return self.loudness[:, None] * sound * self.lines.exists

    def model(self) -> Tensor:
        """Return the model of the mixture's magnitude, shape (windows, bins)."""
        return self.lines.spectrum(self.partial_loudness()) + self.floor

    def improve(self, rounds: int, check: Callable[[], None], sharing: float | None = None) -> None:
        """Improve the loudnesses of notes and, where `sharing` is given, their sounds."""
        exists = self.lines.exists
        cost = 1.0 + self.settings.far_cost * (1.0 - self.nearness)
        for _ in range(rounds):
            check()
            partials = self.partial_loudness()
            heard = partials * self.lines.project(self.magnitude / self.model())
            exposed = self.loudness[:, None] * exists
            self.loudness = self.loudness * heard.sum(1) / (partials.sum(1) * cost + TINY)
            if sharing is not None:
                self.sounds.learn(self.note, *self._of_notes(heard, exposed), sharing)

    def finish(self) -> None:
        """Leave what was heard in this stretch to those that come after it."""
        partials = self.partial_loudness()
        heard = partials * self.lines.project(self.magnitude / self.model())
        self.sounds.add(self.note, *self._of_notes(heard, self.loudness[:, None] * self.lines.exists))

    def _of_notes(self, heard: Tensor, exposed: Tensor) -> tuple[Tensor, Tensor]:
        weight = self.nearness[:, None]
        size = len(self.note), self.sounds.of_note.shape[1]
        sums = []
        for values in (heard, exposed):
            total = values.new_zeros(size)
            total[:, : values.shape[1]].index_add_(0, self.place, values * weight)
            sums.append(total)
        return sums[0], sums[1]


def floor_of(magnitude: Tensor, grid: FrameGrid, share: float) -> Tensor:
    """Return the magnitude that nobody has to explain: a share of the local energy."""
    size = 2 * int(FLOOR_HZ / 2 / grid.bin_hz) + 1
    power = torch.nn.functional.avg_pool1d(magnitude[:, None] ** 2, size, 1, size // 2, count_include_pad=False)[:, 0]
    return (share * power).sqrt() + TINY

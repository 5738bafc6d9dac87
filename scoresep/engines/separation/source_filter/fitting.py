"""Fits the sounds of the parts to a stretch of the mixture: how loud every note is, and what it sounds like.

A power of the mixture's magnitude is modelled as the sum of all partials, of what has no pitch, and of a floor, by
multiplicative updates for the Kullback-Leibler divergence (Lee and Seung 2001). The loudness of a partial is that of
its note in the window times the sound of its pitch. A note may sound at a few pitches side by side, so that its lines
can become wider than those of a steady tone.

What the parts sound like: the partials of every pitch, and what of every part has no pitch.

Notes of the same pitch share one sound, and it is drawn to those of neighbouring pitches, the more so the less the
pitch was heard. This regularity is what separates partials that fall together: sounds that are free in every note
explain the mixture better and separate it worse.

References
----------
D. D. Lee, H. S. Seung, "Algorithms for non-negative matrix factorization", NIPS 2001. R. Hennequin, R. Badeau,
B. David, "Time-dependent parametric and harmonic templates in non-negative matrix factorization", DAFx 2010.
K. Schulze-Forster, G. Richard, L. Kelley, C. S. J. Doire, R. Badeau, "Unsupervised music source separation using
differentiable parametric source models", IEEE/ACM Transactions on Audio, Speech, and Language Processing 31, 2023,
arXiv:2201.09592.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scoresep.engines.separation.activity import (
    Pitches,
    Tolerances,
    attack_intervals,
    note_intervals,
    paint,
    pitches_of,
)
from scoresep.engines.separation.source_filter.partials import (
    NoteFrameGrid,
    NoteFrames,
    PartialLobes,
    PartialTones,
    Shape,
    make_partial_lobes,
)
from scoresep.engines.separation.stft import FrameGrid
from scoresep.model.alignment import SoundingNotes

TINY = 1e-9
BANDS = 40
NEIGHBOUR_SEMITONES = 3.0
FAR_SHARE = 0.1  # what a far pitch of the part counts for
_OTHER_STEM = 1e6


class PartTimbres:
    """The sounds of one recording, as they are learned.

    Parameters
    ----------
    notes : SoundingNotes
    partials : int
    grid : FrameGrid
    device : torch.device

    Attributes
    ----------
    pitches : Pitches
    of_note : ndarray [shape=(notes,)], int64
        The pitch of every note; -1 for unpitched notes.
    partials : Tensor [shape=(pitches, partials)], float32
        Adds up to 1 for every pitch.
    bands : Tensor [shape=(2 * stems, BANDS)], float32
        Loudness in bands of the attacks of every stem, then of what else of it has no pitch.
    bumps : Tensor [shape=(BANDS, bins)], float32
    """

    def __init__(self, notes: SoundingNotes, partials: int, grid: FrameGrid, device: torch.device) -> None:
        self.pitches, self.of_note = pitches_of(notes)
        count = len(self.pitches)
        first = 1.0 / torch.arange(1, partials + 1, device=device)
        self.partials = (first / first.sum()).repeat(count, 1)
        self.bumps = band_bumps(grid, BANDS, device)
        self.bands = torch.ones(2 * notes.stem_count, BANDS, device=device)
        self.bands /= (self.bands @ self.bumps).sum(1, keepdim=True)
        apart = np.abs(self.pitches.midi[:, None] - self.pitches.midi)
        near = np.exp(-0.5 * (apart / NEIGHBOUR_SEMITONES) ** 2) + FAR_SHARE
        near *= self.pitches.stem[:, None] == self.pitches.stem
        self._near = torch.from_numpy(near.astype(np.float32)).to(device)
        self._observed, self._exposed = torch.zeros_like(self.partials), torch.zeros_like(self.partials)

    def fit(self, observed: Tensor, exposed: Tensor, trust: Tensor) -> None:
        """Take one step towards what was heard, here and in stretches before.

        Parameters
        ----------
        observed, exposed : Tensor [shape=(pitches, partials)], float32
            What was heard, and what a sound of 1 would have given.
        trust : Tensor [shape=()]
            Loudness for which the opinion of neighbouring pitches counts.
        """
        observed, exposed = observed + self._observed, exposed + self._exposed
        shared = (self._near @ observed) / (self._near @ exposed + TINY)
        sound = (observed + trust * shared) / (exposed + trust + TINY)
        self.partials = sound / (sound.sum(1, keepdim=True) + TINY)

    def remember(self, observed: Tensor, exposed: Tensor) -> None:
        """Keep what was heard in a stretch that is done, for those that come after it."""
        self._observed += observed
        self._exposed += exposed

    def learn_bands(self, observed: Tensor, exposed: Tensor) -> None:
        """Take one step in the sounds without pitch; both of shape (2 * stems, BANDS)."""
        bands = self.bands * (observed + TINY) / (exposed + TINY)
        self.bands = bands / ((bands @ self.bumps).sum(1, keepdim=True) + TINY)

    def take(self, pitches: Pitches, partials: Tensor, bands: Tensor) -> None:
        """Take sounds that were learned before; a pitch that is new sounds as its nearest in the part.

        Parameters
        ----------
        pitches : Pitches
            Which rows are which pitch of which part.
        partials : Tensor [shape=(rows, partials)], float32
            Level of every partial.
        bands : Tensor [shape=(stems, bands)], float32
            Levels of what has no pitch.
        """
        self.bands = bands
        if not len(self.pitches) or not len(pitches):
            return
        apart = np.abs(self.pitches.midi[:, None] - pitches.midi)
        apart += _OTHER_STEM * (self.pitches.stem[:, None] != pitches.stem)
        nearest = apart.argmin(1)
        is_known = torch.from_numpy(apart[np.arange(len(nearest)), nearest] < _OTHER_STEM).to(partials.device)
        self.partials = torch.where(is_known[:, None], partials[torch.from_numpy(nearest)], self.partials)


def band_bumps(grid: FrameGrid, bands: int, device: torch.device) -> Tensor:
    """Return overlapping triangles, even on the mel scale, that add up to 1 in every bin; shape (bands, bins).

    Parameters
    ----------
    grid : FrameGrid
    bands : int
        How many.
    device : torch.device
    """
    mel = np.log1p(np.arange(grid.bins) * grid.bin_hz / 700.0)
    at = np.interp(mel, np.linspace(0.0, mel[-1], bands), np.arange(bands, dtype=np.float64))
    bumps = np.clip(1.0 - np.abs(at - np.arange(bands)[:, None]), 0.0, 1.0)
    return torch.from_numpy(bumps.astype(np.float32)).to(device)


FLOOR_HZ = 150.0  # on either side, over which the local energy is taken
RESIDUAL_BANDS = 24
RESIDUAL_COST = 0.3
FILTER_BANDS = 10
FILTER_TOP_HZ = 8000.0
MOST_FILTER = 20.0  # times as loud, or as soft
FIXED_ROUNDS = 2  # in which loudnesses settle before sounds are learned


class Fit:
    """The fit of one stretch.

    Parameters
    ----------
    magnitude : Tensor [shape=(windows, bins)], float32
        Of the mixture.
    cells : NoteFrames
    first : int
        First window of the stretch.
    view : NoteFrameGrid
    sounds : PartTimbres
    """

    def __init__(
        self, magnitude: Tensor, cells: NoteFrames, first: int, view: NoteFrameGrid, sounds: PartTimbres
    ) -> None:
        device, notes, settings = magnitude.device, view.notes, view.settings
        self.magnitude, self.cells, self.grid, self.settings, self.sounds = (
            magnitude**settings.magnitude_exponent,
            cells,
            view.grid,
            settings,
            sounds,
        )
        self.floor = floor_of(magnitude, view.grid, settings.floor) ** settings.magnitude_exponent
        self.window = torch.from_numpy(cells.window - first).to(device)
        self.nearness = torch.from_numpy(cells.nearness).to(device)
        self.midi = notes.pitch_midi[cells.note]
        self.pitch = torch.from_numpy(sounds.of_note[cells.note]).to(device)
        self.stem = torch.from_numpy(notes.stem_index[cells.note].astype(np.int64)).to(device)
        count = torch.zeros(len(magnitude), device=device).index_add_(0, self.window, self.nearness)
        level = self.magnitude.sum(1)
        self._first_loudness = self.nearness * (level / (count + 1.0))[self.window]
        self.loudness: Tensor
        self.lines: PartialLobes
        self._near = torch.from_numpy(broad_nearness(view, first, first + len(magnitude))).to(device)
        self.broad = 0.05 * self._near * level[:, None]
        residual = band_bumps(view.grid, RESIDUAL_BANDS, device)
        self._residual_spectra = residual / (residual.sum(1, keepdim=True) + TINY)
        self._residual = (0.003 * level)[:, None].repeat(1, RESIDUAL_BANDS)

    def set_pitch(
        self,
        cents: NDArray[np.float32],
        glide: NDArray[np.float32],
        partials: int,
        shifts_cents: tuple[float, ...] = (0.0,),
    ) -> None:
        """Say where the notes sound.

        Parameters
        ----------
        cents, glide : ndarray [shape=(cells,)], float32
            Above the score's pitch; semitones by which it changes within a window.
        partials : int
        shifts_cents : tuple of float
            Beside this pitch, the first being 0.
        """
        device = self.magnitude.device
        midi = torch.from_numpy((self.midi + cents / 100.0).astype(np.float32)).to(device)
        tones = PartialTones(self.window, midi, torch.from_numpy(glide).to(device))
        shape = Shape(self.grid, len(self.magnitude))
        self.lines = make_partial_lobes(tones, partials, self.settings.top_hz, shifts_cents, shape)
        before = self.loudness.sum(1) if hasattr(self, "loudness") else self._first_loudness
        self.loudness = before[:, None].repeat(1, len(shifts_cents)) / len(shifts_cents)
        self._filter = Filter(tones.midi, partials, self.settings.filter_trust)

    def sound(self) -> Tensor:
        """Return the sound of every cell, shape (cells, partials)."""
        return self.sounds.partials[self.pitch, : self.lines.index.shape[1]] * self._filter.gain

    def shapes(self) -> Tensor:
        """Return the lines of all partials as loud as they are, shape (cells, partials, LINE_BINS)."""
        return self.lines.shapes(self.loudness, self.sound())

    def pitched(self) -> Tensor:
        """Return the model of all notes together, shape (windows, bins)."""
        return self.lines.spectrum(self.shapes())

    def model(self) -> Tensor:
        """Return the model of the mixture, shape (windows, bins)."""
        broad = self.broad @ (self.sounds.bands @ self.sounds.bumps)
        return self.pitched() + broad + self._residual @ self._residual_spectra + self.floor

    def residual(self) -> Tensor:
        """Return the model of what belongs to nobody, shape (windows, bins)."""
        return self._residual @ self._residual_spectra

    def improve(self, rounds: int, check: Callable[[], None], sharing: tuple[float, float] | None = None) -> None:
        """Improve the loudnesses and, where `sharing` says how much at first and in the end, the sounds.

        Parameters
        ----------
        rounds : int
            Of multiplicative updates.
        check : callable
            Called now and then; raises when the work is to stop.
        sharing : (float, float) or None
            How much neighbouring pitches share, at first and in the end; None leaves the sounds.
        """
        for turn in range(rounds):
            check()
            ratio = self.magnitude / self.model()
            above = self.lines.project(ratio)
            if sharing is not None and turn >= FIXED_ROUNDS:
                ease = turn / max(rounds - 1, 1)
                share = sharing[0] ** (1 - ease) * sharing[1] ** ease
                self.sounds.fit(*self._of_pitches(above), share * self.loudness.sum() / len(self.magnitude))
            check()
            self._improve_loudness(above)
            self._improve_broad(ratio, sharing is not None and turn >= FIXED_ROUNDS)

    def finish(self) -> None:
        """Leave what was heard in this stretch to those that come after it."""
        self.sounds.remember(*self._of_pitches(self.lines.project(self.magnitude / self.model())))

    def _improve_loudness(self, above: Tensor) -> None:
        sound = self.sound()[..., None]
        cost = 1.0 + self.settings.far_cost * (1.0 - self.nearness)[:, None]
        observed, exposed = (sound * above).sum(1), (sound * self.lines.exists).sum(1)
        if self.settings.filter_trust > 0.0:
            loudness, sound = self.loudness[:, None], sound[..., 0]
            self._filter.improve(sound * (above * loudness).sum(-1), sound * (self.lines.exists * loudness).sum(-1))
        self.loudness = self.loudness * observed / (exposed * cost + TINY)

    def _improve_broad(self, ratio: Tensor, learns: bool) -> None:
        bumps, bands = self.sounds.bumps, self.sounds.bands
        in_bands = ratio @ bumps.T
        observed = self.broad * (in_bands @ bands.T)
        if learns:
            self.sounds.learn_bands(self.broad.T @ in_bands, self.broad.sum(0)[:, None] * bumps.sum(1))
        self.broad = observed / (1.0 + self.settings.far_cost * (1.0 - self._near))
        self._residual = self._residual * (ratio @ self._residual_spectra.T) / (1.0 + RESIDUAL_COST)

    def _of_pitches(self, above: Tensor) -> tuple[Tensor, Tensor]:
        loudness = self.loudness[:, None]
        observed = self.sound() * (above * loudness).sum(-1)
        exposed = (self.lines.exists * loudness).sum(-1) * self._filter.gain
        sums = []
        for values in (observed, exposed):
            total = torch.zeros_like(self.sounds.partials)
            total[:, : values.shape[1]].index_add_(0, self.pitch, values)
            sums.append(total)
        return sums[0], sums[1]


class Filter:
    """What a note sounds like in one window beside what its pitch sounds like on the whole: vowels, bowing, dynamics.

    Smooth over frequency, so that a partial that falls together with another one's follows its neighbours.

    Parameters
    ----------
    midi : Tensor [shape=(cells,)], float32
    partials : int
    trust : float
        How many times what is heard in a window counts that nothing is different.

    Attributes
    ----------
    gain : Tensor [shape=(cells, partials)], float32
    """

    def __init__(self, midi: Tensor, partials: int, trust: float) -> None:
        number = torch.arange(1, partials + 1, device=midi.device)
        mel = torch.log1p(440.0 * torch.exp2((midi - 69.0) / 12.0)[:, None] * number / 500.0)
        at = (mel * ((FILTER_BANDS - 1) / np.log1p(FILTER_TOP_HZ / 500.0))).clamp(0.0, FILTER_BANDS - 1.001)
        self._low = at.floor().long()
        self._part = at - self._low
        self._trust = trust
        self._bands = midi.new_ones(len(midi), FILTER_BANDS)
        self.gain = midi.new_ones(len(midi), partials)

    def improve(self, observed: Tensor, exposed: Tensor) -> None:
        """Take one step towards what was heard; `exposed` is the model of it, both of shape (cells, partials)."""
        level = observed.sum(1, keepdim=True) / (exposed.sum(1, keepdim=True) + TINY)
        above, below = self._in_bands(observed), self._in_bands(exposed * level) / self._bands
        trust = self._trust * below.sum(1, keepdim=True) / FILTER_BANDS
        self._bands = ((above + trust + TINY) / (below + trust + TINY)).clamp(MOST_FILTER**-1, MOST_FILTER)
        low, high = self._bands.gather(1, self._low), self._bands.gather(1, self._low + 1)
        self.gain = low + self._part * (high - low)

    def _in_bands(self, values: Tensor) -> Tensor:
        result = values.new_zeros(len(values), FILTER_BANDS)
        result.scatter_add_(1, self._low, values * (1.0 - self._part))
        result.scatter_add_(1, self._low + 1, values * self._part)
        return result


def broad_nearness(view: NoteFrameGrid, first: int, last: int) -> NDArray[np.float32]:
    """Return how near attacks and notes of all stems are, shape (windows, 2 * stems).

    Parameters
    ----------
    view : NoteFrameGrid
        The notes on the grid.
    first, last : int
        Windows [first, last) of the grid.
    """
    stems, settings = view.notes.stem_count, view.settings
    tolerances = Tolerances(settings.early_s, settings.ring_s)
    stem_of_note = view.notes.stem_index.astype(np.int64)
    result = np.zeros((last - first, 2 * stems), np.float32)
    attacks, near = paint(attack_intervals(view.notes, view.grid, tolerances), first, last)
    result[:, attacks] = near
    breaths, near = paint(note_intervals(view.notes, stem_of_note, view.grid, tolerances), first, last)
    result[:, stems + breaths] = near
    return result


def floor_of(magnitude: Tensor, grid: FrameGrid, share: float) -> Tensor:
    """Return the magnitude that nobody has to explain: a share of the local energy.

    Parameters
    ----------
    magnitude : Tensor [shape=(windows, bins)], float32
    grid : FrameGrid
    share : float
        Of the local energy.
    """
    size = 2 * int(FLOOR_HZ / 2 / grid.bin_hz) + 1
    power = torch.nn.functional.avg_pool1d(magnitude[:, None] ** 2, size, 1, size // 2, count_include_pad=False)[:, 0]
    return (share * power).sqrt() + TINY

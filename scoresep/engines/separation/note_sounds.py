"""The sound of every single note of a stem: what is left is divided among the notes that the score has there.

The method is that of the engine `nmf`, with notes in the place of parts. The notes of a stem are spread over lanes, so
that those of one lane lie far apart; all pitches learn together what the stem sounds like, and then every lane has
rows of its own. A stem has no other owner, so that all of it is divided among the notes that are near. What a note
sounds like depends on the stem and all its notes, and not on which of them are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scoresep.engines.separation.activity import Tolerances
from scoresep.engines.separation.nmf import NmfSettings
from scoresep.engines.separation.nmf.dictionary import Components, Dictionary, unit_sum
from scoresep.engines.separation.nmf.fitting import ComponentSpectra, fit, make_block, stem_powers, update_activations
from scoresep.engines.separation.stft import FrameGrid, OverlapAdd, make_grid, read_spectra
from scoresep.model.alignment import SoundingNotes
from scoresep.model.audio import SampleSource
from scoresep.model.note_edits import note_reach
from scoresep.progress import Progress

# A single part asks for less resolution in frequency than a mixture, and repeated notes for more in time.
WINDOW_S = 0.093
TOLERANCES = Tolerances(early_s=0.06, ring_s=0.5)
LEARN_S = 60.0
BLOCK_WINDOWS = 64
# Notes that lie near each other are made together, but not more of them than this takes, for the sake of memory.
LONGEST_STRETCH_S = 30.0
FADE_S = 0.005
TINY = 1e-18


@dataclass(frozen=True)
class NoteSound:
    """The sound of one note.

    Attributes
    ----------
    index : int
        Which of the notes it is.
    start_frame : int
        Of the recording.
    samples : ndarray [shape=(channels, frames)], float32
    """

    index: int
    start_frame: int
    samples: NDArray[np.float32]


@dataclass(frozen=True)
class StemTones:
    """What the notes of one stem sound like.

    Attributes
    ----------
    midi : ndarray [shape=(pitches,)], float64
    partials : ndarray [shape=(pitches, partials)], float32
    bands : ndarray [shape=(2, bands)], float32
        Of attacks, and of what has no pitch.
    """

    midi: NDArray[np.float64]
    partials: NDArray[np.float32]
    bands: NDArray[np.float32]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all of it, to be kept."""
        return dict(vars(self))

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> StemTones:
        """Take what was kept.

        Raises
        ------
        KeyError
        """
        return cls(*(np.asarray(arrays[name]) for name in cls.__dataclass_fields__))


def learn_tones(stem: SampleSource, notes: SoundingNotes, progress: Progress) -> StemTones:
    """Learn what the notes of a stem sound like, from the stem alone.

    Parameters
    ----------
    stem : SampleSource
    notes : SoundingNotes
        All notes of the stem; `stem_index` counts for nothing.
    progress : Progress

    Raises
    ------
    Cancelled
    """
    settings, grid = _settings(), _grid(stem)
    with torch.inference_mode():
        rows = Components(_in_lanes(notes, np.zeros(len(notes), np.int64), 1), grid, settings)
        dictionary = Dictionary(rows, grid, stem.channels, settings, torch.device("cpu"))
        fit(stem, dictionary, BLOCK_WINDOWS, progress)
        return StemTones(rows.pitches.midi, dictionary.partials.numpy(), dictionary.bands.numpy())


def note_sounds(
    stem: SampleSource, notes: SoundingNotes, wanted: Sequence[int], tones: StemTones, progress: Progress
) -> Iterator[NoteSound]:
    """Make the sounds of some notes of a stem; what they leave of the stem is its other notes.

    Parameters
    ----------
    stem : SampleSource
    notes : SoundingNotes
        All notes of the stem; `stem_index` counts for nothing.
    wanted : sequence of int
        Which of them, in any order.
    tones : StemTones
    progress : Progress

    Yields
    ------
    sound : NoteSound
        In the stretch that `note_reach` gives.

    Raises
    ------
    Cancelled
    """
    lane_of, lanes = note_lanes(notes, stem.sample_rate)
    settings, grid = _settings(), _grid(stem)
    with torch.inference_mode():
        rows = Components(_in_lanes(notes, lane_of, lanes), grid, settings)
        dictionary = _with_tones(Dictionary(rows, grid, 1, settings, torch.device("cpu")), tones)
        table = ComponentSpectra(dictionary)
    ordered = sorted(wanted, key=lambda i: int(notes.onset_frame[i]))
    stretches = _stretches(notes, ordered, stem)
    for (start, stop, indices), part in zip(stretches, progress.parts(len(stretches)), strict=True):
        sounds = _divided(stem, dictionary, table, (start, stop), part)
        for index in indices:
            low, high = note_reach(notes, index, stem.sample_rate, stem.frames)
            samples = sounds[lane_of[index], :, low - start : high - start].copy()
            yield NoteSound(index, low, _faded(samples, round(FADE_S * stem.sample_rate)))


def note_lanes(notes: SoundingNotes, sample_rate: int) -> tuple[NDArray[np.int64], int]:
    """Spread notes over as few lanes as let those of one lane be told apart by time alone.

    Returns
    -------
    lane_of : ndarray [shape=(notes,)], int64
    lanes : int
    """
    lane_of, ends = np.zeros(len(notes), np.int64), list[int]()
    order = np.lexsort((np.nan_to_num(notes.pitch_midi), notes.onset_frame))
    unbounded = np.iinfo(np.int64).max // 2
    for index in order.tolist():
        start, stop = note_reach(notes, index, sample_rate, unbounded)
        lane = next((lane for lane, end in enumerate(ends) if end <= start), len(ends))
        if lane == len(ends):
            ends.append(0)
        ends[lane], lane_of[index] = stop, lane
    return lane_of, max(len(ends), 1)


@cache
def _settings() -> NmfSettings:
    return replace(NmfSettings.for_budget("preview"), window_s=WINDOW_S, tolerances=TOLERANCES, learn_s=LEARN_S)


def _grid(stem: SampleSource) -> FrameGrid:
    return make_grid(stem.frames, stem.sample_rate, WINDOW_S)


def _in_lanes(notes: SoundingNotes, lane_of: NDArray[np.int64], lanes: int) -> SoundingNotes:
    return replace(notes, stem_index=lane_of.astype(np.int32), stem_count=lanes, programs=(None,) * lanes)


def _with_tones(dictionary: Dictionary, tones: StemTones) -> Dictionary:
    """Let every lane sound as the stem does; a pitch that is new sounds as its nearest."""
    midi, lanes = dictionary.rows.pitches.midi, dictionary.rows.stem_count
    if len(midi) and len(tones.midi):
        nearest = np.abs(midi[:, None] - tones.midi).argmin(1)
        count = min(dictionary.partials.shape[1], tones.partials.shape[1])
        values = torch.zeros_like(dictionary.partials)
        values[:, :count] = torch.from_numpy(tones.partials[nearest, :count])
        dictionary.partials = unit_sum(values * (dictionary.partials > 0))
    bands = torch.from_numpy(tones.bands)
    dictionary.bands = bands.repeat_interleave(lanes, 0)
    return dictionary


def _stretches(notes: SoundingNotes, ordered: list[int], stem: SampleSource) -> list[tuple[int, int, list[int]]]:
    """Return what is made in one go: from where to where, and of which notes."""
    found: list[tuple[int, int, list[int]]] = []
    longest = LONGEST_STRETCH_S * stem.sample_rate
    for index in ordered:
        start, stop = note_reach(notes, index, stem.sample_rate, stem.frames)
        if found and start <= found[-1][1] and max(stop, found[-1][1]) - found[-1][0] <= longest:
            found[-1] = found[-1][0], max(stop, found[-1][1]), [*found[-1][2], index]
        else:
            found.append((start, stop, [index]))
    return found


def _divided(
    stem: SampleSource, dictionary: Dictionary, table: ComponentSpectra, stretch: tuple[int, int], progress: Progress
) -> NDArray[np.float32]:
    """Divide a stretch of the stem among the lanes, shape (lanes, channels, frames)."""
    with torch.inference_mode():
        grid, device = dictionary.grid, dictionary.device
        adder = OverlapAdd(grid, dictionary.rows.stem_count, stem.channels, device, *stretch)
        pieces = []
        for first in range(adder.first, adder.last, BLOCK_WINDOWS):
            progress.update((first - adder.first) / (adder.last - adder.first), "Separating the notes")
            last = min(first + BLOCK_WINDOWS, adder.last)
            spectra = read_spectra(stem, grid, first, last, device)
            pieces.append(adder.add(_shares(dictionary, table, spectra, first, progress)[:, None] * spectra))
    return np.concatenate(pieces, axis=2)


def _shares(dictionary: Dictionary, table: ComponentSpectra, spectra: Tensor, first: int, progress: Progress) -> Tensor:
    """Return how much of every bin each lane has, the same in all channels; shape (lanes, windows, bins)."""
    loud = spectra.abs().square().mean(0, keepdim=True).sqrt()
    block = make_block(dictionary, loud, first)
    update_activations(block, table.of(block.rows), dictionary.settings.solve_iterations, progress.check)
    powers = stem_powers(dictionary, block, dictionary.settings.mask_exponent, progress.check)[:-1]
    return powers / (powers.sum(0) + TINY)


def _faded(samples: NDArray[np.float32], fade_frames: int) -> NDArray[np.float32]:
    """Fade both ends, in place, so that taking a note away can never click."""
    count = min(fade_frames, samples.shape[1] // 2)
    ramp = np.linspace(0.0, 1.0, count, endpoint=False, dtype=np.float32)
    samples[:, :count] *= ramp
    samples[:, samples.shape[1] - count :] *= ramp[::-1]
    return samples

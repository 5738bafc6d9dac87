"""The engine `source-filter`: follows the pitch of every note, learns the sounds of the parts, divides by masks.

From partials to stems: how much of every bin of the recording belongs to which stem.

Beside its partials every stem has a faint skirt: what is left between the partials, and above them, goes to who is
loudest there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scoresep.engines.separation.activity import Pitches
from scoresep.engines.separation.base import Arrays
from scoresep.engines.separation.source_filter import (
    SourceFilterSettings,
    for_moving,
)
from scoresep.engines.separation.source_filter.fitting import BANDS, TINY, Fit, PartTimbres
from scoresep.engines.separation.source_filter.partials import (
    NoteFrameGrid,
    NoteFrames,
    Tracks,
    blocks_of,
    keys_of,
    limits_of,
    note_frames_of,
    speed_cents_per_s,
)
from scoresep.engines.separation.source_filter.pitch import track_pitch
from scoresep.engines.separation.spatial import Covariances, CovarianceSum, filtered
from scoresep.engines.separation.spectral import (
    STEM_WINDOWS,
    ComputeContext,
    FitTask,
    FittedSpectralSeparator,
    SpectralSeparator,
    covariances_from_array,
    covariances_shape,
    covariances_to_array,
)
from scoresep.engines.separation.stft import FrameGrid, make_grid, read_spectra
from scoresep.model.alignment import SoundingNotes
from scoresep.model.audio import SampleSource
from scoresep.progress import Progress

SKIRTS = ((200.0, 0.02), (2000.0, 0.002))  # widths in Hz, and shares of the mean over them
EVERYWHERE = 1e-4  # share of a stem's mean magnitude that is taken to be at all frequencies
RESIDUAL = 0.03  # share of the floor that belongs to nobody


def stem_powers(fit: Fit, stem_count: int, check: Callable[[], None]) -> Tensor:
    """Return the model's magnitudes of every stem and the residual, raised to the mask's exponent.

    Parameters
    ----------
    fit : Fit
        The model of the mixture.
    stem_count : int
        How many there are, the residual not counted.
    check : callable
        Called now and then; raises when the work is to stop.

    Returns
    -------
    powers : Tensor [shape=(stems + 1, windows, bins)], float32
    """
    shapes, settings = fit.shapes(), fit.settings
    broad = fit.sounds.bands @ fit.sounds.bumps
    powers = fit.magnitude.new_zeros(stem_count + 1, *fit.magnitude.shape)
    for stem in range(stem_count):
        check()
        cells = (fit.stem == stem).nonzero()[:, 0]
        if len(cells):
            partials = fit.lines.spectrum(shapes, cells)
            powers[stem] = partials + _skirt(partials, fit.grid)
        rows = [stem, stem_count + stem]
        powers[stem] += fit.broad[:, rows] @ broad[rows]
    powers[-1] = fit.residual() + RESIDUAL * fit.floor
    return powers.pow_(settings.mask_exponent / settings.magnitude_exponent)


def _skirt(partials: Tensor, grid: FrameGrid) -> Tensor:
    skirt = EVERYWHERE * partials.mean(1, keepdim=True) + torch.zeros_like(partials)
    for width_hz, share in SKIRTS:
        size = 2 * int(width_hz / 2 / grid.bin_hz) + 1
        around = torch.nn.functional.avg_pool1d(partials[:, None], size, 1, size // 2)[:, 0]
        skirt += share * around
    return skirt


def divided(powers: Tensor, spectra: Tensor, where: Covariances | None, check: Callable[[], None]) -> Tensor:
    """Divide the spectra of the recording among the stems.

    Parameters
    ----------
    powers : Tensor [shape=(stems + 1, windows, bins)], float32
    spectra : Tensor [shape=(channels, windows, bins)], complex64
    where : Covariances or None
        Where the stems stand in a stereo recording.
    check : callable
        Called now and then; raises when the work is to stop.

    Returns
    -------
    stems : Tensor [shape=(stems, channels, windows, bins)], complex64
    """
    if where is not None:
        return filtered(powers, spectra, where, check)
    total = powers.sum(0) + TINY**2
    result = spectra.new_empty(powers.shape[0] - 1, *spectra.shape)
    for stem in range(len(result)):
        check()
        result[stem] = powers[stem] / total * spectra
    return result


@dataclass(frozen=True)
class SourceFilterParameters:
    """What was found.

    Attributes
    ----------
    tracks : Tracks
    stem, midi : ndarray [shape=(pitches,)]
        The pitches of all parts.
    partials : ndarray [shape=(pitches, partials)], float32
        What they sound like.
    bands : ndarray [shape=(2 * stems, bands)], float32
        What of the parts has no pitch.
    moves : bool
        Whether pitches move so much that `for_moving` holds.
    covariances : Covariances or None
        Where the stems stand in stereo.
    """

    tracks: Tracks
    stem: NDArray[np.int64]
    midi: NDArray[np.float64]
    partials: NDArray[np.float32]
    bands: NDArray[np.float32]
    moves: bool
    covariances: Covariances | None

    @classmethod
    def of(cls, tracks: Tracks, sounds: PartTimbres, moves: bool, where: Covariances | None) -> SourceFilterParameters:
        """Gather what was found.

        Parameters
        ----------
        tracks : Tracks
            The pitch of every note.
        sounds : PartTimbres
            What the parts sound like.
        moves : bool
            Whether pitches wander within notes.
        where : Covariances or None
            Where the stems stand in a stereo recording.
        """
        partials, bands = sounds.partials.cpu().numpy(), sounds.bands.cpu().numpy()
        return cls(tracks, sounds.pitches.stem, sounds.pitches.midi, partials, bands, moves, where)

    def to_arrays(self, source: SampleSource, settings: SourceFilterSettings) -> dict[str, NDArray[Any]]:
        """Return everything as arrays, and for what they hold."""
        return {
            "holds_for": np.array(_holds_for(source, settings)),
            "moves": np.array(self.moves),
            "covariances": covariances_to_array(self.covariances),
            **{name: getattr(self, name) for name in _ARRAYS},
            **vars(self.tracks),
        }


_ARRAYS = ("stem", "midi", "partials", "bands")


def source_filter_parameters(
    checkpoint: Arrays | None, source: SampleSource, stem_count: int, settings: SourceFilterSettings
) -> SourceFilterParameters | None:
    """Return what was kept, or None where it is of something else or damaged.

    Parameters
    ----------
    checkpoint : dict of ndarray or None
        What was learned before; None to begin anew.
    source : SampleSource
    stem_count : int
        How many there are, the residual not counted.
    settings : SourceFilterSettings
    """
    if checkpoint is None or str(checkpoint.get("holds_for")) != _holds_for(source, settings):
        return None
    try:
        tracks = Tracks(*(np.asarray(checkpoint[name]) for name in Tracks.__dataclass_fields__))
        stem, midi, partials, bands = (np.asarray(checkpoint[name]) for name in _ARRAYS)
        planes, moves = np.asarray(checkpoint["covariances"]), bool(checkpoint["moves"])
    except (KeyError, TypeError, ValueError):
        return None
    window_s = (for_moving(settings) if moves else settings).window_s
    grid = make_grid(source.frames, source.sample_rate, window_s)
    expected = {
        covariances_shape(source.channels, stem_count, grid.bins): planes.shape,
        (len(midi), settings.partials): partials.shape,
        (2 * stem_count, BANDS): bands.shape,
        (len(tracks.note_keys) + 1, len(midi)): (len(tracks.start), len(stem)),
    }
    if any(want != have for want, have in expected.items()) or len(tracks.cents) != tracks.start[-1]:
        return None
    return SourceFilterParameters(tracks, stem, midi, partials, bands, moves, covariances_from_array(planes))


@dataclass(frozen=True)
class _Prepared:
    """The notes on the grid of the masks, their tracks, and what their parts sound like."""

    source: SampleSource
    view: NoteFrameGrid
    rows: NDArray[np.int64]
    timbres: PartTimbres


class FittedSourceFilter(FittedSpectralSeparator[_Prepared]):
    """Gives the stems of any stretch.

    Parameters
    ----------
    engine : str
    found : SourceFilterParameters
    source : SampleSource
        The recording that was learned.
    settings : SourceFilterSettings
    place : ComputeContext
    """

    def __init__(
        self,
        engine: str,
        found: SourceFilterParameters,
        source: SampleSource,
        settings: SourceFilterSettings,
        place: ComputeContext,
    ) -> None:
        self._found, self._settings = found, for_moving(settings) if found.moves else settings
        self._track_grid = make_grid(source.frames, source.sample_rate, settings.track_window_s)
        grid = make_grid(source.frames, source.sample_rate, self._settings.window_s)
        super().__init__(engine, grid, place, found.to_arrays(source, settings))

    def _prepare(self, source: SampleSource, notes: SoundingNotes) -> _Prepared:
        found, device = self._found, self._place.device
        timbres = PartTimbres(notes, self._settings.partials, self._grid, device)
        partials, bands = (torch.from_numpy(array).to(device) for array in (found.partials, found.bands))
        timbres.take(Pitches(found.stem, found.midi), partials, bands)
        view = NoteFrameGrid(notes, self._grid, self._settings)
        return _Prepared(source, view, found.tracks.nearest_rows(notes), timbres)

    def _divide(self, prepared: _Prepared, first: int, end: int, progress: Progress) -> tuple[int, Tensor]:
        view, grid, settings, device = prepared.view, self._grid, self._settings, self._place.device
        last = blocks_of(view, first, end, min(self._place.block_windows, STEM_WINDOWS))[0][1]
        spectra = read_spectra(prepared.source, grid, first, last, device)
        # a window more on either side, so that glides are the same wherever the block begins
        wide = note_frames_of(view, max(first - 1, 0), min(last + 1, grid.windows))
        cents = self._found.tracks.cents_at(view.notes, prepared.rows, wide, self._track_grid, grid)
        cells, inside = wide.within(first, last)
        fit = Fit(magnitude_of(spectra), cells, first, view, prepared.timbres)
        fit.set_pitch(cents[inside], wide.glides(cents)[inside], settings.partials, settings.shifts_cents)
        fit.improve(settings.solve_rounds, progress.check)
        powers = stem_powers(fit, view.notes.stem_count, progress.check)
        where = self._found.covariances
        return last, divided(powers, spectra, where.to(device) if where is not None else None, progress.check)


def magnitude_of(spectra: Tensor) -> Tensor:
    """Return the magnitude over all channels, shape (windows, bins)."""
    return (spectra.abs() ** 2).mean(0).sqrt()


def _holds_for(source: SampleSource, settings: SourceFilterSettings) -> str:
    return f"{source.frames} {source.channels} {source.sample_rate} {settings}"


TRACK_FLOOR = 0.1


class SourceFilterSeparator(SpectralSeparator[SourceFilterSettings, FittedSourceFilter]):
    """Notes as partials whose pitch is followed, with sounds that the notes of a part share."""

    name = "source-filter"
    settings_type = SourceFilterSettings

    def _fit(self, task: FitTask[SourceFilterSettings], progress: Progress) -> FittedSourceFilter:
        """Follow all notes and learn their sounds."""
        source, notes, settings, place = task.source, task.notes, task.settings, task.place
        found = source_filter_parameters(task.checkpoint, source, notes.stem_count, settings)
        if found is None:
            with torch.inference_mode():
                found = place.run(lambda: _find(source, notes, settings, place, progress))
            task.keep(found.to_arrays(source, settings))
        return FittedSourceFilter(self.name, found, source, settings, place)


@dataclass(frozen=True)
class _Job:
    """What all steps of learning need."""

    source: SampleSource
    notes: SoundingNotes
    settings: SourceFilterSettings
    place: ComputeContext

    def view(self, grid: FrameGrid) -> NoteFrameGrid:
        """Return what is looked at, on a grid."""
        return NoteFrameGrid(self.notes, grid, self.settings)

    def blocks(self, view: NoteFrameGrid) -> Iterator[tuple[int, int, NoteFrames, Tensor]]:
        """Give blocks of windows one after the other, with their cells and spectra."""
        for first, last in blocks_of(view, 0, view.grid.windows, self.place.block_windows):
            cells = note_frames_of(view, first, last)
            yield first, last, cells, read_spectra(self.source, view.grid, first, last, self.place.device)

    def sounds(self, partials: int, grid: FrameGrid) -> PartTimbres:
        """Return sounds of which nothing is known."""
        return PartTimbres(self.notes, partials, grid, self.place.device)


def _find(
    source: SampleSource,
    notes: SoundingNotes,
    settings: SourceFilterSettings,
    place: ComputeContext,
    progress: Progress,
) -> SourceFilterParameters:
    for_pitch = replace(settings, magnitude_exponent=1.0, floor=TRACK_FLOOR)
    tracks, grid = _follow_all(_Job(source, notes, for_pitch, place), progress.part(0.0, 0.4))
    limit = settings.moving_cents_per_s
    moves = limit is not None and speed_cents_per_s(tracks, grid.sample_rate / grid.hop_frames) >= limit
    job = _Job(source, notes, for_moving(settings) if moves else settings, place)
    return _learn_sounds(job, tracks, grid, moves, progress.part(0.4, 1.0))


def _follow_all(job: _Job, progress: Progress) -> tuple[Tracks, FrameGrid]:
    """Follow the pitch of all notes."""
    grid = make_grid(job.source.frames, job.source.sample_rate, job.settings.track_window_s)
    view = job.view(grid)
    low, high = limits_of(view)
    start = np.concatenate([[0], np.cumsum(high - low)])
    found = np.zeros(int(start[-1]), np.float32)
    sounds = job.sounds(job.settings.track_partials, grid)
    for first, _, cells, spectra in job.blocks(view):
        progress.update(first / grid.windows, "Following the pitch of every note")
        fit = Fit(magnitude_of(spectra), cells, first, view, sounds)
        found[start[cells.note] + cells.window - low[cells.note]] = track_pitch(fit, progress.check)
        if len(cells):
            fit.finish()
    return Tracks(keys_of(job.notes), low, start, found), grid


def _learn_sounds(job: _Job, tracks: Tracks, own: FrameGrid, moves: bool, progress: Progress) -> SourceFilterParameters:
    """Learn what the notes sound like and, in stereo, where the parts stand."""
    settings, stems = job.settings, job.notes.stem_count
    grid = make_grid(job.source.frames, job.source.sample_rate, settings.window_s)
    view, sounds, rows = job.view(grid), job.sounds(settings.partials, grid), np.arange(len(job.notes))
    where = CovarianceSum(stems, grid.bins, job.place.device) if job.source.channels == 2 and stems else None
    for first, last, cells, spectra in job.blocks(view):
        part = progress.part(first / grid.windows, last / grid.windows)
        part.update(0.0, "Learning the sounds of the parts")
        fit = Fit(magnitude_of(spectra), cells, first, view, sounds)
        cents = tracks.cents_at(job.notes, rows, cells, own, grid)
        fit.set_pitch(cents, cells.glides(cents), settings.partials, settings.shifts_cents)
        fit.improve(settings.learn_rounds, part.check, (settings.sharing_first, settings.sharing))
        fit.finish()
        if where is not None:
            powers = stem_powers(fit, stems, part.check)
            where.add(divided(powers, spectra, None, part.check))
    return SourceFilterParameters.of(tracks, sounds, moves, where.covariances() if where is not None else None)

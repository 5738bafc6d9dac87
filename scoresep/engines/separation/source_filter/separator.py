"""The engine `source-filter`: follows the pitch of every note, learns the sounds of the parts, divides by masks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from scoresep.engines.separation.compute import ComputeContext
from scoresep.engines.separation.source_filter.fitting import Fit
from scoresep.engines.separation.source_filter.model import (
    FittedSourceFilter,
    SourceFilterParameters,
    divided,
    magnitude_of,
    source_filter_parameters,
    stem_powers,
)
from scoresep.engines.separation.source_filter.note_frames import (
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
from scoresep.engines.separation.source_filter.settings import (
    SourceFilterSettings,
    for_moving,
)
from scoresep.engines.separation.source_filter.timbres import PartTimbres
from scoresep.engines.separation.spatial import CovarianceSum
from scoresep.engines.separation.spectral import FitTask, SpectralSeparator
from scoresep.engines.separation.stft import FrameGrid, make_grid, read_spectra
from scoresep.model.alignment import SoundingNotes
from scoresep.model.audio import SampleSource
from scoresep.progress import Progress

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

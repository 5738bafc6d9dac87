"""The engine `source-filter`: follows the pitch of every note, learns the sounds of the parts, divides by masks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from scoresep.engines.separation.devices import choose_device
from scoresep.engines.separation.grid import FrameGrid, make_grid, read_spectra
from scoresep.engines.separation.protocol import Arrays, SeparationOptions
from scoresep.engines.separation.source_filter.cells import Cells, View, blocks_of, cells_of, limits_of
from scoresep.engines.separation.source_filter.fitting import Fit
from scoresep.engines.separation.source_filter.learned import (
    Findings,
    SourceFilterLearned,
    findings_of,
    magnitude_of,
)
from scoresep.engines.separation.source_filter.masks import divided, stem_powers
from scoresep.engines.separation.source_filter.pitch import follow
from scoresep.engines.separation.source_filter.settings import (
    SourceFilterSettings,
    for_moving,
    settings_for,
)
from scoresep.engines.separation.source_filter.sounds import Sounds
from scoresep.engines.separation.source_filter.tracks import Tracks, keys_of, speed_cents_per_s
from scoresep.engines.separation.spatial import CovarianceSum
from scoresep.engines.separation.workplace import Workplace
from scoresep.model.alignment import SoundingNotes
from scoresep.model.audio import SampleSource
from scoresep.progress import Progress

BLOCK_WINDOWS = 2048
TRACK_FLOOR = 0.1


class SourceFilterSeparator:
    """Notes as partials whose pitch is followed, with sounds that the notes of a part share.

    Parameters
    ----------
    settings : SourceFilterSettings, optional
        Instead of those that the budget means.
    """

    name = "source-filter"

    def __init__(self, settings: SourceFilterSettings | None = None) -> None:
        self._settings = settings

    def learn(
        self,
        source: SampleSource,
        notes: SoundingNotes,
        options: SeparationOptions,
        progress: Progress,
        known: Arrays | None = None,
        keep: Callable[[Arrays], None] | None = None,
    ) -> SourceFilterLearned:
        """Follow all notes and learn their sounds; see `protocol.Separator`."""
        settings = self._settings or settings_for(options.budget)
        place = Workplace(choose_device(options.device), BLOCK_WINDOWS)
        findings = findings_of(known, source, notes.stem_count, settings)
        if findings is None:
            with torch.inference_mode():
                findings = place.within_memory(lambda: _find(source, notes, settings, place, progress))
            if keep is not None:
                keep(findings.arrays(source, settings))
        return SourceFilterLearned(self.name, findings, source, settings, place)


@dataclass(frozen=True)
class _Job:
    """What all steps of learning need."""

    source: SampleSource
    notes: SoundingNotes
    settings: SourceFilterSettings
    place: Workplace

    def view(self, grid: FrameGrid) -> View:
        """Return what is looked at, on a grid."""
        return View(self.notes, grid, self.settings)

    def blocks(self, view: View) -> Iterator[tuple[int, int, Cells, Tensor]]:
        """Give blocks of windows one after the other, with their cells and spectra."""
        for first, last in blocks_of(view, 0, view.grid.windows, self.place.block_windows):
            cells = cells_of(view, first, last)
            yield first, last, cells, read_spectra(self.source, view.grid, first, last, self.place.device)

    def sounds(self, partials: int, grid: FrameGrid) -> Sounds:
        """Return sounds of which nothing is known."""
        return Sounds(self.notes, partials, grid, self.place.device)


def _find(
    source: SampleSource, notes: SoundingNotes, settings: SourceFilterSettings, place: Workplace, progress: Progress
) -> Findings:
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
        found[start[cells.note] + cells.window - low[cells.note]] = follow(fit, progress.check)
        if len(cells):
            fit.finish()
    return Tracks(keys_of(job.notes), low, start, found), grid


def _learn_sounds(job: _Job, tracks: Tracks, own: FrameGrid, moves: bool, progress: Progress) -> Findings:
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
    return Findings.of(tracks, sounds, moves, where.covariances() if where is not None else None)

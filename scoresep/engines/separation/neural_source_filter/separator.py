"""The engine `source-network`: finds pitches, trains the network on the recording, finds where the parts stand."""

from __future__ import annotations

import torch

from scoresep.engines.separation.neural_source_filter.checkpoint import (
    NeuralSourceFilterParameters,
    covariances_of,
    form_of,
    from_arrays,
    to_arrays,
    tracks_of,
)
from scoresep.engines.separation.neural_source_filter.conditioning import ScoreConditioning, track_pitches
from scoresep.engines.separation.neural_source_filter.encoder_features import BandFeatures
from scoresep.engines.separation.neural_source_filter.model import Divider, FittedNeuralSourceFilter
from scoresep.engines.separation.neural_source_filter.settings import NeuralSourceFilterSettings
from scoresep.engines.separation.neural_source_filter.training import State, Trainer, mean_level, pool_of
from scoresep.engines.separation.source_filter.note_frames import Tracks, speed_cents_per_s
from scoresep.engines.separation.spatial import Covariances, CovarianceSum
from scoresep.engines.separation.spectral import FitTask, SpectralSeparator
from scoresep.engines.separation.stft import make_grid
from scoresep.progress import Progress

FOLLOWED, TRAINED = 0.3, 0.9  # shares of the time of learning, up to here


class NeuralSourceFilterSeparator(SpectralSeparator[NeuralSourceFilterSettings, FittedNeuralSourceFilter]):
    """A network that says how every voice of this recording is produced."""

    name = "source-network"
    settings_type = NeuralSourceFilterSettings

    def _fit(self, task: FitTask[NeuralSourceFilterSettings], progress: Progress) -> FittedNeuralSourceFilter:
        """Follow all notes and train, or go on with it."""

        def learned() -> FittedNeuralSourceFilter:
            source, form = task.source, form_of(task.source, task.notes.stem_count, task.settings)
            found = _Learning(task, form).parameters(progress)
            grid = make_grid(source.frames, source.sample_rate, found.shape.window_s)
            arrays = to_arrays(found, form, task.settings)
            return FittedNeuralSourceFilter(self.name, found, grid, task.place, arrays, task.settings)

        return task.place.run(learned)


class _Learning:
    """One learning, from the start or from what is known."""

    def __init__(self, task: FitTask[NeuralSourceFilterSettings], form: str) -> None:
        self._source, self._notes, self._settings, self._place = task.source, task.notes, task.settings, task.place
        self._seed, self._keep, self._checkpoint, self._form = task.options.seed, task.keep, task.checkpoint, form

    def parameters(self, progress: Progress) -> NeuralSourceFilterParameters:
        """Return all that can be found."""
        checkpoint = self._checkpoint
        kept = tracks_of(checkpoint, self._form)
        tracks, moves = kept or self._follow(progress.part(0.0, FOLLOWED))
        shape = self._settings.shape_for(moves)
        stems, device = self._notes.stem_count, self._place.device
        listener = ScoreConditioning.of(self._source, self._notes, tracks, shape, self._settings, device)

        def fresh() -> State:
            return State.fresh(stems, shape.partials, shape.magnitude_exponent, self._settings, self._seed, device)

        state, level, where = fresh(), None, None
        if checkpoint is not None and kept is not None:
            level = from_arrays(state, checkpoint, device)
            where = covariances_of(checkpoint, stems, listener.grid.bins) if level is not None else None
        steps = self._steps()
        wants_where = self._source.channels == 2 and stems > 0
        if level is not None and state.steps >= steps and (where is not None or not wants_where):
            return NeuralSourceFilterParameters(tracks, shape, level, state, where)
        pool = pool_of(listener, self._place.block_windows)
        level = mean_level(listener, pool, progress.check) if level is None else level
        found = NeuralSourceFilterParameters(tracks, shape, level, state)
        ear = BandFeatures.of(listener.grid, self._settings.bands, level, device)
        Trainer(listener, ear, pool).train(
            state,
            steps,
            self._seed,
            progress.part(FOLLOWED, TRAINED),
            lambda: self._keep(to_arrays(found, self._form, self._settings)),
        )
        if wants_where:
            found.covariances = _locate(found, listener, ear, pool, progress.part(TRAINED, 1.0))
        self._keep(to_arrays(found, self._form, self._settings))
        return found

    def _steps(self) -> int:
        if not len(self._notes):
            return 0
        return self._settings.steps_for(self._source.frames / self._source.sample_rate)

    def _follow(self, progress: Progress) -> tuple[Tracks, bool]:
        shape, source = self._settings.shape, self._source
        with torch.inference_mode():
            tracks = track_pitches(source, self._notes, shape, self._place, progress)
        grid = make_grid(source.frames, source.sample_rate, shape.track_window_s)
        limit = shape.moving_cents_per_s
        return tracks, limit is not None and speed_cents_per_s(tracks, grid.sample_rate / grid.hop_frames) >= limit


def _locate(
    found: NeuralSourceFilterParameters,
    listener: ScoreConditioning,
    ear: BandFeatures,
    pool: list[tuple[int, int]],
    progress: Progress,
) -> Covariances:
    """Find out where the stems of a stereo recording stand."""
    total = CovarianceSum(listener.notes.stem_count, listener.grid.bins, listener.device)
    with torch.inference_mode():
        divider = Divider(found.state.network, listener, ear, None)
        for k, (first, last) in enumerate(pool):
            progress.update(k / len(pool), "Finding where the parts stand")
            total.add(divider.spectra(first, last, progress.check))
    return total.covariances()

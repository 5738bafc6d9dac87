"""The engine `source-network`: finds pitches, trains the network on the recording, finds where the parts stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from numpy.typing import NDArray

from scoresep.engines.separation.devices import choose_device
from scoresep.engines.separation.grid import make_grid
from scoresep.engines.separation.protocol import Arrays, SeparationOptions
from scoresep.engines.separation.source_filter.tracks import Tracks, speed_cents_per_s
from scoresep.engines.separation.source_network.hearing import Ear
from scoresep.engines.separation.source_network.keeping import (
    Findings,
    arrays_of,
    covariances_of,
    form_of,
    take_state,
    tracks_of,
)
from scoresep.engines.separation.source_network.learned import Divider, SourceNetworkLearned
from scoresep.engines.separation.source_network.listening import Listener, follow_all
from scoresep.engines.separation.source_network.settings import SourceNetworkSettings, settings_for
from scoresep.engines.separation.source_network.training import State, Trainer, mean_level, pool_of
from scoresep.engines.separation.spatial import Covariances, CovarianceSum
from scoresep.engines.separation.workplace import Workplace
from scoresep.model.alignment import SoundingNotes
from scoresep.model.audio import SampleSource
from scoresep.progress import Progress

BLOCK_WINDOWS = 2048
FOLLOWED, TRAINED = 0.3, 0.9  # shares of the time of learning, up to here


class SourceNetworkSeparator:
    """A network that says how every voice of this recording is produced.

    Parameters
    ----------
    settings : SourceNetworkSettings, optional
        Instead of those that the budget means.
    """

    name = "source-network"

    def __init__(self, settings: SourceNetworkSettings | None = None) -> None:
        self._settings = settings

    def learn(
        self,
        source: SampleSource,
        notes: SoundingNotes,
        options: SeparationOptions,
        progress: Progress,
        known: Arrays | None = None,
        keep: Callable[[Arrays], None] | None = None,
    ) -> SourceNetworkLearned:
        """Follow all notes and train, or go on with it; see `protocol.Separator`."""
        settings = self._settings or settings_for(options.budget)
        place = Workplace(choose_device(options.device), BLOCK_WINDOWS)

        def learned() -> SourceNetworkLearned:
            learning = _Learning(source, notes, settings, options.seed, place, keep or _keep_nothing)
            findings = learning.findings(known, progress)
            return SourceNetworkLearned(self.name, findings, learning.form, settings, place)

        return place.within_memory(learned)


def _keep_nothing(arrays: Mapping[str, NDArray[Any]]) -> None:
    pass


class _Learning:
    """One learning, from the start or from what is known."""

    def __init__(
        self,
        source: SampleSource,
        notes: SoundingNotes,
        settings: SourceNetworkSettings,
        seed: int,
        place: Workplace,
        keep: Callable[[Arrays], None],
    ) -> None:
        self._source, self._notes, self._settings = source, notes, settings
        self._seed, self._place, self._keep = seed, place, keep
        self.form = form_of(source, notes.stem_count, settings)

    def findings(self, known: Arrays | None, progress: Progress) -> Findings:
        """Return all that can be found."""
        kept = tracks_of(known, self.form)
        tracks, moves = kept or self._follow(progress.part(0.0, FOLLOWED))
        shape = self._settings.shape_for(moves)
        stems, device = self._notes.stem_count, self._place.device
        listener = Listener.of(self._source, self._notes, tracks, shape, self._settings, device)

        def fresh() -> State:
            return State.fresh(stems, shape.partials, shape.magnitude_exponent, self._settings, self._seed, device)

        state, level, where = fresh(), None, None
        if known is not None and kept is not None:
            level = take_state(state, known, device)
            where = covariances_of(known, stems, listener.grid.bins) if level is not None else None
        steps = self._steps()
        wants_where = self._source.channels == 2 and stems > 0
        if level is not None and state.steps >= steps and (where is not None or not wants_where):
            return Findings(tracks, shape, level, state, where)
        pool = pool_of(listener, self._place.block_windows)
        level = mean_level(listener, pool, progress.check) if level is None else level
        findings = Findings(tracks, shape, level, state)
        ear = Ear.of(listener.grid, self._settings.bands, level, device)
        Trainer(listener, ear, pool).train(
            state,
            steps,
            self._seed,
            progress.part(FOLLOWED, TRAINED),
            lambda: self._keep(arrays_of(findings, self.form, self._settings)),
        )
        if wants_where:
            findings.covariances = _locate(findings, listener, ear, pool, progress.part(TRAINED, 1.0))
        self._keep(arrays_of(findings, self.form, self._settings))
        return findings

    def _steps(self) -> int:
        if not len(self._notes):
            return 0
        return self._settings.steps_for(self._source.frames / self._source.sample_rate)

    def _follow(self, progress: Progress) -> tuple[Tracks, bool]:
        shape, source = self._settings.shape, self._source
        with torch.inference_mode():
            tracks = follow_all(source, self._notes, shape, self._place, progress)
        grid = make_grid(source.frames, source.sample_rate, shape.track_window_s)
        limit = shape.moving_cents_per_s
        return tracks, limit is not None and speed_cents_per_s(tracks, grid.sample_rate / grid.hop_frames) >= limit


def _locate(
    findings: Findings, listener: Listener, ear: Ear, pool: list[tuple[int, int]], progress: Progress
) -> Covariances:
    """Find out where the stems of a stereo recording stand."""
    total = CovarianceSum(listener.notes.stem_count, listener.grid.bins, listener.device)
    with torch.inference_mode():
        divider = Divider(findings.state.network, listener, ear, None)
        for k, (first, last) in enumerate(pool):
            progress.update(k / len(pool), "Finding where the parts stand")
            total.add(divider.spectra(first, last, progress.check))
    return total.covariances()

"""The engine `source-network`: finds pitches, trains the network on the recording, finds where the parts stand.

Also here: what was learned as arrays, to be kept with the project, and taken up again.

What the `source-network` engine has learned of a recording, and the stems that follow from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scoresep.engines.separation.base import Arrays
from scoresep.engines.separation.neural_source_filter import NeuralSourceFilterSettings
from scoresep.engines.separation.neural_source_filter.conditioning import (
    BandFeatures,
    Encoder,
    ScoreConditioning,
    track_pitches,
)
from scoresep.engines.separation.neural_source_filter.network import SourceNetwork
from scoresep.engines.separation.neural_source_filter.training import State, Trainer, mean_level, pool_of
from scoresep.engines.separation.source_filter import SourceFilterSettings
from scoresep.engines.separation.source_filter.partials import Tracks, speed_cents_per_s
from scoresep.engines.separation.source_filter.separator import divided, stem_powers
from scoresep.engines.separation.spatial import Covariances, CovarianceSum
from scoresep.engines.separation.spectral import (
    STEM_WINDOWS,
    ComputeContext,
    FitTask,
    FittedSpectralSeparator,
    SpectralSeparator,
    covariances_from_array,
    covariances_to_array,
    moments_from_arrays,
    moments_to_arrays,
)
from scoresep.engines.separation.stft import FrameGrid, make_grid
from scoresep.model.alignment import SoundingNotes
from scoresep.model.audio import SampleSource
from scoresep.progress import Progress

VERSION = 1


@dataclass
class NeuralSourceFilterParameters:
    """What is known of a recording.

    Attributes
    ----------
    tracks : Tracks
    shape : SourceFilterSettings
        As its pitches want them.
    level : float
        Mean of what is fitted.
    state : State
    covariances : Covariances or None
        Where the stems stand in stereo.
    """

    tracks: Tracks
    shape: SourceFilterSettings
    level: float
    state: State
    covariances: Covariances | None = None


def form_of(source: SampleSource, stems: int, settings: NeuralSourceFilterSettings) -> str:
    """Return what must agree for arrays to fit; how long the training is need not.

    Parameters
    ----------
    source : SampleSource
    stems : int
        How many there are, the residual not counted.
    settings : NeuralSourceFilterSettings
    """
    network = settings.bands, settings.width, settings.code, settings.part_code, settings.heard_partials, settings.order
    return f"{VERSION} {source.frames} {source.channels} {source.sample_rate} {stems} {network} {settings.shape}"


def to_arrays(
    found: NeuralSourceFilterParameters, form: str, settings: NeuralSourceFilterSettings
) -> dict[str, NDArray[Any]]:
    """Return everything as arrays.

    Parameters
    ----------
    found : NeuralSourceFilterParameters
    form : str
        As `form_of` gives it.
    settings : NeuralSourceFilterSettings
    """
    state, where = found.state, found.covariances
    arrays: dict[str, NDArray[Any]] = {
        "form": np.array(form),
        "moves": np.array(found.shape != settings.shape),
        "level": np.array(found.level),
        "steps": np.array(state.steps, np.int64),
        "covariances": covariances_to_array(where),
        **vars(found.tracks),
    }
    for name, parameter in state.network.named_parameters():
        arrays[f"network.{name}"] = parameter.detach().cpu().numpy().copy()
    return {**arrays, **moments_to_arrays(state.network, state.optimizer)}


def tracks_of(checkpoint: Arrays | None, form: str) -> tuple[Tracks, bool] | None:
    """Return the tracks that were kept and whether their pitches move; None where they are of something else."""
    if checkpoint is None or str(checkpoint.get("form")) != form or "moves" not in checkpoint:
        return None
    try:
        tracks = Tracks(*(np.asarray(checkpoint[name]) for name in Tracks.__dataclass_fields__))
    except KeyError:
        return None
    if len(tracks.note_keys) + 1 != len(tracks.start) or len(tracks.cents) != tracks.start[-1]:
        return None
    return tracks, bool(checkpoint["moves"])


def from_arrays(state: State, checkpoint: Arrays, device: torch.device) -> float | None:
    """Go on from the state that was kept, and return the level that it holds for; None where it does not fit.

    Parameters
    ----------
    state : State
        Written to.
    checkpoint : dict of ndarray
        As `to_arrays` gave it.
    device : torch.device
    """
    parameters = dict(state.network.named_parameters())
    if not {"steps", "level", "covariances", *(f"network.{name}" for name in parameters)} <= set(checkpoint):
        return None
    for kind in ("network", "first", "second"):
        if any(checkpoint[key].shape != p.shape for n, p in parameters.items() if (key := f"{kind}.{n}") in checkpoint):
            return None
    state.steps = int(checkpoint["steps"])
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(torch.from_numpy(checkpoint[f"network.{name}"]))
    moments_from_arrays(state.network, state.optimizer, checkpoint, state.steps, device)
    return float(checkpoint["level"])


def covariances_of(checkpoint: Arrays, stems: int, bins: int) -> Covariances | None:
    """Return where the stems stand, as it was kept; None where nothing fits.

    Parameters
    ----------
    checkpoint : dict of ndarray
        As `to_arrays` gave it.
    stems : int
        How many there are, the residual not counted.
    bins : int
        Frequencies of a spectrum.
    """
    planes = np.asarray(checkpoint["covariances"])
    return covariances_from_array(planes) if planes.shape == (4, stems + 1, bins) else None


class Divider:
    """Divides the recording as the network says.

    Parameters
    ----------
    network : SourceNetwork
    conditioning : ScoreConditioning
    features : BandFeatures
    where : Covariances or None
        Where the stems stand in stereo.

    Attributes
    ----------
    grid : FrameGrid
    """

    def __init__(
        self, network: SourceNetwork, conditioning: ScoreConditioning, features: BandFeatures, where: Covariances | None
    ) -> None:
        self._network, self._conditioning, self._features, self._where = network, conditioning, features, where
        self._encoder, self._sounds = Encoder(network, conditioning, features), conditioning.sounds()
        self.grid = conditioning.grid

    def blocks(self, first: int, last: int, most_windows: int) -> list[tuple[int, int]]:
        """Divide the windows [first, last) into blocks.

        Parameters
        ----------
        first, last : int
            Windows [first, last) of the grid.
        most_windows : int
            A block has at most so many.
        """
        shape = self._conditioning.shape
        return self._conditioning.blocks(first, last, min(most_windows, STEM_WINDOWS), shape.block_cells)

    def spectra(self, first: int, last: int, check: Callable[[], None]) -> Tensor:
        """Return the spectra of all stems in the windows [first, last), shape (stems, channels, windows, bins).

        Parameters
        ----------
        first, last : int
            Windows [first, last) of the grid.
        check : callable
            Called now and then; raises when the work is to stop.
        """
        conditioning = self._conditioning
        code = self._encoder.code(first, last, check)
        spectra = conditioning.spectra(first, last)
        scene, told = conditioning.scene(spectra, first, self._sounds, self._features, conditioning.shape.shifts_cents)
        scene.take(self._network, code, told)
        scene.improve(conditioning.settings.settle_rounds, check)
        return divided(stem_powers(scene, conditioning.notes.stem_count, check), spectra, self._where, check)


class FittedNeuralSourceFilter(FittedSpectralSeparator[Divider]):
    """Gives the stems of any stretch.

    Parameters
    ----------
    engine : str
    found : NeuralSourceFilterParameters
    grid : FrameGrid
        Of the masks.
    place : ComputeContext
    arrays : mapping of str to ndarray
        Everything learned.
    settings : NeuralSourceFilterSettings
    """

    def __init__(
        self,
        engine: str,
        found: NeuralSourceFilterParameters,
        grid: FrameGrid,
        place: ComputeContext,
        arrays: Arrays,
        settings: NeuralSourceFilterSettings,
    ) -> None:
        super().__init__(engine, grid, place, arrays)
        self._found, self._settings = found, settings

    def _prepare(self, source: SampleSource, notes: SoundingNotes) -> Divider:
        found, settings, device = self._found, self._settings, self._place.device
        conditioning = ScoreConditioning.of(source, notes, found.tracks, found.shape, settings, device)
        features = BandFeatures.of(conditioning.grid, settings.bands, found.level, device)
        where = None if found.covariances is None else found.covariances.to(device)
        return Divider(found.state.network.to(device), conditioning, features, where)

    def _divide(self, prepared: Divider, first: int, end: int, progress: Progress) -> tuple[int, Tensor]:
        last = prepared.blocks(first, end, self._place.block_windows)[0][1]
        return last, prepared.spectra(first, last, progress.check)


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
        conditioning = ScoreConditioning.of(self._source, self._notes, tracks, shape, self._settings, device)

        def fresh() -> State:
            return State.fresh(stems, shape.partials, shape.magnitude_exponent, self._settings, self._seed, device)

        state, level, where = fresh(), None, None
        if checkpoint is not None and kept is not None:
            level = from_arrays(state, checkpoint, device)
            where = covariances_of(checkpoint, stems, conditioning.grid.bins) if level is not None else None
        steps = self._steps()
        wants_where = self._source.channels == 2 and stems > 0
        if level is not None and state.steps >= steps and (where is not None or not wants_where):
            return NeuralSourceFilterParameters(tracks, shape, level, state, where)
        pool = pool_of(conditioning, self._place.block_windows)
        level = mean_level(conditioning, pool, progress.check) if level is None else level
        found = NeuralSourceFilterParameters(tracks, shape, level, state)
        features = BandFeatures.of(conditioning.grid, self._settings.bands, level, device)
        Trainer(conditioning, features, pool).train(
            state,
            steps,
            self._seed,
            progress.part(FOLLOWED, TRAINED),
            lambda: self._keep(to_arrays(found, self._form, self._settings)),
        )
        if wants_where:
            found.covariances = _locate(found, conditioning, features, pool, progress.part(TRAINED, 1.0))
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
    conditioning: ScoreConditioning,
    features: BandFeatures,
    pool: list[tuple[int, int]],
    progress: Progress,
) -> Covariances:
    """Find out where the stems of a stereo recording stand."""
    total = CovarianceSum(conditioning.notes.stem_count, conditioning.grid.bins, conditioning.device)
    with torch.inference_mode():
        divider = Divider(found.state.network, conditioning, features, None)
        for k, (first, last) in enumerate(pool):
            progress.update(k / len(pool), "Finding where the parts stand")
            total.add(divider.spectra(first, last, progress.check))
    return total.covariances()

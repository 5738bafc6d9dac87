"""The engine `knowledge`: a small network trained on this one recording, from its score.

A reading of Ho et al. (2026) for one recording: what the score knows of every moment is an input, stretches in which
one part sounds alone are material without error, and a teacher's estimates stand in elsewhere. Mixtures made from
these train the network; what it learned is kept, and learning goes on when more time is given.

Also here: the state of learning as arrays, to be kept beside the stems, and taken up again.

References
----------
C.-w. Ho, S. M. Siniscalchi, K. Li, C.-H. Lee, "A knowledge-driven approach to music segmentation, music source
separation and cinematic audio source separation", 2026, arXiv:2602.21476.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from scoresep.engines.separation.base import Arrays, FittedSeparator, SeparationReport, Separator
from scoresep.engines.separation.mask_refinement import MaskRefinerSettings
from scoresep.engines.separation.mask_refinement.dataset import (
    Excerpt,
    NetworkInputs,
    RecordingStatistics,
    Remixer,
    collect_excerpts,
    measure_statistics,
)
from scoresep.engines.separation.mask_refinement.inference import MaskRefinement, calibrate_blend_weight
from scoresep.engines.separation.mask_refinement.network import SEMITONES
from scoresep.engines.separation.mask_refinement.training import State, Trainer
from scoresep.engines.separation.mask_refinement.voices import MOST_VOICES, Voices, tracks_of, voices_of
from scoresep.engines.separation.spectral import (
    LEAST_BLOCK_WINDOWS,
    ComputeContext,
    FitTask,
    SpectralSeparator,
    moments_from_arrays,
    moments_to_arrays,
    under_prefix,
    with_prefix,
)
from scoresep.engines.separation.stft import make_grid
from scoresep.model.alignment import SoundingNotes
from scoresep.model.audio import SampleSource
from scoresep.progress import Progress

VERSION = 1


def to_arrays(
    state: State, settings: MaskRefinerSettings, observed: RecordingStatistics | None
) -> dict[str, NDArray[Any]]:
    """Return all that is needed to use the network and to go on with its training.

    Parameters
    ----------
    state : State
        Of the training.
    settings : MaskRefinerSettings
    observed : RecordingStatistics or None
        None where nothing was measured yet.
    """
    arrays: dict[str, NDArray[Any]] = {
        "form": _form(settings),
        "steps": np.array(state.steps, np.int64),
        "mean_power": np.array(observed.mean_power if observed else 0.0, np.float64),
        "blend": np.array(observed.blend if observed else 0.0, np.float64),
        "profiles": observed.profiles if observed else np.zeros(0, np.float32),
    }
    for kind, network in ("network", state.network), ("mean", state.mean):
        for name, value in network.state_dict().items():
            arrays[f"{kind}.{name}"] = value.detach().cpu().numpy().copy()
    return {**arrays, **moments_to_arrays(state.network, state.optimizer)}


def from_arrays(
    arrays: Arrays | None, stems: int, settings: MaskRefinerSettings, seed: int, device: torch.device
) -> tuple[State, RecordingStatistics | None]:
    """Return the state that was kept and what was heard; a fresh state where it does not fit.

    Parameters
    ----------
    arrays : dict of ndarray or None
        As `to_arrays` gave them.
    stems : int
        How many there are, the residual not counted.
    settings : MaskRefinerSettings
    seed : int
    device : torch.device
    """
    state = State.fresh(stems, settings, seed, device)
    if arrays is None or not _fits(arrays, state, settings):
        return state, None
    for kind, network in ("network", state.network), ("mean", state.mean):
        network.load_state_dict({name: torch.from_numpy(arrays[f"{kind}.{name}"]) for name in network.state_dict()})
    state.steps = int(arrays["steps"])
    moments_from_arrays(state.network, state.optimizer, arrays, state.steps, device)
    observed = (
        RecordingStatistics(float(arrays["mean_power"]), arrays["profiles"], float(arrays["blend"]))
        if arrays["profiles"].size
        else None
    )
    return state, observed


def _form(settings: MaskRefinerSettings) -> NDArray[np.float64]:
    """Return what must agree for weights to fit."""
    of_network = (settings.harmonics, settings.reach_bins, settings.width, *settings.dilations)
    return np.array([VERSION, settings.window_s, settings.limit_hz, *of_network], np.float64)


def _fits(arrays: Arrays, state: State, settings: MaskRefinerSettings) -> bool:
    form = _form(settings)
    if not {"steps", "mean_power", "profiles", "blend"} <= set(arrays):
        return False
    if "form" not in arrays or arrays["form"].shape != form.shape or not np.allclose(arrays["form"], form):
        return False
    values = state.network.state_dict()
    return all(
        f"{kind}.{name}" in arrays and arrays[f"{kind}.{name}"].shape == tuple(value.shape)
        for kind in ("network", "mean")
        for name, value in values.items()
    )


TEACHER_SHARE = 0.05  # of the time of learning, up to here
MATERIAL_SHARE, LISTENING_SHARE, TRAINING_SHARE = 0.05, 0.1, 0.95  # of the rest
CPU_BLOCK_WINDOWS, GPU_BLOCK_WINDOWS = 128, 512
POOL_BYTES = 400 << 20
BLOCK_STEMS = 8  # of more stems, blocks are shorter
TEACHER = "teacher."


class MaskRefiner(SpectralSeparator[MaskRefinerSettings, "FittedMaskRefiner"]):
    """A network that learns one recording.

    Parameters
    ----------
    teacher : Separator
        Whose stems are learned from, and made better.
    settings : MaskRefinerSettings, optional
        Instead of those that the budget means.
    """

    name = "knowledge"
    settings_type = MaskRefinerSettings

    def __init__(self, teacher: Separator, settings: MaskRefinerSettings | None = None) -> None:
        super().__init__(settings)
        self._teacher = teacher

    def _block_windows(
        self, source: SampleSource, notes: SoundingNotes, settings: MaskRefinerSettings, device: torch.device
    ) -> int:
        most = CPU_BLOCK_WINDOWS if device.type == "cpu" else GPU_BLOCK_WINDOWS
        planes = notes.stem_count * source.channels
        return max(LEAST_BLOCK_WINDOWS, most * BLOCK_STEMS // max(planes, BLOCK_STEMS))

    def _fit(self, task: FitTask[MaskRefinerSettings], progress: Progress) -> FittedMaskRefiner:
        """Train on a recording, or go on with it."""
        source, notes, options, place = task.source, task.notes, task.options, task.place
        teacher = self._teacher.fit(
            source,
            notes,
            options,
            progress.part(0.0, TEACHER_SHARE),
            under_prefix(TEACHER, task.checkpoint),
            lambda arrays: task.keep(with_prefix(TEACHER, arrays)),
        )

        def trained() -> FittedMaskRefiner:
            state, observed = from_arrays(task.checkpoint, notes.stem_count, task.settings, options.seed, place.device)
            learned = FittedMaskRefiner(teacher, state, observed, task.settings, place)
            _train(learned, source, notes, options.seed, progress.part(TEACHER_SHARE, 1.0), task.keep)
            return learned

        return place.run(trained)


def _train(
    learned: FittedMaskRefiner,
    source: SampleSource,
    notes: SoundingNotes,
    seed: int,
    progress: Progress,
    on_checkpoint: Callable[[Arrays], None],
) -> None:
    """Train as long as the settings want; nothing where there is nothing to learn."""
    settings, state = learned.settings, learned.state
    steps = settings.steps_for(source.frames / source.sample_rate)
    if state.steps >= steps or not _is_shared(voices_of(notes)):
        return
    stretches = collect_excerpts(
        source,
        notes,
        learned.teacher,
        settings.scene_s,
        _pool_s(source, notes, settings),
        progress.part(0.0, MATERIAL_SHARE),
    )
    if not any(_divides(stretch, notes, source, settings) for stretch in stretches):
        return
    if learned.observed is None:
        nothing = RecordingStatistics(1.0, np.zeros((notes.stem_count, SEMITONES, settings.harmonics), np.float32))
        inputs = NetworkInputs.of(source, notes, settings, nothing)
        learned.observed = measure_statistics(stretches, inputs, progress.part(MATERIAL_SHARE, LISTENING_SHARE))
    inputs = NetworkInputs.of(source, notes, settings, learned.observed)
    remixer = Remixer(stretches, notes, source.sample_rate)
    training, weighing = progress.part(LISTENING_SHARE, TRAINING_SHARE), progress.part(TRAINING_SHARE, 1.0)
    Trainer(remixer, inputs).train(state, steps, seed, training, lambda: on_checkpoint(learned.to_arrays()))
    with torch.inference_mode():
        fits = calibrate_blend_weight(state.mean, inputs, learned.teacher, source, remixer, weighing)
    learned.observed = replace(learned.observed, blend=min(settings.trust * fits, settings.most_blend))


def _pool_s(source: SampleSource, notes: SoundingNotes, settings: MaskRefinerSettings) -> float:
    """Return how much of the recording fits the memory that is meant for it."""
    bytes_per_s = 4 * (notes.stem_count + 1) * source.sample_rate
    return float(min(settings.pool_s, max(POOL_BYTES / bytes_per_s, settings.scene_s)))


def _divides(stretch: Excerpt, notes: SoundingNotes, source: SampleSource, settings: MaskRefinerSettings) -> bool:
    """Say whether two parts play few notes at a time anywhere in a stretch: only these does the network divide."""
    grid = make_grid(stretch.frames, source.sample_rate, settings.window_s)
    voices = voices_of(notes)
    on = tracks_of(voices, notes, grid, 0, grid.windows, stretch.start_frame).f0_hz.numpy() > 0
    count = (np.arange(notes.stem_count)[:, None] == voices.stem).astype(np.int64) @ on.astype(np.int64)
    return bool((((count > 0) & (count <= MOST_VOICES)).sum(0) > 1).any())


def _is_shared(voices: Voices) -> bool:
    """Say whether there are two parts with pitches, so that there is something to divide."""
    return len(np.unique(voices.stem)) > 1


class FittedMaskRefiner:
    """A network that was trained, and its teacher; see `base.FittedSeparator`.

    Parameters
    ----------
    teacher : FittedSeparator
    state : State
    observed : Heard or None
        None before anything was.
    settings : MaskRefinerSettings
    place : ComputeContext
    """

    def __init__(
        self,
        teacher: FittedSeparator,
        state: State,
        observed: RecordingStatistics | None,
        settings: MaskRefinerSettings,
        place: ComputeContext,
    ) -> None:
        self.teacher, self.state, self.observed, self.settings = teacher, state, observed, settings
        self._place = place

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the network, how far its training is, and what the teacher learned."""
        own = to_arrays(self.state, self.settings, self.observed)
        return {**own, **with_prefix(TEACHER, self.teacher.to_arrays())}

    def report(self) -> SeparationReport:
        """Say what did the work."""
        warnings = dict.fromkeys((*self.teacher.report().warnings, *self._place.warnings))
        return SeparationReport(MaskRefiner.name, self._place.device.type, tuple(warnings))

    def separate(
        self, source: SampleSource, notes: SoundingNotes, start_frame: int, stop_frame: int, progress: Progress
    ) -> NDArray[np.float32]:
        """Separate a stretch; see `base.FittedSeparator`."""
        if self.observed is None or not self.observed.blend or not _is_shared(voices_of(notes)):
            return self.teacher.separate(source, notes, start_frame, stop_frame, progress)
        inputs, blend, place = (
            NetworkInputs.of(source, notes, self.settings, self.observed),
            self.observed.blend,
            self._place,
        )

        def divided() -> NDArray[np.float32]:
            divider = MaskRefinement(self.state.mean.to(place.device), inputs, self.teacher, source)
            return divider.separate(start_frame, stop_frame, blend, place.block_windows, progress)

        with torch.inference_mode():
            return place.run(divided)

"""The engine `knowledge`: a small network trained on this one recording, from its score.

A reading of Ho et al. (2026) for one recording: what the score knows of every moment is an input, stretches in which
one part sounds alone are material without error, and a teacher's estimates stand in elsewhere. Mixtures made from
these train the network; what it learned is kept, and learning goes on when more time is given.

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

from scoresep.engines.separation.devices import choose_device
from scoresep.engines.separation.grid import make_grid
from scoresep.engines.separation.knowledge.dividing import Divider
from scoresep.engines.separation.knowledge.hearing import Heard, Hearing
from scoresep.engines.separation.knowledge.keeping import arrays_of, of_teacher, state_of, with_teacher
from scoresep.engines.separation.knowledge.listening import listen
from scoresep.engines.separation.knowledge.material import Stretch, gather
from scoresep.engines.separation.knowledge.profiles import SEMITONES
from scoresep.engines.separation.knowledge.remix import Remixer
from scoresep.engines.separation.knowledge.settings import KnowledgeSettings, settings_for
from scoresep.engines.separation.knowledge.training import State, Trainer
from scoresep.engines.separation.knowledge.voices import MOST_VOICES, Voices, tracks_of, voices_of
from scoresep.engines.separation.knowledge.weighing import fitting_blend
from scoresep.engines.separation.protocol import Arrays, Learned, SeparationOptions, SeparationReport, Separator
from scoresep.engines.separation.workplace import Workplace
from scoresep.model.alignment import SoundingNotes
from scoresep.model.audio import SampleSource
from scoresep.progress import Progress

TEACHER_SHARE = 0.05  # of the time of learning, up to here
MATERIAL_SHARE, LISTENING_SHARE, TRAINING_SHARE = 0.05, 0.1, 0.95  # of the rest
CPU_BLOCK_WINDOWS, GPU_BLOCK_WINDOWS = 128, 512
POOL_BYTES = 400 << 20
BLOCK_STEMS = 8  # of more stems, blocks are shorter


class KnowledgeSeparator:
    """A network that learns one recording.

    Parameters
    ----------
    teacher : Separator
        Whose stems are learned from, and made better.
    settings : KnowledgeSettings, optional
        Instead of those that the budget means.
    """

    name = "knowledge"

    def __init__(self, teacher: Separator, settings: KnowledgeSettings | None = None) -> None:
        self._teacher, self._settings = teacher, settings

    def learn(
        self,
        source: SampleSource,
        notes: SoundingNotes,
        options: SeparationOptions,
        progress: Progress,
        known: Arrays | None = None,
        keep: Callable[[Arrays], None] | None = None,
    ) -> KnowledgeLearned:
        """Train on a recording, or go on with it; see `protocol.Separator`."""
        settings = self._settings or settings_for(options.budget)
        place = _workplace(choose_device(options.device), notes.stem_count * source.channels)
        keep_all = keep or _keep_nothing
        teacher = self._teacher.learn(
            source,
            notes,
            options,
            progress.part(0.0, TEACHER_SHARE),
            of_teacher(known),
            lambda arrays: keep_all(with_teacher(arrays)),
        )

        def trained() -> KnowledgeLearned:
            state, heard = state_of(known, notes.stem_count, settings, options.seed, place.device)
            learned = KnowledgeLearned(teacher, state, heard, settings, place)
            _train(learned, source, notes, options.seed, progress.part(TEACHER_SHARE, 1.0), keep_all)
            return learned

        return place.within_memory(trained)


def _keep_nothing(arrays: Arrays) -> None:
    pass


def _workplace(device: torch.device, planes: int) -> Workplace:
    most = CPU_BLOCK_WINDOWS if device.type == "cpu" else GPU_BLOCK_WINDOWS
    return Workplace(device, max(16, most * BLOCK_STEMS // max(planes, BLOCK_STEMS)))


def _train(
    learned: KnowledgeLearned,
    source: SampleSource,
    notes: SoundingNotes,
    seed: int,
    progress: Progress,
    keep: Callable[[Arrays], None],
) -> None:
    """Train as long as the settings want; nothing where there is nothing to learn."""
    settings, state = learned.settings, learned.state
    steps = settings.steps_for(source.frames / source.sample_rate)
    if state.steps >= steps or not _is_shared(voices_of(notes)):
        return
    stretches = gather(
        source,
        notes,
        learned.teacher,
        settings.scene_s,
        _pool_s(source, notes, settings),
        progress.part(0.0, MATERIAL_SHARE),
    )
    if not any(_divides(stretch, notes, source, settings) for stretch in stretches):
        return
    if learned.heard is None:
        nothing = Heard(1.0, np.zeros((notes.stem_count, SEMITONES, settings.harmonics), np.float32))
        hearing = Hearing.of(source, notes, settings, nothing)
        learned.heard = listen(stretches, hearing, progress.part(MATERIAL_SHARE, LISTENING_SHARE))
    hearing = Hearing.of(source, notes, settings, learned.heard)
    remixer = Remixer(stretches, notes, source.sample_rate)
    training, weighing = progress.part(LISTENING_SHARE, TRAINING_SHARE), progress.part(TRAINING_SHARE, 1.0)
    Trainer(remixer, hearing).train(state, steps, seed, training, lambda: keep(learned.arrays()))
    with torch.inference_mode():
        fits = fitting_blend(state.mean, hearing, learned.teacher, source, remixer, weighing)
    learned.heard = replace(learned.heard, blend=min(settings.trust * fits, settings.most_blend))


def _pool_s(source: SampleSource, notes: SoundingNotes, settings: KnowledgeSettings) -> float:
    """Return how much of the recording fits the memory that is meant for it."""
    bytes_per_s = 4 * (notes.stem_count + 1) * source.sample_rate
    return float(min(settings.pool_s, max(POOL_BYTES / bytes_per_s, settings.scene_s)))


def _divides(stretch: Stretch, notes: SoundingNotes, source: SampleSource, settings: KnowledgeSettings) -> bool:
    """Say whether two parts play few notes at a time anywhere in a stretch: only these does the network divide."""
    grid = make_grid(stretch.frames, source.sample_rate, settings.window_s)
    voices = voices_of(notes)
    on = tracks_of(voices, notes, grid, 0, grid.windows, stretch.start_frame).f0_hz.numpy() > 0
    count = (np.arange(notes.stem_count)[:, None] == voices.stem).astype(np.int64) @ on.astype(np.int64)
    return bool((((count > 0) & (count <= MOST_VOICES)).sum(0) > 1).any())


def _is_shared(voices: Voices) -> bool:
    """Say whether there are two parts with pitches, so that there is something to divide."""
    return len(np.unique(voices.stem)) > 1


class KnowledgeLearned:
    """A network that was trained, and its teacher; see `protocol.Learned`.

    Parameters
    ----------
    teacher : Learned
    state : State
    heard : Heard or None
        None before anything was.
    settings : KnowledgeSettings
    place : Workplace
    """

    def __init__(
        self, teacher: Learned, state: State, heard: Heard | None, settings: KnowledgeSettings, place: Workplace
    ) -> None:
        self.teacher, self.state, self.heard, self.settings = teacher, state, heard, settings
        self._place = place

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the network, how far its training is, and what the teacher learned."""
        own = arrays_of(self.state, self.settings, self.heard)
        return {**own, **with_teacher(self.teacher.arrays())}

    def report(self) -> SeparationReport:
        """Say what did the work."""
        warnings = dict.fromkeys((*self.teacher.report().warnings, *self._place.warnings))
        return SeparationReport(KnowledgeSeparator.name, self._place.device.type, tuple(warnings))

    def stems(
        self, source: SampleSource, notes: SoundingNotes, start_frame: int, stop_frame: int, progress: Progress
    ) -> NDArray[np.float32]:
        """Separate a stretch; see `protocol.Learned`."""
        if self.heard is None or not self.heard.blend or not _is_shared(voices_of(notes)):
            return self.teacher.stems(source, notes, start_frame, stop_frame, progress)
        hearing, blend, place = Hearing.of(source, notes, self.settings, self.heard), self.heard.blend, self._place

        def divided() -> NDArray[np.float32]:
            divider = Divider(self.state.mean.to(place.device), hearing, self.teacher, source)
            return divider.stems(start_frame, stop_frame, blend, place.block_windows, progress)

        with torch.inference_mode():
            return place.within_memory(divided)

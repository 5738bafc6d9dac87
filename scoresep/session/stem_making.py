"""The making of one folder of stems: learns with every engine of the recipe, then fills the folder stretch by stretch.

What a process that was killed had finished is gone on from. Of stems that were made before, all is taken that the notes
which have changed since do not touch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoresep.engines.separation import AUTO, Arrays, Learned, SeparationOptions, SeparationReport, make_engine
from scoresep.engines.separation.joining import FADE_S, Maker, makers_over_time, weights_of
from scoresep.engines.separation.stretches import Stretch, next_stretch, stretches_of
from scoresep.files.learned_files import load_learned, save_learned
from scoresep.files.stem_files import StemFolderWriter, StemSource
from scoresep.model.audio import SampleSource, blocks
from scoresep.model.project import StemSet
from scoresep.model.timebase import second_to_frame
from scoresep.progress import Progress
from scoresep.session.earlier_stems import NOTE_COLUMNS, EarlierStems
from scoresep.session.recipes import claims_of
from scoresep.session.separation_request import SeparationRequest

LEARNING_SHARE = 0.6  # of the time
LEVEL_S = 0.25  # the unexplained share is told for blocks of this length
JOINED_BY = ", "  # names of engines that have each made something; an engine that is several has + in its name
_FILL_FRAMES = 1 << 18

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class StemsSoFar:
    """Stems that are being made and can be listened to: the recording is all residual where they are not finished.

    Attributes
    ----------
    stem_set : StemSet
        In its hidden folder; without a key.
    final_folder : str
        Where the folder will be when all is finished.
    finished : tuple of (int, int)
        Stretches of frames, rising.
    stretch_count : int
        Of all stretches.
    """

    stem_set: StemSet
    final_folder: str
    finished: tuple[tuple[int, int], ...]
    stretch_count: int


class StemMaking:
    """Makes the stems of one request.

    Parameters
    ----------
    request : SeparationRequest
    wanted : tuple of int
        Stems that are written; the others go into the residual.
    source : SampleSource
    writer : StemFolderWriter
    """

    def __init__(
        self, request: SeparationRequest, wanted: tuple[int, ...], source: SampleSource, writer: StemFolderWriter
    ) -> None:
        self._request, self._wanted, self._source, self._writer = request, list(wanted), source, writer
        self._fade_frames = max(1, second_to_frame(FADE_S, source.sample_rate))
        self._known = load_learned(writer.path)
        earlier = EarlierStems.of(request)
        self._earlier = None if earlier is None else earlier.open()
        self._levels = Levels(source, len(wanted) + 1)
        self._claims = claims_of(request.recipe, request.stem_parts)

    def run(self, progress: Progress) -> SeparationReport:
        """Fill the folder; returns what did the work."""
        source = self._source
        if not self._writer.is_taken_over:
            for i, block in enumerate(blocks(source, _FILL_FRAMES)):
                progress.check()
                self._writer.fill_residual(i * _FILL_FRAMES, block)
        stretches = stretches_of(
            source.frames, source.sample_rate, source.channels, self._request.notes.stem_count, self._request.edges
        )
        left = self._without_finished(stretches)
        must_learn = not left or any(map(self._is_new, left))  # all finished before: who did it is to be told
        learned = self._learn(progress.part(0.0, LEARNING_SHARE)) if must_learn else {}
        writing, count = progress.part(LEARNING_SHARE, 1.0), len(left)
        while left:
            stretch = next_stretch(left, progress.wished_frame)
            left.remove(stretch)
            done = count - len(left)
            self._write(stretch, learned, writing.part((done - 1) / count, done / count))
            writing.finished(self._so_far(len(stretches)))
            writing.update(done / count, "Making the stems")
        self._keep(self._unchanged(learned))
        notes = {f"notes/{name}": getattr(self._request.notes, name) for name in NOTE_COLUMNS}
        self._keep(notes | self._levels.arrays())
        return self._report(learned)

    # ---------------------------------------------------------------------------------------------- what is learned

    def _learn(self, progress: Progress) -> dict[Maker, Learned]:
        makers = self._makers(only_needed=True)
        learned: dict[Maker, Learned] = {}
        for maker, part in zip(makers, progress.parts(len(makers)), strict=True):
            engine, budget = maker
            options = SeparationOptions(self._request.device, budget, self._request.recipe.seed)
            keep = self._keeper(f"{engine}/{budget}")
            known = self._known_of(engine, budget)
            made = make_engine(engine).learn(self._source, self._request.notes, options, part, known, keep)
            keep(made.arrays())
            learned[engine, budget] = made
        return learned

    def _makers(self, only_needed: bool = False) -> list[Maker]:
        """Return who makes anything at all, or only who makes anything anew."""
        found: dict[Maker, None] = {}
        for stem in range(self._request.notes.stem_count):
            for start, stop, maker in makers_over_time(self._claims, stem, self._source.frames):
                reach = start - self._fade_frames, stop + self._fade_frames
                if not only_needed or self._earlier is None or self._earlier.is_touched(stem, *reach):
                    found[maker] = None
        return list(found) or [self._claims[0].maker]

    def _unchanged(self, learned: dict[Maker, Learned]) -> Arrays:
        """Return what was learned before by those who had nothing to do now."""
        before = {} if self._earlier is None else self._earlier.learned
        names = tuple(f"{engine}/{budget}/" for engine, budget in self._makers() if (engine, budget) not in learned)
        return {key: values for key, values in before.items() if key.startswith(names)}

    def _keeper(self, name: str) -> Callable[[Arrays], None]:
        return lambda arrays: self._keep({f"{name}/{key}": values for key, values in arrays.items()})

    def _keep(self, arrays: Arrays) -> None:
        self._known.update(arrays)
        save_learned(self._writer.path, self._known)

    def _known_of(self, engine: str, budget: str) -> Arrays | None:
        """Return what was learned for this engine: by a process that was killed, or for the earlier stems."""
        before = {} if self._earlier is None else self._earlier.learned
        for arrays in (self._known, before):
            for name in (f"{engine}/{budget}/", *(f"{engine}/{other}/" for other in ("best", "balanced", "preview"))):
                found = {key.removeprefix(name): values for key, values in arrays.items() if key.startswith(name)}
                if found:
                    return found
        return None

    def _report(self, learned: dict[Maker, Learned]) -> SeparationReport:
        reports = {maker: made.report() for maker, made in learned.items()}
        before = None if self._earlier is None else self._earlier.stem_set
        names = []
        for maker in self._makers():
            if maker in reports:
                names.append(reports[maker].engine)
            elif maker[0] != AUTO or before is None:
                names.append(maker[0])
            else:
                names += [name for name in before.engine.split(JOINED_BY) if name.startswith(AUTO)] or [AUTO]
        device = next((r.device for r in reports.values()), before.device if before else "cpu")
        warnings = tuple(dict.fromkeys(warning for report in reports.values() for warning in report.warnings))
        return SeparationReport(JOINED_BY.join(dict.fromkeys(names)), device, warnings)

    # --------------------------------------------------------------------------------------------- what is written

    def _without_finished(self, stretches: tuple[Stretch, ...]) -> list[Stretch]:
        """Return what is left to do, and take note of what an earlier process has finished."""
        finished = {Stretch(*edges) for edges in self._writer.finished}
        left = [s for s in stretches if s not in finished]
        if len(left) + len(finished) != len(stretches):  # it was divided otherwise
            self._writer.finished.clear()
            return list(stretches)
        made = [StemSource(self._writer.path / stem.file) for stem in self._writer.stems]
        for stretch in finished:
            samples = np.stack([s.read(stretch.start_frame, stretch.stop_frame) for s in made])
            self._levels.add(stretch.start_frame, samples)
        return left

    def _is_new(self, stretch: Stretch) -> bool:
        return self._earlier is None or bool(self._earlier.changed(stretch, self._fade_frames).any())

    def _write(self, stretch: Stretch, learned: dict[Maker, Learned], progress: Progress) -> None:
        start, stop = stretch.start_frame, stretch.stop_frame
        if self._earlier is None:
            stems = self._made(start, stop, learned, progress)[self._wanted]
        else:
            stems = self._earlier.stems(stretch)
            new = self._earlier.changed(stretch, self._fade_frames)
            low, high = _extent(new.max(0))
            if high > low:
                weight = new[:, low:high]
                made = self._made(start + low, start + high, learned, progress, weight > 0)
                stems[:, :, low:high] += weight[:, None] * (made - stems[:, :, low:high])
        residual = self._source.read(start, stop) - stems.sum(0, dtype=np.float32)
        every = np.concatenate([stems, residual[None]])
        self._writer.write(every, start)
        self._levels.add(start, every)

    def _made(
        self,
        start: int,
        stop: int,
        learned: dict[Maker, Learned],
        progress: Progress,
        is_wanted: NDArray[np.bool_] | None = None,
    ) -> Samples:
        """Return all stems of a stretch as the recipe has them, shape (stems, channels, frames).

        Where they are not wanted (shape (stems, frames)) they may be anything.
        """
        notes, count = self._request.notes, self._request.notes.stem_count
        weights = weights_of(self._claims, count, self._source.frames, start, stop, self._fade_frames)
        if is_wanted is not None:
            weights = {maker: weight for maker, w in weights.items() if (weight := w * is_wanted).any()}
        result = np.zeros((count, self._source.channels, stop - start), np.float32)
        for (maker, weight), part in zip(weights.items(), progress.parts(len(weights)), strict=True):
            low, high = _extent(weight.max(0))
            made = learned[maker].stems(self._source, notes, start + low, start + high, part)
            result[:, :, low:high] += weight[:, None, low:high] * made
        return result

    def _so_far(self, stretch_count: int) -> StemsSoFar:
        stem_set = StemSet(str(self._writer.path), "", self._request.recipe.engine, "", self._writer.stems)
        final_folder = str(Path(self._request.folder).expanduser().absolute())
        return StemsSoFar(stem_set, final_folder, tuple(sorted(self._writer.finished)), stretch_count)


class Levels:
    """How loud the recording and the stems are, block by block; the residual's share is what stays unexplained.

    Parameters
    ----------
    source : SampleSource
    stem_count : int
        With the residual, which is the last.
    """

    def __init__(self, source: SampleSource, stem_count: int) -> None:
        self._source = source
        self._block_frames = max(1, second_to_frame(LEVEL_S, source.sample_rate))
        self._energy = np.zeros((stem_count + 1, -(-source.frames // self._block_frames)))

    def add(self, start_frame: int, stems: Samples) -> None:
        """Add a stretch of all stems, shape (stem_count, channels, frames)."""
        frames = stems.shape[2]
        recording = self._source.read(start_frame, start_frame + frames)
        block = np.arange(start_frame, start_frame + frames) // self._block_frames
        first = int(block[0]) if frames else 0
        for row, samples in zip(self._energy, (recording, *stems), strict=True):
            energy = np.bincount(block - first, (samples.astype(np.float64) ** 2).mean(0))
            row[first : first + len(energy)] += energy

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the mean power of the recording, then of all stems, in every block; and the length of a block."""
        power = self._energy / self._block_frames
        return {"levels/power": power.astype(np.float32), "levels/block_frames": np.array(self._block_frames)}


def _extent(weight: NDArray[Any]) -> tuple[int, int]:
    """Return the first frame with a weight, and the one after the last; 0, 0 where there is none."""
    at = np.flatnonzero(weight)
    return (int(at[0]), int(at[-1]) + 1) if len(at) else (0, 0)

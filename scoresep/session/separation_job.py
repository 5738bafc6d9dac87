"""A separation: what its stems depend on, as one frozen value, and the job that makes the folder of them.

The job learns with every engine of the recipe, then fills the folder stretch by stretch. What a process that was
killed had finished is gone on from. Of stems that were made before, all is taken that the notes which have changed
since do not touch.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoresep import version
from scoresep.edits import project as edits
from scoresep.edits.recipes import claims_of, recipe_entry, recipe_in
from scoresep.engines.separation import (
    AUTO,
    BUDGETS,
    Arrays,
    FittedSeparator,
    SeparationOptions,
    SeparationReport,
    engine_names,
    make_engine,
)
from scoresep.engines.separation.chunking import (
    FADE_S,
    Maker,
    Stretch,
    changed_stretches,
    engines_over_time,
    joined_stretches,
    next_chunk,
    otherwise_made,
    plan_chunks,
    ramp,
    weights_of,
)
from scoresep.engines.separation.devices import DeviceState, device_states
from scoresep.errors import AudioFileError, InputError, ScoreSepError, UsageError
from scoresep.files.audio.recordings import check_unchanged, open_source
from scoresep.files.audio.stems import (
    LEARNED_NAME,
    StemFolderWriter,
    StemSource,
    content_key_in,
    is_of_this_version,
    load_learned,
    read_manifest,
    read_stem_set,
    save_learned,
)
from scoresep.files.storage.paths import absolute_path
from scoresep.model.alignment import SoundingNotes, sounding_notes
from scoresep.model.audio import Recording, SampleSource, blocks
from scoresep.model.project import Project, Recipe, StemSet, apply_change
from scoresep.model.segments import segments_of
from scoresep.model.timebase import second_to_frame
from scoresep.progress import Progress
from scoresep.session import pipeline


@dataclass(frozen=True)
class SeparationRequest:
    """All that stems depend on, and where they go.

    Attributes
    ----------
    recording : Recording
    notes : SoundingNotes
    stem_parts : tuple of int
        The part that owns each stem.
    stem_names : tuple of str
        Name of each stem.
    recipe : Recipe
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    folder : str
        Where the stems are written.
    wanted : tuple of int or None
        Stems that are written; what the others hold goes into the residual. None for all.
    edges : tuple of int
        Frames at which segments meet: about these the work is divided.
    earlier : str
        Folder of stems that were made before: what would come out the same is taken from there. Empty for none.
    keeps_learned : bool
        Whether what was learned is kept beside the stems.
    """

    recording: Recording
    notes: SoundingNotes
    stem_parts: tuple[int, ...]
    stem_names: tuple[str, ...]
    recipe: Recipe
    device: str
    folder: str
    wanted: tuple[int, ...] | None = None
    edges: tuple[int, ...] = ()
    earlier: str = ""
    keeps_learned: bool = False

    @property
    def input_key(self) -> str:
        """Content key of everything that decides how the stems sound."""
        digest = hashlib.blake2b(digest_size=16)
        notes = self.notes
        for column in (notes.stem_index, notes.pitch_midi, notes.onset_frame, notes.offset_frame, notes.confidence):
            digest.update(np.ascontiguousarray(column).tobytes())
        values = (
            self.recording.content_key,
            notes.stem_count,
            notes.programs,
            self.stem_parts,
            self.recipe,
            self.wanted,
        )
        digest.update(repr(values).encode())
        return digest.hexdigest()

    @property
    def making_key(self) -> str:
        """Content key of that, and of how it is made: who has this one may go on with what another has half made."""
        how = (self.input_key, version.__version__, self.device, Path(self.earlier).name)
        return hashlib.blake2b(repr(how).encode(), digest_size=16).hexdigest()


def separation_request(
    project: Project, folder: str, device: str = "auto", part_indices: tuple[int, ...] | None = None
) -> SeparationRequest:
    """Gather what the stems of the project depend on.

    Parameters
    ----------
    project : Project
    folder : str
    device : str
    part_indices : tuple of int, optional
        Parts whose stems are wanted; all by default.

    Raises
    ------
    InputError
        If the project is not aligned.
    """
    recording, unfolded, alignment = pipeline.aligned(project)
    owners = project.stem_owners
    if not owners:
        raise InputError("Every part is marked as absent from this recording; leave at least one in.")
    programs = tuple(project.parts[i].instrument.program for i in owners)
    notes = sounding_notes(unfolded, alignment, project.stem_of_part, programs)
    names = tuple(project.parts[i].name for i in owners)
    wanted = None
    if part_indices is not None:
        stems = {project.stem_of_part[i] for i in part_indices}
        wanted = tuple(sorted(s for s in stems if s is not None))
    activities = pipeline.sounding_activities(project)
    edges = tuple(s.end_frame for s in segments_of(activities, recording.frames)) if activities else ()
    return SeparationRequest(recording, notes, owners, names, project.recipe, device, folder, wanted, edges)


NOTE_COLUMNS = ("stem_index", "pitch_midi", "onset_frame", "offset_frame", "confidence")
# Where notes have changed in more than this all is learned again, because what is known may be of wrong notes.
MOST_CHANGED = 0.5


@dataclass(frozen=True)
class ReusableStems:
    """Stems that were made before.

    Attributes
    ----------
    stem_set : StemSet
    stretches : tuple of tuple of (int, int)
        For every stem the stretches of frames that are to be made anew: half-open, rising, apart from each other.
    frames : int
        Of the recording.
    """

    stem_set: StemSet
    stretches: tuple[tuple[tuple[int, int], ...], ...]
    frames: int

    @classmethod
    def of(cls, request: SeparationRequest) -> ReusableStems | None:
        """Return the earlier stems of a request; None where they are of no use."""
        if not request.earlier or request.wanted is not None:
            return None
        folder, recording = Path(request.earlier), request.recording
        try:
            stem_set, manifest = read_stem_set(folder), read_manifest(folder)
            columns = {name: load_learned(folder, f"notes/{name}")[f"notes/{name}"] for name in NOTE_COLUMNS}
            notes = replace(request.notes, **columns)  # type: ignore[arg-type]
        except (ScoreSepError, KeyError, ValueError):
            return None
        recipe = recipe_in(manifest) or request.recipe
        was_asked = replace(request, notes=notes, recipe=recipe)
        is_of_this = content_key_in(manifest) == recording.content_key and is_of_this_version(manifest)
        if not is_of_this or was_asked.input_key != stem_set.input_key or recipe.seed != request.recipe.seed:
            return None
        moved = changed_stretches(notes, request.notes, recording.sample_rate, recording.frames)
        if sum(stop - start for start, stop in moved) > MOST_CHANGED * recording.frames:
            return None
        fade, count = max(1, second_to_frame(FADE_S, recording.sample_rate)), len(request.stem_parts)
        old, new = (claims_of(r, request.stem_parts) for r in (recipe, request.recipe))
        of_stems = [otherwise_made(old, new, stem, recording.frames, fade) for stem in range(count)]
        stretches = tuple(tuple(joined_stretches([*moved, *mine], fade)) for mine in of_stems)
        found = cls(stem_set, stretches, recording.frames)
        is_all_new = all(mine == ((0, recording.frames),) for mine in stretches)
        return None if is_all_new else found

    def open(self) -> ReusableStems:
        """Open all that is read later: the folder may be moved meanwhile, as by saving the project.

        Raises
        ------
        AudioFileError
        """
        for source in self._sources:
            if source.frames != self.frames:
                raise AudioFileError(f"A stem in '{self.stem_set.folder}' is cut short; separate again.")
        _ = self.learned
        return self

    @cached_property
    def learned(self) -> dict[str, NDArray[Any]]:
        """What was learned for them."""
        return load_learned(Path(self.stem_set.folder))

    @cached_property
    def _sources(self) -> tuple[StemSource, ...]:
        folder = Path(self.stem_set.folder)
        return tuple(StemSource(folder / stem.file) for stem in self.stem_set.stems if stem.part_index is not None)

    def stems(self, stretch: Stretch) -> NDArray[np.float32]:
        """Return the earlier stems of a stretch, without the residual."""
        return np.stack([source.read(stretch.start_frame, stretch.stop_frame) for source in self._sources])

    def changed(self, stretch: Stretch, fade_frames: int) -> NDArray[np.float32]:
        """Return from 0 (as before) to 1 (new) how much of every stem and frame is to be made anew.

        Returns
        -------
        weight : ndarray [shape=(stems, frames)], float32
        """
        open_ends = [[(a or None, b if b < self.frames else None) for a, b in mine] for mine in self.stretches]
        return np.stack([ramp(mine, stretch.start_frame, stretch.stop_frame, fade_frames) for mine in open_ends])

    def changed_frames(self) -> int:
        """Return in how many frames of the recording something is to be made anew, whatever the stem."""
        joined = joined_stretches((each for mine in self.stretches for each in mine), 0)
        return sum(stop - start for start, stop in joined)

    def is_touched(self, stem: int, start_frame: int, stop_frame: int) -> bool:
        """Whether anything of a stem is to be made anew between two frames.

        Parameters
        ----------
        stem : int
            Row of the stems, from 0.
        start_frame, stop_frame : int
            Of the recording.
        """
        return any(start < stop_frame and stop > start_frame for start, stop in self.stretches[stem])


LEARNING_SHARE = 0.6  # of the time
LEVEL_S = 0.25  # the unexplained share is told for blocks of this length
JOINED_BY = ", "  # names of engines that have each made something; an engine that is several has + in its name
_FILL_FRAMES = 1 << 18
_log = logging.getLogger(__name__)

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


class SeparationJob:
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
        earlier = ReusableStems.of(request)
        self._earlier = _opened(earlier)
        self._levels = Levels(source, len(wanted) + 1)
        self._claims = claims_of(request.recipe, request.stem_parts)

    def run(self, progress: Progress) -> SeparationReport:
        """Fill the folder; returns what did the work."""
        source = self._source
        if not self._writer.is_taken_over:
            for i, block in enumerate(blocks(source, _FILL_FRAMES)):
                progress.check()
                self._writer.fill_residual(i * _FILL_FRAMES, block)
        stretches = plan_chunks(
            source.frames, source.sample_rate, source.channels, self._request.notes.stem_count, self._request.edges
        )
        left = self._without_finished(stretches)
        must_learn = not left or any(map(self._is_new, left))  # all finished before: who did it is to be told
        learned = self._learn(progress.part(0.0, LEARNING_SHARE)) if must_learn else {}
        writing, count = progress.part(LEARNING_SHARE, 1.0), len(left)
        while left:
            stretch = next_chunk(left, progress.priority_frame)
            left.remove(stretch)
            done = count - len(left)
            self._write(stretch, learned, writing.part((done - 1) / count, done / count))
            writing.finished(self._so_far(len(stretches)))
            writing.update(done / count, "Separating")
        self._save(self._unchanged(learned))
        notes = {f"notes/{name}": getattr(self._request.notes, name) for name in NOTE_COLUMNS}
        self._save(notes | self._levels.arrays())
        return self._report(learned)

    # ---------------------------------------------------------------------------------------------- what is learned

    def _learn(self, progress: Progress) -> dict[Maker, FittedSeparator]:
        makers = self._makers(only_needed=True)
        learned: dict[Maker, FittedSeparator] = {}
        for maker, part in zip(makers, progress.parts(len(makers)), strict=True):
            engine, budget = maker
            options = SeparationOptions(self._request.device, budget, self._request.recipe.seed)
            save = self._saver(f"{engine}/{budget}")
            known = self._known_of(engine, budget)
            try:
                made = make_engine(engine).fit(self._source, self._request.notes, options, part, known, save)
            except (ScoreSepError, MemoryError):
                raise
            except Exception as error:
                if known is None:
                    raise
                _log.warning("what %s has learned is damaged and is learned again", engine, exc_info=error)
                made = make_engine(engine).fit(self._source, self._request.notes, options, part, None, save)
            save(made.to_arrays())
            learned[engine, budget] = made
        return learned

    def _makers(self, only_needed: bool = False) -> list[Maker]:
        """Return who makes anything at all, or only who makes anything anew."""
        found: dict[Maker, None] = {}
        for stem in range(self._request.notes.stem_count):
            for start, stop, maker in engines_over_time(self._claims, stem, self._source.frames):
                reach = start - self._fade_frames, stop + self._fade_frames
                if not only_needed or self._earlier is None or self._earlier.is_touched(stem, *reach):
                    found[maker] = None
        return list(found) or [self._claims[0].maker]

    def _unchanged(self, learned: dict[Maker, FittedSeparator]) -> Arrays:
        """Return what was learned before by those who had nothing to do now."""
        before = {} if self._earlier is None else self._earlier.learned
        names = tuple(f"{engine}/{budget}/" for engine, budget in self._makers() if (engine, budget) not in learned)
        return {key: values for key, values in before.items() if key.startswith(names)}

    def _saver(self, name: str) -> Callable[[Arrays], None]:
        return lambda arrays: self._save({f"{name}/{key}": values for key, values in arrays.items()})

    def _save(self, arrays: Arrays) -> None:
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

    def _report(self, learned: dict[Maker, FittedSeparator]) -> SeparationReport:
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

    def _write(self, stretch: Stretch, learned: dict[Maker, FittedSeparator], progress: Progress) -> None:
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
        learned: dict[Maker, FittedSeparator],
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
            made = learned[maker].separate(self._source, notes, start + low, start + high, part)
            result[:, :, low:high] += weight[:, None, low:high] * made
        return result

    def _so_far(self, stretch_count: int) -> StemsSoFar:
        stem_set = StemSet(str(self._writer.path), "", self._request.recipe.engine, "", self._writer.stems)
        final_folder = str(absolute_path(self._request.folder))
        return StemsSoFar(stem_set, final_folder, tuple(sorted(self._writer.finished)), stretch_count)


def _opened(earlier: ReusableStems | None) -> ReusableStems | None:
    """Open earlier stems; None where they are damaged, so that all is made anew."""
    try:
        return None if earlier is None else earlier.open()
    except ScoreSepError as error:
        _log.warning("%s", error)
        return None


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


@dataclass(frozen=True)
class SeparationAnswer:
    """Stems that were made, and what a person should know of the making."""

    stem_set: StemSet
    warnings: tuple[str, ...] = ()


def check_recipe(recipe: Recipe) -> None:
    """Refuse an engine or a quality that does not exist, before any work is done.

    Raises
    ------
    UsageError
    """
    names = engine_names()
    for engine in (recipe.engine, *(rule.engine for rule in recipe.rules)):
        if engine not in names:
            raise UsageError(f"There is no engine “{engine}”; choose one of {', '.join(names)}.")
    for budget in (recipe.budget, *(rule.budget for rule in recipe.rules)):
        if budget not in BUDGETS:
            raise UsageError(f"There is no quality “{budget}”; choose one of {', '.join(BUDGETS)}.")


def devices_here(progress: Progress) -> tuple[DeviceState, ...]:
    """Say what this machine can compute on, and why not on the rest; runs in a worker, since it takes torch to tell."""
    progress.check()
    return device_states()


def separate_recording(request: SeparationRequest, progress: Progress) -> SeparationAnswer:
    """Separate a recording into a folder of stems.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    SeparationError, DeviceError, Cancelled
    """
    check_recipe(request.recipe)
    wanted = tuple(range(request.notes.stem_count)) if request.wanted is None else request.wanted
    parts = tuple((request.stem_parts[i], request.stem_names[i]) for i in wanted)
    writer = StemFolderWriter(Path(request.folder), request.recording, parts, request.making_key)
    try:
        with open_source(request.recording) as source:
            report = SeparationJob(request, wanted, source, writer).run(progress)
            check_unchanged(request.recording)  # of two recordings the stems would be nothing of either
        kept = (LEARNED_NAME,) if request.keeps_learned else ()
        recipe = recipe_entry(request.recipe)
        stem_set = writer.finish(report.engine, report.device, request.input_key, recipe, kept)
    except BaseException:
        writer.abort()
        raise
    return SeparationAnswer(stem_set, report.warnings)


def separate(
    project: Project,
    folder: str | Path,
    recipe: Recipe | None = None,
    device: str = "auto",
    progress: Progress | None = None,
) -> Project:
    """Return the project with its stems made in `folder`; it is aligned first where it is not yet.

    Parameters
    ----------
    project : Project
        With a recording and a score.
    folder : str or Path
        Where the stems go; made where it is not there.
    recipe : Recipe, optional
        The project's own if left out.
    device : str
        ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ...
    progress : Progress, optional

    Raises
    ------
    InputError, OutputError, SeparationError, DeviceError, Cancelled
    """
    progress = progress or Progress()
    if recipe is not None:
        project = replace(project, recipe=recipe)
    if project.alignment is None:
        project = pipeline.align(project, progress.part(0.0, 0.2))
        progress = progress.part(0.2, 1.0)
    answer = separate_recording(separation_request(project, str(folder), device), progress)
    return apply_change(project, edits.set_stems(project, answer.stem_set))

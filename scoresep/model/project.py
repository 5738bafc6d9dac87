"""The project: all that a person has opened, decided and made, as one immutable value; and the reversible change."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

from scoresep.model.alignment import Alignment
from scoresep.model.audio import Recording
from scoresep.model.note_edits import NoteEdit
from scoresep.model.path import PathChoices, unfolded_score
from scoresep.model.score import Instrument, PerformancePath, Score, UnfoldedScore
from scoresep.model.segments import Activity
from scoresep.model.timemap import SyncPoint


@dataclass(frozen=True)
class ScoreFile:
    """Where the score was read from.

    Attributes
    ----------
    path : str
        Absolute.
    content_key : str
        Hexadecimal hash of the file's bytes.
    """

    path: str
    content_key: str


@dataclass(frozen=True)
class PartSettings:
    """What the person says of a part, over what the score says.

    Attributes
    ----------
    name : str
    color : str
        ``#rrggbb``, the same wherever the part is shown.
    instrument : Instrument
    is_absent : bool
        The recording does not have this part.
    joined_to : int or None
        Index of the part whose stem this one shares, because they double each other; never a part that is itself
        joined to another.
    """

    name: str
    color: str
    instrument: Instrument = Instrument()
    is_absent: bool = False
    joined_to: int | None = None


@dataclass(frozen=True)
class ChannelStrip:
    """Mixer settings of one stem.

    Attributes
    ----------
    gain_db : float
    pan : float
        From -1 (left) to 1 (right).
    is_muted, is_soloed : bool
    """

    gain_db: float = 0.0
    pan: float = 0.0
    is_muted: bool = False
    is_soloed: bool = False


@dataclass(frozen=True)
class Mixer:
    """The mixer: one strip per part, one for the residual, and the master level.

    Strips of parts are addressed by part index; parts that share a stem share the strip of the part that owns it.
    """

    strips: tuple[ChannelStrip, ...] = ()
    residual: ChannelStrip = ChannelStrip()
    master_gain_db: float = 0.0


@dataclass(frozen=True)
class RecipeRule:
    """Another engine or budget for one part, one stretch of the recording, or both.

    Attributes
    ----------
    engine, budget : str
        As in `Recipe`.
    part_index : int or None
        None for all parts.
    start_frame, end_frame : int or None
        Half-open; None for all of the recording.
    """

    engine: str
    budget: str
    part_index: int | None = None
    start_frame: int | None = None
    end_frame: int | None = None


@dataclass(frozen=True)
class Recipe:
    """How stems are to be made.

    Attributes
    ----------
    engine : str
        Name of the engine, or ``auto``.
    budget : str
        ``preview``, ``balanced`` or ``best``.
    seed : int
    rules : tuple of RecipeRule
        What is made otherwise; a later rule goes over an earlier one.
    """

    engine: str = "auto"
    budget: str = "balanced"
    seed: int = 0
    rules: tuple[RecipeRule, ...] = ()


@dataclass(frozen=True)
class Stem:
    """One stem on disk. `part_index` is None for the residual; `file` is relative to the folder of the stems."""

    file: str
    part_index: int | None
    name: str


@dataclass(frozen=True)
class StemSet:
    """Stems that were made, and of what.

    Attributes
    ----------
    folder : str
        Absolute path of the folder that holds stems and manifest.
    input_key : str
        Content key of everything that went into them; stems whose key is no longer that of the project are stale.
    engine, device : str
        What made them.
    stems : tuple of Stem
    """

    folder: str
    input_key: str
    engine: str
    device: str
    stems: tuple[Stem, ...]


@dataclass(frozen=True)
class Loop:
    """A stretch that is played again and again: frames [start_frame, end_frame)."""

    start_frame: int
    end_frame: int


@dataclass(frozen=True)
class Project:
    """Everything of one piece of work. Values only; what is derived is computed when asked for.

    Attributes
    ----------
    recording : Recording or None
    score_file : ScoreFile or None
    score : Score or None
    path_choices : PathChoices
        Which repeats and jumps are taken.
    path : PerformancePath or None
    alignment, pending_alignment : Alignment or None
        The present one, and a new automatic one that waits to be accepted or rejected.
    hand_points : tuple of SyncPoint
        Sync points placed by hand. They outlive alignments: every new one goes through them.
    activities : tuple of Activity or None
        One for each part; None until segmented.
    parts : tuple of PartSettings
        One for each part of the score.
    mixer : Mixer
    recipe : Recipe
    stem_set : StemSet or None
    note_edits : tuple of NoteEdit
        What is done to single notes of the stems, sorted by note.
    """

    recording: Recording | None = None
    score_file: ScoreFile | None = None
    score: Score | None = None
    path_choices: PathChoices = PathChoices()
    path: PerformancePath | None = None
    alignment: Alignment | None = None
    pending_alignment: Alignment | None = None
    hand_points: tuple[SyncPoint, ...] = ()
    activities: tuple[Activity, ...] | None = None
    parts: tuple[PartSettings, ...] = ()
    mixer: Mixer = Mixer()
    recipe: Recipe = Recipe()
    stem_set: StemSet | None = None
    note_edits: tuple[NoteEdit, ...] = ()

    @cached_property
    def unfolded(self) -> UnfoldedScore | None:
        """The score along the performance path, the same value for all projects of both; None without a score."""
        return unfolded_score(self.score, self.path) if self.score is not None and self.path is not None else None

    @cached_property
    def stem_of_part(self) -> tuple[int | None, ...]:
        """For every part the index of its stem in `stem_owners`; None for absent parts."""
        place = {part: i for i, part in enumerate(self.stem_owners)}
        return tuple(
            None if p.is_absent else place.get(i if p.joined_to is None else p.joined_to)
            for i, p in enumerate(self.parts)
        )

    @cached_property
    def stem_owners(self) -> tuple[int, ...]:
        """The parts that have a stem of their own, in the order of the score."""
        return tuple(i for i, p in enumerate(self.parts) if not p.is_absent and p.joined_to is None)


@dataclass(frozen=True)
class Change:
    """One reversible edit: the fields of the project that differ, before and after.

    Attributes
    ----------
    before, after : tuple of (str, value)
        The same fields in the same order.
    what : frozenset of str
        Names of the fields.
    text : str
        What was done, for the undo menu: ``Move bar 12``.
    """

    before: tuple[tuple[str, Any], ...]
    after: tuple[tuple[str, Any], ...]
    what: frozenset[str]
    text: str

    @property
    def inverse(self) -> Change:
        """The change that takes this one back."""
        return Change(self.after, self.before, self.what, self.text)


def change_to(project: Project, text: str, **new_values: Any) -> Change:
    """Describe the change that gives fields of `project` new values; fields that stay equal are left out.

    Parameters
    ----------
    project : Project
    text : str
        What undo calls the change.
    **new_values
        By names of fields of `Project`.
    """
    differing = [
        n for n in (f.name for f in fields(Project)) if n in new_values and new_values[n] != getattr(project, n)
    ]
    unknown = set(new_values) - {f.name for f in fields(Project)}
    if unknown:
        raise ValueError(f"a project has no field {sorted(unknown)[0]!r}")
    before = tuple((n, getattr(project, n)) for n in differing)
    after = tuple((n, new_values[n]) for n in differing)
    return Change(before, after, frozenset(differing), text)


def apply_change(project: Project, change: Change) -> Project:
    """Return the project after a change.

    Raises
    ------
    ValueError
        If the project is not the one the change was computed for.
    """
    for name, value in change.before:
        if getattr(project, name) != value:
            raise ValueError(f"the change {change.text!r} was computed for another state of {name}")
    return replace(project, **dict(change.after))

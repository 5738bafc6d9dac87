"""Undo and redo over every edit there is, in any order; and that the memory of them is bounded."""

from __future__ import annotations

import tempfile
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from random_projects import levels
from small_scores import even_alignment, scale_score

from scoresep.edits import project as edits
from scoresep.errors import UsageError
from scoresep.files.project.project_files import load_project, save_project
from scoresep.model.alignment import NoteTimes
from scoresep.model.audio import Recording
from scoresep.model.path import PathChoices
from scoresep.model.project import ChannelStrip, Mixer, Project, Recipe, ScoreFile, apply_change, change_to
from scoresep.model.score import Instrument
from scoresep.model.timemap import SyncPoint
from scoresep.session.state import History, Messages

FRAMES = 900_000
parts = st.integers(0, 2)
SCORES = tuple(
    scale_score(bars, names, **{"repeat_passes": repeats})
    for bars, names, repeats in (
        (4, ("Violin", "Viola", "Cello"), {1: 2}),
        (5, ("Cello", "Violin", "Viola"), {1: 2}),
        (3, ("Violin", "Viola", "Cello"), {}),
    )
)


def without_mixer(project: Project) -> Project:
    return replace(project, mixer=Mixer())


class Editing(RuleBasedStateMachine):
    """A person edits, moves faders, takes back and makes again."""

    def __init__(self) -> None:
        super().__init__()
        self.history = History()
        self.states: list[Project] = []  # before every edit that can be taken back
        self.ahead: list[Project] = []  # after every edit that can be made again

    @initialize()
    def begin(self) -> None:
        project = Project(recording=Recording("/music/take.wav", "ab" * 20, FRAMES, 2, 44100, "WAV 16 bit"))
        project = apply_change(project, edits.set_score(project, ScoreFile("/music/0.xml", "0" * 40), SCORES[0]))
        assert project.unfolded is not None
        alignment = even_alignment(project.unfolded, 22_050, 10_000)
        activities = edits.derive_activities(project, alignment)
        self.start = self.project = apply_change(project, edits.set_alignment(project, alignment, activities))

    def edit(self, change: edits.Change) -> None:
        if change.what:
            self.states.append(self.project)
            self.ahead.clear()
            self.project = self.history.apply(self.project, change)

    @rule(tempo=st.floats(0.4, 0.6), start=st.integers(0, 20_000), is_proposed=st.booleans())
    def align(self, tempo: float, start: int, is_proposed: bool) -> None:
        assert self.project.unfolded is not None
        alignment = even_alignment(self.project.unfolded, round(tempo * 44_100), start)
        if is_proposed and self.project.alignment is not None:
            self.edit(edits.propose_alignment(self.project, alignment))
        else:
            activities = edits.derive_activities(self.project, alignment)
            self.edit(edits.set_alignment(self.project, alignment, activities))

    @precondition(lambda self: self.project.pending_alignment is not None)
    @rule(accepts=st.booleans())
    def decide(self, accepts: bool) -> None:
        self.edit((edits.accept_alignment if accepts else edits.reject_alignment)(self.project))

    @precondition(lambda self: self.project.alignment is not None)
    @rule(bar=st.integers(0, 4), occurrence=st.integers(1, 2), shift=st.integers(-20_000, 20_000))
    def place_bar(self, bar: int, occurrence: int, shift: int) -> None:
        project = self.project
        assert project.unfolded is not None and project.alignment is not None
        quarter = project.unfolded.beat_to_quarter(bar, occurrence, 1.0)
        frame = 0 if quarter is None else project.alignment.time_map.quarter_to_frame(quarter) + shift
        try:
            self.edit(edits.place_bar(project, SyncPoint(bar, occurrence, 1.0, frame)))
        except UsageError:
            return
        assert self.project.alignment is not None and quarter is not None
        assert self.project.alignment.time_map.quarter_to_frame(quarter) == frame

    @rule(skips=st.booleans())
    def choose_path(self, skips: bool) -> None:
        self.edit(edits.choose_path(self.project, PathChoices(frozenset({1}) if skips else frozenset())))

    @rule(which=st.integers(0, len(SCORES) - 1))
    def replace_score(self, which: int) -> None:
        self.edit(edits.set_score(self.project, ScoreFile(f"/music/{which}.xml", f"{which}" * 40), SCORES[which]))

    @rule(key=st.sampled_from(["ab", "cd"]))
    def replace_recording(self, key: str) -> None:
        assert self.project.recording is not None
        self.edit(edits.set_recording(self.project, replace(self.project.recording, content_key=key * 20)))

    @rule(part=parts, name=st.text(st.characters(exclude_categories=["Cs"]), max_size=5), program=st.integers(0, 127))
    def describe_part(self, part: int, name: str, program: int) -> None:
        self.edit(edits.set_part(self.project, part, "Describe", name=name, instrument=Instrument("", program)))

    @rule(part=parts, is_absent=st.booleans())
    def leave_out(self, part: int, is_absent: bool) -> None:
        self.edit(edits.set_part(self.project, part, "Leave out", is_absent=is_absent))

    @rule(part=parts, other=st.none() | parts)
    def join(self, part: int, other: int | None) -> None:
        try:
            self.edit(edits.set_part(self.project, part, "Join", joined_to=other))
        except UsageError:
            return

    @rule(budget=st.sampled_from(["preview", "balanced", "best"]))
    def choose_recipe(self, budget: str) -> None:
        self.edit(edits.set_recipe(self.project, Recipe(budget=budget)))

    @rule(gain_db=levels, is_muted=st.booleans())
    def move_in_the_mixer(self, gain_db: float, is_muted: bool) -> None:
        strips = (ChannelStrip(gain_db, is_muted=is_muted), *self.project.mixer.strips[1:])
        self.project = replace(self.project, mixer=replace(self.project.mixer, strips=strips))

    @rule()
    def undo(self) -> None:
        outcome = self.history.undo(self.project)
        assert (outcome is None) == (not self.states)
        if outcome is not None:
            self.ahead.append(self.project)
            self.project = outcome[0]
            assert without_mixer(self.project) == without_mixer(self.states.pop())

    @rule()
    def redo(self) -> None:
        outcome = self.history.redo(self.project)
        assert (outcome is None) == (not self.ahead)
        if outcome is not None:
            self.states.append(self.project)
            self.project = outcome[0]
            assert without_mixer(self.project) == without_mixer(self.ahead.pop())

    @rule()
    def undo_all_and_redo_all(self) -> None:
        count, here = len(self.states), self.project
        for _ in range(count):
            self.undo()
        assert without_mixer(self.project) == without_mixer(self.start) and self.history.undo_text == ""
        for _ in range(count):
            self.redo()
        assert without_mixer(self.project) == without_mixer(here)

    @rule()
    def save_and_open(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            save_project(self.project, Path(folder) / "p.scoresep")
            assert load_project(Path(folder) / "p.scoresep").project == self.project

    @invariant()
    def all_fits_together(self) -> None:
        project = self.project
        part_count = 0 if project.score is None else len(project.score.parts)
        assert len(project.parts) == part_count
        for alignment in (project.alignment, project.pending_alignment):
            assert alignment is None or (
                project.unfolded is not None and len(alignment.note_times) == len(project.unfolded.notes)
            )
        assert project.activities is None or len(project.activities) == part_count
        stems = [s for s in project.stem_of_part if s is not None]
        assert sorted(set(stems)) == list(range(len(project.stem_owners)))


Editing.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestEditing = Editing.TestCase


def test_five_hundred_changes_of_large_columns_stay_within_bounds() -> None:
    project = Project()
    assert project.alignment is None
    score = scale_score(4)
    project = apply_change(project, edits.set_score(project, ScoreFile("a", "b"), score))
    assert project.unfolded is not None
    alignment = even_alignment(project.unfolded)
    notes, limit = 50_000, 20_000_000
    history = History(max_bytes=limit)
    tracemalloc.start()
    for i in range(500):
        columns = (np.full(notes, i), np.full(notes, i + 1), np.zeros(notes, np.float32), np.ones(notes, bool))
        changed = replace(alignment, note_times=NoteTimes(*columns))
        project = history.apply(project, change_to(project, f"Place bar {i}", alignment=changed))
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < 1.3 * limit + 2 * notes * 21
    assert 10 < len(history) < 30 and history.undo_text == "Place bar 499"


def test_small_changes_are_all_remembered_up_to_a_number() -> None:
    history, project = History(max_changes=100), Project()
    for seed in range(1, 151):
        project = history.apply(project, edits.set_recipe(project, Recipe(seed=seed)))
    assert len(history) == 100
    while (outcome := history.undo(project)) is not None:
        project = outcome[0]
    assert project.recipe.seed == 50


def test_what_is_said_of_a_matter_gives_way_to_what_is_said_next() -> None:
    messages = Messages()
    messages.say("warning", "One.", "Two.", key="score")
    messages.say("error", "Bad file.", key="score")
    assert [m.text for m in messages.shown] == ["One.", "Two.", "Bad file."]
    messages.say("error", "Bad again.", key="score")
    messages.say("warning", "Three.", key="score")
    assert [m.text for m in messages.shown] == ["Bad again.", "Three."]
    messages.say("info", "Done.", key="export")
    messages.settle("score")
    assert [m.text for m in messages.shown] == ["Done."]
    messages.dismiss(messages.shown[0])
    assert messages.shown == ()

"""What an alignment finds out about repeats is one edit, told in sentences, and never overrules a person."""

from __future__ import annotations

from dataclasses import replace

from small_scores import even_alignment, scale_score

from scoresep.edits import project as edits
from scoresep.model.audio import Recording
from scoresep.model.path import PathChoices, performance_path, unfold
from scoresep.model.project import Project, ScoreFile, apply_change
from scoresep.model.score import Mark
from scoresep.session import pipeline
from scoresep.session.pipeline import choices_named, played_otherwise

RECORDING = Recording("take.wav", "ab", 600_000, 2, 44100)
ONCE = PathChoices(frozenset({1}))


def opened(**measure_values: object) -> Project:
    project = apply_change(
        Project(), edits.set_score(Project(), ScoreFile("a", "01"), scale_score(4, **measure_values))
    )
    return apply_change(project, edits.set_recording(project, RECORDING))


def found(project: Project, choices: PathChoices) -> Project:
    assert project.score is not None
    alignment = even_alignment(unfold(project.score, performance_path(project.score, choices)[0]))
    change = edits.set_first_alignment(project, choices, alignment, None)
    after = apply_change(project, change)
    assert change.text == "Align"
    assert apply_change(after, change.inverse) == project
    return after


def test_the_found_path_comes_with_its_alignment_as_one_edit() -> None:
    project = opened(repeat_passes={1: 2})
    assert pipeline.alignment_request(project).open_choices == PathChoices()
    after = found(project, ONCE)
    assert after.path_choices == ONCE
    assert after.path is not None and after.path.measure_indices == (0, 1, 2, 3)
    assert after.alignment is not None and after.unfolded is not None
    assert len(after.alignment.note_times.onset_frame) == len(after.unfolded.notes)
    assert after.activities is not None and len(after.activities) == 2
    assert played_otherwise(after) == ("The repeat of bars 1-2 was not played.",)


def test_nothing_is_sought_where_a_person_chose_or_placed_or_the_path_is_settled() -> None:
    project = opened(repeat_passes={1: 2})
    for choices in (PathChoices(), ONCE):
        chosen = apply_change(project, edits.choose_path(project, choices))
        assert pipeline.alignment_request(chosen).open_choices is None
        assert played_otherwise(chosen) == ()
    assert pipeline.alignment_request(found(project, PathChoices())).open_choices is None


def test_sentences_for_many_repeats_and_for_jumps() -> None:
    two = opened(repeat_passes={1: 2, 3: 2}, starts_repeat={0: True, 2: True})
    assert played_otherwise(found(two, PathChoices())) == ()
    assert played_otherwise(found(two, PathChoices(frozenset({1, 3})))) == ("None of the repeats was played.",)
    minuet = opened(repeat_passes={1: 2}, marks={3: frozenset({Mark.DA_CAPO})})
    assert played_otherwise(found(minuet, PathChoices(takes_jumps=False))) == (
        "The da capo or dal segno was not followed.",
    )
    again = replace(PathChoices(), repeats_after_jump=True)
    assert played_otherwise(found(minuet, again)) == ("After the da capo or dal segno the repeats were played again.",)


def test_sentences_for_single_jumps_and_for_an_order_that_the_file_states() -> None:
    rondo = opened(marks={0: (Mark.FINE,), 1: (Mark.DA_CAPO,), 2: (Mark.DA_CAPO_AL_FINE,)})
    left = PathChoices(skipped_jumps=frozenset({(1, Mark.DA_CAPO)}))
    assert played_otherwise(found(rondo, left)) == ("Da capo, bar 2: not followed.",)
    project = opened(repeat_passes={1: 2})
    assert project.score is not None
    stated = replace(project.score, stated_order=(0, 1, 2, 3, 2, 3))
    project = apply_change(Project(), edits.set_score(Project(), ScoreFile("a", "02"), stated))
    project = apply_change(project, edits.set_recording(project, RECORDING))
    assert project.path is not None and project.path.measure_indices == (0, 1, 2, 3, 2, 3)
    assert played_otherwise(found(project, PathChoices())) == ()
    (told,) = played_otherwise(found(project, PathChoices(follows_stated_order=False)))
    assert "states" in told and told.endswith("not followed.")


def test_names_of_the_command_line() -> None:
    score = scale_score(4, repeat_passes={1: 2}, marks={2: (Mark.FINE,), 3: (Mark.DA_CAPO,)})
    orders = {}
    for name in ("written", "none", "all"):
        choices = choices_named(name, score)
        assert choices is not None
        orders[name] = performance_path(score, choices)[0].measure_indices
        stated = replace(score, stated_order=(3, 2))
        is_stated = performance_path(stated, choices_named(name, stated) or PathChoices())[0].measure_indices == (3, 2)
        assert is_stated == (name == "written")
    assert orders["written"] == (0, 1, 0, 1, 2, 3, 0, 1, 2)
    assert orders["none"] == (0, 1, 2, 3, 0, 1, 2)
    assert orders["all"] == (0, 1, 0, 1, 2, 3, 0, 1, 0, 1, 2)
    assert choices_named("auto", score) is None

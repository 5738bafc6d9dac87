"""Rules of a recipe: set, replaced, taken away, gone along with their parts, and written beside the stems."""

from __future__ import annotations

from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_scores import scale_score

from scoresep.edits import project as edits
from scoresep.edits.recipes import find_rule, recipe_entry, recipe_in, recipe_of_stems, remove_rule, set_rule
from scoresep.errors import UsageError
from scoresep.model.audio import Recording
from scoresep.model.project import Project, Recipe, RecipeRule, ScoreFile, apply_change
from scoresep.session.separation_job import check_recipe

frames = st.one_of(st.none(), st.integers(0, 10**7))
rules = st.builds(RecipeRule, st.sampled_from(["nmf", "auto"]), st.sampled_from(["best"]), frames, frames, frames)


@given(recipe=st.builds(Recipe, st.just("nmf"), st.just("best"), st.integers(0, 9), st.lists(rules).map(tuple)))
def test_a_recipe_stands_in_the_manifest_of_its_stems(recipe: Recipe) -> None:
    assert recipe_in(recipe_entry(recipe)) == recipe


@pytest.mark.parametrize(
    "entry",
    [
        None,
        {},
        {"engine": "nmf", "budget": "best", "seed": 0},
        asdict(Recipe()) | {"rules": [{"engine": "nmf"}]},
        asdict(Recipe()) | {"rules": 3},
        asdict(Recipe()) | {"seed": "0"},
        asdict(Recipe()) | {"engine": 1},
        asdict(Recipe()) | {"rules": [asdict(RecipeRule("nmf", "best", 0.5))]},  # type: ignore[arg-type]
    ],
)
def test_an_entry_that_makes_no_sense_says_nothing(entry: object) -> None:
    assert recipe_in({"recipe": entry}) is None


def test_no_stems_no_recipe() -> None:
    assert recipe_of_stems("/no/such/folder") is None


def test_a_rule_takes_the_place_of_the_one_for_the_very_same() -> None:
    project, first = Project(), RecipeRule("nmf", "best", 1)
    other, again = RecipeRule("nmf", "preview", 1, 0, 100), RecipeRule("nmf", "preview", 1)
    for rule in (first, other, again):
        project = apply_change(project, set_rule(project, rule))
    assert project.recipe.rules == (other, again)
    assert find_rule(project.recipe, 1) == again and find_rule(project.recipe, 1, 0, 100) == other
    assert find_rule(project.recipe, None) is None
    change = remove_rule(project, again)
    assert change.text == "Choose method" and apply_change(project, change).recipe.rules == (other,)
    assert apply_change(apply_change(project, change), change.inverse) == project


def test_rules_go_with_their_parts_to_another_score_and_not_to_another_recording() -> None:
    def with_score(project: Project, names: tuple[str, ...]) -> Project:
        change = edits.set_score(project, ScoreFile("/a.xml", names[0]), scale_score(2, names))
        return apply_change(project, change)

    project = with_score(Project(), ("Violin", "Cello"))
    by_part, everywhere = RecipeRule("nmf", "best", 1), RecipeRule("nmf", "preview", None, 0, 10)
    for rule in (by_part, RecipeRule("nmf", "best", 0), everywhere):
        project = apply_change(project, set_rule(project, rule))
    turned = with_score(project, ("Cello", "Flute", "Oboe"))
    assert turned.recipe.rules == (RecipeRule("nmf", "best", 0), everywhere)
    recording = Recording("/a.wav", "key", 100, 1, 10)
    assert apply_change(turned, edits.set_recording(turned, recording)).recipe.rules == ()


@pytest.mark.parametrize(
    "recipe", [Recipe("nmf", "best", rules=(RecipeRule("nmf", "x"),)), Recipe("x"), Recipe("nmf", "")]
)
def test_what_does_not_exist_is_said_before_any_work(recipe: Recipe) -> None:
    with pytest.raises(UsageError, match="choose one of"):
        check_recipe(recipe)

"""Recipes: edits of how stems are to be made, and the recipe that stems on disk were made by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from scoresep.engines.separation.chunking import EngineClaim
from scoresep.errors import InputError
from scoresep.files.audio.stems import read_manifest
from scoresep.model.project import Change, Project, Recipe, RecipeRule, change_to

_KEY = "recipe"


def set_rule(project: Project, rule: RecipeRule) -> Change:
    """Have one part, one stretch or both made otherwise; a rule for the very same takes the place of the one before."""
    others = tuple(r for r in project.recipe.rules if _target(r) != _target(rule))
    return _with_rules(project, (*others, rule), "Choose method")


def remove_rule(project: Project, rule: RecipeRule) -> Change:
    """Have a part or stretch made like the rest again."""
    return _with_rules(project, tuple(r for r in project.recipe.rules if r != rule), "Choose method")


def find_rule(
    recipe: Recipe, part_index: int | None, start_frame: int | None = None, end_frame: int | None = None
) -> RecipeRule | None:
    """Return the rule for just this part and stretch; None where there is none.

    Parameters
    ----------
    recipe : Recipe
    part_index : int or None
        None for all parts.
    start_frame, end_frame : int, optional
        The stretch [start_frame, end_frame); the whole recording by default.
    """
    wanted = (part_index, start_frame, end_frame)
    return next((rule for rule in recipe.rules if _target(rule) == wanted), None)


def carry_recipe_over(recipe: Recipe, source_of: Sequence[int | None]) -> Recipe:
    """Return a recipe whose rules have gone with their parts to another score.

    Parameters
    ----------
    recipe : Recipe
    source_of : sequence of (int or None)
        For every new part the old one that it continues.
    """
    place = {old: new for new, old in enumerate(source_of) if old is not None}
    kept = [rule for rule in recipe.rules if rule.part_index is None or rule.part_index in place]
    moved = (r if r.part_index is None else replace(r, part_index=place[r.part_index]) for r in kept)
    return replace(recipe, rules=tuple(moved))


def claims_of(recipe: Recipe, stem_parts: tuple[int, ...]) -> list[EngineClaim]:
    """Return who makes what by a recipe; rules for parts without a stem of their own count for nothing.

    Parameters
    ----------
    recipe : Recipe
    stem_parts : tuple of int
        The part that owns each stem.
    """
    claims = [EngineClaim((recipe.engine, recipe.budget))]
    for rule in recipe.rules:
        if rule.part_index is None or rule.part_index in stem_parts:
            stem = None if rule.part_index is None else stem_parts.index(rule.part_index)
            claims.append(EngineClaim((rule.engine, rule.budget), stem, rule.start_frame, rule.end_frame))
    return claims


def recipe_entry(recipe: Recipe) -> dict[str, Any]:
    """Return the entry of a manifest that tells how its stems were made."""
    return {_KEY: asdict(recipe)}


def recipe_in(manifest: Mapping[str, Any]) -> Recipe | None:
    """Return how the stems of a manifest were made; None where it does not say."""
    try:
        values = dict(manifest[_KEY])
        rules = tuple(RecipeRule(**rule) for rule in values.pop("rules"))
        recipe = Recipe(**values, rules=rules)
    except (KeyError, TypeError, ValueError):
        return None
    names = [recipe.engine, recipe.budget, *(text for rule in rules for text in (rule.engine, rule.budget))]
    numbers = [recipe.seed, *(n for rule in rules for n in _target(rule) if n is not None)]
    is_sound = all(isinstance(n, str) for n in names) and all(type(n) is int for n in numbers)
    return recipe if is_sound else None


def recipe_of_stems(folder: str | Path) -> Recipe | None:
    """Return how the stems of a folder were made; None where it does not say."""
    try:
        return recipe_in(read_manifest(folder))
    except InputError:
        return None


def _target(rule: RecipeRule) -> tuple[int | None, int | None, int | None]:
    return rule.part_index, rule.start_frame, rule.end_frame


def _with_rules(project: Project, rules: tuple[RecipeRule, ...], text: str) -> Change:
    return change_to(project, text, recipe=replace(project.recipe, rules=rules))

"""How methods, budgets, devices and exceptions are called where a person chooses or sees them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QMenu

from scoresep.edits.recipes import find_rule
from scoresep.engines.separation import AUTO, AUTO_TEXT, BUDGETS, ENGINES
from scoresep.model.project import Project, Recipe, RecipeRule
from scoresep.qt.widgets.buttons import add_choice, literal
from scoresep.session.stem_folders import StemFacts

BUDGET_TEXTS = {
    "preview": ("Preview", "In a hurry, to hear whether all is well."),
    "balanced": ("Balanced", "Good stems in a reasonable time."),
    "best": ("Best", "The most that is possible here; takes several times as long."),
}
DEVICE_TEXTS = {
    "auto": "Whatever is fastest here",
    "cpu": "Processor (CPU)",
    "cuda": "NVIDIA graphics card (CUDA)",
    "mps": "Apple graphics (Metal)",
}


def engine_texts() -> dict[str, str]:
    """Return one line about every method by its name, the automatic choice first."""
    return {AUTO: AUTO_TEXT, **ENGINES}


def engine_name(engine: str) -> str:
    """Return what a method is called."""
    return "Automatic" if engine == AUTO else engine


def budget_name(budget: str) -> str:
    """Return what a budget is called."""
    return BUDGET_TEXTS[budget][0] if budget in BUDGET_TEXTS else budget


def recipe_text(recipe: Recipe) -> str:
    """Write a recipe in a few words: ``nmf, Balanced, 2 exceptions``."""
    words = (engine_name(recipe.engine), budget_name(recipe.budget), _exceptions(len(recipe.rules)))
    return ", ".join(word for word in words if word)


def rule_text(project: Project, rule: RecipeRule) -> str:
    """Write what a rule is for and what it says: ``Violin, bars 5–8: nmf, Best``."""
    return f"{target_text(project, rule)}: {engine_name(rule.engine)}, {budget_name(rule.budget)}"


def target_text(project: Project, rule: RecipeRule) -> str:
    """Write what a rule is for: a part, a stretch, or both."""
    where = range_text(project, rule.start_frame, rule.end_frame)
    if rule.part_index is None:
        return f"All parts, {where}"
    known = rule.part_index < len(project.parts)
    name = project.parts[rule.part_index].name if known else f"Part {rule.part_index + 1}"
    return f"{name}, {where}"


def range_text(project: Project, start_frame: int | None, end_frame: int | None) -> str:
    """Write a stretch in bars where there are any, else in time.

    Parameters
    ----------
    project : Project
    start_frame, end_frame : int or None
        Of the recording; None for its start or end.
    """
    if start_frame is None and end_frame is None:
        return "everywhere"
    recording = project.recording
    frames = recording.frames if recording is not None else (end_frame or 0)
    start, end = start_frame or 0, frames if end_frame is None else end_frame
    first, last = _bar_at(project, start), _bar_at(project, max(end - 1, start))
    if first and last:
        return f"bar {first}" if first == last else f"bars {first}–{last}"
    rate = recording.sample_rate if recording is not None else 1
    return f"{time_text(start / rate)}–{time_text(end / rate)}"


def time_text(seconds: float) -> str:
    """Write a time: ``1:05``."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def duration_text(seconds: float) -> str:
    """Write a length: ``8 s``, ``2:05``."""
    return f"{max(round(seconds), 1)} s" if seconds < 59.5 else time_text(seconds)


def _exceptions(count: int) -> str:
    return f"{count} exception{'s' if count > 1 else ''}" if count else ""


def _bar_at(project: Project, frame: int) -> str:
    unfolded, alignment = project.unfolded, project.alignment
    if unfolded is None or alignment is None:
        return ""
    quarter = alignment.time_map.frame_to_quarter(frame)
    if not 0 <= quarter < unfolded.end_quarter:
        return ""
    step, _ = unfolded.quarter_to_beat(quarter)
    number = unfolded.score.measures[step.measure_index].number
    return number if step.occurrence == 1 else f"{number} ({step.occurrence})"


def stems_text(facts: StemFacts) -> str:
    """Write in a few words what made stems: ``nmf · Balanced · cpu · 2 exceptions``."""
    budget = "" if facts.recipe is None else budget_name(facts.recipe.budget)
    exceptions = _exceptions(0 if facts.recipe is None else len(facts.recipe.rules))
    return "  ·  ".join(word for word in (facts.engine, budget, facts.device, exceptions) if word)


def stems_tip(project: Project, facts: StemFacts) -> str:
    """Write in sentences what made stems."""
    lines = [f"Separated by {facts.engine} on {facts.device}" + (f", {facts.made_at}" if facts.made_at else "")]
    if facts.recipe is not None:
        lines.append(f"Asked for: {recipe_text(facts.recipe)}")
        lines += [f"– {rule_text(project, rule)}" for rule in facts.recipe.rules]
    return "\n".join(lines)


def set_text(facts: StemFacts) -> str:
    """Write which stems are meant, where there are several: what made them, and when."""
    return ", ".join(word for word in (stems_text(facts), facts.made_at) if word)


SetRule = Callable[[RecipeRule], None]


def add_method_menu(
    menu: QMenu, title: str, recipe: Recipe, target: RecipeRule, set_rule: SetRule, remove_rule: SetRule
) -> QMenu:
    """Add the menu to another one.

    Parameters
    ----------
    menu : QMenu
    title : str
    recipe : Recipe
        The present one.
    target : RecipeRule
        What the rule is for; its engine and budget count for nothing.
    set_rule, remove_rule : callable taking RecipeRule
        Called with what is chosen, or with the rule that is to go.
    """
    submenu = menu.addMenu(title)
    submenu.setToolTipsVisible(True)
    present = find_rule(recipe, target.part_index, target.start_frame, target.end_frame)
    shown = present or replace(target, engine=recipe.engine, budget=recipe.budget)
    usual = f"Like the rest: {engine_name(recipe.engine)}, {budget_name(recipe.budget)}"
    remove = (lambda: None) if present is None else partial(remove_rule, present)
    add_choice(submenu, literal(usual), present is None, remove, QActionGroup(submenu))
    submenu.addSection("Method")
    group = QActionGroup(submenu)
    for name, text in engine_texts().items():
        is_on, choose = present is not None and shown.engine == name, partial(set_rule, replace(shown, engine=name))
        action = add_choice(submenu, engine_name(name), is_on, choose, group)
        action.setToolTip(text)
        action.setStatusTip(text)
    submenu.addSection("Quality")
    group = QActionGroup(submenu)
    for budget in BUDGETS:
        is_on, choose = present is not None and shown.budget == budget, partial(set_rule, replace(shown, budget=budget))
        add_choice(submenu, budget_name(budget), is_on, choose, group)
    return submenu

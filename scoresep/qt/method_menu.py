"""The menu that gives one part, one stretch or both another method or quality than the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu

from scoresep.engines.separation import BUDGETS
from scoresep.model.project import Recipe, RecipeRule
from scoresep.qt.method_texts import budget_name, engine_name, engine_texts
from scoresep.session.recipes import rule_for

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
    present = rule_for(recipe, target.part_index, target.start_frame, target.end_frame)
    shown = present or replace(target, engine=recipe.engine, budget=recipe.budget)
    usual = f"Like the rest: {engine_name(recipe.engine)}, {budget_name(recipe.budget)}"
    as_rest = submenu.addAction(usual.replace("&", "&&"))
    _check(as_rest, present is None, QActionGroup(submenu))
    if present is not None:
        as_rest.triggered.connect(lambda: remove_rule(present))
    submenu.addSection("Method")
    group = QActionGroup(submenu)
    for name, text in engine_texts().items():
        action = submenu.addAction(engine_name(name))
        action.setToolTip(text)
        action.setStatusTip(text)
        _check(action, present is not None and shown.engine == name, group)
        action.triggered.connect(lambda _=False, name=name: set_rule(replace(shown, engine=name)))
    submenu.addSection("Quality")
    group = QActionGroup(submenu)
    for budget in BUDGETS:
        action = submenu.addAction(budget_name(budget))
        _check(action, present is not None and shown.budget == budget, group)
        action.triggered.connect(lambda _=False, budget=budget: set_rule(replace(shown, budget=budget)))
    return submenu


def _check(action: QAction, is_checked: bool, group: QActionGroup) -> None:
    action.setCheckable(True)
    action.setChecked(is_checked)
    group.addAction(action)

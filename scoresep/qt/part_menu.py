"""The menu of a part: what plays it, whether the recording has it, with what it shares a stem, how that is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu, QWidget

from scoresep.model.project import Project, RecipeRule
from scoresep.model.score import Instrument
from scoresep.qt.instruments import FAMILIES
from scoresep.qt.method_menu import add_method_menu


@dataclass(frozen=True)
class PartChoices:
    """What the menu calls when something is chosen."""

    instrument: Callable[[int, Instrument], None]
    is_absent: Callable[[int, bool], None]
    joined_to: Callable[[int, int | None], None]
    set_rule: Callable[[RecipeRule], None]
    remove_rule: Callable[[RecipeRule], None]


def part_menu(owner: QWidget, part_index: int, project: Callable[[], Project], choices: PartChoices) -> QMenu:
    """Make the menu of a part; it is filled when it opens, from the project of that moment.

    Parameters
    ----------
    owner : QWidget
    part_index : int
    project : callable returning Project
    choices : PartChoices
    """
    menu = QMenu(owner)
    menu.aboutToShow.connect(lambda: _fill(menu, part_index, project(), choices))
    return menu


def _fill(menu: QMenu, part_index: int, project: Project, choices: PartChoices) -> None:
    menu.clear()
    if project.score is None or part_index >= len(project.parts):
        return
    part, written = project.parts[part_index], project.score.parts[part_index].instrument
    menu.addSection("Played by")
    group = QActionGroup(menu)
    as_written = menu.addAction(literal(f"As in the score: {written.name or 'not said'}"))
    _check(as_written, part.instrument == written, group)
    as_written.triggered.connect(lambda: choices.instrument(part_index, written))
    for number, (family, names) in enumerate(FAMILIES):
        submenu = menu.addMenu(family)
        for offset, name in enumerate(names):
            program = 8 * number + offset
            action = submenu.addAction(name)
            is_now = part.instrument != written and part.instrument.program == program
            _check(action, is_now, group)
            action.triggered.connect(
                lambda _=False, instrument=Instrument(name, program): choices.instrument(part_index, instrument)
            )
    percussion = menu.addAction("Percussion without pitch")
    _check(percussion, part.instrument != written and part.instrument.is_percussion, group)
    percussion.triggered.connect(
        lambda: choices.instrument(part_index, Instrument("Percussion", None, is_percussion=True))
    )
    menu.addSeparator()
    absent = menu.addAction("Not in this recording")
    _check(absent, part.is_absent)
    absent.triggered.connect(lambda on: choices.is_absent(part_index, on))
    _add_joins(menu, part_index, project, choices)
    rules = (choices.set_rule, choices.remove_rule)
    method = add_method_menu(menu, "Method for this part", project.recipe, RecipeRule("", "", part_index), *rules)
    method.setEnabled(project.stem_of_part[part_index] is not None and part.joined_to is None)


def _add_joins(menu: QMenu, part_index: int, project: Project, choices: PartChoices) -> None:
    part = project.parts[part_index]
    submenu = menu.addMenu("One stem together with")
    group = QActionGroup(submenu)
    alone = submenu.addAction("No other part")
    _check(alone, part.joined_to is None, group)
    alone.triggered.connect(lambda: choices.joined_to(part_index, None))
    submenu.addSeparator()
    is_joined_by_others = any(p.joined_to == part_index for p in project.parts)
    for other in project.stem_owners:
        if other != part_index:
            action = submenu.addAction(literal(project.parts[other].name))
            _check(action, part.joined_to == other, group)
            action.setEnabled(not is_joined_by_others)
            action.triggered.connect(lambda _=False, other=other: choices.joined_to(part_index, other))
    submenu.setEnabled(not part.is_absent and len(project.parts) > 1)


def literal(text: str) -> str:
    """Return a text for a menu that shows it as it is, also where it has an ampersand."""
    return text.replace("&", "&&")


def _check(action: QAction, is_checked: bool, group: QActionGroup | None = None) -> None:
    action.setCheckable(True)
    action.setChecked(is_checked)
    if group is not None:
        group.addAction(action)

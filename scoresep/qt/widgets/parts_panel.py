"""The mixer: a strip for every part with its menu, and under them what made the stems that are heard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QActionGroup, QColor
from PySide6.QtWidgets import (
    QApplication,
    QColorDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from scoresep.model.colors import RESIDUAL_COLOR, default_part_colors
from scoresep.model.general_midi import FAMILIES
from scoresep.model.project import ChannelStrip, Mixer, Project, RecipeRule
from scoresep.model.score import Instrument
from scoresep.playback.mixing import Levels, TrackKey, find_strip, is_minus_one, set_strip, toggle_minus_one
from scoresep.qt.widgets.buttons import TextButton, add_choice, literal
from scoresep.qt.widgets.channel_row import ChannelRow, RowContent
from scoresep.qt.widgets.method_menu import add_method_menu
from scoresep.qt.widgets.theme import em, line_color


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

    def add(menu: QMenu, text: str, is_on: bool, instrument: Instrument) -> None:
        add_choice(menu, text, is_on, lambda: choices.instrument(part_index, instrument), group)

    add(menu, literal(f"As in the score: {written.name or 'not said'}"), part.instrument == written, written)
    for number, (family, names) in enumerate(FAMILIES.items()):
        submenu = menu.addMenu(family)
        for offset, name in enumerate(names):
            program = 8 * number + offset
            is_now = part.instrument != written and part.instrument.program == program
            add(submenu, name, is_now, Instrument(name, program))
    is_now = part.instrument != written and part.instrument.is_percussion
    add(menu, "Percussion without pitch", is_now, Instrument("Percussion", None, is_percussion=True))
    menu.addSeparator()
    absent = not part.is_absent
    add_choice(menu, "Not in this recording", part.is_absent, lambda: choices.is_absent(part_index, absent))
    _add_joins(menu, part_index, project, choices)
    rules = (choices.set_rule, choices.remove_rule)
    method = add_method_menu(menu, "Method for this part", project.recipe, RecipeRule("", "", part_index), *rules)
    method.setEnabled(project.stem_of_part[part_index] is not None and part.joined_to is None)


def _add_joins(menu: QMenu, part_index: int, project: Project, choices: PartChoices) -> None:
    part = project.parts[part_index]
    submenu = menu.addMenu("One stem together with")
    group = QActionGroup(submenu)
    add_choice(submenu, "No other part", part.joined_to is None, lambda: choices.joined_to(part_index, None), group)
    submenu.addSeparator()
    is_joined_by_others = any(p.joined_to == part_index for p in project.parts)
    for other in project.stem_owners:
        if other != part_index:
            name, join = literal(project.parts[other].name), partial(choices.joined_to, part_index, other)
            add_choice(submenu, name, part.joined_to == other, join, group).setEnabled(not is_joined_by_others)
    submenu.setEnabled(not part.is_absent and len(project.parts) > 1)


class StemLine(QWidget):
    """The line; a button that lets another making be chosen.

    Signals
    -------
    pressed()
    """

    pressed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.button = TextButton("", "Stems", "split", is_faint=True)
        self.button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.button.clicked.connect(self.pressed)
        row = QHBoxLayout(self)
        row.setContentsMargins(em(self, 0.15), em(self, 0.15), em(self, 0.15), em(self, 0.15))
        row.addWidget(self.button)
        self.hide()

    def show_text(self, text: str, tip: str) -> None:
        """Show what made the stems; an empty text hides the line."""
        self.button.setText(text)
        self.button.set_name(tip or "Stems")
        self.setVisible(bool(text))


MASTER_COLOR = "#aab2bd"


def master_row() -> ChannelRow:
    """Make the strip of the master: a fader with its meter, and nothing else."""
    row = ChannelRow(None)
    for widget in (row.mute, row.solo, row.minus, row.pan, row.instrument):
        widget.hide()
    row.chip.setEnabled(False)
    row.name.setReadOnly(True)
    row.name.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    row.chip.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return row


def row_content(project: Project, key: TrackKey, keys: tuple[TrackKey, ...]) -> RowContent:
    """Return what the strip of a part or the residual shows.

    Parameters
    ----------
    project : Project
    key : int or str
        Index of the part, or ``residual``.
    keys : tuple of (int or str)
        The tracks that can be heard now.
    """
    strip, has_sound = find_strip(project.mixer, key), key in keys
    is_left_out = has_sound and is_minus_one(project.mixer, key, keys)
    if not isinstance(key, int):
        return RowContent("Residual", RESIDUAL_COLOR, strip, "", "", is_left_out, has_sound)
    part = project.parts[key]
    note = ""
    if part.is_absent:
        note = "Not in this recording"
    elif part.joined_to is not None:
        note = f"One stem with {project.parts[part.joined_to].name}"
    instrument = part.instrument.name or "Instrument"
    if note and has_sound:  # a stem of before is still heard, and must be within reach
        note, instrument = "", note
    return RowContent(part.name, part.color, strip, instrument, note, is_left_out, has_sound)


class PartsPanel(QWidget):
    """The panel.

    Signals
    -------
    mixer_changed(Mixer)
    part_changed(int, str, dict)
        Part index, what was done in words, and the fields of `PartSettings` that differ.
    part_chosen(object)
        Key of the strip that keys like mute are meant for.
    rule_set(RecipeRule), rule_removed(RecipeRule)
        A part is to be made by another method than the rest, or by the same again.
    """

    mixer_changed = Signal(object)
    part_changed = Signal(int, str, object)
    part_chosen = Signal(object)
    rule_set = Signal(object)
    rule_removed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._project = Project()
        self._keys: tuple[TrackKey, ...] = ()
        self._rows: dict[TrackKey, ChannelRow] = {}
        self._chosen: TrackKey | None = None
        self._list = QWidget()
        self._lines = QVBoxLayout(self._list)
        self._lines.setContentsMargins(0, 0, 0, 0)
        self._lines.setSpacing(0)
        self._empty = QLabel("The parts appear here\nonce a score is open.")
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setEnabled(False)
        self._empty.setContentsMargins(0, em(self, 2.0), 0, em(self, 2.0))
        self._lines.addWidget(self._empty)
        self._lines.addStretch(1)
        self._scroll = QScrollArea()
        self._scroll.setWidget(self._list)
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._line = QFrame()
        self._line.setFixedHeight(1)
        self._line.setAutoFillBackground(True)
        self.stem_line = StemLine()
        self.master = master_row()
        self.master.strip_changed.connect(
            lambda strip: self._send_mixer(replace(self._project.mixer, master_gain_db=strip.gain_db))
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._scroll, 1)
        column.addWidget(self._line)
        column.addWidget(self.stem_line)
        column.addWidget(self.master)
        self._color_line()
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.focusChanged.connect(self._follow_focus)

    def sizeHint(self) -> QSize:
        return QSize(em(self, 19.0), em(self, 30.0))

    def minimumSizeHint(self) -> QSize:
        return QSize(em(self, 15.5), em(self, 10.0))

    # ------------------------------------------------------------------------------------------------------- showing

    def show_project(self, project: Project, keys: tuple[TrackKey, ...]) -> None:
        """Show the parts and the mixer of a project.

        Parameters
        ----------
        project : Project
        keys : tuple of (int or str)
            The tracks that can be heard now.
        """
        self._project, self._keys = project, keys
        wanted: list[TrackKey] = list(range(len(project.parts)))
        if wanted:
            wanted.append("residual")
        if wanted != list(self._rows):
            self._make_rows(wanted)
        for key, row in self._rows.items():
            row.show_content(row_content(project, key, keys))
        master = ChannelStrip(gain_db=project.mixer.master_gain_db)
        self.master.show_content(RowContent("Master", MASTER_COLOR, master))
        for widget in (self.master.mute, self.master.solo, self.master.minus, self.master.pan):
            widget.hide()
        self._empty.setVisible(not wanted)

    def _make_rows(self, wanted: list[TrackKey]) -> None:
        for row in self._rows.values():
            self._lines.removeWidget(row)
            row.deleteLater()
        self._rows = {}
        for at, key in enumerate(wanted):
            row = ChannelRow(key)
            self._connect(row, key)
            self._lines.insertWidget(at, row)
            self._rows[key] = row
        self._choose(self._chosen if self._chosen in self._rows else next(iter(self._rows), None))

    def _connect(self, row: ChannelRow, key: TrackKey) -> None:
        row.strip_changed.connect(lambda strip: self._send_mixer(set_strip(self._project.mixer, key, strip)))
        row.minus_one_asked.connect(lambda: self._send_mixer(toggle_minus_one(self._project.mixer, key, self._keys)))
        row.chosen.connect(lambda: self._choose(key))
        if isinstance(key, int):
            row.color_asked.connect(lambda: self._ask_color(key))
            row.renamed.connect(lambda name: self.part_changed.emit(key, "Rename part", {"name": name}))
            choices = PartChoices(
                lambda part, value: self.part_changed.emit(part, "Choose instrument", {"instrument": value}),
                lambda part, value: self.part_changed.emit(
                    part,
                    "Leave part out" if value else "Take part in",
                    {"is_absent": value, "joined_to": None} if value else {"is_absent": value},
                ),
                lambda part, value: self.part_changed.emit(
                    part, "Separate parts" if value is None else "Join parts", {"joined_to": value}
                ),
                self.rule_set.emit,
                self.rule_removed.emit,
            )
            row.instrument.setMenu(part_menu(row.instrument, key, lambda: self._project, choices))
        else:
            row.chip.setEnabled(False)
            row.chip.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            row.name.setFocusPolicy(Qt.FocusPolicy.NoFocus)

    def show_levels(self, levels: Levels | None, elapsed_s: float) -> None:
        """Let the meters go on by some time."""
        peaks = {}
        if levels is not None:
            peaks = dict(zip(levels.keys, levels.peak, strict=False))
        for key, row in self._rows.items():
            row.show_level(peaks.get(key), elapsed_s)
        self.master.show_level(None if levels is None else levels.peak[-1], elapsed_s)

    # ----------------------------------------------------------------------------------------------- what was done

    @property
    def chosen(self) -> TrackKey | None:
        """The strip that keys like mute and solo are meant for."""
        return self._chosen

    def row(self, key: TrackKey) -> ChannelRow:
        """Return the row of a part or the residual."""
        return self._rows[key]

    def choose(self, key: TrackKey | None) -> None:
        """Choose a strip and bring it into sight; the present one stays where there is no such strip."""
        if key is not None and key in self._rows:
            self._choose(key)
            self._scroll.ensureWidgetVisible(self._rows[key])

    def choose_next(self, step: int) -> None:
        """Choose the strip that lies so many rows below."""
        keys = list(self._rows)
        if keys:
            at = keys.index(self._chosen) if self._chosen in self._rows else 0
            self.choose(keys[min(max(at + step, 0), len(keys) - 1)])

    def toggle(self, what: str) -> None:
        """Press mute, solo or minus on the chosen strip."""
        row = self._rows.get(self._chosen) if self._chosen is not None else None
        if row is not None:
            button = {"mute": row.mute, "solo": row.solo, "minus": row.minus}[what]
            button.click()

    def open_menu(self) -> None:
        """Open the menu of the chosen part: what plays it, and whether the recording has it."""
        row = self._rows.get(self._chosen) if self._chosen is not None else None
        if row is not None and row.instrument.menu() is not None:
            row.instrument.showMenu()

    def reset(self) -> None:
        """Set all levels, pans, mutes and solos to rest."""
        self._send_mixer(Mixer((ChannelStrip(),) * len(self._project.parts)))

    def _choose(self, key: TrackKey | None) -> None:
        self._chosen = key
        for other, row in self._rows.items():
            row.set_selected(other == key)
        self.part_chosen.emit(key)

    def _follow_focus(self, before: QWidget | None, now: QWidget | None) -> None:
        """Choose the strip that the keyboard has come to."""
        while now is not None and now is not self:
            if isinstance(now, ChannelRow) and now.key in self._rows and now.key != self._chosen:
                self._choose(now.key)
                return
            now = now.parentWidget()

    def _send_mixer(self, mixer: Mixer) -> None:
        self._project = replace(self._project, mixer=mixer)
        self.mixer_changed.emit(mixer)

    def _ask_color(self, part_index: int) -> None:
        part = self._project.parts[part_index]
        dialog = QColorDialog(QColor(part.color), self)
        dialog.setWindowTitle(f"Colour of {part.name}")
        for place, color in enumerate(default_part_colors(dialog.customCount())):
            dialog.setCustomColor(place, QColor(color))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.colorSelected.connect(
            lambda color: self.part_changed.emit(part_index, "Choose colour", {"color": color.name()})
        )
        dialog.open()

    def _color_line(self) -> None:
        palette = self._line.palette()
        palette.setColor(palette.ColorRole.Window, line_color(self.palette()))
        self._line.setPalette(palette)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_line"):
            self._color_line()

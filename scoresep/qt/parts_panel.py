"""The parts of the score and the mixer, as one list: what a part is called, its colour, what plays it, how it is heard.

Values in, signals out: the panel shows a project and tells what a person did; it changes nothing itself.
"""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication, QColorDialog, QFrame, QLabel, QScrollArea, QVBoxLayout, QWidget

from scoresep.model.colors import default_part_colors
from scoresep.model.project import ChannelStrip, Mixer, Project
from scoresep.playback.mixing import Levels, TrackKey, is_minus_one, minus_one, strip_of, with_strip
from scoresep.qt.channel_row import ChannelRow, RowContent
from scoresep.qt.part_menu import PartChoices, part_menu
from scoresep.qt.stem_line import StemLine
from scoresep.qt.theme import RESIDUAL_COLOR, em, line_color

MASTER_COLOR = "#aab2bd"


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
        self.master = self._make_master()
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

    def _make_master(self) -> ChannelRow:
        row = ChannelRow(None)
        for widget in (row.mute, row.solo, row.minus, row.pan, row.instrument):
            widget.hide()
        row.chip.setEnabled(False)
        row.name.setReadOnly(True)
        row.name.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        row.chip.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        row.strip_changed.connect(
            lambda strip: self._send_mixer(replace(self._project.mixer, master_gain_db=strip.gain_db))
        )
        return row

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
            row.show_content(self._content_of(key))
        master = ChannelStrip(gain_db=project.mixer.master_gain_db)
        self.master.show_content(RowContent("Master", MASTER_COLOR, master))
        for widget in (self.master.mute, self.master.solo, self.master.minus, self.master.pan):
            widget.hide()
        self._empty.setVisible(not wanted)

    def _content_of(self, key: TrackKey) -> RowContent:
        project, strip = self._project, strip_of(self._project.mixer, key)
        has_sound = key in self._keys
        is_left_out = has_sound and is_minus_one(project.mixer, key, self._keys)
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
        row.strip_changed.connect(lambda strip: self._send_mixer(with_strip(self._project.mixer, key, strip)))
        row.minus_one_asked.connect(lambda: self._send_mixer(minus_one(self._project.mixer, key, self._keys)))
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

    def choose(self, key: TrackKey) -> None:
        """Choose a strip and bring it into sight."""
        if key in self._rows:
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

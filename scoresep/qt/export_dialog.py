"""What to write to disk: stems or the mix, all or a stretch, in which form, under which names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPixmap
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMessageBox,
    QPushButton,
    QRadioButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from scoresep.errors import InputError, UsageError
from scoresep.files.export_audio import DEFAULT_TEMPLATE, TEMPLATE_FIELDS, export_names, files_in_the_way
from scoresep.model.project import Project
from scoresep.model.timebase import format_time
from scoresep.qt.dialogs import OpenDialog, question_box
from scoresep.qt.theme import LEVEL_CLIP, RESIDUAL_COLOR, em
from scoresep.session.exporting import ExportChoices, export_request
from scoresep.session.settings import Settings

# Key, as kept in the settings; what a person reads; container and bits.
FORMATS: dict[str, tuple[str, Literal["wav", "flac"], int]] = {
    "wav-32f": ("WAV, 32 bit float: nothing is changed", "wav", 32),
    "wav-24": ("WAV, 24 bit", "wav", 24),
    "wav-16": ("WAV, 16 bit", "wav", 16),
    "flac-24": ("FLAC, 24 bit: half the size", "flac", 24),
    "flac-16": ("FLAC, 16 bit", "flac", 16),
}

FOLDER_SUFFIX = " stems"


class ExportDialog(OpenDialog):
    """The dialog.

    Parameters
    ----------
    project : Project
    settings : Settings
    selection : tuple of int or None
        Start and end frame of what is selected.
    folder : str
        Where this recording was exported to before; empty for nowhere yet.

    Signals
    -------
    chosen(ExportChoices)
    """

    chosen = Signal(object)

    def __init__(
        self,
        project: Project,
        settings: Settings,
        selection: tuple[int, int] | None,
        folder: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("Export", "", "Export", parent)
        self._project = project
        self._selection = selection
        self.stems = QRadioButton("Stems")
        self.mix = QRadioButton("The mix as it is heard now")
        self.stems.setChecked(True)
        self.ticks: dict[int | None, QCheckBox] = {}
        self.everything = QRadioButton("The whole recording")
        self.stretch = QRadioButton("The selection")
        self.format = QComboBox()
        self.template = QLineEdit(settings.export_template or DEFAULT_TEMPLATE)
        self.folder = QLineEdit(folder or self._default_folder(settings.export_folder))
        self.names = QLabel()
        self.problem = QLabel()
        self._lay_out(settings)
        for widget in (self.stems, self.mix, self.everything, *self.ticks.values()):
            widget.toggled.connect(self._refresh)
        for field in (self.template, self.folder):
            field.textChanged.connect(self._refresh)
        self.format.currentIndexChanged.connect(self._refresh)
        self.finish()
        self._refresh()

    def _default_folder(self, last: str) -> str:
        """Return a folder of this recording's own, where the last export of any recording went, or beside it."""
        recording = self._project.recording
        if recording is None:
            return last
        place = Path(recording.path).parent
        if last:
            place = Path(last).parent if Path(last).name.endswith(FOLDER_SUFFIX) else Path(last)
        return str(place / f"{Path(recording.path).stem}{FOLDER_SUFFIX}")

    def _lay_out(self, settings: Settings) -> None:
        form = QFormLayout()
        form.setHorizontalSpacing(em(self, 1.0))
        form.setVerticalSpacing(em(self, 0.7))
        kind = QButtonGroup(self)
        kind.addButton(self.stems)
        kind.addButton(self.mix)
        form.addRow("What", _beside(self.stems, self.mix))
        form.addRow("Parts", self._part_list())
        span = QButtonGroup(self)
        span.addButton(self.everything)
        span.addButton(self.stretch)
        self._offer_selection()
        form.addRow("Range", _beside(self.everything, self.stretch))
        for key, (text, _, _) in FORMATS.items():
            self.format.addItem(text, key)
        self.format.setCurrentIndex(max(self.format.findData(settings.export_format), 0))
        form.addRow("Format", self.format)
        self.template.setToolTip("Fields: " + ", ".join(f"{{{field}}}" for field in TEMPLATE_FIELDS))
        form.addRow("Names", self.template)
        self.names.setEnabled(False)
        self.names.setAccessibleName("Names of the files")
        self.names.setMinimumWidth(em(self, 26))
        form.addRow("", self.names)
        choose = QPushButton("Choose…")
        choose.setAutoDefault(False)
        choose.clicked.connect(self._ask_for_folder)
        form.addRow("Folder", _beside(self.folder, choose, stretch=False))
        self.column.addLayout(form)
        palette = self.problem.palette()
        palette.setColor(palette.ColorRole.WindowText, LEVEL_CLIP)
        self.problem.setPalette(palette)
        self.problem.setWordWrap(True)
        self.column.addWidget(self.problem)

    def _part_list(self) -> QWidget:
        box = QWidget()
        lines = QVBoxLayout(box)
        lines.setContentsMargins(0, 0, 0, 0)
        lines.setSpacing(em(self, 0.15))
        for stem in self._project.stem_set.stems if self._project.stem_set is not None else ():
            name, color = stem.name, RESIDUAL_COLOR
            if stem.part_index is not None and stem.part_index < len(self._project.parts):
                part = self._project.parts[stem.part_index]
                name, color = part.name, part.color
            tick = QCheckBox(name)
            tick.setIcon(_color_icon(color, em(self, 0.8)))
            tick.setChecked(True)
            self.ticks[stem.part_index] = tick
            lines.addWidget(tick)
        if len(self.ticks) <= 8:
            return box
        scroll = QScrollArea()
        scroll.setWidget(box)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setMinimumHeight(em(self, 9))
        return scroll

    def _offer_selection(self) -> None:
        recording = self._project.recording
        if self._selection is None or recording is None:
            self.everything.setChecked(True)
            self.stretch.setEnabled(False)
            return
        start, end = (format_time(frame / recording.sample_rate) for frame in self._selection)
        self.stretch.setText(f"The selection, {start} to {end}")
        self.stretch.setChecked(True)

    @property
    def choices(self) -> ExportChoices:
        """What is chosen now."""
        recording = self._project.recording
        start, end = 0, recording.frames if recording is not None else 0
        if self.stretch.isChecked() and self._selection is not None:
            start, end = self._selection
        _, container, bits = FORMATS[str(self.format.currentData())]
        parts = tuple(part for part, tick in self.ticks.items() if tick.isChecked())
        return ExportChoices(
            self.folder.text().strip(),
            self.mix.isChecked(),
            parts,
            start,
            end,
            container,
            bits,
            self.template.text(),
        )

    def _refresh(self) -> None:
        for tick in self.ticks.values():
            tick.setEnabled(self.stems.isChecked())
        problem = ""
        names: tuple[str, ...] = ()
        try:
            names = export_names(export_request(self._project, self.choices))
        except (UsageError, InputError) as error:
            problem = str(error)
        if not problem and not names:
            problem = "Tick at least one part."
        if not problem and not self.folder.text().strip():
            problem = "Choose a folder."
        shown = (*names[:4], f"… and {len(names) - 4} more") if len(names) > 5 else names
        self.names.setText("\n".join(shown))
        self.problem.setText(problem)
        self.problem.setVisible(bool(problem))
        self.accept_button.setEnabled(not problem)

    def _ask_for_folder(self) -> None:
        dialog = QFileDialog(self, "Folder to write to", self.folder.text())
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self.folder.setText)
        dialog.open()

    def accept(self) -> None:
        choices = self.choices
        in_the_way = files_in_the_way(export_request(self._project, choices))
        if not in_the_way:
            self._take(choices)
            return
        count = len(in_the_way)
        text = f"{count} files with these names are" if count > 1 else "A file with this name is"
        box = question_box(self, "Replace files?", f"{text} in the folder already.")
        box.setInformativeText("\n".join(in_the_way[:6]) + ("\n…" if count > 6 else ""))
        replaced = box.addButton("&Replace", QMessageBox.ButtonRole.AcceptRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.finished.connect(
            lambda: self._take(replace(choices, overwrites=True)) if box.clickedButton() is replaced else None
        )
        box.open()

    def _take(self, choices: ExportChoices) -> None:
        self.chosen.emit(choices)
        super().accept()


def _beside(*widgets: QWidget, stretch: bool = True) -> QWidget:
    box = QWidget()
    row = QHBoxLayout(box)
    row.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        row.addWidget(widget)
    if stretch:
        row.addStretch(1)
    return box


def _color_icon(color: str, side: int) -> QIcon:
    pixmap = QPixmap(side, side)
    pixmap.fill(QColor(color))
    return QIcon(pixmap)

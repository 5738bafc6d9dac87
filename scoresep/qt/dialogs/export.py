"""What to write to disk: stems, the mix or the alignment, all or a stretch, in which form, under which names."""

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
from scoresep.files.audio.export import DEFAULT_TEMPLATE, TEMPLATE_FIELDS
from scoresep.files.audio.export_formats import COMPRESSED, Container
from scoresep.model.colors import RESIDUAL_COLOR
from scoresep.model.note_edits import NoteKey
from scoresep.model.project import Project
from scoresep.model.timebase import format_time
from scoresep.qt.dialogs.common import OpenDialog, question_box
from scoresep.qt.widgets.theme import LEVEL_CLIP, em
from scoresep.session.exporting import (
    DAW_FORMS,
    ExportChoices,
    export_names,
    export_request,
    files_in_the_way,
)
from scoresep.session.settings import Settings

# Key, as kept in the settings; what a person reads; container and bits.
FORMATS: dict[str, tuple[str, Container, int]] = {
    "wav-32f": ("WAV, 32 bit float: nothing is changed", "wav", 32),
    "wav-24": ("WAV, 24 bit", "wav", 24),
    "wav-16": ("WAV, 16 bit", "wav", 16),
    "flac-24": ("FLAC, 24 bit: half the size", "flac", 24),
    "flac-16": ("FLAC, 16 bit", "flac", 16),
    "mp3": ("MP3: plays everywhere", "mp3", 0),
    "aac": ("AAC (M4A): small", "aac", 0),
    "opus": ("Opus: smallest", "opus", 0),
    "ogg": ("OGG Vorbis", "ogg", 0),
}

ALIGNMENT_FORMATS: dict[str, tuple[str, Literal["midi", "labels"]]] = {
    "midi": ("MIDI: its tempo follows the recording", "midi"),
    "labels": ("Tables, and labels for Audacity and Sonic Visualiser", "labels"),
}

# Key, as kept in the settings; what a person reads; form, and whether the tempo follows the recording.
DAW_FORMATS: dict[str, tuple[str, Literal["dawproject", "reaper"], bool]] = {
    "dawproject": ("DAWproject: Bitwig, Studio One, Cubase", "dawproject", True),
    "dawproject-fixed": ("DAWproject, one tempo throughout", "dawproject", False),
    "reaper": ("REAPER project", "reaper", True),
    "reaper-fixed": ("REAPER project, one tempo throughout", "reaper", False),
}

SEGMENTS = {"labels": "A table, and labels for Audacity"}  # found without a score

SOUND_SUFFIX, ALIGNMENT_SUFFIX = " stems", " alignment"


def format_key(choices: ExportChoices) -> str:
    """Return what the settings keep of a format."""
    if choices.container in DAW_FORMS:
        return choices.container if choices.has_tempo_map else f"{choices.container}-fixed"
    if choices.container in ALIGNMENT_FORMATS or choices.container in COMPRESSED:
        return choices.container
    return f"{choices.container}-{'32f' if choices.bits == 32 else choices.bits}"


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
        self.daw = QRadioButton("A project for a DAW")
        self.daw.setToolTip("All stems as tracks, as the mixer has them, with tempo, bars and the notes of the score")
        self._has_alignment = project.alignment is not None
        self.alignment = QRadioButton("The alignment" if self._has_alignment or project.score else "The segments")
        self.ticks: dict[int | None, QCheckBox] = {}
        self.everything = QRadioButton("The whole recording")
        self.stretch = QRadioButton("The selection")
        self.format = QComboBox()
        self.template = QLineEdit(settings.export_template or DEFAULT_TEMPLATE)
        self._settings = settings
        self.folder = QLineEdit()
        self.names = QLabel()
        self.problem = QLabel()
        self._lay_out()
        self._offer_kinds()
        self.folder.setText(folder or self._default_folder())
        for button in (self.alignment, self.daw):
            button.toggled.connect(self._change_kind)
        for widget in (self.stems, self.mix, self.everything, *self.ticks.values()):
            widget.toggled.connect(self._refresh)
        for field in (self.template, self.folder):
            field.textChanged.connect(self._refresh)
        self.format.currentIndexChanged.connect(self._refresh)
        self.finish()
        self._refresh()

    def _default_folder(self) -> str:
        """Return a folder of this recording's own, where the last export of any recording went, or beside it."""
        recording, last = self._project.recording, self._settings.export_folder
        if recording is None:
            return last
        place = Path(recording.path).parent
        if last:
            is_own = Path(last).name.endswith((SOUND_SUFFIX, ALIGNMENT_SUFFIX))
            place = Path(last).parent if is_own else Path(last)
        suffix = ALIGNMENT_SUFFIX if self.alignment.isChecked() else SOUND_SUFFIX
        return str(place / f"{Path(recording.path).stem}{suffix}")

    def _offer_kinds(self) -> None:
        """Choose what there is, and offer its formats."""
        has_stems = self._project.stem_set is not None
        for button in (self.stems, self.mix, self.daw):
            button.setEnabled(has_stems)
        self.alignment.setEnabled(self._has_alignment or self._project.activities is not None)
        (self.stems if has_stems else self.alignment).setChecked(True)
        self._offer_formats()

    def _offer_formats(self) -> None:
        of_sound = {key: text for key, (text, _, _) in FORMATS.items()}
        of_alignment = {key: text for key, (text, _) in ALIGNMENT_FORMATS.items()} if self._has_alignment else SEGMENTS
        self.format.blockSignals(True)
        self.format.clear()
        of_daw = {key: text for key, (text, _, _) in DAW_FORMATS.items()}
        offered = of_alignment if self.alignment.isChecked() else of_daw if self.daw.isChecked() else of_sound
        for key, text in offered.items():
            self.format.addItem(text, key)
        self.format.setCurrentIndex(max(self.format.findData(self._settings.export_format), 0))
        self.format.blockSignals(False)

    def _change_kind(self) -> None:
        """Offer other formats, and another folder where none was chosen by hand."""
        recording = self._project.recording
        name = Path(recording.path).stem if recording is not None else ""
        is_proposed = Path(self.folder.text()).name in (name + SOUND_SUFFIX, name + ALIGNMENT_SUFFIX)
        self._offer_formats()
        if is_proposed:
            suffix = ALIGNMENT_SUFFIX if self.alignment.isChecked() else SOUND_SUFFIX
            self.folder.setText(str(Path(self.folder.text()).parent / (name + suffix)))
        self._refresh()

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setHorizontalSpacing(em(self, 1.0))
        form.setVerticalSpacing(em(self, 0.7))
        kind = QButtonGroup(self)
        for button in (self.stems, self.mix, self.daw, self.alignment):
            kind.addButton(button)
        form.addRow("What", _beside(self.stems, self.mix, self.daw, self.alignment))
        if self._project.stem_set is not None:
            form.addRow("Parts", self._part_list())
        span = QButtonGroup(self)
        span.addButton(self.everything)
        span.addButton(self.stretch)
        self._offer_selection()
        form.addRow("Range", _beside(self.everything, self.stretch))
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
        folder, key = self.folder.text().strip(), str(self.format.currentData())
        if key in ALIGNMENT_FORMATS:
            return ExportChoices(folder, container=ALIGNMENT_FORMATS[key][1], template=self.template.text())
        parts = tuple(part for part, tick in self.ticks.items() if tick.isChecked())
        if key in DAW_FORMATS:
            _, form, has_tempo_map = DAW_FORMATS[key]
            template = self.template.text()
            return ExportChoices(
                folder, part_indices=parts, container=form, template=template, has_tempo_map=has_tempo_map
            )
        recording = self._project.recording
        start, end = 0, recording.frames if recording is not None else 0
        if self.stretch.isChecked() and self._selection is not None:
            start, end = self._selection
        _, container, bits = FORMATS[key]
        return ExportChoices(
            folder,
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
            tick.setEnabled(self.stems.isChecked() or self.daw.isChecked())
        is_whole = self.alignment.isChecked() or self.daw.isChecked()
        self.template.setEnabled(not self.alignment.isChecked())
        self.everything.setEnabled(not is_whole)
        self.stretch.setEnabled(not is_whole and self._selection is not None)
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


class NoteExportDialog(ExportDialog):
    """The dialog.

    Parameters
    ----------
    project : Project
    settings : Settings
    keys : tuple of NoteKey
    folder : str
        Where this recording was exported to before; empty for nowhere yet.
    """

    def __init__(
        self, project: Project, settings: Settings, keys: tuple[NoteKey, ...], folder: str, parent: QWidget | None
    ) -> None:
        super().__init__(project, settings, None, folder, parent)
        self.setWindowTitle("Export notes")
        self._keys = keys
        self.together = QRadioButton("One file" if len(keys) > 1 else "The note")
        self.each = QRadioButton("A file for each note")
        self.together.setChecked(True)
        self.each.setVisible(len(keys) > 1)
        group, box = QButtonGroup(self), QWidget()
        row = QHBoxLayout(box)
        row.setContentsMargins(0, 0, 0, 0)
        for button in (self.together, self.each):
            group.addButton(button)
            row.addWidget(button)
        row.addStretch(1)
        form = self.findChild(QFormLayout)
        assert form is not None
        for row_of_stems in range(2 if not self.ticks else 3):
            form.setRowVisible(row_of_stems, False)
        form.insertRow(0, "What", box)
        self.stems.setChecked(True)
        self.each.toggled.connect(self._refresh)
        self._refresh()

    @property
    def choices(self) -> ExportChoices:
        """What is chosen now."""
        choices = super().choices
        if not hasattr(self, "each"):  # the dialog of stems is still being made
            return choices
        return replace(choices, is_mix=False, note_keys=self._keys, is_note_by_note=self.each.isChecked())

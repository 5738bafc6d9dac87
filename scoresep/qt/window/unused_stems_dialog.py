"""Stems on disk that no project names: a list with sizes, and the way to the system's bin."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

from PySide6.QtCore import QSize, Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialogButtonBox,
    QHeaderView,
    QLabel,
    QTreeWidget,
    QTreeWidgetItem,
    QWidget,
)

from scoresep.qt.dialogs.common import OpenDialog
from scoresep.qt.presenters.bridge import Bridge
from scoresep.qt.widgets.theme import em
from scoresep.session.session import Changed
from scoresep.session.unused_stems import KEY, Binned, UnusedStems, amount_of, size_text

SENTENCE = (
    "No project, undo step or autosave here uses these stems. Nothing is removed unless you choose it, and from the "
    "bin it can be taken back."
)
COLUMNS = ("Made", "Recording", "Separated with", "Stems", "Size", "Where")
_SIZE_COLUMN = 4
_STEMS = Qt.ItemDataRole.UserRole


class _Row(QTreeWidgetItem):
    """One folder of stems; columns of numbers are sorted as numbers."""

    def __init__(self, stems: UnusedStems, height: int) -> None:
        made = time.strftime("%Y-%m-%d, %H:%M", time.localtime(stems.made_s))
        where = f"beside {Path(stems.project).stem}" if stems.project else "never saved"
        size = size_text(stems.size_bytes) + (", shared" if stems.shared_bytes else "")
        texts = [made, stems.recording or "not known", stems.engine or "not known", str(stems.stem_count), size, where]
        super().__init__(texts)
        self.setData(0, _STEMS, stems)
        self._order = (stems.made_s, texts[1], texts[2], stems.stem_count, stems.size_bytes, texts[5])
        self.setSizeHint(len(COLUMNS) - 1, QSize(0, height))  # of the row: no width is taken from the last column
        for column in (3, _SIZE_COLUMN):
            self.setTextAlignment(column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        tip = stems.folder
        if stems.shared_bytes:
            tip += "\nOther projects hold the same files, so that removing them here frees no room."
        for column in range(len(COLUMNS)):
            self.setToolTip(column, tip)

    def __lt__(self, other: object) -> bool:
        tree = self.treeWidget()
        if not isinstance(other, _Row) or tree is None:
            return False
        column = tree.sortColumn()
        return self._order[column] < other._order[column]  # type: ignore[operator]


class UnusedStemsDialog(OpenDialog):
    """The list of stems that no project names.

    Parameters
    ----------
    bridge : Bridge
    parent : QWidget
    """

    def __init__(self, bridge: Bridge, parent: QWidget | None = None) -> None:
        super().__init__("Unused stems", SENTENCE, "", parent)
        self._bridge, self._leftovers = bridge, bridge.session.unused_stems
        self._is_closed = self._was_busy = False
        self.tree = QTreeWidget()
        self.tree.setHeaderLabels(COLUMNS)
        self.tree.setAccessibleName("Stems that no project names")
        self.tree.setRootIsDecorated(False)
        self.tree.setUniformRowHeights(True)
        self.tree.setAllColumnsShowFocus(True)
        self.tree.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.tree.setSortingEnabled(True)
        self.tree.sortByColumn(0, Qt.SortOrder.DescendingOrder)
        self.tree.setMinimumSize(em(self, 58), em(self, 16))
        self.tree.itemSelectionChanged.connect(self._show_state)
        self.tree.itemActivated.connect(lambda *_: self._show_folder())
        self.column.addWidget(self.tree, 1)
        self.amount, self.answer = QLabel(), QLabel()
        for label, name in ((self.amount, "How much is chosen"), (self.answer, "What became of it")):
            label.setWordWrap(True)
            label.setAccessibleName(name)
            label.setTextFormat(Qt.TextFormat.PlainText)
            self.column.addWidget(label)
        roles = QDialogButtonBox.ButtonRole
        self.bin_button = self.buttons.addButton("&Move to bin", roles.ActionRole)
        self.all_button = self.buttons.addButton("Choose &all", roles.ActionRole)
        self.folder_button = self.buttons.addButton("Show &folder", roles.ActionRole)
        self.bin_button.clicked.connect(self._move_to_bin)
        self.all_button.clicked.connect(self.tree.selectAll)
        self.folder_button.clicked.connect(self._show_folder)
        self.close_button = self.buttons.button(QDialogButtonBox.StandardButton.Close)
        for button in (self.bin_button, self.all_button, self.folder_button):
            button.setAutoDefault(False)
        self.close_button.setDefault(True)
        bridge.changed.connect(self._on_changed)
        self.finish()
        order = (self.tree, self.bin_button, self.all_button, self.folder_button, self.close_button)
        for before, after in pairwise(order):
            self.setTabOrder(before, after)
        self._fill()
        self.tree.setFocus()

    @property
    def chosen(self) -> tuple[UnusedStems, ...]:
        """The stems that are chosen, in the order shown."""
        rows = (self.tree.topLevelItem(i) for i in range(self.tree.topLevelItemCount()))
        return tuple(row.data(0, _STEMS) for row in rows if row is not None and row.isSelected())

    def _fill(self) -> None:
        self._found = self._leftovers.find()
        self.tree.setSortingEnabled(False)  # rows would move while they come
        self.tree.clear()
        self.tree.addTopLevelItems([_Row(stems, em(self, 1.9)) for stems in self._found])
        self.tree.setSortingEnabled(True)
        self.tree.header().setStretchLastSection(True)
        self.tree.header().setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        for column in range(len(COLUMNS) - 1):
            self.tree.resizeColumnToContents(column)
            width = min(self.tree.columnWidth(column), em(self, 15)) + em(self, 0.8)
            self.tree.setColumnWidth(column, width)
        first = self.tree.topLevelItem(0)
        if first is not None:
            self.tree.setCurrentItem(first)
            self.tree.clearSelection()
        self._show_state()

    def _show_state(self) -> None:
        chosen, is_busy = self.chosen, self._leftovers.is_binning
        self.bin_button.setEnabled(bool(chosen) and not is_busy)
        self.folder_button.setEnabled(len(chosen) == 1)
        self.all_button.setEnabled(bool(self._found) and not is_busy)
        self.tree.setEnabled(not is_busy)
        if is_busy:
            self.amount.setText("On the way to the bin…")
        elif not self._found:
            self.amount.setText("There are no stems that no project names.")
        else:
            told = f"{amount_of(chosen).text} chosen" if chosen else "none chosen"
            self.amount.setText(f"{amount_of(self._found).text} in all, {told}.")

    def _move_to_bin(self) -> None:
        chosen = self.chosen
        if chosen:
            self.answer.clear()
            self._bridge.attempt(lambda: self._leftovers.start_bin(chosen, self._got))
            self._show_state()

    def _got(self, binned: Binned) -> None:
        if self._is_closed:
            for sentence in binned.refused:
                self._bridge.session.say("warning", sentence, KEY)
            return
        told = [f"{amount_of(binned.moved).text} moved to the bin."] if binned.moved else []
        self.answer.setText("\n".join((*told, *binned.refused)))
        self.answer.setMinimumHeight(self.answer.heightForWidth(self.answer.width()))

    def _on_changed(self, changed: Changed) -> None:
        if "jobs" not in changed.what:
            return
        was_busy, self._was_busy = self._was_busy, self._leftovers.is_binning
        if was_busy and not self._was_busy:
            self._fill()
            self.tree.setFocus()
        self._show_state()

    def done(self, result: int) -> None:
        self._is_closed = True
        super().done(result)

    def _show_folder(self) -> None:
        chosen = self.chosen
        if len(chosen) == 1:
            QDesktopServices.openUrl(QUrl.fromLocalFile(chosen[0].folder))

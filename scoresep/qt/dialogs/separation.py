"""How stems are to be made: by which method, how well, on what, and what is made otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QDialogButtonBox,
    QFormLayout,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QRadioButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from scoresep.engines.separation.devices import DeviceState
from scoresep.model.project import Project, Recipe, RecipeRule
from scoresep.qt.dialogs.common import OpenDialog
from scoresep.qt.widgets.buttons import IconButton
from scoresep.qt.widgets.method_menu import BUDGET_TEXTS, DEVICE_TEXTS, engine_name, engine_texts, rule_text
from scoresep.qt.widgets.theme import em, faint_color

MOST_RULES_SHOWN = 5


class SeparateDialog(OpenDialog):
    """How stems are to be made.

    Signals
    -------
    chosen(Recipe, str)
        Make the stems so, on this device.
    saved(Recipe, str)
        Only keep that for later.

    Parameters
    ----------
    project : Project
    device : str
    states : sequence of DeviceState
        What this machine can compute on; empty while it is not known.
    """

    chosen = Signal(object, str)
    saved = Signal(object, str)

    def __init__(
        self, project: Project, device: str, states: Sequence[DeviceState] = (), parent: QWidget | None = None
    ) -> None:
        super().__init__("Separate", "", "Separate", parent)
        self._project = project
        self._rules = list(project.recipe.rules)
        self.engines, self.budgets, self.devices = (QButtonGroup(self) for _ in range(3))
        form = QFormLayout()
        form.setHorizontalSpacing(em(self, 1.2))
        form.setVerticalSpacing(em(self, 0.9))
        engines = {name: (engine_name(name), text) for name, text in engine_texts().items()}
        recipe = project.recipe
        form.addRow("Method", self._choices(self.engines, "engine", engines, recipe.engine)[0])
        form.addRow("Quality", self._choices(self.budgets, "budget", BUDGET_TEXTS, recipe.budget)[0])
        devices = {name: (text, "") for name, text in DEVICE_TEXTS.items()}
        box, self._device_texts = self._choices(self.devices, "device", devices, device)
        form.addRow("Computed by", box)
        self._list = QWidget()
        self._lines = QVBoxLayout(self._list)
        self._lines.setContentsMargins(0, 0, 0, 0)
        self._lines.setSpacing(em(self, 0.15))
        self._scroll = QScrollArea()
        self._scroll.setWidget(self._list)
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        form.addRow("Except for", self._scroll)
        self.column.addLayout(form)
        self.save_button = self.buttons.addButton("Keep for later", QDialogButtonBox.ButtonRole.ApplyRole)
        self.save_button.setToolTip("Keep what is chosen here; separate when you like")
        self.save_button.clicked.connect(self._save)
        self.accepted.connect(lambda: self.chosen.emit(self.recipe, self.device))
        self.finish()
        self._show_rules()
        self.show_devices(states)

    def _choices(
        self, group: QButtonGroup, kind: str, texts: dict[str, tuple[str, str]], chosen: str
    ) -> tuple[QWidget, dict[str, QLabel]]:
        """Make a list of which one is chosen: its name, and a line about it."""
        box, labels = QWidget(), {}
        grid = QGridLayout(box)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(em(self, 1.0))
        grid.setVerticalSpacing(em(self, 0.25))
        grid.setColumnStretch(1, 1)
        names = [*DEVICE_TEXTS.values(), *(name for name, _ in texts.values())]
        room = max(self.fontMetrics().horizontalAdvance(name) for name in names)
        grid.setColumnMinimumWidth(0, room + em(self, 1.6))  # one edge for all texts
        for row, (value, (name, text)) in enumerate(texts.items()):
            button = QRadioButton(name)
            button.setProperty(kind, value)
            button.setChecked(value == chosen)
            group.addButton(button)
            grid.addWidget(button, row, 0, Qt.AlignmentFlag.AlignTop)
            labels[value] = label = QLabel()
            label.setWordWrap(True)
            label.setMinimumWidth(em(self, 28))
            self._pale(label)
            grid.addWidget(label, row, 1)
            _say(button, label, text)
        if group.checkedButton() is None and group.buttons():
            group.buttons()[0].setChecked(True)
        return box, labels

    def _pale(self, label: QLabel) -> None:
        palette = label.palette()
        palette.setColor(palette.ColorRole.WindowText, faint_color(self.palette()))
        label.setPalette(palette)

    def show_devices(self, states: Sequence[DeviceState]) -> None:
        """Say what each device is, or why it cannot be used; one that cannot is not to be chosen."""
        known = {state.name: state for state in states}
        for button in self.devices.buttons():
            name = str(button.property("device"))
            label, state = self._device_texts[name], known.get(name)
            if name == "auto":
                fastest = next((s for s in states if s.is_usable), None)
                _say(button, label, "" if fastest is None else f"Here: {DEVICE_TEXTS[fastest.name]}, {fastest.text}")
            elif state is None:
                _say(button, label, "" if states else "…")
            else:
                _say(button, label, state.text if state.is_usable else f"Cannot be used: {state.text}")
                button.setEnabled(state.is_usable or button.isChecked())

    # -------------------------------------------------------------------------------------------------- exceptions

    def _show_rules(self) -> None:
        while self._lines.count():
            item = self._lines.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        if not self._rules:
            text = "Nothing. The menu of a part, or the right button on a segment, chooses another method there."
            label = QLabel(text)
            label.setWordWrap(True)
            self._pale(label)
            self._lines.addWidget(label)
        for rule in self._rules:
            self._lines.addWidget(self._line_of(rule))
        self._lines.addStretch(1)
        rows = min(max(len(self._rules), 1), MOST_RULES_SHOWN)
        self._scroll.setMinimumHeight(round(em(self, 1.75) * rows) + em(self, 0.3 if self._rules else 0.9))
        self._scroll.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)

    def _line_of(self, rule: RecipeRule) -> QWidget:
        text = rule_text(self._project, rule)
        line = QWidget()
        row = QHBoxLayout(line)
        row.setContentsMargins(0, 0, 0, 0)
        label = QLabel(text)
        label.setTextFormat(Qt.TextFormat.PlainText)
        row.addWidget(label, 1)
        button = IconButton("close", f"No exception for {text.split(':')[0]}", size_em=1.4)
        button.clicked.connect(lambda: self._remove(rule))
        row.addWidget(button)
        return line

    def _remove(self, rule: RecipeRule) -> None:
        self._rules.remove(rule)
        self._show_rules()
        self.accept_button.setFocus()

    # ------------------------------------------------------------------------------------------------------ chosen

    @property
    def recipe(self) -> Recipe:
        """What is chosen now."""
        engine, budget = self._checked(self.engines, "engine"), self._checked(self.budgets, "budget")
        return replace(self._project.recipe, engine=engine, budget=budget, rules=tuple(self._rules))

    @property
    def device(self) -> str:
        """The device that is chosen now."""
        return self._checked(self.devices, "device")

    def _checked(self, group: QButtonGroup, kind: str) -> str:
        button = group.checkedButton()
        return "" if button is None else str(button.property(kind))

    def _save(self) -> None:
        self.saved.emit(self.recipe, self.device)
        self.reject()


def _say(button: QWidget, label: QLabel, text: str) -> None:
    label.setText(text[:1].upper() + text[1:])
    button.setAccessibleDescription(text)

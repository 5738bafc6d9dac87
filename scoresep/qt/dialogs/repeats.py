"""The dialog that asks which repeats and jumps are played in the recording."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QAbstractButton,
    QCheckBox,
    QFrame,
    QLabel,
    QRadioButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from scoresep.model.path import PathChoices, jump_sites, performance_path, repeat_sites, takes_repeats_again
from scoresep.model.score import Mark, Score
from scoresep.qt.dialogs.common import OpenDialog, path_text
from scoresep.qt.widgets.theme import em


class RepeatsDialog(OpenDialog):
    """Which repeats and jumps are played in this recording.

    Where the file writes out an order of playing, that is offered first; the repeats and jumps of the signs count when
    the person leaves it.

    Signals
    -------
    chosen(PathChoices)
    """

    chosen = Signal(object)

    def __init__(self, score: Score, choices: PathChoices, parent: QWidget | None = None) -> None:
        repeats, sites = repeat_sites(score), jump_sites(score)
        has_signs = bool(repeats or sites)
        hint = "Tick what is played in this recording." if has_signs else ""
        super().__init__("Repeats", hint, "Use this order", parent)
        self._score = score
        self._choices = choices
        self._sites = sites
        self.as_stated = QRadioButton("As the file says:")
        self.by_signs = QRadioButton("By repeat signs and jumps:" if has_signs else "From beginning to end")
        self.repeats: dict[int, QCheckBox] = {}
        self.jumps: dict[tuple[int, Mark], QCheckBox] = {}
        self.again = QCheckBox("Take repeats again after da capo or dal segno")
        self.again.setChecked(takes_repeats_again(score, choices))
        for site in repeats:
            tick = self.repeats[site.closing_measure] = QCheckBox(f"Repeat {site.label}".replace("-", "–"))
            tick.setChecked(site.closing_measure not in choices.skipped_repeats)
        for jump in self._sites:
            key = (jump.measure_index, jump.mark)
            tick = self.jumps[key] = QCheckBox(jump.label)
            tick.setChecked(choices.takes_jumps and key not in choices.skipped_jumps)
        self.column.addWidget(self._ticks(), 1)
        self.order = QLabel()
        self.order.setWordWrap(True)
        self.order.setAccessibleName("Order of playing")
        self.column.addWidget(self.order)
        follows = bool(score.stated_order) and choices.follows_stated_order
        (self.as_stated if follows else self.by_signs).setChecked(True)
        for button in (self.as_stated, *self._all_ticks):
            button.toggled.connect(self._show_order)
        self.accepted.connect(lambda: self.chosen.emit(self.choices))
        self.finish()
        self._show_order()

    @property
    def _all_ticks(self) -> tuple[QAbstractButton, ...]:
        return (*self.repeats.values(), *self.jumps.values(), self.again)

    def _ticks(self) -> QWidget:
        """Lay out what can be ticked, in the order of the score, in a box that scrolls."""
        box = QWidget()
        lines = QVBoxLayout(box)
        lines.setContentsMargins(0, 0, 0, 0)
        is_stated = bool(self._score.stated_order)
        if is_stated:
            stated = QLabel(f"bars {self._order(PathChoices())}")
            stated.setWordWrap(True)
            stated.setIndent(em(self, 1.6))
            self.as_stated.setAccessibleDescription(stated.text())
            for widget in (self.as_stated, stated, self.by_signs):
                lines.addWidget(widget)
        ticks = QVBoxLayout()
        ticks.setContentsMargins(em(self, 1.6) if is_stated else 0, 0, 0, 0)
        has_repeats_to_take_again = bool(self.repeats) and any(site.is_jump for site in self._sites)
        for tick in self._all_ticks:
            if tick is not self.again or has_repeats_to_take_again:
                ticks.addWidget(tick)
        lines.addLayout(ticks)
        if not is_stated and not self.repeats and not self.jumps:
            lines.addWidget(QLabel("This score has no repeats; it is played from beginning to end."))
        lines.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidget(box)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setMinimumWidth(em(self, 24))
        return scroll

    @property
    def choices(self) -> PathChoices:
        """What is ticked now."""
        usual = takes_repeats_again(self._score, replace(self._choices, repeats_after_jump=None))
        is_usual = self.again.isChecked() == usual and self._choices.repeats_after_jump is None
        leads_back = [self.jumps[site.measure_index, site.mark] for site in self._sites if site.is_jump]
        takes_jumps = not leads_back or any(tick.isChecked() for tick in leads_back)
        left = frozenset(key for key, tick in self.jumps.items() if not tick.isChecked())
        return replace(
            self._choices,
            skipped_repeats=frozenset(measure for measure, tick in self.repeats.items() if not tick.isChecked()),
            skipped_jumps=left if takes_jumps else frozenset(),
            takes_jumps=takes_jumps,
            repeats_after_jump=None if is_usual else self.again.isChecked(),
            follows_stated_order=not self._score.stated_order or self.as_stated.isChecked(),
        )

    def _order(self, choices: PathChoices) -> str:
        path = performance_path(self._score, choices)[0]
        return f"{path_text(self._score, path)}  ({len(path.measure_indices)} in all)"

    def _show_order(self) -> None:
        by_signs = not self._score.stated_order or self.by_signs.isChecked()
        choices = self.choices
        for tick in (*self.repeats.values(), *self.jumps.values()):
            tick.setEnabled(by_signs)
        for site in self._sites:
            if not site.is_jump and not self._score.measures[site.measure_index].detail_of(site.mark).times:
                self.jumps[site.measure_index, site.mark].setEnabled(by_signs and choices.takes_jumps)
        self.again.setEnabled(by_signs and choices.takes_jumps)
        warnings = performance_path(self._score, choices)[1]
        self.order.setText("\n".join((f"Bars in the order played: {self._order(choices)}", *warnings)))

"""The balance between the recording and what is heard of its score, as a menu with a slider."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QSlider, QWidget, QWidgetAction

from scoresep.qt.playing import Playing
from scoresep.qt.theme import em

STEPS = 20


def balance_menu(owner: QWidget, playing: Playing) -> QMenu:
    """Make the menu."""
    menu = QMenu(owner)
    row = QWidget(menu)
    slider = QSlider(Qt.Orientation.Horizontal, row)
    slider.setObjectName("check_balance")
    slider.setRange(-STEPS, STEPS)
    slider.setPageStep(STEPS // 4)
    slider.setMinimumWidth(em(owner, 12))
    slider.setAccessibleName("Balance between recording and score")
    slider.setToolTip("Left: the recording alone; right: the score alone")
    layout = QHBoxLayout(row)
    layout.setContentsMargins(em(owner, 0.8), em(owner, 0.4), em(owner, 0.8), em(owner, 0.4))
    for widget in (QLabel("Recording"), slider, QLabel("Score")):
        layout.addWidget(widget)
    action = QWidgetAction(menu)
    action.setDefaultWidget(row)
    menu.addAction(action)
    slider.valueChanged.connect(lambda value: playing.set_check(playing.check, value / STEPS))

    def show() -> None:
        slider.blockSignals(True)
        slider.setValue(round(playing.check_share * STEPS))
        slider.blockSignals(False)

    menu.aboutToShow.connect(show)
    return menu

"""Score and timeline, one over the other: the score as high as its systems, until a person says otherwise."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, Qt, QTimer
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QSplitter, QWidget

from scoresep.qt.score_view.score_strip import ScoreStrip
from scoresep.qt.theme import em

# More than this share of the height is the score's only where a person draws it so.
MOST_SHARE = 0.42


class Scene(QSplitter):
    """Score strip and timeline.

    Parameters
    ----------
    strip : ScoreStrip
    timeline : QWidget

    Attributes
    ----------
    is_by_hand : bool
        Whether a person has divided the room.
    """

    def __init__(self, strip: ScoreStrip, timeline: QWidget) -> None:
        super().__init__(Qt.Orientation.Vertical)
        self.is_by_hand = False
        self._wanted_height_px = 0
        # The strip says what it wants while the splitter lays it out; dividing anew in the midst of that would leave
        # strip and timeline on top of each other.
        self._dividing = QTimer(self, singleShot=True, interval=0)
        self._dividing.timeout.connect(self._divide)
        for place, widget in enumerate((strip, timeline)):
            self.addWidget(widget)
            self.setCollapsible(place, False)
            self.setStretchFactor(place, place)
        self.setHandleWidth(max(em(self, 0.25), 3))
        self.setFocusProxy(timeline)
        self.splitterMoved.connect(self._moved)
        strip.height_wanted.connect(self._give_height)

    def restoreState(self, state: QByteArray | bytes | bytearray | memoryview) -> bool:
        self.is_by_hand = True
        return super().restoreState(state)

    def _moved(self) -> None:
        self.is_by_hand = True

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._dividing.start()

    def _give_height(self, height_px: int) -> None:
        self._wanted_height_px = height_px
        self._dividing.start()

    def _divide(self) -> None:
        """Give the strip what it wants, or its share of the present height."""
        sizes, strip = self.sizes(), self.widget(0)
        total = sum(sizes)
        is_shown = strip is not None and strip.isVisible()
        if not self.is_by_hand and self._wanted_height_px and is_shown and total > 0:
            height_px = min(self._wanted_height_px, round(MOST_SHARE * total))
            if height_px != sizes[0]:
                self.setSizes([height_px, total - height_px])

"""Our own pictures, as paths on a square of 24 by 24, drawn in any size and colour."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen

SIDE = 24.0

# What is drawn as lines of this width rather than filled.
STROKE = 1.9


def draw_icon(painter: QPainter, name: str, rect: QRectF, color: QColor) -> None:
    """Draw a picture into a rectangle, as large as fits.

    Parameters
    ----------
    painter : QPainter
    name : str
        One of `ICONS`.
    rect : QRectF
    color : QColor
    """
    is_filled, make_path = ICONS[name]
    side = min(rect.width(), rect.height())
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.translate(rect.center() - QPointF(side / 2, side / 2))
    painter.scale(side / SIDE, side / SIDE)
    path = make_path()
    if is_filled:
        painter.fillPath(path, color)
    else:
        pen = QPen(color, STROKE, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin)
        painter.strokePath(path, pen)
    painter.restore()


def _polygon(*points: tuple[float, float], closed: bool = True) -> QPainterPath:
    path = QPainterPath(QPointF(*points[0]))
    for point in points[1:]:
        path.lineTo(*point)
    if closed:
        path.closeSubpath()
    return path


def _lines(*lines: tuple[tuple[float, float], ...]) -> QPainterPath:
    path = QPainterPath()
    for line in lines:
        path.addPath(_polygon(*line, closed=False))
    return path


def _play() -> QPainterPath:
    return _polygon((7.5, 4.5), (19.5, 12), (7.5, 19.5))


def _stop() -> QPainterPath:
    path = QPainterPath()
    path.addRoundedRect(QRectF(6, 6, 12, 12), 1.2, 1.2)
    return path


def _to_start() -> QPainterPath:
    path = _polygon((18.5, 5), (8.5, 12), (18.5, 19))
    path.addRect(QRectF(5.5, 5, 2.2, 14))
    return path


def _loop() -> QPainterPath:
    path = QPainterPath(QPointF(4.5, 13))
    path.cubicTo(4.5, 8.5, 7, 7, 10, 7)
    path.lineTo(18.5, 7)
    path.addPath(_lines(((15.7, 4.2), (18.5, 7), (15.7, 9.8))))
    back = QPainterPath(QPointF(19.5, 11))
    back.cubicTo(19.5, 15.5, 17, 17, 14, 17)
    back.lineTo(5.5, 17)
    path.addPath(back)
    path.addPath(_lines(((8.3, 14.2), (5.5, 17), (8.3, 19.8))))
    return path


def _follow() -> QPainterPath:
    return _lines(
        ((12, 4), (12, 20)), ((3.5, 12), (8.5, 12)), ((15.5, 12), (20.5, 12)), ((17.7, 9), (20.7, 12), (17.7, 15))
    )


def _correct() -> QPainterPath:
    path = _polygon((12, 7), (16, 12), (12, 17), (8, 12))
    path.addPath(_lines(((12, 3), (12, 7)), ((12, 17), (12, 21))))
    path.addPath(_lines(((5.2, 9.3), (2.8, 12), (5.2, 14.7)), ((18.8, 9.3), (21.2, 12), (18.8, 14.7))))
    return path


def _clicks() -> QPainterPath:
    path = _polygon((9.5, 4), (14.5, 4), (18, 20), (6, 20))
    path.addPath(_lines(((12, 16), (19.5, 6.5)), ((7, 16), (17, 16))))
    return path


def _close() -> QPainterPath:
    return _lines(((7, 7), (17, 17)), ((17, 7), (7, 17)))


def _check() -> QPainterPath:
    return _lines(((5.5, 12.5), (10, 17), (18.5, 7.5)))


def _chevron() -> QPainterPath:
    return _lines(((7, 10), (12, 15), (17, 10)))


def _info() -> QPainterPath:
    path = QPainterPath()
    path.addEllipse(QPointF(12, 12), 8.5, 8.5)
    path.addPath(_lines(((12, 11), (12, 16)), ((12, 7.9), (12, 8.0))))
    return path


def _warning() -> QPainterPath:
    path = _polygon((12, 3.8), (21, 19.5), (3, 19.5))
    path.addPath(_lines(((12, 9.8), (12, 13.8)), ((12, 16.6), (12, 16.7))))
    return path


def _waves() -> QPainterPath:
    heights = (3, 6, 2.5, 8, 5, 7, 3)
    return _lines(*(((4.5 + 2.5 * i, 12 - h), (4.5 + 2.5 * i, 12 + h)) for i, h in enumerate(heights)))


def _notes() -> QPainterPath:
    path = _lines(((8.5, 17), (8.5, 5.5), (18, 4), (18, 15.5)), ((8.5, 9), (18, 7.5)))
    path.addEllipse(QPointF(6.2, 17.2), 2.4, 1.9)
    path.addEllipse(QPointF(15.7, 15.7), 2.4, 1.9)
    return path


def _folder() -> QPainterPath:
    return _polygon((3.5, 6), (9.5, 6), (11.5, 8.5), (20.5, 8.5), (20.5, 18.5), (3.5, 18.5))


def _align() -> QPainterPath:
    return _lines(
        ((4, 6), (20, 6)), ((4, 18), (20, 18)), ((6, 6), (5, 18)), ((11, 6), (12.5, 18)), ((17, 6), (18.5, 18))
    )


def _split() -> QPainterPath:
    path = QPainterPath(QPointF(3.5, 12))
    path.lineTo(8, 12)
    for y in (5.5, 12, 18.5):
        path.moveTo(8, 12)
        path.cubicTo(12, 12, 12, y, 16, y)
        path.lineTo(20.5, y)
    return path


def _export() -> QPainterPath:
    return _lines(((12, 15), (12, 4)), ((8, 7.8), (12, 3.8), (16, 7.8)), ((5, 13), (5, 19.5), (19, 19.5), (19, 13)))


def _speaker() -> QPainterPath:
    path = _polygon((4, 9.5), (7.5, 9.5), (12, 5.5), (12, 18.5), (7.5, 14.5), (4, 14.5))
    wave = QPainterPath(QPointF(15, 9))
    wave.quadTo(17.6, 12, 15, 15)
    wave.moveTo(17.5, 6.5)
    wave.quadTo(22, 12, 17.5, 17.5)
    path.addPath(wave)
    return path


# Name: whether it is filled, and what makes its path.
ICONS: dict[str, tuple[bool, Callable[[], QPainterPath]]] = {
    "play": (True, _play),
    "stop": (True, _stop),
    "to-start": (True, _to_start),
    "loop": (False, _loop),
    "follow": (False, _follow),
    "correct": (False, _correct),
    "clicks": (False, _clicks),
    "close": (False, _close),
    "check": (False, _check),
    "chevron": (False, _chevron),
    "info": (False, _info),
    "warning": (False, _warning),
    "waves": (False, _waves),
    "notes": (False, _notes),
    "folder": (False, _folder),
    "align": (False, _align),
    "split": (False, _split),
    "export": (False, _export),
    "speaker": (False, _speaker),
}


def draw_app_icon(painter: QPainter, side: float) -> None:
    """Draw the picture of the program: one wave that divides into three colours."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.scale(side / SIDE, side / SIDE)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor("#20262e"))
    painter.drawRoundedRect(QRectF(0.5, 0.5, 23, 23), 5, 5)
    for y, color in ((6.5, "#56b4e9"), (12.0, "#e69f00"), (17.5, "#009e73")):
        path = QPainterPath(QPointF(3.5, 12))
        path.lineTo(7.5, 12)
        path.cubicTo(12, 12, 11, y, 15.5, y)
        path.lineTo(20.5, y)
        pen = QPen(QColor(color), 2.4, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap)
        painter.strokePath(path, pen)
    painter.strokePath(
        _lines(((3.5, 12), (7.5, 12))), QPen(QColor("#f2f4f7"), 2.4, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap)
    )

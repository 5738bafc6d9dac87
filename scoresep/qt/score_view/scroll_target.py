"""Where to scroll so that a bar is in view with what follows it. In pixels; nothing is moved here."""

from __future__ import annotations

from PySide6.QtCore import QRectF

from scoresep.qt.score_view.placement import Mode, Placement


def scroll_target(placement: Placement, system: int, bar: QRectF, at: int, room: int) -> int | None:
    """Return where to scroll to; None where the bar is in view as it should be.

    Parameters
    ----------
    placement : Placement
    system : int
        That holds the bar.
    bar : QRectF
        Where the bar lies in the plane.
    at : int
        Where the strip is scrolled to.
    room : int
        How much of the plane it shows, in the direction in which it scrolls.
    """
    if placement.mode is Mode.LINE:
        if at <= bar.left() and bar.right() <= at + room:
            return None
        return round(bar.left() - min(0.12 * room, max(room - bar.width(), 0) / 2))
    top, height = placement.top[system], placement.heights[system]
    is_last = system + 1 >= len(placement.top)
    shows_next = is_last or top + height + 0.5 * placement.heights[system + 1] <= at + room
    if at <= top and top + height <= at + room and (shows_next or top - at < 0.3 * room):
        return None
    if height > room and at <= top + height - room / 2 and at >= top - room / 4:
        return None  # higher than the strip: where the person has scrolled it to, within it, is left alone
    return round(top)

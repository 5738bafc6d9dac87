"""The painting of the timeline by pyqtgraph: a `ViewBox` for every lane, all linked in time, filled with cached tiles.

A lane is painted once into tiles of some hundred pixels; scrolling moves them, and paints only those that come into
sight. The ruler lies over the lanes; playhead, selection and what is touched over everything.

Ruler, lines, selection and curves are ours, not pyqtgraph's items, because a whole frame of an hour with eight parts
takes 8 ms, to which these would add (`tests/benchmarks/pyqtgraph_items.py`): an `AxisItem` 3 ms, sixty points as
`InfiniteLine` 4 to 5 ms, bar lines through all lanes 190 ms, a `LinearRegionItem` through all lanes 3.5 ms, two curves
as `PlotDataItem` 1 to 3 ms, a spectrogram as `ImageItem` 1 to 2 ms, which holds one zoom at a time.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRect, QRectF, Qt, QTimer
from PySide6.QtGui import QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import QGraphicsItem, QGraphicsScene, QGraphicsWidget, QStyleOptionGraphicsItem, QWidget

from scoresep.qt.timeline.lane import HEADER_PX, Lane, PlacedLane
from scoresep.qt.timeline.overlay import paint_overlay, paint_playhead
from scoresep.qt.timeline.painting import PaintContext
from scoresep.qt.timeline.ruler_item import ROW_PX, BarMarks
from scoresep.qt.timeline.time_axis import TimeAxis
from scoresep.qt.timeline.timeline_canvas import TimelineCanvas
from scoresep.qt.widgets.theme import small_font, translucent

TILE_COLUMNS = 768
# Zooming on and on stretches waveforms, as far as this; they are painted anew when it has come to rest.
MOST_STRETCH = 2.5
REST_MS = 90
KEPT_MARKS = 32


class TimelineScene(pg.GraphicsView):
    """Shows the lanes of a canvas. Pointer and keys go to the canvas itself.

    Parameters
    ----------
    canvas : TimelineCanvas
    """

    def __init__(self, canvas: TimelineCanvas) -> None:
        super().__init__(canvas, background=None)
        self._canvas = canvas
        for widget in (self, self.viewport()):
            widget.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
            widget.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.scene().setItemIndexMethod(QGraphicsScene.ItemIndexMethod.NoIndex)
        self._lanes = pg.GraphicsLayout()
        self._lanes.setFlag(QGraphicsItem.GraphicsItemFlag.ItemHasNoContents)
        self._lanes.layout.setContentsMargins(0, 0, 0, 0)
        self._lanes.layout.setSpacing(0)
        self._lanes.layout.setColumnFixedWidth(0, HEADER_PX)
        self._rows: list[_Row] = []
        self._marks: OrderedDict[TimeAxis, BarMarks | None] = OrderedDict()
        self._ruler = _Ruler(canvas)
        self._overlay = _Overlay(self)
        for z, item in enumerate((self._lanes, self._ruler, self._overlay)):
            item.setZValue(z)
            self.addItem(item)
        self._frames_per_px = 1.0
        self._ratio = self.devicePixelRatioF()
        self._has_changed = True
        self._still: QPixmap | None = None  # all but the playhead, while nothing else moves
        self.shows_playhead = True
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self._come_to_rest)

    # ------------------------------------------------------------------------------------------- layout

    def place(self, placed: tuple[PlacedLane, ...]) -> None:
        """Give every lane its row; the last row holds what no lane fills."""
        bottom = placed[-1].top + placed[-1].height if placed else 0.0
        rest = PlacedLane(_Rest(self._canvas.content), bottom, max(self._canvas.visible_lanes_height - bottom, 0.0))
        lanes = (*placed, rest)
        while len(self._rows) < len(lanes):
            self._rows.append(_Row(self, self._lanes, len(self._rows), self._rows[0].box if self._rows else None))
        while len(self._rows) > len(lanes):
            self._rows.pop().remove()
        for row, lane in zip(self._rows, lanes, strict=True):
            row.take(lane)
        self._lanes.layout.activate()
        self.move_lanes()
        self._rest.stop()  # the rows have all been brought to the present zoom
        self.show_axis(self._canvas.axis)

    def move_lanes(self) -> None:
        """Scroll the lanes to where the canvas has them."""
        canvas = self._canvas
        tall = sum(row.height for row in self._rows)
        self._lanes.setGeometry(QRectF(0, canvas.lanes_offset, canvas.width(), tall))
        self._ruler.resize(canvas.width(), canvas.ruler_height)
        self._overlay.resize(canvas.width(), canvas.height())
        self._repaint_lanes()

    def show_axis(self, axis: TimeAxis) -> None:
        """Show another range of time; the first lane leads, the others are linked with it."""
        if not self._rows:
            return
        if axis.frames_per_px != self._frames_per_px:
            self._zoom(axis.frames_per_px, is_going_on=self._rest.isActive())
            self._rest.start()
        self._rows[0].box.setXRange(axis.start_frame, max(axis.end_frame, axis.start_frame + 1), padding=0)
        self._repaint_lanes()

    def _zoom(self, frames_per_px: float, is_going_on: bool) -> None:
        self._frames_per_px = frames_per_px
        for row in self._rows:
            row.tiles.zoom_to(frames_per_px, is_going_on)

    def _come_to_rest(self) -> None:
        self._zoom(self._frames_per_px, is_going_on=False)
        self._repaint_lanes()

    def _repaint_lanes(self) -> None:
        self._has_changed = True
        self._ruler.update()
        self.viewport().update()

    # ------------------------------------------------------------------------------------------ painting

    def forget(self) -> None:
        """Forget what was painted."""
        self._marks.clear()
        self._rest.stop()
        self._zoom(self._frames_per_px, is_going_on=False)
        for row in self._rows:
            row.tiles.forget()
            row.header.update()
        self._repaint_lanes()

    def repaint_overlay(self) -> None:
        """Paint anew what lies over the lanes."""
        self._has_changed = True
        self._overlay.update()

    def repaint_playhead(self, rect: QRect) -> None:
        """Paint anew where the playhead was or is."""
        self.viewport().update(rect)

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._ratio != self.devicePixelRatioF():  # now on another screen
            self._ratio = self.devicePixelRatioF()
            self.forget()
        if self._has_changed or self._canvas.playhead_frame is None:
            self._has_changed, self._still = False, None
            super().paintEvent(event)
            return
        # asking every item costs 1.3 ms for a frame of the playhead, a picture of them 0.4 ms
        if self._still is None:
            self._still = self._picture_without_playhead()
        painter = QPainter(self.viewport())
        painter.setClipRegion(event.region())
        painter.drawPixmap(0, 0, self._still)
        paint_playhead(self._canvas.context(painter, HEADER_PX, float(self.width())), self._canvas.overlay_state())
        painter.end()

    def _picture_without_playhead(self) -> QPixmap:
        ratio = self.devicePixelRatioF()
        picture = QPixmap(self.size() * ratio)
        picture.setDevicePixelRatio(ratio)
        painter = QPainter(picture)
        self.shows_playhead = False
        self.render(painter, QRectF(self.rect()), self.rect())
        self.shows_playhead = True
        painter.end()
        return picture

    def paint_tile(self, lane: Lane, height: float, number: int, frames_per_px: float) -> QPixmap:
        """Paint the `number`-th tile of a lane, counted from the first frame on.

        Parameters
        ----------
        lane : Lane
        height : float
            Of the lane, in logical pixels.
        number : int
        frames_per_px : float

        Returns
        -------
        pixmap : QPixmap
            As high as the lane, `TILE_COLUMNS` device pixels wide.
        """
        ratio = self._canvas.devicePixelRatioF()
        pixmap = QPixmap(TILE_COLUMNS, max(round(height * ratio), 1))
        pixmap.setDevicePixelRatio(ratio)
        painter = QPainter(pixmap)
        wide = TILE_COLUMNS / ratio
        start = number * wide * frames_per_px
        axis = replace(self._canvas.axis, start_frame=start, width_px=wide, frames_per_px=frames_per_px)
        self.paint_lane(painter, axis, lane, height)
        painter.end()
        return pixmap

    def paint_lane(self, painter: QPainter, axis: TimeAxis, lane: Lane, height: float) -> None:
        """Paint a lane with the bar lines through it, over the width of an axis.

        Parameters
        ----------
        painter : QPainter
            Its origin is the upper left corner of what is painted.
        axis : TimeAxis
        lane : Lane
        height : float
            Of the lane, in logical pixels.
        """
        canvas, theme, wide = self._canvas, self._canvas.theme, axis.width_px
        painter.setFont(small_font(canvas.font()))
        painter.fillRect(QRectF(0.0, 0.0, wide, height), theme.ground)
        sight = canvas.axis.start_frame, canvas.axis.end_frame
        ctx = PaintContext(painter, axis, theme, canvas.devicePixelRatioF(), 0.0, 0.0, wide, sight)
        if axis not in self._marks:
            while len(self._marks) >= KEPT_MARKS:
                self._marks.popitem(last=False)
            self._marks[axis] = canvas.ruler.marks(ctx)
        lane.paint_ground(ctx, 0.0, height)
        canvas.ruler.paint_lines(ctx, self._marks[axis], 0.0, height)
        if lane is not self._rows[0].lane:
            ctx.horizontal(0.0, 0.0, wide, theme.bar_line)
        lane.paint(ctx, 0.0, height)

    @property
    def canvas(self) -> TimelineCanvas:
        """The canvas that is shown."""
        return self._canvas


class _Rest(Lane):
    """The room under the last lane, with nothing but bar lines."""

    can_stretch = True


class _Row:
    """A lane's row: its name, and a view of the time axis with its tiles."""

    def __init__(self, scene: TimelineScene, layout: pg.GraphicsLayout, number: int, leader: pg.ViewBox | None) -> None:
        self._layout, self._number = layout, number
        self.lane, self.height = Lane(scene.canvas.content), 0.0
        self.header = _Header(scene.canvas)
        self.box = pg.ViewBox(enableMouse=False, enableMenu=False, defaultPadding=0.0)
        self.tiles = _Tiles(scene)
        self.tiles.setParentItem(self.box)
        layout.addItem(self.header, number, 0)
        layout.addItem(self.box, number, 1)
        self.box.disableAutoRange()
        # a frame of the playhead costs as much as there is to be asked: names cover what tiles have left of the view
        self.box.setFlag(QGraphicsItem.GraphicsItemFlag.ItemClipsChildrenToShape, False)
        for unused in (self.box.background, self.box.borderRect, self.box.target):
            scene.removeItem(unused)
        for empty in (self.box, self.box.childGroup):
            empty.setFlag(QGraphicsItem.GraphicsItemFlag.ItemHasNoContents)
        self.header.setZValue(1)
        if leader is not None:
            self.box.setXLink(leader)

    def take(self, placed: PlacedLane) -> None:
        """Show a lane."""
        if placed.height != self.height:
            self.height = placed.height
            self._layout.layout.setRowFixedHeight(self._number, placed.height)
        self.lane = placed.lane
        wide = float(self.header.canvas.width()) - HEADER_PX
        self.tiles.take(placed.lane, wide, placed.height)
        self.tiles.zoom_to(self.header.canvas.axis.frames_per_px, is_going_on=False)
        self.header.take(placed.lane)

    def remove(self) -> None:
        """Take the row away."""
        self.box.setXLink(None)
        for item in (self.header, self.box):
            self._layout.removeItem(item)
        self._layout.layout.setRowFixedHeight(self._number, 0.0)


class _Header(QGraphicsWidget):
    """The name of a lane, at its left."""

    def __init__(self, canvas: TimelineCanvas) -> None:
        super().__init__()
        self.canvas = canvas
        self._lane: Lane | None = None
        self.setCacheMode(QGraphicsItem.CacheMode.DeviceCoordinateCache)

    def take(self, lane: Lane) -> None:
        """Show the name of another lane."""
        self._lane = lane
        self.update()

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        if self._lane is None:
            return
        rect, theme = self.rect(), self.canvas.theme
        painter.setFont(small_font(self.canvas.font()))
        painter.fillRect(rect, theme.header)
        ctx = self.canvas.context(painter, 0.0, HEADER_PX)
        self._lane.paint_header(ctx, rect)
        if self._lane is not self.canvas.placed[0].lane:
            ctx.horizontal(0.0, 0.0, HEADER_PX, theme.bar_line)
        ctx.vertical(HEADER_PX - ctx.hair, 0, rect.height(), theme.border)


class _Tiles(pg.GraphicsObject):
    """What a lane shows, in tiles that are kept while they are near."""

    def __init__(self, scene: TimelineScene) -> None:
        super().__init__()
        self._scene = scene
        self._lane: Lane | None = None
        self._rect = QRectF()
        self._kept: OrderedDict[int, QPixmap] = OrderedDict()
        self.frames_per_px = 1.0  # at which the tiles are painted
        self._is_direct = False
        self.setFlag(QGraphicsItem.GraphicsItemFlag.ItemUsesExtendedStyleOption)

    def boundingRect(self) -> QRectF:
        return self._rect

    def take(self, lane: Lane, width: float, height: float) -> None:
        """Show a lane; the same one in the same room keeps its tiles."""
        rect = QRectF(0, 0, width, height)
        if lane is not self._lane or rect.height() != self._rect.height():
            self.forget()
        if rect != self._rect:
            self.prepareGeometryChange()
        self._lane, self._rect = lane, rect

    def forget(self) -> None:
        """Paint all tiles anew when they are needed."""
        self._kept.clear()

    def zoom_to(self, frames_per_px: float, is_going_on: bool) -> None:
        """Show another zoom; where others follow at once, stretched or without making tiles.

        Parameters
        ----------
        frames_per_px : float
        is_going_on : bool
        """
        can_stretch = self._lane is not None and self._lane.can_stretch
        self._is_direct = is_going_on and not can_stretch
        is_near = 1 / MOST_STRETCH <= self.frames_per_px / frames_per_px <= MOST_STRETCH
        if frames_per_px != self.frames_per_px and not (is_going_on and can_stretch and is_near):
            self.frames_per_px = frames_per_px
            self.forget()

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        axis, ratio = self._scene.canvas.axis, self._scene.canvas.devicePixelRatioF()
        tall = self._rect.height()
        if self._is_direct and self._lane is not None:
            painter.save()
            painter.setClipRect(self._rect, Qt.ClipOperation.IntersectClip)
            self._scene.paint_lane(painter, axis, self._lane, tall)
            painter.restore()
            return
        first_px = round(axis.start_frame / axis.frames_per_px * ratio)
        exposed = option.exposedRect.intersected(self._rect)
        wide = TILE_COLUMNS * self.frames_per_px / axis.frames_per_px
        first = int((first_px + exposed.left() * ratio) // wide)
        last = int((first_px + exposed.right() * ratio - 1) // wide)
        for number in range(first, last + 1):
            left, tile = (number * wide - first_px) / ratio, self._tile(number)
            if self.frames_per_px == axis.frames_per_px:
                painter.drawPixmap(QPointF(left, 0.0), tile)
            else:
                painter.drawPixmap(QRectF(left, 0.0, wide / ratio, tall), tile, QRectF(tile.rect()))

    def _tile(self, number: int) -> QPixmap:
        found = self._kept.get(number)
        if found is None:
            assert self._lane is not None
            found = self._scene.paint_tile(self._lane, self._rect.height(), number, self.frames_per_px)
            self._kept[number] = found
            room = 6 + 2 * int(self._rect.width() * found.devicePixelRatio() / TILE_COLUMNS)
            while len(self._kept) > room:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(number)
        return found


class _Band(pg.GraphicsObject):
    """Something painted over the lanes, from the upper left corner on."""

    def __init__(self, canvas: TimelineCanvas) -> None:
        super().__init__()
        self._canvas = canvas
        self.rect = QRectF()
        self.setFlag(QGraphicsItem.GraphicsItemFlag.ItemUsesExtendedStyleOption)

    def resize(self, width: float, height: float) -> None:
        """Take another size."""
        self.prepareGeometryChange()
        self.rect = QRectF(0, 0, width, height)

    def boundingRect(self) -> QRectF:
        return self.rect


class _Ruler(_Band):
    """Bars and times."""

    def __init__(self, canvas: TimelineCanvas) -> None:
        super().__init__(canvas)
        self.setCacheMode(QGraphicsItem.CacheMode.DeviceCoordinateCache)

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        canvas, theme = self._canvas, self._canvas.theme
        painter.setFont(small_font(canvas.font()))
        painter.fillRect(self.rect, theme.header)
        ctx = canvas.context(painter, HEADER_PX, float(canvas.width()))
        bottom = self.rect.bottom()
        painter.save()
        painter.setClipRect(self.rect.adjusted(HEADER_PX, 0, 0, 0), Qt.ClipOperation.IntersectClip)
        canvas.ruler.paint(ctx, canvas.ruler.marks(ctx))
        painter.restore()
        if canvas.content.layout is not None:
            ctx.text(QRectF(10, 0, HEADER_PX - 18, ROW_PX), "Bar", theme.faint_text)
        ctx.text(QRectF(10, bottom - ROW_PX, HEADER_PX - 18, ROW_PX), "Time", theme.faint_text)
        ctx.horizontal(bottom - ctx.hair, 0, HEADER_PX, theme.border)
        ctx.vertical(HEADER_PX - ctx.hair, 0, bottom, theme.border)


class _Overlay(_Band):
    """Playhead, selection, loop, points, and what is touched."""

    def __init__(self, scene: TimelineScene) -> None:
        super().__init__(scene.canvas)
        self._scene = scene

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        canvas = self._canvas
        painter.setFont(small_font(canvas.font()))
        ctx = canvas.context(painter, HEADER_PX, float(canvas.width()))
        paint_overlay(ctx, canvas.overlay_state())
        if self._scene.shows_playhead:
            paint_playhead(ctx, canvas.overlay_state())
        if canvas.hasFocus():
            self._paint_focus(painter)

    def _paint_focus(self, painter: QPainter) -> None:
        """Frame the canvas; four thin fills, since outlining so large a rectangle takes milliseconds."""
        wide, tall = self.rect.width(), self.rect.height()
        for rect in ((0, 0, wide, 1), (0, tall - 1, wide, 1), (0, 0, 1, tall), (wide - 1, 0, 1, tall)):
            painter.fillRect(QRectF(*rect), translucent(self._canvas.theme.accent, 0.75))

"""What the menu of corrections does: the timeline's wishes become edits of the session."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QMenu

from scoresep.model.alignment import Alignment
from scoresep.model.project import Change, Project
from scoresep.playback.checking import Check
from scoresep.qt.bridge import Bridge
from scoresep.qt.playing import Playing
from scoresep.qt.timeline.edge_editing import Edge, MenuPlace
from scoresep.qt.timeline.timeline_view import TimelineView
from scoresep.session import alignment_edits, edits, segment_edits, stretch

COARSE_MS, FINE_MS = 10.0, 1.0


class Correcting(QObject):
    """Corrections of the alignment by hand.

    Parameters
    ----------
    bridge : Bridge
    playing : Playing
    view : TimelineView
    chosen_part : callable
        Returns the index of the chosen part, or something else where none is.
    parent : QObject
    add_menus : callable
        Adds to the menu of a place what else can be chosen there.
    """

    def __init__(
        self,
        bridge: Bridge,
        playing: Playing,
        view: TimelineView,
        chosen_part: Callable[[], object],
        parent: QObject,
        add_menus: Callable[[QMenu, MenuPlace], None],
    ) -> None:
        super().__init__(parent)
        self._add_menus = add_menus
        self._chosen_part = chosen_part
        self._bridge = bridge
        self._playing = playing
        self._view = view
        editing = view.editing
        editing.place_asked.connect(lambda point, reach: self._edit(lambda p: edits.place_bar(p, point, reach)))
        editing.shift_asked.connect(lambda point: self._edit(lambda p: alignment_edits.shift_after(p, point)))
        editing.free_asked.connect(lambda point: self._edit(lambda p: alignment_edits.free_point(p, point)))
        view.blocks.shift_asked.connect(
            lambda first, last, shift: self._edit(lambda p: alignment_edits.shift_block(p, first, last, shift))
        )
        view.blocks.range_selected.connect(lambda: editing.select(None))  # what was chosen last is what keys move
        view.edges.move_asked.connect(self._move_edge)
        view.edges.menu_asked.connect(self._open_menu)
        self.menu: QMenu | None = None

    def slots(self) -> dict[str, Callable[[], object]]:
        """Return what each action does, by its id."""
        editing = self._view.editing
        return {
            "correct": lambda: editing.set_correcting(not editing.is_correcting),
            "next_point": lambda: editing.step_point(1),
            "previous_point": lambda: editing.step_point(-1),
            "next_unsure": lambda: self._step_unsure(1),
            "previous_unsure": lambda: self._step_unsure(-1),
            "nudge_later": lambda: self._nudge(COARSE_MS),
            "nudge_earlier": lambda: self._nudge(-COARSE_MS),
            "nudge_later_fine": lambda: self._nudge(FINE_MS),
            "nudge_earlier_fine": lambda: self._nudge(-FINE_MS),
            "free_point": editing.free,
            "tap_bar": lambda: editing.tap(self._playing.state().frame, with_beats=False),
            "tap_beat": lambda: editing.tap(self._playing.state().frame, with_beats=True),
            "check_clicks": lambda: self._switch_check(Check.CLICKS),
            "check_score": lambda: self._switch_check(Check.SCORE),
            "split": lambda: self._at_playhead(segment_edits.split),
            "merge": lambda: self._at_playhead(segment_edits.merge),
            "align_stretch": lambda: self._bridge.attempt(self.align_stretch),
        }

    def possible(self) -> dict[str, bool]:
        """Return which actions can be taken now."""
        is_aligned = self._bridge.session.project.alignment is not None and self._bridge.session.source is not None
        can = dict.fromkeys(self.slots(), is_aligned)
        has_activities = self._bridge.session.project.activities is not None
        can |= dict.fromkeys(("split", "merge"), is_aligned and has_activities)
        can["free_point"] = is_aligned and self._view.editing.is_selected_by_hand
        return can

    def align_stretch(self) -> None:
        """Align what is selected again, or else what lies between the points by hand around the playhead.

        Raises
        ------
        UsageError
            If there is no such stretch.
        """
        session, selection = self._bridge.session, self._view.selection
        if selection is None:
            selection = stretch.between_points(session.project, self._view.playhead_frame or 0)
        request = stretch.stretch_request(session.project, *selection)

        def got(alignment: Alignment) -> None:
            if session.project.alignment is request.alignment:
                session.apply(edits.propose_alignment(session.project, alignment))
            else:
                session.say("info", "The alignment was changed meanwhile; align the stretch again.", "alignment")

        session.start_job("stretch", "Align the stretch", stretch.align_stretch, (request,), got)

    def _switch_check(self, check: Check) -> None:
        self._playing.set_check(Check.NONE if self._playing.check is check else check)

    def _at_playhead(self, make: Callable[[Project, int, int], Change]) -> None:
        """Do something to the chosen part where the playhead is."""
        part = self._chosen_part()
        if not isinstance(part, int):
            self._bridge.session.say("info", "Choose a part on the left first.", "chosen")
            return
        self._edit(lambda p: make(p, part, self._playing.state().frame))

    def _move_edge(self, edge: Edge, frame: int) -> None:
        self._edit(lambda p: segment_edits.move_edge(p, edge.part_index, edge.stretch, edge.is_start, frame))

    def _open_menu(self, place: MenuPlace) -> None:
        """Offer which parts sound in a range, and to split or merge."""
        project, segments = self._bridge.session.project, self._view.canvas.content.segments
        if self.menu is not None:
            self.menu.deleteLater()
        self.menu = menu = QMenu(self._view)
        menu.addSection("Who plays here")
        segment = next((s for s in segments if s.start_frame <= place.frame < s.end_frame), None)
        for i, part in enumerate(project.parts):
            if part.is_absent:
                continue
            action = menu.addAction(part.name.replace("&", "&&"))
            action.setCheckable(True)
            action.setChecked(segment is not None and i in segment.part_indices)
            action.triggered.connect(lambda is_on, i=i: self._set_sounding(place, i, is_on))
        part_index = place.part_index
        if part_index is not None:
            menu.addSeparator()
            for text, make in (("&Split here", segment_edits.split), ("&Merge with the next", segment_edits.merge)):
                action = menu.addAction(text)
                action.triggered.connect(
                    lambda _=False, make=make: self._edit(lambda p: make(p, part_index, place.frame))
                )
        self._add_menus(menu, place)
        menu.popup(place.position)

    def _set_sounding(self, place: MenuPlace, part_index: int, is_on: bool) -> None:
        start, end = place.start_frame, place.end_frame
        self._edit(lambda p: segment_edits.set_sounding(p, part_index, start, end, is_on))

    def _nudge(self, milliseconds: float) -> None:
        """Move the selected point a little, or else all that is selected."""
        if self._view.editing.selected_quarter is not None or self._view.selection is None:
            self._view.editing.nudge(milliseconds)
        elif not self._view.blocks.nudge(milliseconds):
            text = "No beat and no note lies in what is selected; select a longer stretch."
            self._bridge.session.say("info", text, "block")

    def _step_unsure(self, direction: int) -> None:
        if not self._view.editing.step_unsure(direction):
            where = "after" if direction > 0 else "before"
            self._bridge.session.say("info", f"There is no unsure place {where} the playhead.", "unsure")

    def _edit(self, make: Callable[[Project], Change]) -> None:
        session = self._bridge.session
        self._bridge.attempt(lambda: session.apply(make(session.project)))

"""Corrections of the alignment and of activities: what is asked for in the timeline becomes edits of the session."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QMenu, QWidget

from scoresep.edits import alignment as alignment_edits
from scoresep.edits import project as edits
from scoresep.edits import segments as segment_edits
from scoresep.model.alignment import Alignment
from scoresep.model.path import PathChoices
from scoresep.model.project import Change, Project
from scoresep.qt.dialogs.repeats import RepeatsDialog
from scoresep.qt.presenters.bridge import Bridge
from scoresep.qt.presenters.playback import PlaybackController
from scoresep.qt.timeline.edge_editing import Edge, MenuPlace
from scoresep.qt.timeline.timeline_view import TimelineView
from scoresep.qt.widgets.buttons import add_choice, literal
from scoresep.session import alignment as stretch

COARSE_MS, FINE_MS = 10.0, 1.0


class AlignmentPresenter(QObject):
    """Corrections of the alignment by hand.

    Parameters
    ----------
    bridge : Bridge
    playing : PlaybackController
    view : TimelineView
    chosen_part : callable
        Returns the index of the chosen part, or something else where none is.
    parent : QObject

    Signals
    -------
    menu_opening(QMenu, MenuPlace)
        The menu of a place in the timeline opens; who hears this adds what else can be done there.
    """

    menu_opening = Signal(object, object)

    def __init__(
        self,
        bridge: Bridge,
        playing: PlaybackController,
        view: TimelineView,
        chosen_part: Callable[[], object],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._chosen_part = chosen_part
        self._bridge = bridge
        self._playing = playing
        self._view = view
        editing = view.editing
        editing.place_asked.connect(lambda point, reach: bridge.edit(lambda p: edits.place_bar(p, point, reach)))
        editing.shift_asked.connect(lambda point: bridge.edit(lambda p: alignment_edits.shift_after(p, point)))
        editing.free_asked.connect(lambda point: bridge.edit(lambda p: alignment_edits.free_point(p, point)))
        view.blocks.shift_asked.connect(
            lambda first, last, shift: bridge.edit(lambda p: alignment_edits.shift_block(p, first, last, shift))
        )
        view.blocks.range_selected.connect(lambda: editing.select(None))  # what was chosen last is what keys move
        view.edges.move_asked.connect(self._move_edge)
        view.edges.menu_asked.connect(self._open_menu)
        self.menu: QMenu | None = None

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

        session.jobs.start("stretch", "Align the stretch", stretch.align_stretch, (request,), got)

    def at_playhead(self, make: Callable[[Project, int, int], Change]) -> None:
        """Do something to the chosen part where the playhead is."""
        part = self._chosen_part()
        if not isinstance(part, int):
            self._bridge.session.say("info", "Choose a part on the left first.", "chosen")
            return
        self._bridge.edit(lambda p: make(p, part, self._playing.state().frame))

    def at_place(self, make: Callable[[Project, int, int], Change], place: MenuPlace) -> None:
        """Do something to the part at a place of the timeline."""
        part = place.part_index
        if part is not None:
            self._bridge.edit(lambda p: make(p, part, place.frame))

    def ask_repeats(self, window: QWidget) -> None:
        """Ask which repeats are played."""
        project = self._bridge.session.project
        if project.score is not None:
            dialog = RepeatsDialog(project.score, project.path_choices, window)
            dialog.chosen.connect(self._take_choices)
            dialog.open()

    def _take_choices(self, choices: PathChoices) -> None:
        session = self._bridge.session
        before = session.project.path
        self._bridge.edit(lambda project: edits.choose_path(project, choices))
        project = session.project
        if project.path != before and project.recording is not None and session.settings.aligns_on_open:
            self._bridge.attempt(session.alignment.start)

    def _move_edge(self, edge: Edge, frame: int) -> None:
        self._bridge.edit(lambda p: segment_edits.move_edge(p, edge.part_index, edge.stretch, edge.is_start, frame))

    def _open_menu(self, place: MenuPlace) -> None:
        """Offer which parts sound in a range, and what else can be done there."""
        project = self._bridge.session.project
        sounding = {activity.part_index for activity in project.activities or () if activity.sounds_at(place.frame)}
        if self.menu is not None:
            self.menu.deleteLater()
        self.menu = menu = QMenu(self._view)
        menu.addSection("Who plays here")
        for i, part in enumerate(project.parts):
            if part.is_absent:
                continue
            is_on = i in sounding
            add_choice(menu, literal(part.name), is_on, partial(self._set_sounding, place, i, not is_on))
        self.menu_opening.emit(menu, place)
        menu.popup(place.position)

    def _set_sounding(self, place: MenuPlace, part_index: int, is_on: bool) -> None:
        start, end = place.start_frame, place.end_frame
        self._bridge.edit(lambda p: segment_edits.set_sounding(p, part_index, start, end, is_on))

    def nudge(self, milliseconds: float) -> None:
        """Move the selected point a little, or else all that is selected."""
        if self._view.editing.selected_quarter is not None or self._view.selection is None:
            self._view.editing.nudge(milliseconds)
        elif not self._view.blocks.nudge(milliseconds):
            text = "No beat and no note lies in what is selected; select a longer stretch."
            self._bridge.session.say("info", text, "block")

    def step_doubtful(self, direction: int) -> None:
        """Select the next (or previous) place where notes are doubtful, and go there."""
        if not self._view.editing.step_doubtful(direction):
            where = "after" if direction > 0 else "before"
            self._bridge.session.say("info", f"There is no doubtful place {where} the playhead.", "doubtful place")

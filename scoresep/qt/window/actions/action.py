"""What an action of the window is, what actions act on, and what they commonly ask before they can be done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtWidgets import QMainWindow, QMenu, QStackedWidget, QWidget

from scoresep.qt.presenters.alignment import AlignmentPresenter
from scoresep.qt.presenters.bridge import Bridge
from scoresep.qt.presenters.notes import NotePresenter
from scoresep.qt.presenters.playback import PlaybackController
from scoresep.qt.presenters.separation import SeparationPresenter
from scoresep.qt.presenters.spectrogram import SpectrogramPresenter
from scoresep.qt.score.strip import ScoreStrip
from scoresep.qt.timeline.edge_editing import MenuPlace
from scoresep.qt.timeline.timeline_view import TimelineView
from scoresep.qt.widgets.parts_panel import PartsPanel
from scoresep.qt.window.documents import Documents, Exporting, Saving
from scoresep.session.session import Session

FILE, EDIT, VIEW, PLAYBACK, CORRECT = "&File", "&Edit", "&View", "&Playback", "&Correct"
NOTES, PARTS, WORK, HELP = "&Notes", "P&arts", "&Work", "&Help"
MENUS = (FILE, EDIT, VIEW, PLAYBACK, CORRECT, NOTES, PARTS, WORK, HELP)


class Window(QMainWindow):
    """The window as its actions see it: the pieces that they act on, which `MainWindow` makes.

    Attributes
    ----------
    session : Session
    bridge : Bridge
    documents : Documents
    saving : Saving
    exporting : Exporting
    playing : PlaybackController
    timeline : TimelineView
    parts : PartsPanel
    score_strip : ScoreStrip
    spectrogram : SpectrogramPresenter
    notes : NotePresenter
    alignment : AlignmentPresenter
    separation : SeparationPresenter
    pages : QStackedWidget
        What fills the middle: the welcome, or score and timeline.
    """

    session: Session
    bridge: Bridge
    documents: Documents
    saving: Saving
    exporting: Exporting
    playing: PlaybackController
    timeline: TimelineView
    parts: PartsPanel
    score_strip: ScoreStrip
    spectrogram: SpectrogramPresenter
    notes: NotePresenter
    alignment: AlignmentPresenter
    separation: SeparationPresenter
    pages: QStackedWidget

    def show_piece(self, widget: QWidget, is_shown: bool) -> None:
        """Show or hide a piece of the window; the keyboard goes to the page, not to whatever comes next in it."""
        focus: QWidget | None = self.focusWidget()
        if not is_shown and focus is not None and (focus is widget or widget.isAncestorOf(focus)):
            self.pages.currentWidget().setFocus()
        widget.setVisible(is_shown)


def has_sound(w: Window) -> bool:
    """Tell whether there is a recording that can be played."""
    return w.session.project.recording is not None and w.session.recording.source is not None


def has_score(w: Window) -> bool:
    """Tell whether there is a score."""
    return w.session.project.score is not None


def has_either(w: Window) -> bool:
    """Tell whether there is a recording or a score."""
    return has_sound(w) or has_score(w)


def has_stems(w: Window) -> bool:
    """Tell whether there are stems that can be heard."""
    return bool(w.playing.stems.keys)


def has_selection(w: Window) -> bool:
    """Tell whether a stretch of time is selected."""
    return w.timeline.selection is not None


def is_aligned(w: Window) -> bool:
    """Tell whether there is an alignment, and the recording that it belongs to."""
    return w.session.project.alignment is not None and w.session.recording.source is not None


@dataclass(frozen=True)
class Action:
    """One thing that the window can do.

    Attributes
    ----------
    id : str
    menu : str
        Title of the menu that it stands in, one of `MENUS`.
    text : str
        As in the menu, with its mnemonic.
    keys : tuple of str
        Shortcuts, the first of which is shown.
    tip : str
        What it does, for the status bar, tips and the page of keys.
    run : callable
        Does it. Every action has this or `submenu`.
    enabled : callable
        Whether it can be done now.
    checked : callable, optional
        Whether it is on now; None for what cannot be switched.
    text_now, tip_now : callable, optional
        What it is called at this moment, where that changes.
    submenu : callable, optional
        Makes the menu that opens in its place.
    run_at : callable, optional
        Does it at a place of the timeline: with this it stands in the context menu of places with a part.
    is_for_notes : bool
        Whether it stands in the context menu of notes.
    starts_group : bool
        Whether a line is drawn before it.
    repeats : bool
        Whether holding the key does it again and again.
    """

    id: str
    menu: str
    text: str
    keys: tuple[str, ...] = ()
    tip: str = ""
    run: Callable[[Window], object] | None = None
    enabled: Callable[[Window], bool] = lambda _: True
    checked: Callable[[Window], bool] | None = None
    text_now: Callable[[Window], str] | None = None
    tip_now: Callable[[Window], str] | None = None
    submenu: Callable[[Window], QMenu] | None = None
    run_at: Callable[[Window, MenuPlace], object] | None = None
    is_for_notes: bool = False
    starts_group: bool = False
    repeats: bool = False

    @property
    def name(self) -> str:
        """The text without the sign of its mnemonic."""
        return self.text.replace("&", "")

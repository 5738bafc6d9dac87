"""Actions on the project: its files, its edits, and the work that is done on it; and help."""

from __future__ import annotations

from scoresep.edits import project as edits
from scoresep.qt.dialogs.common import SetsDialog
from scoresep.qt.window.actions.action import (
    EDIT,
    FILE,
    WORK,
    Action,
    Window,
    has_either,
    has_score,
    has_selection,
    has_sound,
)
from scoresep.qt.window.menus import recent_menu
from scoresep.qt.window.unused_stems_dialog import UnusedStemsDialog
from scoresep.session.pipeline import MOST_SETS


def _can_save(w: Window) -> bool:
    has_something = w.session.project.recording is not None or has_score(w)
    return has_something and (w.session.storage.is_modified or w.session.storage.path is None)


def _can_export(w: Window) -> bool:
    project = w.session.project
    return has_sound(w) and any(x is not None for x in (project.stem_set, project.alignment, project.activities))


def _with_edit(verb: str, edit: str) -> str:
    """Name the edit that would be undone or made again, in small letters, for the text of an action."""
    return f"{verb} “{edit[0].lower()}{edit[1:]}”" if edit else verb


def _ask_for_sets(w: Window) -> None:
    start = w.session.alignment.start_segmentation_without_score
    SetsDialog(MOST_SETS, lambda sets: w.bridge.attempt(lambda: start(sets)), w).open()


PROJECT_ACTIONS: tuple[Action, ...] = (
    Action("new", FILE, "&New project", ("Ctrl+N",), "Close what is open and begin anew", lambda w: w.documents.new()),
    Action(
        "open_recording",
        FILE,
        "Open &recording…",
        ("Ctrl+R",),
        "Open the sound to be separated",
        lambda w: w.documents.open_recording(),
        starts_group=True,
    ),
    Action(
        "open_score",
        FILE,
        "Open s&core…",
        ("Ctrl+Shift+R",),
        "Open the score, or a corrected one in place of it",
        lambda w: w.documents.open_score(),
    ),
    Action(
        "open_project",
        FILE,
        "&Open project…",
        ("Ctrl+O",),
        "Open a saved project",
        lambda w: w.documents.ask_for_project(),
    ),
    Action("recent", FILE, "Open recen&t", submenu=lambda w: recent_menu(w, w.session, w.documents.open_recent)),
    Action(
        "open_demo",
        FILE,
        "Open the &demo piece",
        (),
        "A short piece that comes with ScoreSep",
        lambda w: w.documents.open_demo(),
    ),
    Action(
        "save",
        FILE,
        "&Save",
        ("Ctrl+S",),
        "Save the project",
        lambda w: w.saving.save(),
        enabled=_can_save,
        starts_group=True,
    ),
    Action(
        "save_as",
        FILE,
        "Save &as…",
        ("Ctrl+Shift+S",),
        "Save the project in another place",
        lambda w: w.saving.save_as(),
        enabled=lambda w: w.session.project.recording is not None or has_score(w),
    ),
    Action(
        "import_alignment",
        FILE,
        "&Import alignment…",
        ("Ctrl+I",),
        "Take where notes, bars or beats lie from a file: CSV, MIDI, Audacity or Sonic Visualiser",
        lambda w: w.documents.import_alignment(),
        enabled=lambda w: has_sound(w) and has_score(w),
        starts_group=True,
    ),
    Action(
        "export",
        FILE,
        "&Export…",
        ("Ctrl+E",),
        "Write stems, the mix, the alignment or the segments as files",
        lambda w: w.exporting.ask(w.timeline.selection),
        enabled=_can_export,
    ),
    Action(
        "unused_stems",
        FILE,
        "&Unused stems…",
        (),
        "See stems that no project names, and move them to the bin",
        lambda w: UnusedStemsDialog(w.bridge, w).open(),
    ),
    Action("quit", FILE, "&Quit", ("Ctrl+Q",), "Close ScoreSep", lambda w: w.close(), starts_group=True),
    Action(
        "undo",
        EDIT,
        "&Undo",
        ("Ctrl+Z",),
        "Take the last edit back",
        lambda w: w.bridge.attempt(w.session.undo),
        enabled=lambda w: bool(w.session.undo_text),
        text_now=lambda w: _with_edit("&Undo", w.session.undo_text),
        repeats=True,
    ),
    Action(
        "redo",
        EDIT,
        "&Redo",
        ("Ctrl+Shift+Z", "Ctrl+Y"),
        "Make the edit again",
        lambda w: w.bridge.attempt(w.session.redo),
        enabled=lambda w: bool(w.session.redo_text),
        text_now=lambda w: _with_edit("&Redo", w.session.redo_text),
        repeats=True,
    ),
    Action(
        "select_all",
        EDIT,
        "Select &all",
        ("Ctrl+A",),
        "Select the whole recording",
        lambda w: w.timeline.select_all(),
        enabled=has_either,
        starts_group=True,
    ),
    Action(
        "select_nothing",
        EDIT,
        "Select &nothing",
        (),
        "Take the selection away  (Esc)",
        lambda w: w.timeline.select_nothing(),
        enabled=has_selection,
    ),
    Action(
        "repeats",
        EDIT,
        "Re&peats…",
        ("Ctrl+Alt+R",),
        "Say which repeats are played in this recording",
        lambda w: w.alignment.ask_repeats(w),
        enabled=has_score,
        starts_group=True,
    ),
    Action(
        "align",
        WORK,
        "&Align",
        ("Ctrl+Shift+A",),
        "Find where every note lies in the recording",
        lambda w: w.bridge.attempt(w.session.alignment.start),
        enabled=lambda w: has_sound(w) and has_score(w) and w.session.jobs.get("alignment") is None,
    ),
    Action(
        "accept",
        WORK,
        "Acce&pt the new alignment",
        ("A",),
        "Take the alignment that is shown beside",
        lambda w: w.bridge.attempt(w.session.alignment.accept),
        enabled=lambda w: w.session.project.pending_alignment is not None,
    ),
    Action(
        "reject",
        WORK,
        "Re&ject the new alignment",
        ("Shift+A",),
        "Keep the present alignment",
        lambda w: w.bridge.edit(edits.reject_alignment),
        enabled=lambda w: w.session.project.pending_alignment is not None,
    ),
    Action(
        "segment",
        WORK,
        "Seg&ment again",
        (),
        "Find again which parts sound when, from the aligned notes",
        lambda w: w.bridge.attempt(w.session.alignment.start_segmentation),
        enabled=lambda w: w.session.project.alignment is not None,
    ),
    Action(
        "segment_sets",
        WORK,
        "Segment &without score…",
        (),
        "Tell sets of instruments apart by their sound",
        _ask_for_sets,
        enabled=lambda w: has_sound(w) and not has_score(w) and w.session.jobs.get("segmentation") is None,
    ),
    Action(
        "separate",
        WORK,
        "&Separate…",
        ("Ctrl+Shift+E",),
        "Separate the recording into one stem for every part",
        lambda w: w.separation.ask(),
        enabled=lambda w: w.separation.is_possible,
        starts_group=True,
    ),
    Action(
        "separate_again",
        WORK,
        "Separate a&gain what changed",
        ("Ctrl+Alt+E",),
        "Bring the stems up to date: only what has changed since is separated again, where that is possible",
        lambda w: w.bridge.attempt(w.session.separation.start),
        enabled=lambda w: w.separation.is_possible and w.session.separation.has_stale_stems,
    ),
    Action(
        "aligns_on_open",
        WORK,
        "Align by i&tself",
        (),
        "Align as soon as recording and score are both there",
        lambda w: w.bridge.toggle_setting("aligns_on_open"),
        checked=lambda w: w.session.settings.aligns_on_open,
        starts_group=True,
    ),
    Action(
        "cancel",
        WORK,
        "&Cancel",
        ("Ctrl+.",),
        "End what works in the background",
        lambda w: w.session.jobs.cancel(),
        enabled=lambda w: bool(w.session.jobs.all),
        starts_group=True,
    ),
)

"""Everything that the window can do, as one table: menus, shortcuts and the page of shortcuts are made from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QMenuBar, QWidget


@dataclass(frozen=True)
class ActionSpec:
    """One thing that the window can do.

    Attributes
    ----------
    id : str
    menu : str
        Title of the menu that it stands in.
    text : str
        As in the menu, with its mnemonic.
    keys : tuple of str
        Shortcuts, the first of which is shown.
    tip : str
        What it does, for the status bar and tips.
    is_checkable : bool
    starts_group : bool
        Whether a line is drawn before it.
    submenu : str
        Id of a menu that opens in its place, filled by the window.
    repeats : bool
        Whether holding the key does it again and again.
    """

    id: str
    menu: str
    text: str
    keys: tuple[str, ...] = ()
    tip: str = ""
    is_checkable: bool = False
    starts_group: bool = False
    submenu: str = ""
    repeats: bool = False


FILE, EDIT, VIEW, PLAYBACK, PARTS, WORK, HELP = "&File", "&Edit", "&View", "&Playback", "P&arts", "&Work", "&Help"
CORRECT, NOTES = "&Correct", "&Notes"
MENUS = (FILE, EDIT, VIEW, PLAYBACK, CORRECT, NOTES, PARTS, WORK, HELP)

ACTIONS: tuple[ActionSpec, ...] = (
    ActionSpec("new", FILE, "&New project", ("Ctrl+N",), "Close what is open and begin anew"),
    ActionSpec(
        "open_recording", FILE, "Open &recording…", ("Ctrl+R",), "Open the sound to be separated", starts_group=True
    ),
    ActionSpec(
        "open_score", FILE, "Open s&core…", ("Ctrl+Shift+R",), "Open the score, or a corrected one in place of it"
    ),
    ActionSpec("open_project", FILE, "&Open project…", ("Ctrl+O",), "Open a saved project"),
    ActionSpec("recent", FILE, "Open recen&t", submenu="recent"),
    ActionSpec("open_demo", FILE, "Open the &demo piece", (), "A short piece that comes with ScoreSep"),
    ActionSpec("save", FILE, "&Save", ("Ctrl+S",), "Save the project", starts_group=True),
    ActionSpec("save_as", FILE, "Save &as…", ("Ctrl+Shift+S",), "Save the project in another place"),
    ActionSpec(
        "import_alignment",
        FILE,
        "&Import alignment…",
        ("Ctrl+I",),
        "Take where notes, bars or beats lie from a file: CSV, MIDI, Audacity or Sonic Visualiser",
        starts_group=True,
    ),
    ActionSpec("export", FILE, "&Export…", ("Ctrl+E",), "Write stems, the mix or the alignment as files"),
    ActionSpec("quit", FILE, "&Quit", ("Ctrl+Q",), "Close ScoreSep", starts_group=True),
    ActionSpec("undo", EDIT, "&Undo", ("Ctrl+Z",), "Take the last edit back", repeats=True),
    ActionSpec("redo", EDIT, "&Redo", ("Ctrl+Shift+Z", "Ctrl+Y"), "Make the edit again", repeats=True),
    ActionSpec("select_all", EDIT, "Select &all", ("Ctrl+A",), "Select the whole recording", starts_group=True),
    ActionSpec("select_nothing", EDIT, "Select &nothing", (), "Take the selection away  (Esc)"),
    ActionSpec(
        "repeats",
        EDIT,
        "Re&peats…",
        ("Ctrl+Alt+R",),
        "Say which repeats are played in this recording",
        starts_group=True,
    ),
    ActionSpec("zoom_in", VIEW, "Zoom &in", ("Ctrl++", "Ctrl+=", "+", "="), "Show less, larger", repeats=True),
    ActionSpec("zoom_out", VIEW, "Zoom &out", ("Ctrl+-", "-"), "Show more, smaller", repeats=True),
    ActionSpec("zoom_fit", VIEW, "Show &everything", ("F",), "Show the whole recording"),
    ActionSpec("zoom_selection", VIEW, "Zoom to &selection", ("Z",), "Show just what is selected"),
    ActionSpec("go_to_bar", VIEW, "&Go to bar…", ("Ctrl+G",), "Move the playhead to a bar", starts_group=True),
    ActionSpec("panel", VIEW, "&Parts and mixer", ("F4",), "Show or hide the panel", True, starts_group=True),
    ActionSpec("score_strip", VIEW, "S&core", ("F3",), "Show or hide the engraved score over the timeline", True),
    ActionSpec("curves", VIEW, "&Tempo and confidence", ("C",), "Show both as curves under the lanes", True),
    ActionSpec(
        "quality",
        VIEW,
        "What stays &unexplained",
        ("Q",),
        "Show under the segments how much of the sound no part explains, and which segments are doubtful",
        True,
    ),
    ActionSpec(
        "score_systems",
        VIEW,
        "S&ystems below each other",
        ("Shift+F3",),
        "Show the engraved score system by system, or else in one line",
        True,
    ),
    ActionSpec("spectrogram", VIEW, "Spect&rogram", ("G",), "Show or hide pitches over time", True, starts_group=True),
    ActionSpec(
        "spectrogram_in_place",
        VIEW,
        "Spectrogram in p&lace of the waveform",
        ("Shift+G",),
        "Show the spectrogram in place of the waveform, or under it",
        True,
    ),
    ActionSpec("spectrogram_notes", VIEW, "&Notes in the spectrogram", ("Shift+H",), "Lay the score over it", True),
    ActionSpec(
        "spectrogram_overtones",
        VIEW,
        "Overtones of the c&hosen part",
        ("H",),
        "Lay the overtones of the chosen part's notes over the spectrogram; those of a note touched always show",
        True,
    ),
    ActionSpec(
        "spectrogram_next",
        VIEW,
        "Spectrogram of the ne&xt stem",
        ("Ctrl+Shift+G",),
        "Show the spectrogram of the recording, and of one stem after the other",
        repeats=True,
    ),
    ActionSpec(
        "spectrogram_over",
        VIEW,
        "Stems o&ver the recording",
        ("Ctrl+Alt+G",),
        "Show in grey the recording, and in colour what the stem takes of it",
        True,
    ),
    ActionSpec("spectrogram_sounds", VIEW, "Spectrogra&m of", submenu="spectrogram_sounds"),
    ActionSpec("appearance", VIEW, "&Appearance", submenu="appearance", starts_group=True),
    ActionSpec("full_screen", VIEW, "&Full screen", ("F11",), "Fill the screen, or not", True),
    ActionSpec("play", PLAYBACK, "&Play", ("Space",), "Play from the playhead, or stop"),
    ActionSpec(
        "play_selection", PLAYBACK, "Play from selec&tion", ("Return", "Enter"), "Play from where the selection starts"
    ),
    ActionSpec("to_start", PLAYBACK, "To the &start", (), "Move the playhead to the start  (Home)"),
    ActionSpec("to_end", PLAYBACK, "To the &end", (), "Move the playhead to the end  (End)"),
    ActionSpec("loop", PLAYBACK, "&Loop selection", ("L",), "Play the selection again and again", True, True),
    ActionSpec(
        "follow", PLAYBACK, "&Follow the playhead", ("Ctrl+L",), "Keep the playhead in sight while playing", True
    ),
    ActionSpec(
        "original",
        PLAYBACK,
        "Hear the &original",
        ("X",),
        "Hear the recording instead of the stems; hold X to compare for a moment",
        True,
        True,
    ),
    ActionSpec(
        "other_stems",
        PLAYBACK,
        "&Hear the other stems",
        ("B",),
        "Hear other stems of this recording at the same place; hold B to compare for a moment",
        True,
    ),
    ActionSpec("compare", PLAYBACK, "Co&mpare with", submenu="compare"),
    ActionSpec(
        "check_clicks",
        PLAYBACK,
        "Hear &clicks at notes",
        ("K",),
        "Hear whether the alignment is right: a click wherever notes begin, a higher one at bars",
        True,
        True,
    ),
    ActionSpec(
        "check_score",
        PLAYBACK,
        "Hear the sco&re beside",
        ("Shift+K",),
        "Hear the recording on the left and its score, synthesised, on the right",
        True,
    ),
    ActionSpec("check_balance", PLAYBACK, "&Balance with the score", submenu="check_balance"),
    ActionSpec("output", PLAYBACK, "Sound &device", submenu="output", starts_group=True),
    ActionSpec(
        "correct", CORRECT, "Correct by &hand", ("E",), "Drag bar lines, beats and notes to where they sound", True
    ),
    ActionSpec(
        "next_point",
        CORRECT,
        "&Next point",
        ("]",),
        "Select the next bar line or point",
        starts_group=True,
        repeats=True,
    ),
    ActionSpec("previous_point", CORRECT, "&Previous point", ("[",), "Select the one before", repeats=True),
    ActionSpec("next_unsure", CORRECT, "Next &unsure place", ("U",), "Go to where notes are doubtful", repeats=True),
    ActionSpec(
        "previous_unsure", CORRECT, "Previous unsu&re place", ("Shift+U",), "Go back to where they are", repeats=True
    ),
    ActionSpec(
        "next_doubtful",
        CORRECT,
        "Ne&xt doubtful segment",
        ("Ctrl+U",),
        "Go to where much sound stays unexplained or many notes are doubtful",
        repeats=True,
    ),
    ActionSpec(
        "previous_doubtful",
        CORRECT,
        "Previous &doubtful segment",
        ("Ctrl+Shift+U",),
        "Go back to where that is",
        repeats=True,
    ),
    ActionSpec(
        "nudge_earlier",
        CORRECT,
        "10 ms &earlier",
        (",",),
        "Move the selected point, or all that is selected, 10 ms earlier",
        starts_group=True,
        repeats=True,
    ),
    ActionSpec(
        "nudge_later",
        CORRECT,
        "10 ms &later",
        (".",),
        "Move the selected point, or all that is selected, 10 ms later",
        repeats=True,
    ),
    ActionSpec(
        "nudge_earlier_fine",
        CORRECT,
        "1 ms earl&ier",
        ("Shift+,",),
        "Move the selected point, or all that is selected, 1 ms earlier",
        repeats=True,
    ),
    ActionSpec(
        "nudge_later_fine",
        CORRECT,
        "1 &ms later",
        ("Shift+.",),
        "Move the selected point, or all that is selected, 1 ms later",
        repeats=True,
    ),
    ActionSpec("free_point", CORRECT, "&Free the point", ("Del", "Backspace"), "Take back that it was placed by hand"),
    ActionSpec(
        "tap_bar", CORRECT, "&Tap a bar", ("T",), "Put the next bar line where the playhead is", starts_group=True
    ),
    ActionSpec("tap_beat", CORRECT, "Tap a &beat", ("Shift+T",), "Put the next beat where the playhead is"),
    ActionSpec(
        "align_stretch",
        CORRECT,
        "Align here a&gain",
        ("Ctrl+T",),
        "Align what is selected again, or else what lies between two points by hand",
        starts_group=True,
    ),
    ActionSpec(
        "split",
        CORRECT,
        "&Split the activity",
        ("D",),
        "Divide what the chosen part plays at the playhead",
        starts_group=True,
    ),
    ActionSpec("merge", CORRECT, "&Join the activity", ("J",), "Join what the chosen part plays with what comes next"),
    ActionSpec(
        "select_notes", NOTES, "&Select notes here", ("N",), "Select what the chosen part plays in the selection"
    ),
    ActionSpec(
        "select_all_notes", NOTES, "Select notes of &all parts", ("Ctrl+Shift+N",), "Select all notes in the selection"
    ),
    ActionSpec(
        "next_note", NOTES, "Ne&xt note", ("Alt+Right",), "Select the next note of the chosen part", repeats=True
    ),
    ActionSpec("previous_note", NOTES, "&Previous note", ("Alt+Left",), "Select the note before", repeats=True),
    ActionSpec(
        "add_next_note", NOTES, "And the next &one", ("Alt+Shift+Right",), "Select the next note as well", repeats=True
    ),
    ActionSpec(
        "add_previous_note", NOTES, "And the one &before", ("Alt+Shift+Left",), "Select that as well", repeats=True
    ),
    ActionSpec(
        "hear_notes",
        NOTES,
        "&Hear notes alone",
        ("P",),
        "Hear the selected notes by themselves, out of their stems",
        starts_group=True,
    ),
    ActionSpec("mute_notes", NOTES, "&Mute notes", ("M",), "Silence the selected notes, or let them be heard again"),
    ActionSpec("gain_notes", NOTES, "&Gain of notes…", ("V",), "Make the selected notes louder or softer"),
    ActionSpec(
        "remove_notes",
        NOTES,
        "&Remove from the part",
        ("R",),
        "Take the selected notes out of their part; the residual has them, so that the sum stays the recording",
    ),
    ActionSpec("restore_notes", NOTES, "As &they were played", ("Shift+R",), "Take back what was done to these notes"),
    ActionSpec(
        "export_notes",
        NOTES,
        "&Export notes…",
        ("Ctrl+Alt+N",),
        "Write the selected notes as sound files",
        starts_group=True,
    ),
    ActionSpec("mute", PARTS, "&Mute", ("Shift+M",), "Silence the chosen part"),
    ActionSpec("solo", PARTS, "&Solo", ("Shift+S",), "Hear the chosen part alone"),
    ActionSpec("minus", PARTS, "Minus &one", ("Shift+N",), "Hear everything but the chosen part"),
    ActionSpec(
        "next_part", PARTS, "&Next part", ("Alt+Down",), "Choose the next part", starts_group=True, repeats=True
    ),
    ActionSpec("previous_part", PARTS, "&Previous part", ("Alt+Up",), "Choose the part before", repeats=True),
    ActionSpec("part_menu", PARTS, "&Instrument…", ("Shift+I",), "Say what plays the chosen part", starts_group=True),
    ActionSpec("reset_mixer", PARTS, "&Reset the mixer", (), "Set all levels, pans, mutes and solos to rest"),
    ActionSpec("align", WORK, "&Align", ("Ctrl+Shift+A",), "Find where every note lies in the recording"),
    ActionSpec("accept", WORK, "Acce&pt the new alignment", ("A",), "Take the alignment that is shown beside"),
    ActionSpec("reject", WORK, "Re&ject the new alignment", ("Shift+A",), "Keep the present alignment"),
    ActionSpec("segment", WORK, "Seg&ment again", (), "Find again which parts sound when, from the aligned notes"),
    ActionSpec("separate", WORK, "&Separate…", ("Ctrl+Shift+E",), "Make a stem of every part", starts_group=True),
    ActionSpec(
        "separate_again",
        WORK,
        "Separate a&gain what changed",
        ("Ctrl+Alt+E",),
        "Bring the stems up to date: only what has changed since is made anew, where that is possible",
    ),
    ActionSpec(
        "aligns_on_open",
        WORK,
        "Align by i&tself",
        (),
        "Align as soon as recording and score are both there",
        True,
        starts_group=True,
    ),
    ActionSpec("cancel", WORK, "&Cancel", ("Ctrl+.",), "End what works in the background", starts_group=True),
    ActionSpec("shortcuts", HELP, "&Shortcuts", ("F1", "?"), "All keys on one page"),
    ActionSpec("about", HELP, "&About ScoreSep", (), "Version and licence"),
)


def make_actions(owner: QWidget, slots: dict[str, Callable[[], object]]) -> dict[str, QAction]:
    """Make the actions, each joined to its slot.

    Parameters
    ----------
    owner : QWidget
        The window in which the shortcuts work.
    slots : dict of callable
        By id; every action without a submenu needs one.

    Raises
    ------
    KeyError
        An action has no slot.
    """
    actions: dict[str, QAction] = {}
    for spec in ACTIONS:
        if spec.submenu:
            continue
        action = QAction(spec.text, owner)
        action.setObjectName(spec.id)
        action.setShortcuts([QKeySequence(key) for key in spec.keys])
        action.setToolTip(spec.tip)
        action.setStatusTip(spec.tip)
        action.setCheckable(spec.is_checkable)
        action.setAutoRepeat(spec.repeats)
        action.setMenuRole(QAction.MenuRole.NoRole)
        action.triggered.connect(lambda _=False, slot=slots[spec.id]: slot())
        owner.addAction(action)
        actions[spec.id] = action
    return actions


def fill_menu_bar(bar: QMenuBar, actions: dict[str, QAction], submenus: dict[str, QMenu]) -> None:
    """Put all actions into their menus."""
    menus = {title: bar.addMenu(title) for title in MENUS}
    for spec in ACTIONS:
        menu = menus[spec.menu]
        if spec.starts_group:
            menu.addSeparator()
        if spec.submenu:
            submenus[spec.submenu].setTitle(spec.text)
            menu.addMenu(submenus[spec.submenu])
        else:
            menu.addAction(actions[spec.id])

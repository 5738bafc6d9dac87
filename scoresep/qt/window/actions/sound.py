"""Actions on what is heard: playing, comparing, and the mixer."""

from __future__ import annotations

from scoresep.model.project import Loop
from scoresep.playback.audition import AuditionMode
from scoresep.qt.window.actions.action import (
    PARTS,
    PLAYBACK,
    Action,
    Window,
    has_score,
    has_sound,
    has_stems,
    is_aligned,
)
from scoresep.qt.window.menus import balance_menu, output_menu


def _play_selection(w: Window) -> None:
    """Play from where the selection starts, else from the playhead."""
    selection = w.timeline.selection
    w.playing.play_from((w.timeline.playhead_frame or 0) if selection is None else selection[0])


def _toggle_loop(w: Window) -> None:
    """Repeat the selection; or stop repeating, where it is repeated already or nothing is selected."""
    selection, loop = w.timeline.selection, w.playing.loop
    is_same = loop is not None and selection in (None, (loop.start_frame, loop.end_frame))
    w.playing.set_loop(None if selection is None or is_same else Loop(*selection))


def _toggle_check(w: Window, check: AuditionMode) -> None:
    """Hear clicks or the score besides the recording, or no longer."""
    w.playing.set_check(AuditionMode.NONE if w.playing.check is check else check)


SOUND_ACTIONS: tuple[Action, ...] = (
    Action(
        "play",
        PLAYBACK,
        "&Play",
        ("Space",),
        "Play from the playhead, or stop",
        lambda w: w.playing.toggle(),
        enabled=has_sound,
        text_now=lambda w: "S&top" if w.timeline.is_playing else "&Play",
    ),
    Action(
        "play_selection",
        PLAYBACK,
        "Play from selec&tion",
        ("Return", "Enter"),
        "Play from where the selection starts",
        _play_selection,
        enabled=has_sound,
    ),
    Action(
        "to_start",
        PLAYBACK,
        "To the &start",
        ("Home",),
        "Move the playhead to the start",
        lambda w: w.timeline.go_to_start(),
        enabled=has_sound,
    ),
    Action(
        "to_end",
        PLAYBACK,
        "To the &end",
        ("End",),
        "Move the playhead to the end",
        lambda w: w.timeline.go_to_end(),
        enabled=has_sound,
    ),
    Action(
        "loop",
        PLAYBACK,
        "&Loop selection",
        ("L",),
        "Play the selection again and again",
        _toggle_loop,
        enabled=lambda w: has_sound(w) and (w.timeline.selection is not None or w.playing.loop is not None),
        checked=lambda w: w.playing.loop is not None,
        starts_group=True,
    ),
    Action(
        "follow",
        PLAYBACK,
        "&Follow the playhead",
        ("Ctrl+L",),
        "Keep the playhead in sight while playing",
        lambda w: w.bridge.toggle_setting("follows_playhead"),
        checked=lambda w: w.session.settings.follows_playhead,
    ),
    Action(
        "original",
        PLAYBACK,
        "Hear the &original",
        ("X",),
        "Hear the recording instead of the stems; hold X to compare for a moment",
        lambda w: w.playing.original_key.press(),
        enabled=has_stems,
        checked=lambda w: w.playing.is_original,
        starts_group=True,
    ),
    Action(
        "other_stems",
        PLAYBACK,
        "&Hear the other stems",
        ("B",),
        "Hear other stems of this recording at the same place; hold B to compare for a moment",
        lambda w: w.separation.comparison.key.press(),
        enabled=has_stems,
        checked=lambda w: w.playing.stems.plays_other,
        tip_now=lambda w: w.separation.comparison.tip,
    ),
    Action("compare", PLAYBACK, "Co&mpare with", submenu=lambda w: w.separation.comparison.menu(w)),
    Action(
        "check_clicks",
        PLAYBACK,
        "Hear &clicks at notes",
        ("K",),
        "Hear whether the alignment is right: a click wherever notes begin, a higher one at bars",
        lambda w: _toggle_check(w, AuditionMode.CLICKS),
        enabled=is_aligned,
        checked=lambda w: w.playing.check is AuditionMode.CLICKS,
        starts_group=True,
    ),
    Action(
        "check_score",
        PLAYBACK,
        "Hear the sco&re beside",
        ("Shift+K",),
        "Hear the recording on the left and its score, synthesised, on the right",
        lambda w: _toggle_check(w, AuditionMode.SCORE),
        enabled=is_aligned,
        checked=lambda w: w.playing.check is AuditionMode.SCORE,
    ),
    Action("check_balance", PLAYBACK, "&Balance with the score", submenu=lambda w: balance_menu(w, w.playing)),
    Action("output", PLAYBACK, "Sound &device", submenu=lambda w: output_menu(w, w.session), starts_group=True),
    Action(
        "mute",
        PARTS,
        "&Mute",
        ("Shift+M",),
        "Silence the chosen part",
        lambda w: w.parts.toggle("mute"),
        enabled=has_stems,
    ),
    Action(
        "solo",
        PARTS,
        "&Solo",
        ("Shift+S", "S"),
        "Hear the chosen part alone",
        lambda w: w.parts.toggle("solo"),
        enabled=has_stems,
    ),
    Action(
        "minus",
        PARTS,
        "Minus &one",
        ("Shift+N",),
        "Hear everything but the chosen part",
        lambda w: w.parts.toggle("minus"),
        enabled=has_stems,
    ),
    Action(
        "next_part",
        PARTS,
        "&Next part",
        ("Alt+Down",),
        "Choose the next part",
        lambda w: w.parts.choose_next(1),
        enabled=has_score,
        starts_group=True,
        repeats=True,
    ),
    Action(
        "previous_part",
        PARTS,
        "&Previous part",
        ("Alt+Up",),
        "Choose the part before",
        lambda w: w.parts.choose_next(-1),
        enabled=has_score,
        repeats=True,
    ),
    Action(
        "part_menu",
        PARTS,
        "&Instrument…",
        ("Shift+I",),
        "Say what plays the chosen part",
        lambda w: w.parts.open_menu(),
        enabled=has_score,
        starts_group=True,
    ),
    Action(
        "reset_mixer",
        PARTS,
        "&Reset the mixer",
        (),
        "Set all levels, pans, mutes and solos to rest",
        lambda w: w.parts.reset(),
        enabled=has_score,
    ),
)

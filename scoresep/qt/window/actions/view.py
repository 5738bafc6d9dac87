"""Actions on what the window shows, and how."""

from __future__ import annotations

from scoresep.qt.dialogs.common import GoToBarDialog, path_text
from scoresep.qt.score.system_drawing import Mode
from scoresep.qt.window.actions.action import (
    VIEW,
    Action,
    Window,
    has_either,
    has_score,
    has_selection,
    has_sound,
    has_stems,
)
from scoresep.qt.window.menus import appearance_menu, spectrogram_menu


def _go_to_bar(w: Window) -> None:
    """Ask for a bar, and move the playhead there."""
    score, path = w.session.project.score, w.session.project.path
    if score is not None and path is not None:
        GoToBarDialog(w.timeline.go_to_bar, path_text(score, path), w).open()


def _shows_spectrogram(w: Window) -> bool:
    return w.session.settings.shows_spectrogram and has_sound(w)


VIEW_ACTIONS: tuple[Action, ...] = (
    Action(
        "zoom_in",
        VIEW,
        "Zoom &in",
        ("Ctrl++", "Ctrl+=", "+", "="),
        "Show less, larger",
        lambda w: w.timeline.zoom_in(),
        enabled=has_either,
        repeats=True,
    ),
    Action(
        "zoom_out",
        VIEW,
        "Zoom &out",
        ("Ctrl+-", "-"),
        "Show more, smaller",
        lambda w: w.timeline.zoom_out(),
        enabled=has_either,
        repeats=True,
    ),
    Action(
        "zoom_fit",
        VIEW,
        "Show &everything",
        ("F",),
        "Show the whole recording",
        lambda w: w.timeline.zoom_to_fit(),
        enabled=has_either,
    ),
    Action(
        "zoom_selection",
        VIEW,
        "Zoom to &selection",
        ("Z",),
        "Show just what is selected",
        lambda w: w.timeline.zoom_to_selection(),
        enabled=has_selection,
    ),
    Action(
        "go_to_bar",
        VIEW,
        "&Go to bar…",
        ("Ctrl+G",),
        "Move the playhead to a bar",
        _go_to_bar,
        enabled=has_score,
        starts_group=True,
    ),
    Action(
        "panel",
        VIEW,
        "&Parts and mixer",
        ("F4",),
        "Show or hide the panel",
        lambda w: w.show_piece(w.parts, w.parts.isHidden()),
        checked=lambda w: not w.parts.isHidden(),
        starts_group=True,
    ),
    Action(
        "score_strip",
        VIEW,
        "S&core",
        ("F3",),
        "Show or hide the engraved score over the timeline",
        lambda w: w.show_piece(w.score_strip, w.score_strip.isHidden()),
        checked=lambda w: not w.score_strip.isHidden(),
    ),
    Action(
        "curves",
        VIEW,
        "&Tempo and confidence",
        ("C",),
        "Show both as curves under the lanes",
        lambda w: w.timeline.show_curves(not w.timeline.shows_curves),
        checked=lambda w: w.timeline.shows_curves,
    ),
    Action(
        "quality",
        VIEW,
        "What stays &unexplained",
        ("Q",),
        "Show under the segments how much of the sound no part explains, and which segments are doubtful",
        lambda w: w.timeline.show_quality(not w.timeline.shows_quality),
        checked=lambda w: w.timeline.shows_quality,
    ),
    Action(
        "score_systems",
        VIEW,
        "S&ystems below each other",
        ("Shift+F3",),
        "Show the engraved score system by system, or else in one line",
        lambda w: w.score_strip.set_mode(Mode.LINE if w.score_strip.mode is Mode.SYSTEMS else Mode.SYSTEMS),
        checked=lambda w: w.score_strip.mode is Mode.SYSTEMS,
    ),
    Action(
        "spectrogram",
        VIEW,
        "Spect&rogram",
        ("G",),
        "Show or hide pitches over time",
        lambda w: w.spectrogram.toggle(),
        checked=lambda w: w.session.settings.shows_spectrogram,
        starts_group=True,
    ),
    Action(
        "spectrogram_in_place",
        VIEW,
        "Spectrogram in p&lace of the waveform",
        ("Shift+G",),
        "Show the spectrogram in place of the waveform, or under it",
        lambda w: w.spectrogram.toggle_in_place(),
        checked=lambda w: w.session.settings.spectrogram_in_place,
    ),
    Action(
        "spectrogram_notes",
        VIEW,
        "&Notes in the spectrogram",
        ("Shift+H",),
        "Lay the score over it",
        lambda w: w.bridge.toggle_setting("spectrogram_notes"),
        enabled=_shows_spectrogram,
        checked=lambda w: w.session.settings.spectrogram_notes,
    ),
    Action(
        "spectrogram_overtones",
        VIEW,
        "Overtones of the c&hosen part",
        ("H",),
        "Lay the overtones of the chosen part's notes over the spectrogram; those of a note touched always show",
        lambda w: w.bridge.toggle_setting("spectrogram_overtones"),
        enabled=_shows_spectrogram,
        checked=lambda w: w.session.settings.spectrogram_overtones,
    ),
    Action(
        "spectrogram_next",
        VIEW,
        "Spectrogram of the ne&xt stem",
        ("Ctrl+Shift+G",),
        "Show the spectrogram of the recording, and of one stem after the other",
        lambda w: w.spectrogram.step(),
        enabled=lambda w: _shows_spectrogram(w) and has_stems(w),
        repeats=True,
    ),
    Action(
        "spectrogram_over",
        VIEW,
        "Stems o&ver the recording",
        ("Ctrl+Alt+G",),
        "Show in grey the recording, and in colour what the stem takes of it",
        lambda w: w.spectrogram.toggle_over(),
        enabled=lambda w: _shows_spectrogram(w) and has_stems(w),
        checked=lambda w: w.spectrogram.choice.is_over,
    ),
    Action("spectrogram_sounds", VIEW, "Spectrogra&m of", submenu=lambda w: spectrogram_menu(w, w.spectrogram)),
    Action("appearance", VIEW, "&Appearance", submenu=lambda w: appearance_menu(w, w.session), starts_group=True),
    Action(
        "full_screen",
        VIEW,
        "&Full screen",
        ("F11",),
        "Fill the screen, or not",
        lambda w: w.showNormal() if w.isFullScreen() else w.showFullScreen(),
        checked=lambda w: w.isFullScreen(),
    ),
)

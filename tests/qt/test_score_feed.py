"""The score strip in the window: engraved by a real worker, hidden and shown, in time with what is played."""

from __future__ import annotations

from dataclasses import replace

from musicxml_text import document, note, part
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot
from window_bench import QUARTER, START, Bench

from scoresep.edits import project as edits
from scoresep.files.scores import open_score
from scoresep.qt.widgets.channel_row import Fader

BARS = 4
LIMIT_MS = 60_000


def open_written_score(bench: Bench, lowest: int = 48) -> None:
    """Open a score that lies on the disk, as engraving needs it to."""
    path = bench.folder / "duet.musicxml"
    high, low = ([note(base + i, 8) for i in range(BARS)] for base in (lowest + 24, lowest))
    path.write_bytes(document(part(*high), part(*low), names=("Violin", "Cello")))
    score_file, score = open_score(path)
    bench.session.apply(edits.set_score(bench.session.project, score_file, score))


def show_engraved(qtbot: QtBot, bench: Bench) -> None:
    bench.open_recording()
    open_written_score(bench)
    bench.align()
    qtbot.keyClick(bench.window, Qt.Key.Key_F3)
    qtbot.waitUntil(lambda: bench.window.score_strip.engraving is not None, timeout=LIMIT_MS)


def test_the_score_is_engraved_when_it_is_shown_and_follows_what_is_played(qtbot: QtBot, bench: Bench) -> None:
    strip = bench.window.score_strip
    assert not strip.isVisible()
    show_engraved(qtbot, bench)
    assert strip.isVisible() and strip.problem == "" and bench.window.commands["score_strip"].isChecked()
    strip.setFocus()
    for bar in range(1, BARS):
        qtbot.keyClick(strip, Qt.Key.Key_Right)
        qtbot.waitUntil(lambda bar=bar: strip.marks.measure_index == bar, timeout=60_000)
        assert bench.player.state().frame == START + 4 * bar * QUARTER
    qtbot.keyClick(strip, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: bench.player.state().is_playing, timeout=60_000)
    assert bench.player.state().frame >= START + 4 * (BARS - 1) * QUARTER
    bench.window.playing.stop()
    qtbot.keyClick(bench.window, Qt.Key.Key_F3)
    assert not strip.isVisible()


def test_another_score_is_engraved_in_its_place(qtbot: QtBot, bench: Bench) -> None:
    show_engraved(qtbot, bench)
    before = bench.window.score_strip.engraving
    path = bench.folder / "other.musicxml"
    path.write_bytes(document(part(note(60)), part(note(64))))
    score_file, score = open_score(path)
    bench.session.apply(edits.set_score(bench.session.project, score_file, score))
    assert bench.window.score_strip.engraving is None
    qtbot.waitUntil(lambda: bench.window.score_strip.engraving is not None, timeout=LIMIT_MS)
    assert bench.window.score_strip.engraving != before


def test_an_engraving_that_was_cancelled_says_so(qtbot: QtBot, bench: Bench) -> None:
    bench.open_recording()
    open_written_score(bench)
    strip = bench.window.score_strip
    # Behind the presenter's own slot: the job has begun, and no answer from the cache can have come yet.
    strip.engraving_wanted.connect(lambda _: bench.session.jobs.cancel())
    bench.window.show_piece(strip, True)
    qtbot.waitUntil(lambda: "was not engraved" in strip.problem, timeout=LIMIT_MS)


def test_a_score_whose_file_is_gone_says_so_in_the_strip(qtbot: QtBot, bench: Bench) -> None:
    bench.open_recording()
    open_written_score(bench, 43)  # one that no other test has left in the cache
    (bench.folder / "duet.musicxml").unlink()
    bench.window.show_piece(bench.window.score_strip, True)
    qtbot.waitUntil(lambda: bench.window.score_strip.engraving is not None, timeout=LIMIT_MS)
    assert "not there" in bench.window.score_strip.problem


def test_parts_that_are_muted_are_pale_and_their_colours_are_those_of_the_project(qtbot: QtBot, bench: Bench) -> None:
    bench.open_all()
    strip = bench.window.score_strip
    mixer = bench.session.project.mixer
    muted = replace(mixer, strips=(replace(mixer.strips[0], is_muted=True), *mixer.strips[1:]))
    bench.session.set_mixer(muted)
    assert strip._silent == frozenset({0})
    bench.session.apply(edits.set_part(bench.session.project, 1, "Change colour", color="#123456"))
    assert strip._parts[1].color == "#123456"


def test_hidden_or_shown_is_remembered(qtbot: QtBot, bench: Bench) -> None:
    from scoresep.qt.window.main_window import restore_layout, save_layout

    window = bench.window
    for is_shown in (True, False):
        save_layout(window, {"splitter": window.splitter}, {"panel": True, "score_strip": is_shown})
        hidden = restore_layout(window, {"splitter": window.splitter, "scene": window.scene})
        assert hidden == (frozenset() if is_shown else frozenset({"score_strip"}))
    assert not window.scene.is_by_hand


def test_hiding_what_has_the_keyboard_gives_it_to_the_timeline(qtbot: QtBot, bench: Bench) -> None:
    bench.open_all()
    window = bench.window
    slider = next(f for f in window.parts.findChildren(Fader) if f.isEnabled())
    for piece, widget in ((window.score_strip, window.score_strip), (window.parts, slider)):
        window.show_piece(piece, True)
        widget.setFocus()
        qtbot.waitUntil(widget.hasFocus)
        window.show_piece(piece, False)
        assert window.timeline.canvas.hasFocus()
        window.show_piece(piece, True)

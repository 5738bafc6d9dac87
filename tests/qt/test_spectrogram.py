"""The spectrogram in the window: shown by a key, remembered, bright where it sounds, grasped, zoomed, of stems."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor
from pytestqt.qtbot import QtBot
from timeline_scenes import drag, pixels, turn_wheel
from window_bench import FRAMES, PARTS, QUARTER, RATE, START, Bench, tone

from scoresep.files.audio.stems import StemFolderWriter
from scoresep.model.spectrogram import HIGHEST_MIDI
from scoresep.progress import Progress
from scoresep.qt.timeline.lane import HEADER_PX, PlacedLane
from scoresep.qt.timeline.spectrogram_item import SpectrogramItem
from scoresep.qt.timeline.spectrogram_picture import MOST_TILE_BYTES, PitchRange
from scoresep.qt.timeline.timeline_view import TimelineView
from scoresep.qt.widgets.theme import dark_palette, light_palette
from scoresep.session.settings import load_settings
from scoresep.session.spectrograms import SoundToShow, build_spectrograms, recording_to_show, stem_to_show

NO_KEY, ALT = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.AltModifier
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
HIGH, LOW = 76.02, 45.0  # the tones of the bench: 660 and 110 Hz


@pytest.fixture(autouse=True)
def _own_settings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCORESEP_CONFIG_DIR", str(tmp_path_factory.mktemp("config")))


def show_it(bench: Bench, qtbot: QtBot) -> TimelineView:
    """Press the key that shows it."""
    view = bench.window.timeline
    view.setFocus()
    qtbot.waitUntil(view.canvas.hasFocus)
    qtbot.keyClick(view.canvas, Qt.Key.Key_G)
    return view


@pytest.fixture
def shown(bench: Bench, qtbot: QtBot) -> Bench:
    """Return a window with everything open, and the spectrogram shown by its key."""
    bench.open_all()
    project = bench.session.project
    sounds = [recording_to_show(project), *(stem_to_show(project, part) for part in (0, 1, None))]
    build_spectrograms(tuple(s for s in sounds if isinstance(s, SoundToShow)), Progress())
    show_it(bench, qtbot)
    return bench


def lane(view: TimelineView) -> PlacedLane:
    return next(p for p in view.canvas.placed if isinstance(p.lane, SpectrogramItem))


def show_all_pitches(view: TimelineView) -> None:
    view.spectrogram.pitches = PitchRange()
    view.canvas.repaint_all()


def at(view: TimelineView, frame: float, pitch: float) -> QPoint:
    placed = lane(view)
    assert isinstance(placed.lane, SpectrogramItem)
    y = placed.lane.room(view.canvas.lanes_offset + placed.top, placed.height).y(pitch)
    return QPointF(view.canvas.x_of(frame), y).toPoint()


def away_from_ground(view: TimelineView, frame: float, pitch: float, reach: int = 2) -> float:
    """Return how far the pixels at a place are from the colour of silence, 0 to 1."""
    spot = at(view, frame, pitch)
    found = pixels(view)[spot.y() - reach : spot.y() + reach + 1, spot.x()]
    ground = view.canvas.theme.ground.lightnessF()
    return max(abs(QColor(int(p)).lightnessF() - ground) for p in found.tolist())


def titles(view: TimelineView) -> list[str]:
    return [p.lane.title for p in view.canvas.placed]


def test_a_key_shows_it_and_it_is_remembered(shown: Bench, qtbot: QtBot) -> None:
    window, view = shown.window, shown.window.timeline
    assert titles(view)[:3] == ["Recording", "Spectrogram", "Notes"] and window.commands["spectrogram"].isChecked()
    assert load_settings().shows_spectrogram and not shown.session.jobs.all, "it was computed before"
    qtbot.keyClick(view.canvas, Qt.Key.Key_G, SHIFT)
    assert titles(view)[:2] == ["Spectrogram", "Notes"] and load_settings().spectrogram_in_place
    qtbot.keyClick(view.canvas, Qt.Key.Key_G)
    assert titles(view)[:2] == ["Recording", "Notes"] and not load_settings().shows_spectrogram
    assert not window.commands["spectrogram_overtones"].isEnabled()


@pytest.mark.parametrize("palette", [light_palette(), dark_palette()], ids=["light", "dark"])
@pytest.mark.parametrize("zoom", [1.0, 6.0, 60.0])
def test_it_is_bright_where_it_sounds_and_nowhere_else(shown: Bench, qtbot: QtBot, palette, zoom: float) -> None:
    view = shown.window.timeline
    view.set_theme(palette)
    show_all_pitches(view)
    qtbot.keyClick(view.canvas, Qt.Key.Key_H, SHIFT)  # no notes over it
    view.zoom(zoom, 200.0)
    middle = (view.axis.start_frame + view.axis.end_frame) / 2
    for pitch in (HIGH, LOW):
        assert away_from_ground(view, middle, pitch) > 0.45
    for pitch in (60.0, 70.0, 88.0):
        assert away_from_ground(view, middle, pitch) < 0.08


def test_notes_lie_over_it_in_the_colours_of_their_parts(shown: Bench, qtbot: QtBot) -> None:
    view = shown.window.timeline
    layout = view.canvas.content.layout
    assert layout is not None
    with_notes = pixels(view)
    qtbot.keyClick(view.canvas, Qt.Key.Key_H, SHIFT)
    differs = with_notes != pixels(view)
    for place in (0, 7, 20):
        spot = at(view, float(layout.onset_frame[place]), float(layout.pitch_midi[place]))
        assert differs[spot.y() - 4 : spot.y() + 5, spot.x() - 2 : spot.x() + 3].any()
    assert differs.mean() < 0.05


def test_overtones_of_the_chosen_part_come_and_go(shown: Bench, qtbot: QtBot) -> None:
    view, layout = shown.window.timeline, shown.window.timeline.canvas.content.layout
    assert layout is not None
    shown.window.parts.choose(1)
    view.canvas.repaint_all()  # a zoom that has not come to rest is shown more coarsely
    before = pixels(view)
    qtbot.keyClick(view.canvas, Qt.Key.Key_H)
    differs = before != pixels(view)
    assert load_settings().spectrogram_overtones
    place = int(np.flatnonzero(layout.part_index == 1)[2])
    spot = at(view, float(layout.onset_frame[place] + 900), float(layout.pitch_midi[place]) + 12 * np.log2(3))
    assert differs[spot.y() - 2 : spot.y() + 3, spot.x()].any()
    with_those_of_one = pixels(view)
    shown.window.parts.choose(0)
    assert (with_those_of_one != pixels(view)).any()
    qtbot.keyClick(view.canvas, Qt.Key.Key_H)
    assert np.array_equal(before, pixels(view))


def test_a_note_touched_in_either_lane_shows_its_overtones(shown: Bench, qtbot: QtBot) -> None:
    view, layout = shown.window.timeline, shown.window.timeline.canvas.content.layout
    assert layout is not None
    place, said = 9, []
    view.readout_changed.connect(said.append)
    before = pixels(view)
    middle = (layout.onset_frame[place] + layout.offset_frame[place]) / 2
    qtbot.mouseMove(view.canvas, at(view, middle, float(layout.pitch_midi[place])))
    touched = view.canvas.touched
    assert touched is not None and touched[1].place == place
    octave = at(view, middle, float(layout.pitch_midi[place]) + 12)
    assert (before != pixels(view))[octave.y() - 2 : octave.y() + 3, octave.x()].any()
    assert touched[1].text in said[-1].item and "Hz" in said[-1].item


def test_selected_notes_are_strong_and_a_few_show_their_overtones(shown: Bench, qtbot: QtBot) -> None:
    view, layout = shown.window.timeline, shown.window.timeline.canvas.content.layout
    assert layout is not None
    before, place = pixels(view), 9
    middle, pitch = float(layout.onset_frame[place] + 900), float(layout.pitch_midi[place])
    qtbot.mouseClick(view.canvas, Qt.MouseButton.LeftButton, NO_KEY, at(view, middle, pitch))
    view.hover(None)
    assert view.canvas.content.note_marks.selected == {int(layout.row[place])}
    differs = before != pixels(view)
    for shown_pitch in (pitch, pitch + 12):
        spot = at(view, middle, shown_pitch)
        assert differs[spot.y() - 6 : spot.y() + 7, spot.x()].any()


def test_the_stems_that_are_heard_are_those_that_are_seen(shown: Bench, qtbot: QtBot) -> None:
    window, view, project = shown.window, shown.window.timeline, shown.session.project
    assert project.recording is not None
    with StemFolderWriter(shown.folder / "others", project.recording, tuple(enumerate(PARTS))) as writer:
        writer.write(np.stack([tone(110), tone(660), np.zeros(FRAMES, np.float32)])[:, None])
        others = writer.finish("other", "cpu", "other-key")
    sound = stem_to_show(project, 0, others)
    assert sound is not None
    build_spectrograms((sound,), Progress())
    show_all_pitches(view)
    for key, modifiers in ((Qt.Key.Key_H, SHIFT), (Qt.Key.Key_G, CTRL | SHIFT)):
        qtbot.keyClick(view.canvas, key, modifiers)
    assert away_from_ground(view, FRAMES / 2, HIGH) > 0.4 and away_from_ground(view, FRAMES / 2, LOW) < 0.1
    window.playing.compare(others, plays_other=True)
    assert away_from_ground(view, FRAMES / 2, HIGH) < 0.1 and away_from_ground(view, FRAMES / 2, LOW) > 0.4
    window.playing.compare(others, plays_other=False)
    assert away_from_ground(view, FRAMES / 2, HIGH) > 0.4


def test_the_readout_tells_pitch_and_frequency(shown: Bench, qtbot: QtBot) -> None:
    view, said = shown.window.timeline, []
    view.readout_changed.connect(said.append)
    placed = lane(view)
    assert isinstance(placed.lane, SpectrogramItem)
    room = placed.lane.room(0.0, placed.height)
    assert placed.lane.place_text(FRAMES / 2, room.y(69.0), placed.height).startswith("A4   440.0 Hz")
    assert placed.lane.place_text(FRAMES / 2, room.y(69.25), placed.height).startswith("A4 +25 ct   446.4 Hz")
    sounding = placed.lane.place_text(FRAMES / 2, room.y(45.0), placed.height)
    assert float(sounding.split()[-2]) == pytest.approx(20 * np.log10(0.2), abs=1.0)


def test_a_note_is_dragged_to_where_it_sounds(shown: Bench, qtbot: QtBot) -> None:
    view, session = shown.window.timeline, shown.session
    layout = view.canvas.content.layout
    assert layout is not None
    place = 12
    row, onset, pitch = int(layout.row[place]), int(layout.onset_frame[place]), float(layout.pitch_midi[place])
    drag(view, qtbot, at(view, onset + 800, pitch), at(view, onset + 1300, pitch))
    assert not session.project.hand_points, "only while correcting"
    view.select_nothing()
    qtbot.keyClick(view.canvas, Qt.Key.Key_E)
    drag(view, qtbot, at(view, onset + 800, pitch), at(view, onset + 1300, pitch))
    alignment = session.project.alignment
    assert alignment is not None and len(session.project.hand_points) == 1
    assert alignment.note_times.onset_frame[row] == pytest.approx(onset + 500, abs=1.5 * view.axis.frames_per_px)


def test_a_bar_line_is_dragged_over_it(shown: Bench, qtbot: QtBot) -> None:
    view, session, start = shown.window.timeline, shown.session, START + 8 * QUARTER
    qtbot.keyClick(view.canvas, Qt.Key.Key_E)
    drag(view, qtbot, at(view, start, 90.0), at(view, start + 600, 90.0))
    assert [(p.measure_index, p.beat) for p in session.project.hand_points] == [(2, 1.0)]


def test_stems_are_shown_one_after_the_other(shown: Bench, qtbot: QtBot) -> None:
    view, feed = shown.window.timeline, shown.window.spectrogram
    show_all_pitches(view)
    qtbot.keyClick(view.canvas, Qt.Key.Key_H, SHIFT)
    seen = []
    for _ in range(5):
        bright = tuple(away_from_ground(view, FRAMES / 2, pitch) > 0.4 for pitch in (HIGH, LOW))
        seen.append((view.spectrogram.shown.title, *bright))
        qtbot.keyClick(view.canvas, Qt.Key.Key_G, CTRL | SHIFT)
    assert seen == [
        ("Recording", True, True),
        ("Violin", True, False),
        ("Cello", False, True),
        ("Residual", False, False),
        ("Recording", True, True),
    ]
    assert [name for _, name in feed.choices()] == ["Recording", "Violin", "Cello", "Residual"]


def test_a_stem_over_the_recording_is_in_colour_where_it_takes_what_is_heard(shown: Bench, qtbot: QtBot) -> None:
    view = shown.window.timeline
    show_all_pitches(view)
    for key, modifiers in ((Qt.Key.Key_H, SHIFT), (Qt.Key.Key_G, CTRL | ALT), (Qt.Key.Key_G, CTRL | SHIFT)):
        qtbot.keyClick(view.canvas, key, modifiers)
    assert view.spectrogram.shown.title == "Violin over all"
    image = pixels(view)
    colours = {}
    for pitch in (HIGH, LOW):
        spot = at(view, FRAMES / 2, pitch)
        colours[pitch] = QColor(int(image[spot.y(), spot.x()]))
    assert colours[HIGH].hslSaturationF() > 0.4 and colours[LOW].hslSaturationF() < 0.15
    assert abs(colours[LOW].lightnessF() - view.canvas.theme.ground.lightnessF()) > 0.3, "the recording is still there"


def test_pitches_are_zoomed_and_scrolled(shown: Bench, qtbot: QtBot) -> None:
    view = shown.window.timeline
    item = lane(view).lane
    assert isinstance(item, SpectrogramItem)
    start = item.pitches
    held = at(view, FRAMES / 2, 70.0)
    keys = QPoint(round(HEADER_PX) - 10, held.y())
    turn_wheel(view, keys, 3)
    assert item.pitches.semitones < start.semitones * 0.6
    assert at(view, FRAMES / 2, 70.0).y() == pytest.approx(held.y(), abs=2), "what is under the pointer stays"
    low = item.pitches.low
    drag(view, qtbot, keys, keys + QPoint(0, 40))
    assert item.pitches.low > low, "drawn down, higher pitches come"
    for key in (Qt.Key.Key_Down, Qt.Key.Key_PageDown):
        before = item.pitches
        qtbot.keyClick(view.canvas, key, SHIFT)
        assert item.pitches != before
    qtbot.keyClick(view.canvas, Qt.Key.Key_Home, SHIFT)
    assert item.pitches == PitchRange()
    qtbot.keyClick(view.canvas, Qt.Key.Key_Home, SHIFT)
    assert item.pitches == start
    turn_wheel(view, held, 2, ALT)
    assert item.pitches.low > start.low
    for _ in range(60):
        qtbot.keyClick(view.canvas, Qt.Key.Key_Up, SHIFT)
    assert item.pitches.high == HIGHEST_MIDI + 0.5


def test_its_height_is_drawn_and_remembered(shown: Bench, qtbot: QtBot) -> None:
    view = shown.window.timeline
    placed = lane(view)
    edge = QPointF(500, view.canvas.lanes_offset + placed.top + placed.height).toPoint()
    drag(view, qtbot, edge, edge + QPoint(0, 57))
    assert lane(view).height == pytest.approx(placed.height + 57, abs=1)
    assert load_settings().spectrogram_height_px == pytest.approx(placed.height + 57, abs=1)
    qtbot.mouseDClick(view.canvas, Qt.MouseButton.LeftButton, NO_KEY, edge + QPoint(0, 57))
    assert lane(view).height == placed.height and load_settings().spectrogram_height_px == 0.0


def test_it_gets_brighter_by_key_and_stays_so(shown: Bench, qtbot: QtBot) -> None:
    view = shown.window.timeline
    low, high = view.spectrogram.limits
    qtbot.keyClick(view.canvas, Qt.Key.Key_Up, CTRL | SHIFT)
    assert view.spectrogram.limits == (low - 6, high - 6) and load_settings().spectrogram_gain_db == 3.0


def test_scrolling_paints_what_repainting_would(shown: Bench, qtbot: QtBot) -> None:
    view = shown.window.timeline
    qtbot.keyClick(view.canvas, Qt.Key.Key_H)
    view.zoom(3.0, 100.0)
    for px in (37, 230, -111, 5):
        view.scroll_px(px)
        scrolled = pixels(view)
        view.canvas.repaint_all()
        assert np.array_equal(scrolled, pixels(view))


def test_tiles_take_no_more_memory_than_they_may(shown: Bench, qtbot: QtBot) -> None:
    view = shown.window.timeline
    picture = view.spectrogram
    for number in range(200):
        picture.tile(number, 3.7, 900, PitchRange(), "#ffffff")
    assert picture._tile_bytes <= MOST_TILE_BYTES
    assert picture._tile_bytes == sum(tile.nbytes for tile in picture._tiles.values())


@pytest.fixture
def own(qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Return a window with a cache of its own, and workers that know it."""
    monkeypatch.setenv("SCORESEP_CACHE_DIR", str(tmp_path / "cache"))
    bench = Bench(qtbot, tmp_path)
    yield bench
    bench.settle()
    bench.window.close()


def test_it_is_computed_in_the_background_and_shown_as_it_grows(own: Bench, qtbot: QtBot) -> None:
    own.open_recording()
    view = show_it(own, qtbot)
    assert own.session.jobs.get("spectrogram") is not None and "Drawing" in lane(view).lane.notice(1.0)
    qtbot.waitUntil(lambda: own.session.jobs.get("spectrogram") is None, timeout=60_000)
    qtbot.waitUntil(lambda: not lane(view).lane.notice(1.0))
    assert away_from_ground(view, FRAMES / 2, LOW) > 0.4
    assert RATE * 2 < FRAMES


def test_cancelled_it_says_so_and_goes_on_when_asked_again(own: Bench, qtbot: QtBot) -> None:
    own.open_recording()
    view = show_it(own, qtbot)
    own.session.jobs.cancel()
    qtbot.waitUntil(lambda: "not whole" in lane(view).lane.notice(1.0), timeout=60_000)
    qtbot.keyClick(view.canvas, Qt.Key.Key_G)
    qtbot.keyClick(view.canvas, Qt.Key.Key_G)
    assert own.session.jobs.get("spectrogram") is not None
    qtbot.waitUntil(lambda: view.spectrogram.shown.spectrogram is not None, timeout=60_000)


def test_hundreds_of_frames_lose_no_reference(shown: Bench, qtbot: QtBot) -> None:
    """Some versions of PySide6 lose a reference to None in every painting, and abort when none is left."""
    view, layout = shown.window.timeline, shown.window.timeline.canvas.content.layout
    assert layout is not None
    qtbot.keyClick(view.canvas, Qt.Key.Key_H)
    spots = [at(view, float(layout.onset_frame[i] + 500), float(layout.pitch_midi[i])) for i in range(6)]

    def run(count: int) -> None:
        for i in range(count):
            view.zoom(1.3 if i % 20 < 10 else 1 / 1.3, 140.0)
            view.hover(QPointF(spots[i % 6]))
            view.canvas.grab()

    run(20)
    gc.collect()
    before = sys.getrefcount(None)
    run(200)
    gc.collect()
    assert before - sys.getrefcount(None) < 150  # one-sided: pyqtgraph leaves some more behind in every frame

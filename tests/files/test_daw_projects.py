"""Projects for other programs: what their own schemas and readers find in them is what is heard and aligned here."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET
import zipfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import rpp
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from small_scores import scale_score, straight

from scoresep.errors import Cancelled, OutputError
from scoresep.files.audio.export import (
    ExportedProject,
    ExportInput,
    ExportRequest,
    ExportTrack,
    export_audio,
    export_names,
)
from scoresep.files.audio.recordings import open_recording
from scoresep.files.daw.arrangement import Arrangement, DawTrack, NoteTrack, TempoPoint, tempo_map_of
from scoresep.files.daw.dawproject import project_xml, write_dawproject
from scoresep.files.daw.reaper import rpp_bytes, write_rpp
from scoresep.model.alignment import Alignment, NoteTimes
from scoresep.model.score import UnfoldedScore
from scoresep.model.timemap import TimeMap
from scoresep.progress import Progress

RATE, FRAMES = 44_100, 200_000
SCHEMAS = Path(__file__).parents[1] / "data" / "dawproject"
TRACKS = (
    DawTrack("Violin", "#0072b2", 2, gain=0.5, pan=-0.25),
    DawTrack('Cello "II"', "#d55e00", 2, is_muted=True),
    DawTrack("Residual", "#8c8c8c", 2, is_soloed=True),
)
NAMES = ("01 Violin.wav", "02 Cello.wav", "03 Residual.wav")


def performed(unfolded: UnfoldedScore, seconds: list[float]) -> Alignment:
    """Align so that quarter i lies at seconds[i]."""
    frames = np.rint(np.array(seconds) * RATE).astype(np.int64)
    time_map = TimeMap(np.arange(len(seconds)) * 1.0, frames, np.zeros(len(seconds), bool))
    onset = time_map.quarters_to_frames(unfolded.notes.onset_quarter)
    offset = time_map.quarters_to_frames(unfolded.notes.onset_quarter + 0.9 * unfolded.notes.duration_quarter)
    sure = np.ones(len(onset), np.float32)
    return Alignment(time_map, NoteTimes(onset, np.maximum(offset, onset + 1), sure, onset >= 0))


def arrangement_of(seconds: list[float], is_fixed: bool = False) -> tuple[Arrangement, Alignment, UnfoldedScore]:
    unfolded = straight(scale_score(4))
    alignment = performed(unfolded, seconds)
    found = tempo_map_of(unfolded, alignment, RATE, 2, is_fixed)
    notes = tuple(NoteTrack(n, "#0072b2", own) for n, own in zip(("Violin", "Cello"), found.notes, strict=True))
    bare = Arrangement("Étude\x01", RATE, FRAMES, TRACKS, 0.8, found.tempi, found.metres, found.markers, notes)
    return bare, alignment, unfolded


def seconds_of(beats: np.ndarray, tempi: list[tuple[float, float]]) -> np.ndarray:
    """Go through a tempo map (beat, quarters a minute) as any program does."""
    at, pace = np.array([b for b, _ in tempi]), 60.0 / np.array([t for _, t in tempi])
    start_s = np.concatenate([[0.0], np.cumsum(np.diff(at) * pace[:-1])])
    place = np.searchsorted(at, beats, side="right") - 1
    return np.asarray(start_s[place] + (beats - at[place]) * pace[place])


def schema(name: str) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(SCHEMAS / name))


def request_for(folder: Path, project: ExportedProject | None) -> tuple[ExportRequest, np.ndarray]:
    """Write a recording and ask for three tracks of it."""
    samples = np.random.default_rng(0).uniform(-0.3, 0.3, (FRAMES, 2)).astype(np.float32)
    folder.mkdir(exist_ok=True)
    soundfile.write(folder / "take.wav", samples, RATE, subtype="FLOAT")
    recording = open_recording(folder / "take.wav")
    tracks = tuple(
        ExportTrack(n, (ExportInput(recording, ((g, 0.0), (0.0, g))),))
        for n, g in (("Violin", 0.5), ("Cello", 0.25), ("Residual", 1.0))
    )
    return ExportRequest(str(folder / "out"), tracks, recording, song="take", project=project), samples


# -------------------------------------------------------------------------------------------------------- tempo map


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(0.05, 3.0), min_size=16, max_size=16),
    st.sampled_from([0.0, 0.013, 0.4, 3.0, 70.0]),
    st.booleans(),
)
def test_bars_and_notes_lie_in_beats_where_they_sound(gaps: list[float], lead: float, is_fixed: bool) -> None:
    seconds = (lead + np.concatenate([[0], np.cumsum(gaps)])).tolist()
    arrangement, alignment, unfolded = arrangement_of(seconds, is_fixed)
    tempi = [(t.beat, t.quarters_per_minute) for t in arrangement.tempi]
    assert len(tempi) == 1 or not is_fixed
    steps = np.array([t.beat for t in arrangement.tempi])
    np.testing.assert_allclose(seconds_of(steps, tempi), [t.time_s for t in arrangement.tempi], atol=1e-4)
    assert [m.name for m in arrangement.markers] == ["1", "2", "3", "4"]
    bars = np.array(seconds)[[0, 4, 8, 12]]
    np.testing.assert_allclose([m.time_s for m in arrangement.markers], bars, atol=1e-3)
    np.testing.assert_allclose(seconds_of(np.array([m.beat for m in arrangement.markers]), tempi), bars, atol=1e-3)
    for part, track in enumerate(arrangement.note_tracks):
        rows = np.flatnonzero(unfolded.notes.part_index == part)
        sounds = alignment.note_times.onset_frame[rows] / RATE
        np.testing.assert_allclose([n.time_s for n in track.notes], sounds, atol=1e-9)
        np.testing.assert_allclose(seconds_of(np.array([n.beat for n in track.notes]), tempi), sounds, atol=2e-3)
        assert [n.key for n in track.notes] == unfolded.notes.pitch_midi[rows].astype(int).tolist()


# -------------------------------------------------------------------------------------------------------- DAWproject

SECONDS = (0.3 + 0.25 * np.arange(17)).tolist()


@pytest.mark.parametrize("is_fixed", [False, True])
def test_a_dawproject_is_valid_and_holds_what_the_mixer_has(is_fixed: bool) -> None:
    arrangement, _, _ = arrangement_of(SECONDS, is_fixed)
    data = project_xml(arrangement, [f"audio/{n}" for n in NAMES])
    schema("Project.xsd").assertValid(etree.fromstring(data))
    root = ET.fromstring(data)
    tracks = root.findall("./Structure/Track")
    assert [t.get("name") for t in tracks] == ["Violin", 'Cello "II"', "Residual", "Score", "Master"]
    assert [t.get("color") for t in tracks[:3]] == [t.color for t in TRACKS]
    volumes = [float(t.find("Channel/Volume").get("value")) for t in (*tracks[:3], tracks[4])]
    pans = [float(t.find("Channel/Pan").get("value")) for t in tracks[:3]]
    mutes = [t.find("Channel/Mute").get("value") for t in tracks[:3]]
    assert volumes == [0.5, 1.0, 1.0, 0.8] and pans == [0.375, 0.5, 0.5] and mutes == ["false", "true", "false"]
    assert [t.find("Channel").get("solo") for t in tracks[:3]] == [None, None, "true"]
    assert all(t.find("Channel").get("destination") == "master-channel" for t in tracks[:3])
    clips = root.findall("./Arrangement/Lanes/Lanes/Clips/Clip")
    sounds = [c for c in clips if c.find("Audio") is not None]
    assert [c.find("Audio/File").get("path") for c in sounds] == [f"audio/{n}" for n in NAMES]
    assert all((c.get("time"), c.get("contentTimeUnit")) == ("0", "seconds") for c in sounds)
    assert float(sounds[0].get("duration")) == pytest.approx(FRAMES / RATE)
    points = [(float(p.get("time")), float(p.get("value"))) for p in root.iter("RealPoint")]
    assert {p.get("interpolation") for p in root.iter("RealPoint")} == {"hold"}
    assert points == [(0.0, 120.0)] if is_fixed else 240 in {round(v) for _, v in points}
    notes = [float(n.get("time")) for n in clips[3].iter("Note")]
    np.testing.assert_allclose(
        seconds_of(np.array(notes), points), [n.time_s for n in arrangement.note_tracks[0].notes], atol=2e-3
    )
    markers = [(m.get("name"), round(float(m.get("time")), 2)) for m in root.iter("Marker")]
    assert markers == [("1", 0.3), ("2", 1.3), ("3", 2.3), ("4", 3.3)]


def test_a_dawproject_holds_the_sound_and_nothing_stands_beside_it(tmp_path: Path) -> None:
    arrangement, _, _ = arrangement_of(SECONDS)
    project = ExportedProject("take.dawproject", True, partial(write_dawproject, arrangement))
    request, samples = request_for(tmp_path, project)
    seen: list[float] = []
    report = export_audio(request, Progress(lambda state: seen.append(state.fraction)))
    assert report.files == export_names(request) == ("take.dawproject",)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["take.dawproject"]
    assert seen == sorted(seen)
    with zipfile.ZipFile(tmp_path / "out" / "take.dawproject") as archive:
        assert archive.testzip() is None
        schema("MetaData.xsd").assertValid(etree.fromstring(archive.read("metadata.xml")))
        schema("Project.xsd").assertValid(etree.fromstring(archive.read("project.xml")))
        root = ET.fromstring(archive.read("project.xml"))
        for audio, gain in zip(root.iter("Audio"), (0.5, 0.25, 1.0), strict=True):
            with archive.open(audio.find("File").get("path")) as file:
                sound, rate = soundfile.read(file, dtype="float32")
            assert rate == RATE
            np.testing.assert_allclose(sound, gain * samples, atol=1e-7)
    with pytest.raises(OutputError, match="exists already"):
        export_audio(request)
    first = (tmp_path / "out" / "take.dawproject").read_bytes()
    export_audio(replace(request, may_replace=True))
    assert (tmp_path / "out" / "take.dawproject").read_bytes() == first


def test_cancelling_while_the_project_is_written_leaves_nothing(tmp_path: Path) -> None:
    arrangement, _, _ = arrangement_of(SECONDS)
    project = ExportedProject("take.dawproject", True, partial(write_dawproject, arrangement))
    request, _ = request_for(tmp_path, project)
    seen: list[float] = []
    progress = Progress(lambda state: seen.append(state.fraction), lambda: bool(seen) and seen[-1] > 0.8)
    with pytest.raises(Cancelled):
        export_audio(request, progress)
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".*"))


# ------------------------------------------------------------------------------------------------------------ REAPER


def children(element: rpp.Element, tag: str) -> list[rpp.Element]:
    return [c for c in element.children if isinstance(c, rpp.Element) and c.tag == tag]


def value(element: rpp.Element, name: str) -> list[str]:
    return next(c for c in element.children if isinstance(c, list) and c[0] == name)[1:]


def test_another_reader_of_reaper_finds_everything_at_its_place() -> None:
    arrangement, _, _ = arrangement_of(SECONDS)
    project = rpp.loads(rpp_bytes(arrangement, NAMES).decode("utf-8"))
    tracks = children(project, "TRACK")
    assert [value(t, "NAME")[0] for t in tracks] == ["Violin", 'Cello "II"', "Residual", "Score", "Violin", "Cello"]
    assert [value(t, "ISBUS") for t in tracks[3:]] == [["1", "1"], ["0", "0"], ["2", "-1"]]
    assert [value(t, "MUTESOLO")[:2] for t in tracks[:3]] == [["0", "0"], ["1", "0"], ["0", "2"]]
    assert value(tracks[0], "VOLPAN")[:2] == ["0.5", "-0.25"] and value(project, "MASTER_VOLUME")[0] == "0.8"
    assert int(value(tracks[0], "PEAKCOL")[0]) == 0x1000000 + 0xB27200
    for track, name in zip(tracks[:3], NAMES, strict=True):
        (item,) = children(track, "ITEM")
        assert value(item, "POSITION") == ["0"] and float(value(item, "LENGTH")[0]) == pytest.approx(FRAMES / RATE)
        assert value(item, "BEAT") == ["0"], "sound does not move with the tempo"
        (source,) = children(item, "SOURCE")
        assert source.attrib == ["WAVE"] and value(source, "FILE") == [name]
    (envelope,) = children(project, "TEMPOENVEX")
    points = [c[1:] for c in envelope.children if c[0] == "PT"]
    assert float(points[0][0]) == 0.0 and int(points[0][3]) % 65536 in (1, 4), "a bar of the beats before the score"
    assert all(p[2] == "1" for p in points)
    markers = [(c[3], round(float(c[2]), 2)) for c in project.children if isinstance(c, list) and c[0] == "MARKER"]
    assert markers == [("1", 0.3), ("2", 1.3), ("3", 2.3), ("4", 3.3)]
    (item,) = children(tracks[4], "ITEM")
    (source,) = children(item, "SOURCE")
    ticks, struck = 0, []
    for event in (c for c in source.children if c[0] == "E"):
        ticks += int(event[1])
        if event[2] == "90":
            struck.append((ticks / 960, int(event[3], 16)))
    tempi = [(t.beat, t.quarters_per_minute) for t in arrangement.tempi]
    notes = arrangement.note_tracks[0].notes
    assert [key for _, key in struck] == [n.key for n in notes]
    np.testing.assert_allclose(
        seconds_of(np.array([b for b, _ in struck]), tempi), [n.time_s for n in notes], atol=2e-3
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.05, 3.0), min_size=16, max_size=16), st.sampled_from([0.0, 0.4, 70.0]))
def test_the_tempo_points_of_reaper_add_up(gaps: list[float], lead: float) -> None:
    arrangement, _, _ = arrangement_of((lead + np.concatenate([[0], np.cumsum(gaps)])).tolist())
    project = rpp.loads(rpp_bytes(arrangement, NAMES).decode("utf-8"))
    (envelope,) = children(project, "TEMPOENVEX")
    points = [(float(c[1]), float(c[2])) for c in envelope.children if c[0] == "PT"]
    assert points[0][0] == 0 and [p[0] for p in points] == sorted(p[0] for p in points)
    lengths = [(later[0] - sooner[0]) * sooner[1] / 60 for sooner, later in itertools.pairwise(points)]
    beats = np.concatenate([[0.0], np.cumsum(lengths)])
    for tempo in arrangement.tempi:
        at = int(np.argmin([abs(second - tempo.time_s) for second, _ in points]))
        assert beats[at] == pytest.approx(tempo.beat, abs=2e-3)
        assert points[at][1] == pytest.approx(tempo.quarters_per_minute)


@given(st.text(max_size=20))
def test_any_name_is_one_word_of_a_reaper_project_and_text_of_a_dawproject(name: str) -> None:
    arrangement = Arrangement("x", RATE, FRAMES, (DawTrack(name, "#000000", 2),))
    written = rpp_bytes(arrangement, ("a.wav",)).decode("utf-8", "surrogateescape")
    (track,) = children(rpp.loads(written), "TRACK")
    kept = value(track, "NAME")
    assert len(kept) == 1 and kept[0].replace("'", "`") == " ".join(name.split()).replace("'", "`")
    schema("Project.xsd").assertValid(etree.fromstring(project_xml(arrangement, ("audio/a.wav",))))


def test_a_reaper_project_stands_beside_its_stems(tmp_path: Path) -> None:
    arrangement, _, _ = arrangement_of(SECONDS)
    request, samples = request_for(tmp_path, ExportedProject("take.rpp", False, partial(write_rpp, arrangement)))
    report = export_audio(request)
    assert report.files == ("take.rpp", *NAMES) and report.manifest == "manifest.json"
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"take.rpp", "manifest.json", *NAMES}
    project = rpp.loads((tmp_path / "out" / "take.rpp").read_text(encoding="utf-8"))
    for track, gain in zip(children(project, "TRACK")[:3], (0.5, 0.25, 1.0), strict=True):
        (source,) = children(children(track, "ITEM")[0], "SOURCE")
        sound, _ = soundfile.read(tmp_path / "out" / value(source, "FILE")[0], dtype="float32")
        np.testing.assert_allclose(sound, gain * samples, atol=1e-7)


def test_a_steady_tempo_is_said_where_there_is_no_alignment() -> None:
    arrangement = Arrangement("x", RATE, FRAMES, TRACKS)
    assert arrangement.tempi == (TempoPoint(0.0, 0.0, 120.0),)
    schema("Project.xsd").assertValid(etree.fromstring(project_xml(arrangement, NAMES)))
    assert not any(c[0] == "MARKER" for c in rpp.loads(rpp_bytes(arrangement, NAMES).decode()).children)

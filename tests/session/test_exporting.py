"""Export from a session: what is written, what is refused, and what is said of it."""

from __future__ import annotations

import math
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import soundfile
from duet import BEAT_S, LEAD_S
from session_desk import Desk, make_stems, settle, stem_folder, texts

from scoresep.edits import project as edits
from scoresep.errors import InputError
from scoresep.model.project import ChannelStrip, Mixer
from scoresep.session.exporting import ExportChoices, export_request
from scoresep.session.session import Session


@pytest.fixture
def session(desk: Desk) -> Session:
    """Begin a session with constant stems: 0.25, 0.5 and the residual 0.75."""
    session = desk.aligned()
    make_stems(session)
    return session


def test_stems_are_exported_and_the_person_is_told_where(desk: Desk, session: Session) -> None:
    out = desk.folder / "out"
    session.export.start(ExportChoices(str(out), container="flac", bits=24, template="{part}"))
    settle(session)
    assert texts(session) == [f"3 files are in {out}."]
    assert {p.name for p in out.iterdir() if p.suffix == ".flac"} == {"Flute.flac", "Cello.flac", "Residual.flac"}
    samples, _ = soundfile.read(out / "Cello.flac")
    np.testing.assert_allclose(samples, 0.5, atol=1e-6)


def test_files_in_the_way_are_kept_and_said_until_an_export_goes_well(desk: Desk, session: Session) -> None:
    out = desk.folder / "out"
    out.mkdir()
    (out / "01 Flute.wav").write_text("my own")
    session.export.start(ExportChoices(str(out)))
    settle(session)
    assert len(texts(session)) == 1 and "exists already" in texts(session, "error")[0]
    assert [p.name for p in out.iterdir()] == ["01 Flute.wav"] and (out / "01 Flute.wav").read_text() == "my own"
    session.export.start(ExportChoices(str(out), overwrites=True))
    settle(session)
    assert texts(session) == [f"3 files are in {out}."] and soundfile.info(out / "01 Flute.wav").frames > 0


def test_what_was_turned_down_is_said(desk: Desk, session: Session) -> None:
    session.set_mixer(replace(session.project.mixer, master_gain_db=6.0))
    session.export.start(ExportChoices(str(desk.folder / "out"), is_mix=True, bits=16))
    settle(session)
    assert "turned down by" in texts(session)[0] and "1 files" not in texts(session)[0]


def test_the_mix_is_what_is_heard(desk: Desk, session: Session) -> None:
    strips = (ChannelStrip(gain_db=-6.0), ChannelStrip(is_muted=True))
    session.set_mixer(Mixer(strips, ChannelStrip(gain_db=-math.inf)))
    session.export.start(ExportChoices(str(desk.folder / "out"), is_mix=True, start_frame=100, end_frame=600))
    settle(session)
    (written,) = (desk.folder / "out").glob("*.wav")
    samples, _ = soundfile.read(written)
    assert samples.shape == (500, 2)
    np.testing.assert_allclose(samples, 0.25 * 10 ** (-6 / 20), rtol=1e-5)


def test_without_stems_there_is_nothing_to_export(desk: Desk, session: Session) -> None:
    session.undo()
    with pytest.raises(InputError, match="no stems to export"):
        session.export.start(ExportChoices(str(desk.folder / "out")))


def test_the_alignment_is_exported_without_stems(desk: Desk, session: Session) -> None:
    session.undo()
    out = desk.folder / "out"
    session.export.start(ExportChoices(str(out), container="midi"))
    settle(session)
    assert texts(session) == [f"1 file is in {out}."] and [p.name for p in out.iterdir()] == ["duet aligned.mid"]
    session.export.start(ExportChoices(str(out), container="labels"))
    settle(session)
    names = {p.name for p in out.iterdir()}
    for name in ("notes.csv", "segments.csv", "Audacity bars.txt", "Audacity beats.txt", "Audacity segments.txt"):
        assert name in names
    for part in ("01 Flute", "02 Cello"):
        assert {f"Audacity notes {part}.txt", f"Sonic Visualiser notes {part}.csv"} <= names
    bars = [line.split("\t") for line in (out / "Audacity bars.txt").read_text().splitlines()]
    assert [b[2] for b in bars] == ["1", "2", "3", "4", "end"] and all(b[0] == b[1] for b in bars)
    beats = [line.split(",") for line in (out / "Sonic Visualiser beats.csv").read_text().splitlines()]
    assert [b[1] for b in beats[:5]] == ["1.1", "1.2", "1.3", "1.4", "2.1"] and beats[4][0] == bars[1][0]
    first = (out / "Sonic Visualiser notes 01 Flute.csv").read_text().splitlines()[0].split(",")
    alignment = session.project.alignment
    assert alignment is not None and session.project.recording is not None
    onset_s = alignment.note_times.onset_frame.min() / session.project.recording.sample_rate
    assert float(first[0]) == pytest.approx(onset_s, abs=0.1) and first[1] == "76" and first[3] == "E5"


@pytest.mark.parametrize(("container", "name"), [("dawproject", "duet.dawproject"), ("reaper", "duet.rpp")])
def test_a_project_for_another_program_has_the_stems_as_the_mixer_has_them(
    desk: Desk, session: Session, container: Literal["dawproject", "reaper"], name: str
) -> None:
    strips = (ChannelStrip(gain_db=-6.0, pan=0.5), ChannelStrip(is_muted=True))
    session.set_mixer(Mixer(strips, ChannelStrip(), master_gain_db=-3.0))
    out = desk.folder / "out"
    session.export.start(ExportChoices(str(out), container=container, has_tempo_map=container == "reaper"))
    settle(session)
    if container == "reaper":
        assert {p.suffix for p in out.iterdir()} == {".rpp", ".wav", ".json"}
        text = (out / name).read_text(encoding="utf-8")
        assert "VOLPAN 0.501187234 0.5 -1 -1 1" in text and "MUTESOLO 1 0 0" in text
        assert text.count("<SOURCE WAVE") == 3 and text.count("<SOURCE MIDI") == 2
        markers_s = [float(line.split()[2]) for line in text.splitlines() if line.startswith("  MARKER")]
        np.testing.assert_allclose(markers_s, LEAD_S + 4 * BEAT_S * np.arange(4), atol=0.05)
    else:
        assert [p.name for p in out.iterdir()] == [name]
        with zipfile.ZipFile(out / name) as archive:
            text = archive.read("project.xml").decode("utf-8")
            sounds = [n for n in archive.namelist() if n.endswith(".wav")]
            for sound, level in zip(sounds, (0.25, 0.5, 0.75), strict=True):
                with archive.open(sound) as file:
                    np.testing.assert_allclose(soundfile.read(file)[0], level, atol=1e-6)
        assert text.count("<RealPoint") == 1 and text.count("<Marker ") == 4 and 'value="0.501187234"' in text
    files = "1 file is" if container == "dawproject" else "4 files are"
    assert texts(session) == [f"{files} in {out}."]
    session.export.start(ExportChoices(str(out), container=container))
    settle(session)
    assert "exists already" in texts(session, "error")[0]


def test_an_alignment_in_the_way_is_kept(desk: Desk, session: Session) -> None:
    out = desk.folder / "out"
    out.mkdir()
    (out / "notes.csv").write_text("my own")
    session.export.start(ExportChoices(str(out), container="labels"))
    settle(session)
    assert "exists already" in texts(session, "error")[0] and [p.name for p in out.iterdir()] == ["notes.csv"]
    session.export.start(ExportChoices(str(out), container="labels", overwrites=True))
    settle(session)
    assert (out / "notes.csv").read_text().startswith("part_index,")
    with pytest.raises(InputError, match="no alignment to export"):
        export_request(replace(session.project, alignment=None), ExportChoices("out", container="midi"))


def test_parts_that_the_recording_lacks_have_no_notes(desk: Desk, session: Session) -> None:
    session.apply(edits.set_part(session.project, 1, "Leave out", is_absent=True))
    session.export.start(ExportChoices(str(desk.folder / "out"), container="labels"))
    settle(session)
    rows = (desk.folder / "out" / "notes.csv").read_text().splitlines()[1:]
    assert {row.split(",")[0] for row in rows} == {"0"}
    assert (desk.folder / "out" / "Audacity notes 02 Cello.txt").read_text() == ""


def test_nothing_chosen_and_stems_that_are_gone_are_said(desk: Desk, session: Session) -> None:
    session.export.start(ExportChoices(str(desk.folder / "out"), part_indices=()))
    settle(session)
    assert "at least one part" in texts(session, "error")[0]
    (stem_folder(session) / "01 Flute.wav").unlink()
    session.export.start(ExportChoices(str(desk.folder / "out")))
    settle(session)
    assert len(texts(session)) == 1 and "01 Flute.wav" in texts(session, "error")[0]
    assert not (desk.folder / "out").exists()


def test_files_bear_the_names_that_parts_have_now(session: Session) -> None:
    session.apply(edits.set_part(session.project, 0, "Rename part", name="Traverso"))
    request = export_request(session.project, ExportChoices("out", part_indices=(0, None)))
    assert [(t.name, t.part_index) for t in request.tracks] == [("Traverso", 0), ("Residual", None)]
    assert all(Path(t.inputs[0].source).exists() for t in request.tracks if isinstance(t.inputs[0].source, str))

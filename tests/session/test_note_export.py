"""What is exported after notes were edited, and the export of single notes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from note_desk import heard, keys_of, rows_of_part, separated
from session_desk import Desk, settle, texts

from scoresep.edits import notes as note_edits
from scoresep.progress import Progress
from scoresep.session.exporting import ExportChoices, export, export_names, export_request
from scoresep.session.session import Session


@pytest.fixture
def session(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("SCORESEP_CACHE_DIR", str(desk.folder / "cache"))
    return separated(desk)


def read(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="float32", always_2d=True)[0].T


def test_exported_stems_have_the_edits(session: Session, desk: Desk) -> None:
    session.apply(note_edits.mute(session.project, keys_of(session, rows_of_part(session, 0)[1])))
    session.apply(note_edits.remove(session.project, keys_of(session, rows_of_part(session, 1)[1])))
    session.jobs.cancel()  # the sounds are not there yet: the export has them made
    session.export.start(ExportChoices(str(desk.folder / "out"), template="{part}"))
    settle(session)
    assert not texts(session, "error")
    wanted = heard(session)
    for name, key in (("Flute", 0), ("Cello", 1), ("Residual", "residual")):
        np.testing.assert_allclose(read(desk.folder / "out" / f"{name}.wav"), wanted[key], atol=1e-6)
    session.export.start(ExportChoices(str(desk.folder / "mix"), is_mix=True, template="{part}"))
    settle(session)
    np.testing.assert_allclose(read(desk.folder / "mix" / "Mix.wav"), sum(wanted.values()), atol=1e-5)


@pytest.mark.parametrize("form", ["wav", "flac"])
def test_notes_are_exported_together_or_one_by_one(session: Session, desk: Desk, form: str) -> None:
    keys = keys_of(session, *rows_of_part(session, 0)[4:6])
    bits = 32 if form == "wav" else 24
    choices = ExportChoices(str(desk.folder / "one"), container=form, bits=bits, template="{part}", note_keys=keys)
    request = export_request(session.project, choices)
    assert export_names(request) == (f"Flute notes.{form}",)
    export(request, Progress())
    together = read(desk.folder / "one" / f"Flute notes.{form}")
    each = ExportChoices(str(desk.folder / "each"), container=form, bits=bits, note_keys=keys, is_note_by_note=True)
    request = export_request(session.project, each)
    assert export_names(request) == (f"01 Flute G5 bar 2 beat 1.{form}", f"02 Flute F5 bar 2 beat 2.{form}")
    export(request, Progress())
    first, second = (read(desk.folder / "each" / name) for name in export_names(request))
    assert first.shape[1] < together.shape[1]
    places = session.notes.places.places_of(session.notes.places.rows_of(keys))
    total = np.zeros_like(together)
    total[:, : first.shape[1]] += first
    at = places[1].start_frame - places[0].start_frame
    total[:, at : at + second.shape[1]] += second
    np.testing.assert_allclose(total, together, atol=1e-5)
    assert np.abs(together).max() > 0.05

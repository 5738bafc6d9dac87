"""A session with the duet's true stems, for what is done to single notes."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
from session_desk import Desk

from scoresep.edits import project as edits
from scoresep.files.audio.note_sounds import tones_path
from scoresep.files.audio.stems import StemFolderWriter, StemSource
from scoresep.model.audio import PatchedSource
from scoresep.model.note_edits import NoteKey
from scoresep.progress import Progress
from scoresep.session.note_sounds import NotePlaces, make_note_sounds
from scoresep.session.separation_job import separation_request
from scoresep.session.session import Session

MADE_S = 1_600_000_000
_tones: dict[str, bytes] = {}  # by the key of stem and notes


def separated(desk: Desk) -> Session:
    """Begin a session in which the duet was separated, and its true stems are taken for what came out."""
    session = desk.aligned()
    request = separation_request(session.project, "")
    parts = tuple(zip(request.stem_parts, request.stem_names, strict=True))
    folder = session.storage.store.stems.new_folder(request.input_key)
    with StemFolderWriter(folder, request.recording, parts) as writer:
        writer.write(np.stack([*desk.duet.stems, np.zeros_like(desk.duet.stems[0])]))
        stem_set = writer.finish("made up", "cpu", request.input_key)
    for stem in stem_set.stems:  # the same in every test, so that what was learned of them holds
        os.utime(Path(stem_set.folder) / stem.file, (MADE_S, MADE_S))
    session.apply(edits.set_stems(session.project, stem_set))
    _know_tones(session)
    return session


def _know_tones(session: Session) -> None:
    """Let the cache of this test hold what was learned of the stems' tones in the first test; no sounds of notes."""
    project = session.project
    assert project.unfolded is not None
    places = NotePlaces(project)
    for work in places.missing(places.places_of(range(len(project.unfolded.notes)))):
        path = tones_path(work.folder)
        if work.folder.name not in _tones:
            make_note_sounds((replace(work, wanted=()),), Progress())
            _tones[work.folder.name] = path.read_bytes()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_tones[work.folder.name])


def keys_of(session: Session, *rows: int) -> tuple[NoteKey, ...]:
    """Return the names of notes."""
    names = session.notes.places.names
    assert names is not None
    return names.keys_of(rows)


def rows_of_part(session: Session, part_index: int) -> list[int]:
    """Return the rows of the notes of a part."""
    assert session.project.unfolded is not None
    return np.flatnonzero(session.project.unfolded.notes.part_index == part_index).tolist()


def heard(session: Session) -> dict[object, np.ndarray]:
    """Return the stems with the edits over them."""
    assert session.project.stem_set is not None
    patches, found = session.notes.patches(), {}
    for stem in session.project.stem_set.stems:
        key = "residual" if stem.part_index is None else stem.part_index
        source = PatchedSource(StemSource(f"{session.project.stem_set.folder}/{stem.file}"), patches.get(key, ()))
        found[key] = source.read(0, source.frames)
    return found

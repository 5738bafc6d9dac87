"""A session with the duet's true stems, for what is done to single notes."""

from __future__ import annotations

import numpy as np
from session_desk import Desk

from scoresep.files.stem_files import StemFolderWriter, StemSource
from scoresep.model.note_edits import NoteKey
from scoresep.model.patches import PatchedSource
from scoresep.session import edits
from scoresep.session.separation_request import separation_request
from scoresep.session.session import Session


def separated(desk: Desk) -> Session:
    """Begin a session in which the duet was separated, and its true stems are taken for what came out."""
    session = desk.aligned()
    request = separation_request(session.project, "")
    parts = tuple(zip(request.stem_parts, request.stem_names, strict=True))
    folder = session.store.stem_folder(request.input_key)
    with StemFolderWriter(folder, request.recording, parts) as writer:
        writer.write(np.stack([*desk.duet.stems, np.zeros_like(desk.duet.stems[0])]))
        stem_set = writer.finish("made up", "cpu", request.input_key)
    session.apply(edits.set_stems(session.project, stem_set))
    return session


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

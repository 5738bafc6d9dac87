"""Single notes as files of sound: what is in each, and what it is called."""

from __future__ import annotations

from collections.abc import Sequence

from scoresep.errors import InputError
from scoresep.files.export_audio import ExportInput, ExportPatch, ExportTrack
from scoresep.files.export_labels import pitch_name
from scoresep.model.note_edits import NoteKey
from scoresep.model.project import Project
from scoresep.session.note_places import NotePlace, NotePlaces


def note_tracks(
    project: Project, places: NotePlaces, keys: Sequence[NoteKey], is_note_by_note: bool
) -> tuple[ExportTrack, ...]:
    """Return the files of notes: one with all of them, or one for each; from where they begin to where they end.

    Raises
    ------
    InputError
        None of the notes has a sound.
    """
    found = [(key, places.places_of(places.rows_of((key,)))) for key in keys]
    found = [(key, some) for key, some in found if some]
    if not found:
        raise InputError("None of these notes has a sound of its own in the stems; select others.")
    if is_note_by_note:
        return tuple(_track(project, note_name(project, key), key.part_index, some) for key, some in found)
    parts = {key.part_index for key, _ in found}
    all_places = tuple(place for _, some in found for place in some)
    if len(found) == 1:
        name = note_name(project, found[0][0])
    elif len(parts) == 1:
        name = f"{project.parts[min(parts)].name} notes"
    else:
        name = "Notes"
    return (_track(project, name, min(parts) if len(parts) == 1 else None, all_places),)


def note_name(project: Project, key: NoteKey) -> str:
    """Name a note for a file: ``Violin F#4 bar 12 beat 3``."""
    assert project.score is not None
    words = [project.parts[key.part_index].name]
    if key.pitch_midi >= 0:
        words.append(pitch_name(key.pitch_midi))
    words.append(f"bar {project.score.measures[key.measure_index].number}")
    if key.occurrence > 1:
        words.append(f"({key.occurrence})")
    words.append(f"beat {key.beat:.4g}")
    return " ".join(words)


def _track(project: Project, name: str, part_index: int | None, places: tuple[NotePlace, ...]) -> ExportTrack:
    patches = tuple(ExportPatch(str(place.path), place.start_frame, 1.0) for place in places)
    stretch = min(place.start_frame for place in places), max(place.stop_frame for place in places)
    instrument = "" if part_index is None else project.parts[part_index].instrument.name
    return ExportTrack(name, (ExportInput(None, None, patches),), part_index, instrument, stretch)

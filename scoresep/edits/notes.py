"""Edits of single notes of the stems: every function computes the change that does it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from scoresep.errors import UsageError
from scoresep.model.note_edits import MUTED_DB, NoteEdit, NoteKey, merge_edits
from scoresep.model.project import Change, Project, change_to

LEAST_GAIN_DB, MOST_GAIN_DB = -40.0, 12.0


def edits_of(project: Project, keys: Sequence[NoteKey]) -> tuple[NoteEdit, ...]:
    """Return what is done to notes now, one edit for each of them."""
    present = {edit.key: edit for edit in project.note_edits}
    return tuple(present.get(key, NoteEdit(key)) for key in keys)


def add_gain(project: Project, keys: Sequence[NoteKey], gain_db: float) -> tuple[NoteEdit, ...]:
    """Return the note edits of a project after a gain was given to notes; those taken out of their part come back.

    Parameters
    ----------
    project : Project
    keys : sequence of NoteKey
        The notes.
    gain_db : float
        `MUTED_DB` silences them.

    Returns
    -------
    note_edits : tuple of NoteEdit
        Sorted by note.
    """
    return merge_edits(project.note_edits, (NoteEdit(key, gain_db) for key in keys))


def set_gain(project: Project, keys: Sequence[NoteKey], gain_db: float) -> Change:
    """Make notes louder or softer than they were played.

    Parameters
    ----------
    project : Project
    keys : sequence of NoteKey
        The notes.
    gain_db : float
        `MUTED_DB` silences them.

    Raises
    ------
    UsageError
        No notes are given.
    """
    return _change(project, keys, "Gain of", add_gain(project, keys, gain_db))


def mute(project: Project, keys: Sequence[NoteKey]) -> Change:
    """Silence notes; let them be heard again where all of them are muted.

    Raises
    ------
    UsageError
        No notes are given.
    """
    if keys and all(edit.is_muted for edit in edits_of(project, keys)):
        return _change(project, keys, "Unmute", merge_edits(project.note_edits, (NoteEdit(key) for key in keys)))
    muted = (NoteEdit(key, MUTED_DB) for key in keys)
    return _change(project, keys, "Mute", merge_edits(project.note_edits, muted))


def remove(project: Project, keys: Sequence[NoteKey]) -> Change:
    """Take notes out of their part: the residual has them, so that the sum stays the recording.

    Raises
    ------
    UsageError
        No notes are given.
    """
    removed = (NoteEdit(key, is_removed=True) for key in keys)
    return _change(project, keys, "Remove", merge_edits(project.note_edits, removed))


def restore(project: Project, keys: Sequence[NoteKey]) -> Change:
    """Let notes be as they were played.

    Raises
    ------
    UsageError
        No notes are given.
    """
    return _change(project, keys, "Restore", merge_edits(project.note_edits, (NoteEdit(key) for key in keys)))


def carry_note_edits_over(
    note_edits: tuple[NoteEdit, ...], source_of: Sequence[int | None], kept_measures: frozenset[int]
) -> tuple[NoteEdit, ...]:
    """Return the note edits after another score was opened: those in bars and parts that go on in it.

    Parameters
    ----------
    note_edits : tuple of NoteEdit
    source_of : sequence of (int or None)
        For every part of the new score the part of the old one that it continues.
    kept_measures : frozenset of int
        Measures that are the same bar in both.
    """
    place = {old: new for new, old in enumerate(source_of) if old is not None}
    kept = (
        replace(edit, key=replace(edit.key, part_index=place[edit.key.part_index]))
        for edit in note_edits
        if edit.key.part_index in place and edit.key.measure_index in kept_measures
    )
    return merge_edits((), kept)


def _change(project: Project, keys: Sequence[NoteKey], verb: str, note_edits: tuple[NoteEdit, ...]) -> Change:
    if not keys:
        raise UsageError("Select notes first: click them, or select a stretch and press N.")
    what = "note" if len(keys) == 1 else f"{len(keys)} notes"
    return change_to(project, f"{verb} {what}", note_edits=note_edits)

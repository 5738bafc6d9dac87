"""Which recordings and scores a person wants done one after the other: from a table, or found in a folder."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scoresep.errors import InputError
from scoresep.files.scores import is_score_name
from scoresep.files.storage.paths import absolute_path, expanded_path, safe_name
from scoresep.files.tables.csv_tables import read_table

AUDIO_SUFFIXES = (
    ".wav", ".wave", ".w64", ".rf64", ".bwf", ".flac", ".aif", ".aiff", ".aifc", ".caf", ".mp3", ".m4a", ".mp4", ".aac",
    ".ogg", ".oga", ".opus", ".wma", ".mka", ".mkv", ".mov", ".webm",
)  # fmt: skip


@dataclass(frozen=True)
class Piece:
    """One recording and its score.

    Attributes
    ----------
    name : str
        Fit for a folder, and no other piece's.
    audio, score : Path
    """

    name: str
    audio: Path
    score: Path


@dataclass(frozen=True)
class BatchList:
    """What is to be done, and sentences about what was found and is not."""

    pieces: tuple[Piece, ...]
    warnings: tuple[str, ...] = ()


def read_batch(place: str | Path) -> BatchList:
    """Read a table with the columns ``audio`` and ``score`` (and ``name``), or look through a folder.

    In a folder, a recording and a score belong together that have the same name but for the ending, or that are the
    only ones in a folder of their own. Paths in a table are relative to where the table lies.

    Raises
    ------
    InputError
        There is no such table or folder, or nothing to do in it.
    """
    path = absolute_path(place)
    found = _in_folder(path) if path.is_dir() else _in_table(path)
    if not found.pieces:
        raise InputError(
            f"'{path}' holds no recording with its score; give both the same name, or write a table with the columns "
            "audio and score."
        )
    return found


def _in_table(path: Path) -> BatchList:
    rows = read_table(path, ("audio", "score"))
    named = []
    for row in rows:
        audio, score = (path.parent / expanded_path(row.text(column)) for column in ("audio", "score"))
        named.append((row.text("name") or audio.stem, audio, score))
    return BatchList(_with_own_names(named))


def _in_folder(folder: Path) -> BatchList:
    named: list[tuple[str, Path, Path]] = []
    warnings: list[str] = []
    for home in (folder, *sorted(p for p in folder.rglob("*") if p.is_dir() and not _is_hidden(p, folder))):
        try:
            files = sorted(p for p in home.iterdir() if p.is_file() and not p.name.startswith("."))
        except OSError as error:
            warnings.append(
                f"The folder '{home}' cannot be looked through ({error.strerror or error}) and is left out."
            )
            continue
        audios = [p for p in files if p.suffix.lower() in AUDIO_SUFFIXES]
        scores = [p for p in files if is_score_name(p)]
        if len(audios) == len(scores) == 1 and home != folder:
            named.append(("-".join(home.relative_to(folder).parts), audios[0], scores[0]))
            continue
        for audio in audios:
            mine = [score for score in scores if score.stem == audio.stem]
            if len(mine) == 1:
                named.append((audio.stem, audio, mine[0]))
            elif scores or home == folder:
                what = "several scores" if mine else "no score"
                warnings.append(f"'{audio}' has {what} of its name and is left out.")
    return BatchList(_with_own_names(named), tuple(warnings))


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _with_own_names(named: Iterable[tuple[str, Path, Path]]) -> tuple[Piece, ...]:
    pieces: list[Piece] = []
    taken: set[str] = set()
    for wanted, audio, score in named:
        name, number = safe_name(wanted), 2
        while name.casefold() in taken:
            name, number = f"{safe_name(wanted)} {number}", number + 1
        taken.add(name.casefold())
        pieces.append(Piece(name, audio, score))
    return tuple(pieces)

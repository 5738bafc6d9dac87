"""Stems on this disk that no project names: found, told with their sizes, and moved to the system's bin when asked.

They have cost somebody minutes and are never removed by anything else. Listed is what lies in the data folder of a
project itself, or in a workspace of work that was never saved; nothing is reached over a link, and what any project
nearby, an autosave or an open window names is left out.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from scoresep.errors import InputError, OutputError, ProjectFileError
from scoresep.files.audio.stems import read_manifest
from scoresep.files.project.archive import read_archive_entry
from scoresep.files.project.autosave import autosave_path, autosaves
from scoresep.files.project.links import FileLink, Reach, paths_of, place_of
from scoresep.files.project.project_files import PROJECT_SUFFIX, data_folder
from scoresep.files.storage.atomic import remove_empty
from scoresep.files.storage.paths import is_regular, move_to_bin
from scoresep.files.storage.values import decode
from scoresep.progress import Progress
from scoresep.session.project_store import ProjectStore, is_in_use, tidy, workspaces
from scoresep.session.state import Jobs, ProjectState
from scoresep.session.stem_folders import PREFIX

_NAME_OF_SCRIPTS = "stems"  # as the demo calls them

Identity = tuple[int, int]


@dataclass(frozen=True)
class UnusedStems:
    """A folder of stems that no project names.

    Attributes
    ----------
    folder : str
    project : str
        The project in whose data folder it lies; empty for work that was never saved.
    made_s : float
        When it was made, in seconds since 1970.
    size_bytes : int
    shared_bytes : int
        What of that other folders hold as well, so that removing it here frees nothing.
    stem_count : int
        The residual not counted.
    recording, engine : str
        Of what and by what they were made; empty where their list of stems cannot be read.
    """

    folder: str
    project: str
    made_s: float
    size_bytes: int
    shared_bytes: int
    stem_count: int
    recording: str = ""
    engine: str = ""


@dataclass(frozen=True)
class UnusedQuestion:
    """What is looked through for stems that no project names; can be sent to a worker.

    Attributes
    ----------
    project : str
        Its data folder is looked through; empty for none.
    with_unsaved : bool
        Whether workspaces of work that was never saved are looked through as well.
    in_use : tuple of str
        Folders of stems that the asking session still uses, such as for undo.
    others : tuple of str
        Projects elsewhere that may name the same stems.
    """

    project: str = ""
    with_unsaved: bool = True
    in_use: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Binned:
    """What went to the bin, and one sentence for each that did not."""

    moved: tuple[UnusedStems, ...]
    refused: tuple[str, ...]


def find_unused(question: UnusedQuestion) -> tuple[UnusedStems, ...]:
    """Find stems that no project names, those of the project first, the newest first."""
    homes: list[tuple[Path, str]] = []
    if question.project and (home := _own_data_folder(Path(question.project))) is not None:
        homes.append((home, question.project))
    if question.with_unsaved:
        homes += [(workspace, "") for workspace in workspaces() if not is_in_use(workspace)]
    folders = [(folder, project) for home, project in homes for folder in _folders_in(home)]
    used = {_identity(Path(folder)) for folder in question.in_use}
    folders = [each for each in folders if _identity(each[0]) not in used]
    if not folders:
        return ()
    named = _named_stems(question)
    if named is None:  # the project cannot be read: whatever lies beside it may be what it names
        folders, named = [each for each in folders if not each[1]], set()
    unused = [_facts_of(folder, project) for folder, project in folders if _identity(folder) not in named]
    return tuple(sorted(unused, key=lambda each: (not each.project, -each.made_s)))


def bin_unused(folders: tuple[str, ...], question: UnusedQuestion, progress: Progress) -> Binned:
    """Move stems to the system's bin, each only if still no project names it; runs in a worker.

    Parameters
    ----------
    folders : tuple of str
    question : UnusedQuestion
        By which they were found.
    progress : Progress
    """
    moved, refused = [], []
    for folder, part in zip(folders, progress.parts(len(folders)), strict=True):
        part.update(0.0, "Moving stems to the bin")
        stems = next((each for each in find_unused(question) if each.folder == folder), None)
        if stems is None:
            refused.append(f"'{folder}' is left alone: it is gone, or a project names it by now.")
            continue
        try:
            move_to_bin(Path(folder))
        except OutputError as error:
            refused.append(str(error))
            continue
        moved.append(stems)
        home = Path(folder).parent
        if stems.project:
            remove_empty([home])
        else:
            tidy(home)
    return Binned(tuple(moved), tuple(refused))


def _own_data_folder(project: Path) -> Path | None:
    """Return the data folder of a project where it is a folder of its own, and no link to that of another."""
    home = data_folder(project)
    is_own = _is_real_folder(home) and os.path.realpath(home) == str(Path(os.path.realpath(project.parent)) / home.name)
    return home if is_own else None


def _folders_in(home: Path) -> Iterator[Path]:
    with contextlib.suppress(OSError):
        for folder in home.iterdir():
            if (folder.name.startswith(PREFIX) or folder.name == _NAME_OF_SCRIPTS) and _is_real_folder(folder):
                yield folder


def _is_real_folder(path: Path) -> bool:
    """Whether there is a folder itself; a link (also a junction of Windows) to one does not count."""
    try:
        state = path.lstat()
    except OSError:
        return False
    is_reparsed = bool(getattr(state, "st_reparse_tag", 0))
    return stat.S_ISDIR(state.st_mode) and not is_reparsed


def _identity(folder: Path) -> Identity | None:
    """Return what tells a folder from all others, by whatever path it is reached."""
    try:
        state = folder.stat()
    except (OSError, ValueError):
        return None
    return state.st_dev, state.st_ino


def _named_stems(question: UnusedQuestion) -> set[Identity | None] | None:
    """Return the stems that anything names; None where the project itself cannot be read."""
    named: set[Identity | None] = set()
    files = [*map(Path, question.others), *autosaves()]
    if question.project:
        project = Path(question.project)
        files += [project, autosave_path(project), *_neighbours(project)]
    for file in dict.fromkeys(files):
        if not is_regular(file):
            continue
        try:
            named |= {_identity(place) for place in _stems_named_by(file)}
        except ProjectFileError:
            if str(file) == question.project:
                return None
    return named - {None}


def _neighbours(project: Path) -> list[Path]:
    with contextlib.suppress(OSError):
        return sorted(p for p in project.parent.iterdir() if p.suffix.lower() == PROJECT_SUFFIX)
    return []


def _stems_named_by(project: Path) -> list[Path]:
    """Return where the stems of a project may lie; places on the network are not asked.

    Raises
    ------
    ProjectFileError
        It cannot be read.
    """
    links = read_archive_entry(project, "links")
    try:
        stored = links.get("stem_set")
        link = None if stored is None else decode(FileLink, stored, {})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ProjectFileError(f"'{project}' is damaged; open an earlier copy of it.") from error
    if link is None:
        return []
    places = (place_of(path, project.parent) for path in paths_of(link, project.parent))
    return [place.path for place in places if place is not None and place.reach is not Reach.NETWORK]


def _facts_of(folder: Path, project: str) -> UnusedStems:
    recording = engine = ""
    sizes, shared, sounds, made_s = 0, 0, 0, 0.0
    with contextlib.suppress(OSError):
        made_s = folder.stat().st_mtime
        for entry in os.scandir(folder):
            state = entry.stat(follow_symlinks=False)
            if stat.S_ISREG(state.st_mode):
                sizes += state.st_size
                shared += state.st_size if state.st_nlink > 1 else 0
                sounds += entry.name.lower().endswith((".wav", ".flac")) and not entry.name.startswith("Residual.")
    with contextlib.suppress(InputError):
        manifest = read_manifest(folder)
        facts = manifest.get("recording")
        recording = str(facts.get("file", "")) if isinstance(facts, dict) else ""
        engine = str(manifest["engine"])
    return UnusedStems(str(folder), project, made_s, sizes, shared, sounds, recording, engine)


KEY = "unused stems"


@dataclass(frozen=True)
class Amount:
    """How much there is of something on disk."""

    sets: int
    size_bytes: int

    @property
    def text(self) -> str:
        """In words: ``3 sets, 1.6 GB``."""
        return f"{self.sets} {'set' if self.sets == 1 else 'sets'}, {size_text(self.size_bytes)}"


def amount_of(stems: tuple[UnusedStems, ...]) -> Amount:
    """Return how much stems take up together."""
    return Amount(len(stems), sum(each.size_bytes for each in stems))


def size_text(size_bytes: int) -> str:
    """Write a number of bytes as people read it, in the decimal units of file browsers."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6)):
        if size_bytes >= factor:
            return f"{size_bytes / factor:.1f} {unit}"
    return f"{max(round(size_bytes / 1e3), 1 if size_bytes else 0)} kB"


class UnusedStemsUseCase:
    """Stems that no project names, as seen from a session.

    Parameters
    ----------
    state : ProjectState
    jobs : Jobs
    store : ProjectStore
    """

    def __init__(self, state: ProjectState, jobs: Jobs, store: ProjectStore) -> None:
        self._state, self._jobs, self._store = state, jobs, store

    def find(self, with_unsaved: bool = True) -> tuple[UnusedStems, ...]:
        """Find stems beside the open project, and of work that was never saved, that no project names."""
        return find_unused(self._question(with_unsaved))

    def tell(self) -> None:
        """Say how much lies beside the open project that no project names, where anything does."""
        found = self.find(with_unsaved=False)
        if found:
            text = f"Beside this project lie stems that no project names ({amount_of(found).text})."
            self._state.messages.say("info", text, key=KEY)

    def tell_unsaved(self) -> None:
        """Say how much stems of work that was never saved take up, where there are any."""
        found = tuple(each for each in self.find() if not each.project)
        if found:
            text = f"Stems of work that was never saved are still on this disk ({amount_of(found).text})."
            self._state.messages.say("info", text, key=KEY)

    def start_bin(self, stems: tuple[UnusedStems, ...], binned: Callable[[Binned], None]) -> None:
        """Move stems to the system's bin in the background."""
        question = self._question(with_unsaved=True)
        inputs = (tuple(each.folder for each in stems), question)
        self._jobs.start(KEY, "Move stems to the bin", bin_unused, inputs, binned)

    @property
    def is_binning(self) -> bool:
        """Whether stems are on their way."""
        return self._jobs.get(KEY) is not None

    def _question(self, with_unsaved: bool) -> UnusedQuestion:
        path = self._store.path
        others = tuple(p for p in self._state.settings.recent if Path(p).suffix.lower() == PROJECT_SUFFIX)
        return UnusedQuestion("" if path is None else str(path), with_unsaved, self._state.stems_in_use, others)

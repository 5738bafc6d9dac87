"""Opening and saving: file dialogs, what was dropped, what a crash has left, work that would be lost, exports.

No dialog blocks: each calls back when it is answered.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from PySide6.QtCore import QObject, Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from scoresep.errors import OutsideFilesError
from scoresep.files.project.links import Outside
from scoresep.files.project.project_files import PROJECT_SUFFIX
from scoresep.files.storage.paths import absolute_path
from scoresep.model.note_edits import NoteKey
from scoresep.qt.dialogs.common import question_box
from scoresep.qt.dialogs.export import ExportDialog, NoteExportDialog, format_key
from scoresep.qt.presenters.bridge import Bridge
from scoresep.resources import resource_path
from scoresep.session.exporting import ExportChoices
from scoresep.session.session import Session

PROJECT_FILTER = f"ScoreSep projects (*{PROJECT_SUFFIX});;All files (*)"

# Jobs that a person would not want to lose by closing.
LONG_WORK = ("separation", "export")


def file_dialog(window: QWidget, session: Session, title: str, name_filter: str) -> QFileDialog:
    """Make a dialog that opens where a file was chosen last; `open` is called by who asks.

    Parameters
    ----------
    window : QWidget
        Which it lies over.
    session : Session
        Knows where a file was chosen last.
    title : str
    name_filter : str
        As Qt writes them: ``Scores (*.mxl *.mid);;All files (*)``.
    """
    dialog = QFileDialog(window, title, session.settings.last_folder)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setNameFilter(name_filter)
    return dialog


class Saving(QObject):
    """Saves the project, and asks before work is lost.

    Parameters
    ----------
    bridge : Bridge
    window : QWidget
        Over which dialogs open.
    """

    def __init__(self, bridge: Bridge, window: QWidget) -> None:
        super().__init__(window)
        self._bridge, self._session, self._window = bridge, bridge.session, window

    def save(self, saved: Callable[[], object] | None = None) -> None:
        """Save the project; where it was never saved, ask where. `saved` is called when that is done."""
        if self._session.storage.path is None:
            self.save_as(saved)
        elif self._bridge.attempt(self._session.storage.save) and saved is not None:
            saved()

    def save_as(self, saved: Callable[[], object] | None = None) -> None:
        """Ask where to save the project, and save it there."""
        dialog = file_dialog(self._window, self._session, "Save project", PROJECT_FILTER)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix(PROJECT_SUFFIX.lstrip("."))
        dialog.selectFile(self._proposed_name())

        def save_there(path: str) -> None:
            if self._bridge.attempt(lambda: self._session.storage.save(path)) and saved is not None:
                saved()

        dialog.fileSelected.connect(save_there)
        dialog.open()

    def _proposed_name(self) -> str:
        if self._session.storage.path is not None:
            return str(self._session.storage.path)
        recording = self._session.project.recording
        stem = Path(recording.path).stem if recording is not None else "Untitled"
        return stem + PROJECT_SUFFIX

    def when_settled(self, go_on: Callable[[], object]) -> None:
        """Go on at once, or after asking about running and unsaved work; not at all if the person takes it back."""
        running = self._running()
        if not running:
            self._when_saved(go_on)
            return
        box = question_box(self._window, "Work is running", f"“{running}” is still at work. End it?")
        end = box.addButton("&End it", QMessageBox.ButtonRole.DestructiveRole)
        box.setDefaultButton(box.addButton("&Let it finish", QMessageBox.ButtonRole.RejectRole))
        box.finished.connect(lambda: self._when_saved(go_on) if box.clickedButton() is end else None)
        box.open()

    @property
    def is_settled(self) -> bool:
        """Whether nothing would be lost by going on."""
        return not self._session.storage.is_modified and not self._running()

    def _running(self) -> str:
        """Return the title of work that takes long and would be lost; empty for none."""
        jobs = (self._session.jobs.get(key) for key in LONG_WORK)
        return next((job.title for job in jobs if job is not None), "")

    def _when_saved(self, go_on: Callable[[], object]) -> None:
        if not self._session.storage.is_modified:
            go_on()
            return
        name = self._session.storage.path.stem if self._session.storage.path is not None else "this project"
        box = question_box(self._window, "Unsaved changes", f"Save the changes to {name}?")
        buttons = QMessageBox.StandardButton
        box.setStandardButtons(buttons.Save | buttons.Discard | buttons.Cancel)
        for button, text in ((buttons.Save, "&Save"), (buttons.Discard, "&Discard"), (buttons.Cancel, "&Cancel")):
            box.button(button).setText(text)
        box.setDefaultButton(buttons.Save)

        def answered(result: int) -> None:
            if result == buttons.Save.value:
                self.save(go_on)
            elif result == buttons.Discard.value:
                go_on()

        box.finished.connect(answered)
        box.open()


class Exporting(QObject):
    """Exports stems, the mix, the alignment, or single notes.

    Parameters
    ----------
    bridge : Bridge
    window : QWidget
        Over which dialogs open.
    """

    def __init__(self, bridge: Bridge, window: QWidget) -> None:
        super().__init__(window)
        self._bridge, self._session, self._window = bridge, bridge.session, window
        self._exported_to: dict[str, str] = {}  # folder of the last export by the key of its recording

    def ask(self, selection: tuple[int, int] | None) -> None:
        """Ask what to write and where, and write it; a selection can be chosen alone."""
        project, settings = self._session.project, self._session.settings
        self._open(ExportDialog(project, settings, selection, self._last_folder, self._window))

    def ask_notes(self, keys: tuple[NoteKey, ...]) -> None:
        """Ask where selected notes are to be written, and write them."""
        project, settings = self._session.project, self._session.settings
        self._open(NoteExportDialog(project, settings, keys, self._last_folder, self._window))

    @property
    def _last_folder(self) -> str:
        recording = self._session.project.recording
        return "" if recording is None else self._exported_to.get(recording.content_key, "")

    def _open(self, dialog: ExportDialog | NoteExportDialog) -> None:
        dialog.chosen.connect(self._export)
        dialog.open()

    def _export(self, choices: ExportChoices) -> None:
        recording = self._session.project.recording
        if recording is not None:
            self._exported_to[recording.content_key] = choices.folder
        self._bridge.set_settings(
            export_folder=choices.folder, export_format=format_key(choices), export_template=choices.template
        )
        self._bridge.attempt(lambda: self._session.export.start(choices))

    def show_folder(self) -> None:
        """Show the folder of the last export in the system's file browser."""
        QDesktopServices.openUrl(QUrl.fromLocalFile(self._session.settings.export_folder))


SCORE_SUFFIXES = (
    *(".xml", ".musicxml", ".mxl", ".mid", ".midi", ".kar", ".mei", ".abc", ".krn", ".capx"),
    *(".mscx", ".mscz", ".ly", ".rntxt"),
)
AUDIO_SUFFIXES = (
    *(".wav", ".flac", ".ogg", ".oga", ".mp3", ".aif", ".aiff", ".aifc", ".m4a", ".aac", ".opus", ".wma", ".w64"),
    *(".rf64", ".caf", ".mp4", ".mkv", ".mov", ".webm", ".avi"),
)

RECORDING_FILTER = f"Sound and video ({' '.join('*' + s for s in AUDIO_SUFFIXES)});;All files (*)"
SCORE_FILTER = f"Scores ({' '.join('*' + s for s in SCORE_SUFFIXES)});;All files (*)"
ALIGNMENT_SUFFIXES = (".csv", ".txt", ".tsv", ".lab")
MIDI_SUFFIXES = (".mid", ".midi", ".kar", ".rmi")
ALIGNMENT_FILTER = f"Alignments ({' '.join('*' + s for s in (*ALIGNMENT_SUFFIXES, *MIDI_SUFFIXES))});;All files (*)"

MAX_PLACES, MAX_PLACE = 6, 120  # of files that a question lists, and letters of each


class Documents(QObject):
    """Opens projects, recordings, scores and alignments.

    Parameters
    ----------
    bridge : Bridge
    saving : Saving
        Asks about what would be lost before something else is opened.
    window : QWidget
        Over which dialogs open.
    """

    def __init__(self, bridge: Bridge, saving: Saving, window: QWidget) -> None:
        super().__init__(window)
        self._bridge = bridge
        self._session = bridge.session
        self._saving = saving
        self._window = window

    # ------------------------------------------------------------------------------------------------------- opening

    def open_paths(self, paths: Sequence[str]) -> None:
        """Open whatever these files are: a project, a recording, a score."""
        projects = [p for p in paths if Path(p).suffix.lower() == PROJECT_SUFFIX]
        if projects:
            self.open_project(projects[0])
            return
        alignments = [p for p in paths if Path(p).suffix.lower() in ALIGNMENT_SUFFIXES]
        paths = [p for p in paths if p not in alignments]
        if alignments and (paths or len(alignments) > 1):
            text = "Open recording and score first, then drop the file of one alignment by itself."
            self._session.say("info", text, "import")
        elif alignments:
            self._bridge.attempt(lambda: self._session.alignment.start_import(alignments[0]))
        if self._may_be_performance(paths):
            self._ask_what_midi_is(paths[0])
            return
        scores = [p for p in paths if Path(p).suffix.lower() in SCORE_SUFFIXES]
        recordings = [p for p in paths if p not in scores]

        def open_both() -> None:
            if len(scores) > 1 or len(recordings) > 1:
                self._session.say("warning", "Drop one recording and one score; the first of each was opened.")
            if recordings:
                self._bridge.attempt(lambda: self._session.inputs.open_recording(recordings[0]))
            if scores:
                self._bridge.attempt(lambda: self._session.inputs.open_score(scores[0]))

        project = self._session.project
        if recordings and scores and project.recording is not None and project.score is not None:
            self._begin_anew(open_both)  # another pair is another piece of work
        else:
            open_both()

    def _may_be_performance(self, paths: Sequence[str]) -> bool:
        project = self._session.project
        is_open = project.recording is not None and project.score is not None
        return is_open and len(paths) == 1 and Path(paths[0]).suffix.lower() in MIDI_SUFFIXES

    def _ask_what_midi_is(self, path: str) -> None:
        """Ask whether a MIDI file is another score, or says where the notes of the present one lie."""
        box = question_box(self._window, "What is it?", f"What is {Path(path).name}?")
        box.setInformativeText("A MIDI file can be a score, or tell when the notes of the open score are played.")
        times = box.addButton("The &times of the notes", QMessageBox.ButtonRole.AcceptRole)
        score = box.addButton("Another &score", QMessageBox.ButtonRole.AcceptRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(times)

        def answered() -> None:
            if box.clickedButton() is times:
                self._bridge.attempt(lambda: self._session.alignment.start_import(path))
            elif box.clickedButton() is score:
                self._bridge.attempt(lambda: self._session.inputs.open_score(path))

        box.finished.connect(answered)
        box.open()

    def import_alignment(self) -> None:
        """Ask for the file of an alignment, and lay it beside the present one."""
        self._ask_to_open("Import alignment", ALIGNMENT_FILTER, self._session.alignment.start_import)

    def open_recording(self) -> None:
        """Ask for a recording."""
        self._ask_to_open("Open recording", RECORDING_FILTER, self._session.inputs.open_recording)

    def find_recording(self) -> None:
        """Ask where the recording of this project lies now."""
        self._ask_to_open("Find the recording", RECORDING_FILTER, self._session.inputs.relink_recording)

    def open_score(self) -> None:
        """Ask for a score."""
        self._ask_to_open("Open score", SCORE_FILTER, self._session.inputs.open_score)

    def ask_for_project(self) -> None:
        """Ask for a project."""
        self._ask_to_open("Open project", PROJECT_FILTER, self.open_project)

    def open_project(self, path: str) -> None:
        """Open a project, after the present one is settled."""
        self._saving.when_settled(lambda: self._bridge.attempt(lambda: self._open_or_ask(path)))

    def _open_or_ask(self, path: str) -> None:
        try:
            self._session.storage.open(path)
        except OutsideFilesError as error:
            self._ask_about_outside(path, error.places)

    def _ask_about_outside(self, path: str, places: Sequence[str]) -> None:
        """Ask whether files may be opened that a project names outside its folder and this user does not know."""
        name = _shown(Path(path).stem)
        box = question_box(
            self._window,
            "Files outside the project’s folder",
            f"“{name}” refers to files outside its folder. Open them?",
        )
        box.setTextFormat(Qt.TextFormat.PlainText)
        shown = [_shown(place) for place in places]
        if len(shown) > MAX_PLACES:
            shown = [*shown[:MAX_PLACES], f"and {len(shown) - MAX_PLACES} more"]
        about = "ScoreSep does not know whether these are yours. Open them only if you know who made the project."
        box.setInformativeText("\n".join((*shown, "", about)))
        yes = box.addButton("&Open them", QMessageBox.ButtonRole.AcceptRole)
        without = box.addButton("Open &without them", QMessageBox.ButtonRole.AcceptRole)
        box.setDefaultButton(box.addButton("&Cancel", QMessageBox.ButtonRole.RejectRole))

        def answered() -> None:
            if box.clickedButton() in (yes, without):
                outside = Outside.OPEN if box.clickedButton() is yes else Outside.LEAVE
                self._bridge.attempt(lambda: self._session.storage.open(path, outside))

        box.finished.connect(answered)
        box.open()

    def open_recent(self, path: str) -> None:
        """Open a recent file."""
        if Path(path).suffix.lower() != PROJECT_SUFFIX and self._session.project.recording is not None:
            self._begin_anew(lambda: self.open_paths([path]))
        else:
            self.open_paths([path])

    def open_demo(self) -> None:
        """Open the piece that comes with ScoreSep."""

        def open_both() -> None:
            try:
                folder = resource_path("demo")
            except FileNotFoundError as error:
                self._session.say("error", str(error))
                return
            self._session.storage.begin()
            found = sorted(str(p) for p in folder.iterdir())
            self.open_paths([p for p in found if Path(p).suffix.lower() in (*SCORE_SUFFIXES, *AUDIO_SUFFIXES)])

        self._saving.when_settled(open_both)

    def new(self) -> None:
        """Begin with nothing, after the present project is settled."""
        self._saving.when_settled(self._session.storage.begin)

    def _begin_anew(self, go_on: Callable[[], object]) -> None:
        def begin() -> None:
            self._session.storage.begin()
            go_on()

        self._saving.when_settled(begin)

    def _ask_to_open(self, title: str, name_filter: str, opened: Callable[[str], None]) -> None:
        dialog = file_dialog(self._window, self._session, title, name_filter)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(lambda path: self._open_chosen(path, opened))
        dialog.open()

    def _open_chosen(self, path: str, opened: Callable[[str], None]) -> None:
        self._session.set_settings(replace(self._session.settings, last_folder=str(Path(path).parent)))
        self._bridge.attempt(lambda: opened(path))

    # ------------------------------------------------------------------------------------------------ after a crash

    def begin(self, paths: Sequence[str]) -> None:
        """Open what the program was started with, after asking about what a crash has left of it (of anything)."""
        wanted = {absolute_path(path) for path in paths}

        def open_them() -> None:
            if paths:
                self.open_paths(paths)

        self.offer_recovery(wanted, open_them)

    def offer_recovery(self, wanted: Collection[Path] = (), go_on_without: Callable[[], object] = lambda: None) -> None:
        """Ask whether to go on from what was kept safe before the program ended unexpectedly, if anything was.

        Parameters
        ----------
        wanted : collection of Path
            Projects that it is asked for; empty for whatever there is.
        go_on_without : callable
            What to do where there is nothing, or the person does not want it.
        """
        store = self._session.storage.store
        found = [work for work in store.recoverable() if not wanted or work.project_path in wanted]
        if not found:
            go_on_without()
            if not wanted:
                self._session.unused_stems.tell_unsaved()
            return
        newest = found[0]
        box = question_box(self._window, "Unsaved work found", "ScoreSep ended unexpectedly the last time.")
        name = "work that was never saved" if newest.project_path is None else newest.project_path.stem
        when = datetime.fromtimestamp(newest.saved_s).strftime("%x %H:%M")
        box.setInformativeText(f"Your changes were kept safe: {name}, {when}.")
        go_on = box.addButton("&Go on with it", QMessageBox.ButtonRole.AcceptRole)
        forget = box.addButton("&Forget it", QMessageBox.ButtonRole.DestructiveRole)
        box.addButton("&Ask next time", QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(go_on)

        def answered() -> None:
            if box.clickedButton() is go_on:
                self._bridge.attempt(lambda: self._session.storage.recover(newest))
                return
            if box.clickedButton() is forget:
                store.forget(newest)
            go_on_without()

        box.finished.connect(answered)
        box.open()


def _shown(place: str) -> str:
    """Return a place as a question lists it: on one line, with nothing that hides or turns around what stands there."""
    plain = "".join(c if c.isprintable() else "\ufffd" for c in place)
    return plain if len(plain) <= MAX_PLACE else f"{plain[: MAX_PLACE // 2]}…{plain[-MAX_PLACE // 2 :]}"

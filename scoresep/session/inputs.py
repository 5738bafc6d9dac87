"""What a project is made of: its recording and score, opened in the background, and the recording's samples at hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from scoresep.edits import project as edits
from scoresep.errors import Cancelled, ScoreSepError
from scoresep.files.audio.overviews import load_peaks
from scoresep.files.audio.recordings import FileSource, open_source
from scoresep.files.project.links import MissingRecording, Relinked, file_name, relink
from scoresep.model.audio import Recording
from scoresep.model.peaks import PeakPyramid
from scoresep.model.project import Change, Project, change_to
from scoresep.progress import Progress
from scoresep.session import pipeline
from scoresep.session.project_store import only_what_is_known
from scoresep.session.state import Jobs, ProjectState

IN_RECORDING = ("recording", "alignment", "pending_alignment", "hand_points", "activities", "recipe")


class RecordingAccess:
    """The recording of the present project, open for reading, and the overview of its waveform.

    Opened in place is what can be opened without reading the whole file; the rest is done in the background.

    Attributes
    ----------
    source : FileSource or None
        The samples; None while they cannot be read.
    pyramid : PeakPyramid or None
        None until it is built.
    missing : MissingRecording or None
        Set when there is a recording that cannot be read where it should lie.

    Parameters
    ----------
    state : ProjectState
        Told ``source`` or ``peaks`` when these come later.
    jobs : Jobs
    """

    def __init__(self, state: ProjectState, jobs: Jobs) -> None:
        self.source: FileSource | None = None
        self.pyramid: PeakPyramid | None = None
        self.missing: MissingRecording | None = None
        self._recording: Recording | None = None
        self._then: Callable[[], None] | None = None
        self._state, self._jobs = state, jobs
        state.before_telling(self._follow)

    def open(self, recording: Recording | None, allowed: Progress | None = None) -> None:
        """Let the present recording go and open another.

        Parameters
        ----------
        recording : Recording or None
        allowed : Progress, optional
            Raises `Cancelled` in work that nobody may wait for here; by default in all that reads the whole file:
            decoding, where the cache was emptied, and hashing, where the file may have been written to.
        """
        self.close()
        self._recording = recording
        if recording is None:
            return
        try:
            self.source = open_source(recording, allowed or only_what_is_known())
        except Cancelled:
            self._jobs.start("source", "Read recording", pipeline.decode_again, (recording,), self._got_decoded)
            return
        except ScoreSepError as error:
            self.missing = MissingRecording(recording.path, file_name(recording.path), recording.duration_s)
            if Path(recording.path).exists():
                self._state.messages.say("error", str(error), key="recording")
            return
        self.pyramid = load_peaks(recording.content_key, recording.frames, recording.channels)
        if self.pyramid is None:
            self._jobs.start("peaks", "Draw waveform", pipeline.find_peaks, (recording,), self._got_peaks)

    def reopen(self) -> None:
        """Open the recording of the project once more, where it could not be opened yet."""
        if self.source is None and self._jobs.get("source") is None:
            self.open(self._state.project.recording)
            self._state.tell("source", "peaks")

    def when_open(self, then: Callable[[], None]) -> None:
        """Call `then` once the samples are at hand: now, or when the background has read what it takes."""
        if self.source is not None:
            then()
        else:
            self._then = then

    def close(self) -> None:
        """Let the recording go."""
        if self.source is not None:
            self.source.close()
        self.source, self.pyramid, self.missing, self._recording, self._then = None, None, None, None, None

    def _follow(self, before: Project, after: Project, _what: frozenset[str]) -> frozenset[str]:
        if before.recording == after.recording:
            return frozenset()
        self.open(after.recording)
        return frozenset({"source", "peaks"})

    def _got_decoded(self, content_key: str) -> None:
        recording = self._recording
        if recording is not None and recording.content_key == content_key and self.source is None:
            then = self._then
            self.open(recording, Progress())
            self._state.tell("source")
            self._state.tell("peaks")
            if then is not None:
                self.when_open(then)

    def _got_peaks(self, content_key: str) -> None:
        recording = self._recording
        if recording is not None and recording.content_key == content_key:
            self.pyramid = load_peaks(content_key, recording.frames, recording.channels)
            self._state.tell("peaks")


class InputsUseCase:
    """Opening and finding again the two files of a project.

    Parameters
    ----------
    state : ProjectState
    jobs : Jobs
    recording : RecordingAccess
    then : callable
        Called when the score has come, and when the recording has come and its samples can be read.
    """

    def __init__(self, state: ProjectState, jobs: Jobs, recording: RecordingAccess, then: Callable[[], None]) -> None:
        self._state, self._jobs, self._recording, self._then = state, jobs, recording, then

    def open_recording(self, path: str | Path) -> None:
        """Open a recording in the background, in the place of the present one."""
        self._jobs.start("recording", "Open recording", pipeline.load_recording, (str(path),), self._got_recording)

    def open_score(self, path: str | Path) -> None:
        """Open a score in the background; a corrected one takes the place of the present one."""
        self._jobs.start("score", "Read score", pipeline.load_score, (str(path),), self._got_score)

    def relink_recording(self, path: str | Path) -> None:
        """Say in the background where the project's recording lies now."""
        asked_from = self._state.project

        def got(relinked: Relinked) -> None:
            if any(getattr(self._state.project, f) is not getattr(asked_from, f) for f in IN_RECORDING):
                self.relink_recording(path)  # the answer was computed from what has been edited since
            else:
                self._got_relinked(relinked)

        self._jobs.start("recording", "Open recording", relink, (asked_from, str(path)), got)

    def _got_recording(self, loaded: pipeline.LoadedRecording) -> None:
        state = self._state
        self._take("recording", edits.set_recording(state.project, loaded.recording))
        state.history.move_recording(loaded.recording.content_key, loaded.recording.path)
        self._recording.reopen()
        state.messages.say("warning", *loaded.warnings, key="recording")
        state.set_settings(state.settings.with_recent(loaded.recording.path))
        self._recording.when_open(self._then)

    def _got_score(self, loaded: pipeline.LoadedScore) -> None:
        self._take("score", edits.set_score(self._state.project, loaded.score_file, loaded.score))
        self._state.messages.say("warning", *loaded.warnings, key="score")
        self._then()

    def _take(self, field: str, change: Change) -> None:
        """Take a file into the project: the first one is no edit that a person would want to take back."""
        project = self._state.project
        # activities without a score are sets, which the score replaces
        is_first = getattr(project, field) is None and project.activities is None
        (self._state.take if is_first else self._state.apply)(change)

    def _got_relinked(self, relinked: Relinked) -> None:
        state, found = self._state, relinked.project.recording
        change = change_to(state.project, "Find recording", **{f: getattr(relinked.project, f) for f in IN_RECORDING})
        if relinked.is_same and found is not None:  # nothing to take back, also not in what was done before
            state.history.move_recording(found.content_key, found.path)
            state.follow_files(**dict(change.after))
        else:
            state.apply(change)
        self._recording.reopen()
        state.messages.say("warning", *relinked.warnings, key="recording")
        self._recording.when_open(self._then)

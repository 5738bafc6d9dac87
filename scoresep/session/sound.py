"""The recording of the present project, open for reading, and the overview of its waveform."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from scoresep.errors import Cancelled, ScoreSepError
from scoresep.files.audio_files import FileSource, open_source
from scoresep.files.peak_files import load_peaks
from scoresep.files.project_links import MissingRecording, file_name
from scoresep.model.audio import Recording
from scoresep.model.peaks import PeakPyramid
from scoresep.progress import Progress
from scoresep.session import pipeline

StartJob = Callable[[str, str, Callable[..., Any], tuple[Any, ...], Callable[[Any], None]], object]


class Sound:
    """Opens what can be opened at once, and has the rest done in the background.

    Attributes
    ----------
    source : FileSource or None
    pyramid : PeakPyramid or None
        None until it is built.
    missing : MissingRecording or None
        Set when there is a recording that cannot be read where it should lie.

    Parameters
    ----------
    start_job : callable
        `Session.start_job`.
    tell : callable taking str
        Called with ``source`` or ``peaks`` when these come later.
    complain : callable taking str
        Gets one sentence when a file that is there cannot be read.
    """

    def __init__(self, start_job: StartJob, tell: Callable[[str], None], complain: Callable[[str], None]) -> None:
        self.source: FileSource | None = None
        self.pyramid: PeakPyramid | None = None
        self.missing: MissingRecording | None = None
        self._recording: Recording | None = None
        self._start_job = start_job
        self._tell = tell
        self._complain = complain

    def open(self, recording: Recording | None, at_once: Progress) -> None:
        """Let the present recording go and open another.

        Parameters
        ----------
        recording : Recording or None
        at_once : Progress
            Raises `Cancelled` in work that takes too long to wait for: decoding, where the cache was emptied.
        """
        self.close()
        self._recording = recording
        if recording is None:
            return
        try:
            self.source = open_source(recording, at_once)
        except Cancelled:
            self._start_job("source", "Read recording", pipeline.decode_again, (recording,), self._got_decoded)
            return
        except ScoreSepError as error:
            self.missing = MissingRecording(recording.path, file_name(recording.path), recording.duration_s)
            if Path(recording.path).exists():
                self._complain(str(error))
            return
        self.pyramid = load_peaks(recording.content_key, recording.frames, recording.channels)
        if self.pyramid is None:
            self._start_job("peaks", "Draw waveform", pipeline.find_peaks, (recording,), self._got_peaks)

    def close(self) -> None:
        """Let the recording go."""
        if self.source is not None:
            self.source.close()
        self.source, self.pyramid, self.missing, self._recording = None, None, None, None

    def _got_decoded(self, content_key: str) -> None:
        recording = self._recording
        if recording is not None and recording.content_key == content_key and self.source is None:
            self.open(recording, Progress())
            self._tell("source")
            self._tell("peaks")

    def _got_peaks(self, content_key: str) -> None:
        recording = self._recording
        if recording is not None and recording.content_key == content_key:
            self.pyramid = load_peaks(content_key, recording.frames, recording.channels)
            self._tell("peaks")

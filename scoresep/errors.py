"""Every error that a person may see, in one tree.

    ScoreSepError                 exit code 4 unless said otherwise
    ├── UsageError                2: the command or a setting asks for something that does not exist
    ├── InputError                3: something given cannot be used as it is
    │   ├── AudioFileError        a recording that cannot be read, is empty, silent or damaged
    │   ├── ScoreFileError        a score that cannot be read or holds no notes
    │   └── ProjectFileError      a project that is missing, damaged or of a newer version
    │       └── OutsideFilesError it names files outside its folder, and nobody has agreed to open these
    ├── OutputError               4: a result cannot be written where it was asked for
    ├── AlignmentError            4: recording and score could not be brought together
    ├── SeparationError           4: the stems could not be computed
    │   └── OutOfMemoryError      neither small blocks nor the CPU had enough memory
    ├── DeviceError               4: a sound or computing device is missing or failed
    ├── WorkerError               4: the process that did the work ended before it was done
    └── Cancelled                 130: the person stopped the work

A message is one plain sentence that says what is wrong and what to do. `ValueError` and its kin are for mistakes of
programmers. Only the command line and `qt.bridge` show these errors to people.
"""

from __future__ import annotations


class ScoreSepError(Exception):
    """Root of all errors that are shown to people."""

    exit_code = 4


class UsageError(ScoreSepError):
    """The command or a setting asks for something that does not exist."""

    exit_code = 2


class InputError(ScoreSepError):
    """Something that was given cannot be used as it is."""

    exit_code = 3


class AudioFileError(InputError):
    """A recording cannot be read, is empty, silent or damaged."""


class ScoreFileError(InputError):
    """A score cannot be read or holds no notes."""


class ProjectFileError(InputError):
    """A project is missing, damaged or of a newer version."""


class OutsideFilesError(ProjectFileError):
    """A project names files outside its folder, which are not opened before a person agrees.

    Attributes
    ----------
    places : tuple of str
        The files and folders.
    """

    def __init__(self, message: str, places: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.places = places

    def __reduce__(self) -> tuple[type[OutsideFilesError], tuple[str, tuple[str, ...]]]:
        return OutsideFilesError, (str(self), self.places)  # workers send errors


class OutputError(ScoreSepError):
    """A result cannot be written where it was asked for."""


class AlignmentError(ScoreSepError):
    """Recording and score could not be brought together."""


class SeparationError(ScoreSepError):
    """The stems could not be computed."""


class OutOfMemoryError(SeparationError):
    """Neither smaller blocks nor the CPU had enough memory."""


class DeviceError(ScoreSepError):
    """A sound or computing device is missing or failed."""


class WorkerError(ScoreSepError):
    """The process that did the work ended before it was done."""


class Cancelled(ScoreSepError):
    """The person stopped the work; nothing is wrong."""

    exit_code = 130

    def __init__(self, message: str = "Cancelled.") -> None:
        super().__init__(message)

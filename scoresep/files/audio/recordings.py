"""Opening recordings: what they are, and their samples at any place.

Uncompressed files and FLAC are read where they lie. Everything else is decoded once into the cache, under the hash of
its bytes, and read from there. Nothing is ever held whole in memory.

Also here: whether a file is still the one that was read, without reading it again each time.

A hash of all bytes is certain, but reading gigabytes at each opening is not. So the hash is noted together with what
the system knows of the file: its number, its size and its times. While these are the same, so is the content: every
writing sets the time of change (``ctime``), which programs cannot set back; Windows has no such time, there it is the
time of writing. Times have a granularity, within which a file may be written twice: a file that was changed so shortly
before it was hashed is hashed again next time (as Git does with files that are "racily clean").
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self

import numpy as np
import soundfile
from numpy.typing import NDArray

from scoresep.errors import AudioFileError, OutputError
from scoresep.files.audio.decoding import (
    DamagedCacheError,
    DecodedReader,
    SoundFacts,
    decoded_stream,
    forget_decoded,
    load_notes,
    store_decoded,
)
from scoresep.files.audio.sample_spans import SampleSpan, find_samples, open_samples
from scoresep.files.storage.atomic import write_whole
from scoresep.files.storage.cache import cache_folder, cached_path, combined_key, content_key, mark_used, trim_cache
from scoresep.files.storage.paths import absolute_path, is_utf8
from scoresep.model.audio import Recording, SampleSource, blocks
from scoresep.model.timebase import format_time
from scoresep.progress import Progress

# Linux sets times to its last tick (at most 10 ms ago); FAT counts in two seconds, others in whole ones.
_FINE_NS, _COARSE_NS = 20_000_000, 2_100_000_000
_COARSE_STEP_NS = 10_000_000


@dataclass(frozen=True)
class FileState:
    """What the system knows of a file; times in nanoseconds."""

    device: int
    number: int
    size_bytes: int
    written_ns: int
    changed_ns: int


_known: dict[str, tuple[FileState, str]] = {}  # of this process, by path


def file_state(path: Path) -> FileState:
    """Ask the system.

    Raises
    ------
    OSError
    """
    state = os.stat(path)
    return FileState(state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)


def _youngest_ns(state: FileState) -> int:
    """Return from when on a hash of a file in this state tells its content for good."""
    latest_ns = max(state.written_ns, state.changed_ns)
    is_coarse = state.written_ns % _COARSE_STEP_NS == 0
    return latest_ns + (_COARSE_NS if is_coarse else _FINE_NS)


def settled_state(path: Path) -> tuple[FileState, int]:
    """Return the state of a file and the time (since 1970), once a file written this moment is some milliseconds old.

    Raises
    ------
    OSError
    """
    state = file_state(path)
    wait_ns = _youngest_ns(state) - time.time_ns()
    if 0 < wait_ns <= _FINE_NS:
        time.sleep(wait_ns / 1e9)
        state = file_state(path)
    return state, time.time_ns()


def note_content(path: Path, state: FileState, key: str, hashed_ns: int) -> None:
    """Note that `path` had the content `key` when its state was `state`, as it was at `hashed_ns` (since 1970).

    Parameters
    ----------
    path : Path
    state : FileState
    key : str
    hashed_ns : int
        When the bytes were hashed.
    """
    if hashed_ns < _youngest_ns(state):
        return
    _known[str(path)] = (state, key)
    try:
        write_whole(_notes_path(path), json.dumps({"state": asdict(state), "key": key}).encode())
    except (OutputError, OSError):
        return  # then other processes hash it themselves


def current_key(path: Path, progress: Progress | None = None) -> str:
    """Return the hash of the file's bytes, as `cache.content_key`; from the notes where its state is the noted one.

    Raises
    ------
    InputError, OSError, Cancelled
    """
    state = file_state(path)
    known = _known.get(str(path)) or _noted(path)
    if known is not None and known[0] == state:
        _known[str(path)] = known
        return known[1]
    state, hashed_ns = settled_state(path)
    key = content_key(path, progress)
    if file_state(path) == state:
        note_content(path, state, key, hashed_ns)
    return key


def _notes_path(path: Path) -> Path:
    return cached_path("identities", f"{combined_key(os.fsencode(path))}.json")


def _noted(path: Path) -> tuple[FileState, str] | None:
    notes = _notes_path(path)
    try:
        text = json.loads(notes.read_bytes())
        found = FileState(**text["state"]), str(text["key"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
    mark_used(notes)
    return found


SILENT_PEAK = 1e-6  # -120 dB: below the last bit of 16 and near that of 24 bits
HIGHEST_PEAK = 1e12  # floats on the scale of 32-bit integers are still sound; what is beyond is damage
_CHECK_BLOCK_FRAMES = 1 << 16
_log = logging.getLogger(__name__)


def open_recording(
    path: str | Path, progress: Progress | None = None, warn: Callable[[str], None] | None = None
) -> Recording:
    """Find out what a file of sound is; decode it into the cache where it cannot be read directly.

    Parameters
    ----------
    path : str or Path
        WAV, RF64, W64, AIFF, CAF, FLAC, OGG, MP3, M4A, Opus, WMA, or a video with sound.
    progress : Progress, optional
    warn : callable taking str, optional
        Gets one sentence for everything doubtful, such as a file that is cut off.

    Returns
    -------
    recording : Recording

    Raises
    ------
    AudioFileError
        Missing, a folder, empty, not sound, damaged, without frames or forbidden; one sentence each.
    OutputError
        The cache cannot take the decoded sound.
    Cancelled
    """
    progress = progress or Progress()
    path = absolute_path(path)
    _check_readable(path)
    progress.update(0.0, f"Opening {path.name}")
    state, now_ns = settled_state(path)
    key = content_key(path, progress.part(0.0, 0.2))
    facts = direct_facts(path) or _decoded_facts(path, key, state, progress.part(0.2, 1.0))
    if facts.frames == 0:
        raise AudioFileError(f"'{path}' holds no sound at all (its length is zero); choose another recording.")
    recording = Recording(str(path), key, facts.frames, facts.channels, facts.sample_rate, facts.format)
    _check_same_state(path, key, state)
    note_content(path, state, key, now_ns)
    for warning in facts.warnings:
        (warn or _log.warning)(warning)
    progress.update(1.0)
    return recording


def check_unchanged(recording: Recording, progress: Progress | None = None) -> None:
    """Make sure that a recording still lies where it was opened, with the same bytes.

    The bytes are only hashed where the system tells that the file may have been written to since (`file_identity`).

    Raises
    ------
    AudioFileError
        The file is gone or is not the one that was opened.
    Cancelled
    """
    path = Path(recording.path)
    if not path.exists():
        raise AudioFileError(f"The recording '{path}' is not there any more; put it back and start again.")
    _check_readable(path)
    try:
        if current_key(path, progress) != recording.content_key:
            raise _changed(path)
    except OSError as error:
        raise AudioFileError(f"'{path}' cannot be read ({error.strerror or error}); copy it elsewhere.") from error


def _check_same_state(path: Path, key: str, state: FileState) -> None:
    """Refuse a file that was written to or replaced since it was in `state` with the content `key`."""
    _check_readable(path)
    if file_state(path) != state and current_key(path) != key:
        forget_decoded(key)
        raise _changed(path)


def open_source(recording: Recording, progress: Progress | None = None) -> FileSource:
    """Open the samples of a recording; close it after use, or use it in a ``with`` statement.

    Decodes again where the cache was emptied or is damaged. Where the file itself is gone, its decoded form will do.

    Raises
    ------
    AudioFileError
        The file is gone or is not the one that was opened.
    OutputError, Cancelled
        As in `open_recording`.
    """
    path = Path(recording.path)
    notes = load_notes(recording.content_key)
    if notes is None or path.exists():
        check_unchanged(recording, progress)
    if notes is None and direct_facts(path) is not None:
        return FileSource(recording, _direct_reader(recording))
    return FileSource(recording, _decoded_reader(recording, progress))


class _Reader(Protocol):
    def read(self, start_frame: int, frames: int) -> NDArray[np.float32]:
        """Return samples, shape (frames, channels); fewer where the file ends or is damaged."""

    def close(self) -> None:
        """Close the file."""


def _direct_reader(recording: Recording) -> DirectReader:
    try:
        reader = DirectReader(Path(recording.path))
    except (soundfile.LibsndfileError, TypeError, OSError) as error:
        raise _changed(Path(recording.path)) from error
    if reader.shape != (recording.frames, recording.channels, recording.sample_rate):
        reader.close()
        raise _read_otherwise(recording)
    return reader


def _decoded_reader(recording: Recording, progress: Progress | None = None) -> DecodedReader:
    """Open the decoded form of a recording, decoding it where it is not there or damaged."""
    key = recording.content_key
    for _ in range(2):
        notes = load_notes(key)
        if notes is None:
            path = Path(recording.path)
            check_unchanged(recording, progress)
            _decoded_facts(path, key, file_state(path), progress or Progress())
            notes = load_notes(key)
        if notes is None:
            continue
        facts = notes.facts
        if (facts.frames, facts.channels, facts.sample_rate) != (
            recording.frames,
            recording.channels,
            recording.sample_rate,
        ):
            raise _read_otherwise(recording)
        try:
            return DecodedReader(key, notes)
        except DamagedCacheError:  # cleaned away this moment
            continue
    raise OutputError(
        f"What is written into '{cache_folder()}' does not stay there; name another folder in the environment variable "
        "SCORESEP_CACHE_DIR."
    )


class FileSource:
    """A `SampleSource` over a file. Several threads may read at once; they wait for each other.

    Parameters
    ----------
    recording : Recording
    reader : object
        Reads the recording itself or its decoded form.
    """

    def __init__(self, recording: Recording, reader: _Reader) -> None:
        self._recording, self._reader = recording, reader
        self._lock = threading.Lock()

    @property
    def frames(self) -> int:
        """Length in frames."""
        return self._recording.frames

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self._recording.channels

    @property
    def sample_rate(self) -> int:
        """Frames in a second."""
        return self._recording.sample_rate

    def read(self, start_frame: int, stop_frame: int) -> NDArray[np.float32]:
        """Return the frames of [start_frame, stop_frame), clipped to the recording.

        Returns
        -------
        samples : ndarray [shape=(channels, frames)], float32

        Raises
        ------
        AudioFileError
            The file is damaged there, or is not there any more.
        """
        start = min(max(start_frame, 0), self.frames)
        count = max(min(stop_frame, self.frames) - start, 0)
        if not count:
            return np.zeros((self.channels, 0), np.float32)
        with self._lock:
            try:
                samples = self._reader.read(start, count)
            except DamagedCacheError:
                samples = self._read_anew(start, count)
        if len(samples) != count:
            raise self._damaged(start + len(samples))
        return np.ascontiguousarray(samples.T)

    def close(self) -> None:
        """Close the file; reading is over."""
        with self._lock:
            self._reader.close()

    def _read_anew(self, start: int, count: int) -> NDArray[np.float32]:
        """Decode the recording again, since the cache is damaged."""
        _log.info("The decoded form of '%s' in the cache is damaged; it is made anew.", self._recording.path)
        self._reader.close()  # Windows replaces no file that is open
        forget_decoded(self._recording.content_key)
        self._reader = _decoded_reader(self._recording)
        try:
            return self._reader.read(start, count)
        except DamagedCacheError as error:
            raise OutputError(
                f"What is written into '{cache_folder()}' does not stay what it is; name a folder on another disk in "
                "the environment variable SCORESEP_CACHE_DIR."
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _damaged(self, frame: int) -> AudioFileError:
        at = format_time(frame / self.sample_rate)
        return AudioFileError(f"'{self._recording.path}' is damaged at {at}; use another copy, or convert it to WAV.")


@dataclass(frozen=True)
class SampleCheck:
    """What one pass over a recording found.

    Attributes
    ----------
    peak : float
        Largest absolute sample.
    clipped_frames : int
        Frames with a sample at or above full scale.
    """

    peak: float
    clipped_frames: int


def check_samples(source: SampleSource, progress: Progress | None = None, name: str = "The recording") -> SampleCheck:
    """Look once at every sample, and refuse what cannot be separated.

    Parameters
    ----------
    source : SampleSource
    progress : Progress, optional
    name : str
        How the sentence of an error begins.

    Raises
    ------
    AudioFileError
        All is silence, or there are numbers that are not sound (NaN, infinity): stems could never add up to these.
    Cancelled
    """
    progress = progress or Progress()
    peak, clipped_frames, done = 0.0, 0, 0
    for block in blocks(source, _CHECK_BLOCK_FRAMES):
        loudest = np.abs(block).max(axis=0, initial=0.0)
        is_sound = loudest < HIGHEST_PEAK  # NaN is not
        if not is_sound.all():
            at = format_time((done + int(np.argmin(is_sound))) / source.sample_rate)
            raise AudioFileError(
                f"{name} holds numbers that are not sound (NaN or infinity) at {at}; export it again from its program."
            )
        peak = max(peak, float(loudest.max(initial=0.0)))
        clipped_frames += int(np.count_nonzero(loudest >= 1.0))
        done += block.shape[1]
        progress.update(done / max(source.frames, 1), "Checking the recording")
    if peak < SILENT_PEAK:
        raise AudioFileError(f"{name} is silent from start to end; choose another recording.")
    return SampleCheck(peak, clipped_frames)


def _check_readable(path: Path) -> None:
    if not is_utf8(path):
        raise AudioFileError(f"The name {str(path)!a} is not text in UTF-8; rename the file or folder.")
    try:
        if path.is_dir():
            raise AudioFileError(f"'{path}' is a folder; choose a sound file in it.")
        if not path.exists():
            raise AudioFileError(f"The recording '{path}' is not there; check its name or choose another.")
        if not path.is_file():
            raise AudioFileError(f"'{path}' is a device or a pipe, not a file; save the sound to a file first.")
        if path.stat().st_size == 0:
            raise AudioFileError(f"'{path}' is empty (0 bytes); choose another recording.")
        with open(path, "rb"):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        raise AudioFileError(
            f"'{path}' cannot be read ({reason}); check its permissions or copy it elsewhere."
        ) from error


def _decoded_facts(path: Path, key: str, state: FileState, progress: Progress) -> SoundFacts:
    """Decode a file, which had the content `key` in `state`, into the cache unless it is there; tell what it is."""
    notes = load_notes(key)
    if notes is not None:
        return notes.facts
    trim_cache()
    stream = decoded_stream(path)
    partly = SoundFacts(0, stream.channels, stream.sample_rate, stream.format)
    try:
        facts = store_decoded(
            key,
            stream.channels,
            stream.sample_rate,
            stream.blocks,
            lambda frames: replace(partly, frames=frames, warnings=tuple(stream.warnings)),
            lambda frames: progress.update(frames / max(stream.expected_frames, frames), "Decoding"),
        )
    except OutputError as error:
        reason = getattr(error.__cause__, "strerror", None) or "for unknown reasons"
        raise OutputError(
            f"'{path}' cannot be unpacked into '{cache_folder()}' ({reason}); free some space there, or name another "
            "folder in the environment variable SCORESEP_CACHE_DIR."
        ) from error
    finally:
        stream.close()
    _check_same_state(path, key, state)
    return facts


def _read_otherwise(recording: Recording) -> AudioFileError:
    return AudioFileError(
        f"An earlier version of ScoreSep read '{recording.path}' with another length; open the recording again, and "
        "align and separate again."
    )


def _changed(path: Path) -> AudioFileError:
    return AudioFileError(f"'{path}' has changed since it was opened; open it again.")


_UNKNOWN_FRAMES = 2**62  # libsndfile's answer for a stream of unknown length is near 2**63
_EXACT_SUBTYPES = ("PCM_", "FLOAT", "DOUBLE", "ULAW", "ALAW")
_DECODED_FORMATS = ("OGG", "MPEG", "MP3", "VOC")  # of VOC libsndfile reads the heads of later blocks as sound
_LEAST_FOLLOWING_BYTES = 4096  # behind the end that a header tells: less is no sound


class DirectReader:
    """Reads a recording where it lies.

    Parameters
    ----------
    path : Path

    Raises
    ------
    soundfile.LibsndfileError, TypeError, OSError
        It is no such file. (TypeError: its name is one like x.raw.)
    """

    def __init__(self, path: Path) -> None:
        self.span = find_samples(path)
        self._below: BinaryIO | None = None  # libsndfile does not close what it reads through Python
        if self.span is None or not self.span.head:
            self.file = soundfile.SoundFile(str(path))
            return
        self._below = open_samples(path, self.span)
        try:
            self.file = soundfile.SoundFile(self._below)
        except BaseException:
            self._below.close()
            raise

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, channels and sample rate."""
        return self.file.frames, self.file.channels, self.file.samplerate

    def read(self, start_frame: int, frames: int) -> NDArray[np.float32]:
        """Return samples, shape (frames, channels); fewer where the file is damaged."""
        try:
            self.file.seek(start_frame)
            samples: NDArray[np.float32] = self.file.read(frames, dtype="float32", always_2d=True)
        except (soundfile.LibsndfileError, RuntimeError):
            return np.zeros((0, self.file.channels), np.float32)
        return samples

    def close(self) -> None:
        """Close the file."""
        self.file.close()
        if self._below is not None:
            self._below.close()


def direct_facts(path: Path) -> SoundFacts | None:
    """Tell what a file is that can be read exactly at any place; None for all others, the damaged among them."""
    try:
        reader = DirectReader(path)
    except (soundfile.LibsndfileError, TypeError, OSError):
        return None
    try:
        file, span = reader.file, reader.span
        if not file.subtype.startswith(_EXACT_SUBTYPES) or file.format in _DECODED_FORMATS:
            return None
        if not 0 < file.frames < _UNKNOWN_FRAMES:
            return None
        if len(reader.read(file.frames - 1, 1)) != 1:  # cut off: the end that the header promises is not there
            return None
        container = "WAV" if span is not None and span.is_riff else file.format  # the mended head is one of RF64
        warnings = () if span is None else tuple(_warnings(path, span))
        return SoundFacts(*reader.shape, f"{container} {_subtype_in_words(file.subtype)}", warnings)
    finally:
        reader.close()


def _warnings(path: Path, span: SampleSpan) -> list[str]:
    if span.present_share < 1:
        return [f"'{path.name}' is cut off: {span.present_share:.0%} of it is there, which is used."]
    if span.following_bytes >= _LEAST_FOLLOWING_BYTES:
        return [
            f"'{path.name}' goes on for {span.following_bytes} bytes behind the end that its header tells; if they are "
            "sound, import it as raw data in an audio editor and save it anew."
        ]
    return []


def _subtype_in_words(subtype: str) -> str:
    words = {"PCM_S8": "8 bit", "PCM_U8": "8 bit", "FLOAT": "32 bit float", "DOUBLE": "64 bit float"}
    return words.get(subtype, subtype.replace("PCM_", "") + " bit" if subtype.startswith("PCM_") else subtype)

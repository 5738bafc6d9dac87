"""Opening recordings: what they are, and their samples at any place.

Uncompressed files and FLAC are read where they lie. Everything else is decoded once into the cache, under the hash of
its bytes, and read from there. Nothing is ever held whole in memory.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import soundfile
from numpy.typing import NDArray

from scoresep.errors import AudioFileError, OutputError
from scoresep.files.atomic import whole_file, write_whole
from scoresep.files.audio_decoding import DecodedStream, ffmpeg_stream, lacks_ogg_end, sndfile_stream
from scoresep.files.cache import cache_folder, cached_path, content_key, mark_used, trim_cache
from scoresep.files.wav_files import WavWriter
from scoresep.model.audio import Recording, SampleSource, blocks
from scoresep.model.timebase import format_time
from scoresep.progress import Progress

SILENT_PEAK = 1e-6  # -120 dB: below the last bit of 16 and near that of 24 bits
HIGHEST_PEAK = 1e12  # floats on the scale of 32-bit integers are still sound; what is beyond is damage
_CHECK_BLOCK_FRAMES = 1 << 16
_UNKNOWN_FRAMES = 2**62  # libsndfile's answer for a stream of unknown length is near 2**63
_EXACT_SUBTYPES = ("PCM_", "FLOAT", "DOUBLE", "ULAW", "ALAW")
# how libsndfile's log tells that a chunk of samples is longer than the file (0xFFFFFFFF: length left open, whole)
_CUT_OFF = re.compile(r"(?:data|SSND)\s*: (\d+) \(should be (\d+)\)")
_OPEN_LENGTH = 0xFFFFFFFF
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Facts:
    """What opening a file tells of it."""

    frames: int
    channels: int
    sample_rate: int
    format: str
    warnings: tuple[str, ...] = ()


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
    path = Path(path).expanduser().absolute()
    _check_readable(path)
    progress.update(0.0, f"Opening {path.name}")
    key = content_key(path, progress.part(0.0, 0.2))
    facts = _direct_facts(path) or _decoded_facts(path, key, progress.part(0.2, 1.0))
    if facts.frames == 0:
        raise AudioFileError(f"'{path}' holds no sound at all (its length is zero); choose another recording.")
    for warning in facts.warnings:
        (warn or _log.warning)(warning)
    progress.update(1.0)
    return Recording(str(path), key, facts.frames, facts.channels, facts.sample_rate, facts.format)


def open_source(recording: Recording, progress: Progress | None = None) -> FileSource:
    """Open the samples of a recording; close it after use, or use it in a ``with`` statement.

    Decodes again where the cache was emptied.

    Raises
    ------
    AudioFileError
        The file is gone or is not the one that was opened.
    OutputError, Cancelled
        As in `open_recording`.
    """
    path = Path(recording.path)
    decoded = _decoded_path(recording.content_key)
    if decoded.exists():
        mark_used(decoded)
        return FileSource(decoded, recording)
    _check_readable(path)
    if _direct_facts(path) is not None:
        return FileSource(path, recording)
    reopened = open_recording(path, progress, warn=_log.debug)
    if reopened.content_key != recording.content_key:
        raise _changed(recording)
    return FileSource(decoded, recording)


class FileSource:
    """A `SampleSource` over a file. Several threads may read at once; they wait for each other.

    Parameters
    ----------
    path : Path
        The recording itself or its decoded form.
    recording : Recording
    """

    def __init__(self, path: Path, recording: Recording) -> None:
        self._recording = recording
        self._lock = threading.Lock()
        try:
            self._file = soundfile.SoundFile(str(path))
        except (soundfile.LibsndfileError, TypeError) as error:
            raise _changed(recording) from error
        found = (self._file.frames, self._file.channels, self._file.samplerate)
        if found != (recording.frames, recording.channels, recording.sample_rate):
            self._file.close()
            raise _changed(recording)

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
        try:
            with self._lock:
                self._file.seek(start)
                samples = self._file.read(count, dtype="float32", always_2d=True)
        except (soundfile.LibsndfileError, RuntimeError) as error:
            raise self._damaged(start) from error
        if len(samples) != count:
            raise self._damaged(start + len(samples))
        return np.ascontiguousarray(samples.T)

    def close(self) -> None:
        """Close the file; reading is over."""
        with self._lock:
            self._file.close()

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


def _direct_facts(path: Path) -> _Facts | None:
    """Tell what a file is that can be read exactly at any place; None for all others, the damaged among them."""
    try:
        with soundfile.SoundFile(str(path)) as file:
            if not file.subtype.startswith(_EXACT_SUBTYPES) or not 0 < file.frames < _UNKNOWN_FRAMES:
                return None
            file.seek(file.frames - 1)
            if len(file.read(1, always_2d=True)) != 1:  # cut off: the end that the header promises is not there
                return None
            warnings = tuple(_cut_off_warnings(path, file.extra_info))
            name = f"{file.format} {_subtype_in_words(file.subtype)}"
            return _Facts(file.frames, file.channels, file.samplerate, name, warnings)
    except (soundfile.LibsndfileError, RuntimeError, TypeError):  # TypeError: names like x.raw
        return None


def _cut_off_warnings(path: Path, log: str) -> list[str]:
    for found in _CUT_OFF.finditer(log):
        promised, present = int(found[1]), int(found[2])
        if present < promised < _OPEN_LENGTH - 2**16:
            return [f"'{path.name}' is cut off: {present / promised:.0%} of it is there, which is used."]
    return []


def _subtype_in_words(subtype: str) -> str:
    words = {"PCM_S8": "8 bit", "PCM_U8": "8 bit", "FLOAT": "32 bit float", "DOUBLE": "64 bit float"}
    return words.get(subtype, subtype.replace("PCM_", "") + " bit" if subtype.startswith("PCM_") else subtype)


def _decoded_path(key: str) -> Path:
    return cached_path("audio", f"{key}.wav")


def _decoded_facts(path: Path, key: str, progress: Progress) -> _Facts:
    """Decode a file into the cache unless it is there, and tell what it is."""
    decoded = _decoded_path(key)
    notes = decoded.with_suffix(".json")
    if decoded.exists() and notes.exists():
        try:
            fields = json.loads(notes.read_bytes())
            mark_used(decoded)
            return _Facts(**{**fields, "warnings": tuple(fields["warnings"])})
        except (ValueError, TypeError, KeyError, OSError):
            _log.warning("The notes on decoded audio %s are damaged; decoding again.", notes)
    trim_cache()
    try:
        facts = _freshly_decoded(path, decoded, progress)
        write_whole(notes, json.dumps(asdict(facts)).encode())
    except OutputError as error:
        reason = getattr(error.__cause__, "strerror", None) or "for unknown reasons"
        raise OutputError(
            f"'{path}' cannot be unpacked into '{cache_folder()}' ({reason}); free some space there, or name another "
            "folder in the environment variable SCORESEP_CACHE_DIR."
        ) from error
    return facts


def _freshly_decoded(path: Path, decoded: Path, progress: Progress) -> _Facts:
    facts = None
    if (stream := sndfile_stream(path)) is not None:
        try:
            facts = _decode(stream, decoded, progress)
        except soundfile.LibsndfileError:
            facts = None  # damaged or cut off: FFmpeg reads what is left
    if facts is None or facts.frames == 0:  # none: a writer that was killed leaves a length of 0 in the header
        try:
            facts = _decode(ffmpeg_stream(path), decoded, progress)
        except AudioFileError:
            if facts is None:
                raise
    if not facts.warnings and lacks_ogg_end(path):
        length = format_time(facts.frames / facts.sample_rate)
        facts = replace(facts, warnings=(f"'{path.name}' is cut off: {length} of it is there, which is used.",))
    return facts


def _decode(stream: DecodedStream, decoded: Path, progress: Progress) -> _Facts:
    with (
        whole_file(decoded) as temporary,
        WavWriter(temporary, stream.channels, stream.sample_rate) as writer,
    ):
        for block in stream.blocks:
            writer.write(block)
            progress.update(writer.frames / max(stream.expected_frames, writer.frames), "Decoding")
    return _Facts(writer.frames, stream.channels, stream.sample_rate, stream.format, tuple(stream.warnings))


def _changed(recording: Recording) -> AudioFileError:
    return AudioFileError(f"'{recording.path}' has changed since it was opened; open it again.")

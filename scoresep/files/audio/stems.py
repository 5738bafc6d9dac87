"""Folders of stems: written stretch by stretch, there as a whole or not at all, and read at any place for playing.

A stem folder holds ``01 Violin.wav`` ... ``Residual.wav`` and ``manifest.json``, which makes it one.

Also here: a stem that is still being written, heard where it is finished; elsewhere sounds what there was before.

Its file is opened for every read and closed again: on Windows the folder of stems could not take its final name while
anybody held a file in it open.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from scoresep import version
from scoresep.errors import AudioFileError, InputError, OutputError, SeparationError
from scoresep.files.audio.wav import HEADER_BYTES, WavFiller, WavLayout, WavSamples, read_wav_layout, reserve_wav
from scoresep.files.storage.atomic import check_written, output_errors, whole_file
from scoresep.files.storage.part_folders import PartFolder, settle_interrupted
from scoresep.files.storage.paths import absolute_path, is_regular, read_limited, safe_name
from scoresep.files.storage.values import json_bytes
from scoresep.model.audio import Recording, SampleSource
from scoresep.model.project import Stem, StemSet

MANIFEST_NAME = "manifest.json"
MAX_MANIFEST_BYTES = 4 * 2**20
RESIDUAL_NAME = "Residual"
_FINISHED_NAME = ".finished"  # in the hidden folder: the stretches that are written
EXPORT_KIND = "export"  # the manifest of exported files says so; these are a person's own and no stems of the program


class StemFolderWriter:
    """Takes stems stretch by stretch, in any order.

    While it is being filled the folder of stems can be listened to: where nothing was written yet the stems are silent
    and `fill_residual` puts the recording into the residual. Use it in a ``with`` statement, or call `abort` when
    something fails before `finish`.

    Parameters
    ----------
    folder : str or Path
        Where the stems will stand. Stems that ScoreSep wrote there earlier give way when the new ones are whole; all
        other files stay.
    recording : Recording
        Gives length, rate and channels.
    parts : sequence of (int, str)
        For every stem the part it belongs to and its name. The residual comes after them and is not among them.
    key : str, optional
        Content key of everything that goes into the stems. What a process that was killed has finished under the same
        key is not made again.

    Attributes
    ----------
    path : Path
        The hidden folder in which the stems grow.
    stems : tuple of Stem
    is_taken_over : bool
        An earlier process has begun it.
    finished : list of (int, int)
        Stretches [start, stop) of frames that are written.

    Raises
    ------
    OutputError
        The folder cannot be written, there is no room, or files of others bear the names of the stems.
    """

    def __init__(
        self, folder: str | Path, recording: Recording, parts: Sequence[tuple[int, str]], key: str = ""
    ) -> None:
        self._folder = absolute_path(folder)
        self._recording = recording
        self.stems = _stems_of(parts)
        settle_interrupted(self._folder)
        self._replaced = _own_files(self._folder)
        self._refuse_names_of_others()
        needed = (recording.frames * recording.channels * 4 + HEADER_BYTES) * len(self.stems)
        self._part = PartFolder(self._folder, needed, key, is_alone=True)
        self._key = key
        self.path = self._part.path
        self.finished: list[tuple[int, int]] = []
        self._files: list[WavFiller] = []
        try:
            with output_errors(self._folder):
                self.is_taken_over = self._part.is_taken_over and self._take_over()
                if not self.is_taken_over:
                    self._begin()
        except BaseException:
            self.abort()
            raise

    def _begin(self) -> None:
        (self.path / _FINISHED_NAME).unlink(missing_ok=True)
        for stem in self.stems:
            place, recording = self.path / stem.file, self._recording
            reserve_wav(place, recording.frames, recording.channels, recording.sample_rate)
            self._files.append(WavFiller(place))

    def _take_over(self) -> bool:
        """Go on with what is there; False where it is of no use."""
        recording = self._recording
        try:
            for stem in self.stems:
                self._files.append(WavFiller(self.path / stem.file))
            lines = (self.path / _FINISHED_NAME).read_text(encoding="ascii").splitlines()
            finished = [(int(start), int(stop)) for start, stop in (line.split() for line in lines)]
        except (AudioFileError, OSError, ValueError):
            finished = []
        layouts = {(f.layout.frames, f.layout.channels, f.layout.sample_rate) for f in self._files}
        fits = layouts == {(recording.frames, recording.channels, recording.sample_rate)}
        if fits and len(self._files) == len(self.stems) and finished:
            self.finished = finished
            return True
        self._close()
        self._files = []
        return False

    def fill_residual(self, start_frame: int, samples: NDArray[np.float32]) -> None:
        """Put sound into the residual where nothing was separated yet, shape (channels, frames)."""
        with output_errors(self._folder):
            self._files[-1].write(start_frame, samples)

    def write(self, stems: NDArray[np.float32], start_frame: int | None = None) -> None:
        """Take a stretch of all stems.

        Parameters
        ----------
        stems : ndarray [shape=(stem_count + 1, channels, frames)], float32
            The residual is the last.
        start_frame : int, optional
            By default after the stretch that was written last.

        Raises
        ------
        OutputError
            The disk is full, or gone.
        SeparationError
            There are more frames than the recording has, or numbers that are not sound.
        """
        expected = (len(self.stems), self._recording.channels)
        if stems.ndim != 3 or stems.shape[:2] != expected:
            raise ValueError(f"expected stems of the shape {expected} + (frames,), not {stems.shape}")
        if start_frame is None:
            start_frame = self.finished[-1][1] if self.finished else 0
        stop_frame = start_frame + stems.shape[2]
        if stop_frame > self._recording.frames:
            raise SeparationError("The stems came out longer than the recording; try another engine.")
        if not np.isfinite(stems).all():
            raise SeparationError("The engine computed numbers that are not sound (NaN); try another engine.")
        with output_errors(self._folder):
            for file, samples in zip(self._files, stems, strict=True):
                file.write(start_frame, samples)
            if self._key:  # only what is on the disk may be said to be finished
                for file in self._files:
                    file.sync()
                with open(self.path / _FINISHED_NAME, "a", encoding="ascii") as log:
                    log.write(f"{start_frame} {stop_frame}\n")
        self.finished.append((start_frame, stop_frame))

    def finish(
        self,
        engine: str,
        device: str,
        input_key: str = "",
        extra: Mapping[str, Any] | None = None,
        kept: Sequence[str] = (),
    ) -> StemSet:
        """Write the manifest and give everything its final name.

        Parameters
        ----------
        engine, device : str
            What made the stems.
        input_key : str
            Content key of everything that went into them.
        extra : mapping, optional
            Further entries of the manifest.
        kept : sequence of str, optional
            Further files in `path` that come to stand beside the stems; all others are removed.

        Raises
        ------
        SeparationError
            Frames are missing.
        OutputError
            The stems cannot take their places; earlier ones are still there.
        """
        at = 0
        for start, stop in sorted(self.finished):
            at = max(at, stop) if start <= at else at
        recording = self._recording
        if at != recording.frames:
            raise SeparationError("The stems came out shorter than the recording; try another engine.")
        stem_set = StemSet(str(self._folder), input_key, engine, device, self.stems)
        published = [*kept, *(stem.file for stem in self.stems), MANIFEST_NAME]
        self._close()
        with output_errors(self._folder):
            size_bytes = HEADER_BYTES + recording.frames * recording.channels * 4
            for stem in self.stems:
                check_written(self.path / stem.file, size_bytes, self._folder / stem.file)
            write_manifest(self.path, recording, stem_set, extra)
            for file in list(self.path.iterdir()):
                if file.is_file() and not file.name.startswith(".") and file.name not in published:
                    file.unlink()
            (self.path / _FINISHED_NAME).unlink(missing_ok=True)
        self._part.publish(published, self._replaced)
        return stem_set

    def abort(self) -> None:
        """Give up: nothing of the new stems is left, and earlier ones are as they were. Harmless after `finish`."""
        self._close()
        self._part.abort()

    def _close(self) -> None:
        for file in self._files:
            file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()

    def _refuse_names_of_others(self) -> None:
        for name in (*(stem.file for stem in self.stems), MANIFEST_NAME):
            if name not in self._replaced and (self._folder / name).exists():
                raise OutputError(
                    f"'{self._folder / name}' is not a stem of ScoreSep and would be replaced; choose another folder."
                )


def write_manifest(
    folder: Path, recording: Recording, stem_set: StemSet, extra: Mapping[str, Any] | None = None
) -> None:
    """Write ``manifest.json`` into a folder that is not yet seen by anybody.

    Parameters
    ----------
    folder : Path
    recording : Recording
    stem_set : StemSet
    extra : mapping of str, optional
        Further entries.

    Raises
    ------
    OSError
    """
    manifest = {
        "scoresep": version.__version__,
        "engine": stem_set.engine,
        "device": stem_set.device,
        "recording": recording_facts(recording),
        "input_key": stem_set.input_key,
        "stems": [{"file": s.file, "part_index": s.part_index, "part": s.name} for s in stem_set.stems],
        **(extra or {}),
    }
    (folder / MANIFEST_NAME).write_bytes(json_bytes(manifest, 2) + b"\n")


def recording_facts(recording: Recording) -> dict[str, str | int]:
    """Return what a manifest says of the recording; not where it lies, since manifests are passed on."""
    return {
        "file": Path(recording.path).name,
        "content_key": recording.content_key,
        "frames": recording.frames,
        "channels": recording.channels,
        "sample_rate": recording.sample_rate,
        "format": recording.format,
    }


def read_manifest(folder: str | Path, name: str = MANIFEST_NAME) -> dict[str, Any]:
    """Read and check the manifest of a folder of stems or of exported files.

    Raises
    ------
    InputError
        There is none, or it is not one of ScoreSep's.
    """
    path = Path(folder) / name
    try:
        manifest = json.loads(read_limited(path, MAX_MANIFEST_BYTES))
        stems = [_stem_of(entry) for entry in manifest["stems"]]
        texts = (manifest["scoresep"], manifest["engine"], manifest["device"], manifest.get("input_key", ""))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"'{folder}' is not a folder of stems; separate the recording into it first.") from error
    if not all(isinstance(text, str) for text in texts) or not all(stems):
        raise InputError(f"'{path}' is damaged; separate the recording again.")
    return dict(manifest)


def is_of_this_version(manifest: Mapping[str, Any]) -> bool:
    """Whether this very version of the program has made the stems of a manifest: others may hear otherwise."""
    return bool(manifest["scoresep"] == version.__version__)


def content_key_in(manifest: Mapping[str, Any]) -> str | None:
    """Return the content key of the recording of a manifest; None where it does not say."""
    recording = manifest.get("recording")
    return recording.get("content_key") if isinstance(recording, Mapping) else None


def read_stem_set(folder: str | Path) -> StemSet:
    """Return the stems of a folder, each of which is there.

    Raises
    ------
    InputError
        The folder is not one of stems, or some are missing.
    """
    manifest = read_manifest(folder)
    if manifest.get("kind") == EXPORT_KIND:
        raise InputError(f"'{folder}' holds exported files, not stems; separate the recording into another folder.")
    stems = tuple(stem for entry in manifest["stems"] if (stem := _stem_of(entry)) is not None)
    for stem in stems:
        if not is_regular(Path(folder) / stem.file):
            raise InputError(f"The stem '{Path(folder) / stem.file}' is missing; separate the recording again.")
    path = str(absolute_path(folder))
    return StemSet(path, manifest.get("input_key", ""), manifest["engine"], manifest["device"], stems)


class StemSource:
    """A `SampleSource` over a stem on disk; threads may share it, and nothing is read before it is asked for.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    AudioFileError
        The file is missing or damaged.
    """

    def __init__(self, path: str | Path) -> None:
        self._samples = WavSamples(Path(path))

    @property
    def frames(self) -> int:
        """Length in frames."""
        return self._samples.shape[1]

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self._samples.shape[0]

    @property
    def sample_rate(self) -> int:
        """Frames in a second."""
        return self._samples.sample_rate

    def read(self, start_frame: int, stop_frame: int) -> NDArray[np.float32]:
        """Return the frames of [start_frame, stop_frame), clipped to the stem, shape (channels, frames).

        Raises
        ------
        AudioFileError
            They are not there any more: the file was cut short since, or its disk has gone.
        """
        return self._samples.read(start_frame, stop_frame)


def _stems_of(parts: Sequence[tuple[int, str]]) -> tuple[Stem, ...]:
    digits = max(2, len(str(len(parts))))
    named = [Stem(f"{i + 1:0{digits}d} {safe_name(name)}.wav", part, name) for i, (part, name) in enumerate(parts)]
    return (*named, Stem(f"{RESIDUAL_NAME}.wav", None, RESIDUAL_NAME))


def _stem_of(entry: Mapping[str, Any]) -> Stem | None:
    """Return the stem that an entry of a manifest describes; None where it is nonsense or points out of the folder."""
    file, part_index, name = entry["file"], entry["part_index"], entry["part"]
    is_plain = isinstance(file, str) and not set(file) & set("/\\:\0") and file.lower().endswith((".wav", ".flac"))
    is_index = part_index is None or (isinstance(part_index, int) and part_index >= 0)
    return Stem(file, part_index, name) if is_plain and is_index and isinstance(name, str) else None


def _own_files(folder: Path) -> tuple[str, ...]:
    """Return what an earlier run of ScoreSep wrote into a folder: what a list names otherwise is a person's own."""
    try:
        manifest = read_manifest(folder)
    except InputError:
        return ()
    if manifest.get("kind") == EXPORT_KIND:
        return ()
    listed = [stem for entry in manifest["stems"] if (stem := _stem_of(entry)) is not None]
    return (*(stem.file for stem in listed if _is_named_by_us(stem)), LEARNED_NAME, MANIFEST_NAME)


def _is_named_by_us(stem: Stem) -> bool:
    number, _, rest = stem.file.partition(" ")
    if stem.part_index is None:
        return stem.file == f"{RESIDUAL_NAME}.wav"
    return number.isdecimal() and rest == f"{safe_name(stem.name)}.wav"


LEARNED_NAME = "learned.npz"
_log = logging.getLogger(__name__)


def save_learned(folder: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write all arrays into ``learned.npz`` of a folder, in the place of what is there.

    Raises
    ------
    OutputError
    """
    with whole_file(folder / LEARNED_NAME) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def load_learned(folder: Path, beginning: str = "") -> dict[str, NDArray[Any]]:
    """Read all arrays whose names begin so; none where the file is missing or damaged."""
    try:
        with open(folder / LEARNED_NAME, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            return {name: file[name] for name in file.files if name.startswith(beginning)}
    except FileNotFoundError:
        return {}
    except Exception as error:  # readers of archives raise a dozen kinds, and all of them mean: learn again
        _log.info("'%s' is damaged: %r", folder / LEARNED_NAME, error)
        return {}


FADE_S = 0.01


class GrowingStem:
    """A `SampleSource` over a stem in the hidden folder of a `StemFolderWriter`. Threads may share it.

    All stems and the residual of one folder, made with the same stretches and with sources of before that add up to the
    recording, add up to the recording too.

    Parameters
    ----------
    path : Path
        In the hidden folder.
    final_path : Path
        Where the file will be when all is finished.
    finished : sequence of (int, int)
        Stretches of frames that are written, half-open and rising.
    before : SampleSource or None
        What sounds elsewhere; None for silence.

    Raises
    ------
    AudioFileError
        The file is missing or damaged.
    """

    def __init__(
        self, path: Path, final_path: Path, finished: Sequence[tuple[int, int]], before: SampleSource | None
    ) -> None:
        self._paths = (path, final_path)
        self._layout: WavLayout = read_wav_layout(path if path.exists() else final_path)
        self._finished = _joined(finished)
        self._before = before

    @property
    def frames(self) -> int:
        """Length in frames."""
        return self._layout.frames

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self._layout.channels

    @property
    def sample_rate(self) -> int:
        """Frames in a second."""
        return self._layout.sample_rate

    def read(self, start_frame: int, stop_frame: int) -> NDArray[np.float32]:
        """Return the frames of [start_frame, stop_frame), clipped to the stem, shape (channels, frames)."""
        start, stop = max(start_frame, 0), max(min(stop_frame, self.frames), 0)
        result = np.zeros((self.channels, max(stop - start, 0)), np.float32)
        if self._before is not None and not any(self._is_inside(start, stop, *each) for each in self._finished):
            result[:] = self._before.read(start, stop)
        for low, high in self._finished:
            first, last = max(low, start), min(high, stop)
            if last > first:
                here, weight = result[:, first - start : last - start], self._weight(low, high, first, last)
                here[:] = weight * self._written(first, last) + (1 - weight) * here
        return result

    def _is_inside(self, start: int, stop: int, low: int, high: int) -> bool:
        """Whether a range lies in a finished stretch, out of reach of its ramps."""
        fade = round(FADE_S * self.sample_rate) + 1
        return (low == 0 or low + fade <= start) and (high == self.frames or stop <= high - fade)

    def _weight(self, low: int, high: int, first: int, last: int) -> NDArray[np.float32]:
        """Return 1 inside a finished stretch, with short ramps where it meets what is not finished."""
        fade, at = max(FADE_S * self.sample_rate, 1.0), np.arange(first, last)
        weight = np.ones(last - first)
        if low > 0:
            weight = np.minimum(weight, (at + 0.5 - low) / fade)
        if high < self.frames:
            weight = np.minimum(weight, (high - at - 0.5) / fade)
        return weight.astype(np.float32)

    def _written(self, first: int, last: int) -> NDArray[np.float32]:
        channels = self.channels
        for path in self._paths:
            try:
                offset = self._layout.data_offset + first * channels * 4
                samples = np.fromfile(path, "<f4", (last - first) * channels, offset=offset)
            except OSError:
                continue  # it has moved to its place just now, or was given up
            if samples.size == (last - first) * channels:
                return np.asarray(samples.reshape(-1, channels).T, np.float32)
        return np.zeros((channels, last - first), np.float32)


def _joined(stretches: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    joined: list[tuple[int, int]] = []
    for low, high in sorted(stretches):
        if joined and low <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], high)
        else:
            joined.append((low, high))
    return tuple(joined)

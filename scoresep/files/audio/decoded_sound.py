"""Decoded sound in the cache: samples of 32 bit, and notes that tell when they are damaged.

A cache lies for months on disks that fail, fill up and are cleaned by other programs. Each block of samples has a
checksum, which is compared when the block is first read from an open file: opening five hours of sound costs no more
than opening five seconds, and no sample is believed unseen.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scoresep.files.audio.wav import HEADER_BYTES, WavWriter
from scoresep.files.storage.atomic import whole_file, write_whole
from scoresep.files.storage.cache import cached_path, mark_used

DECODER_VERSION = 2  # what another version has decoded is not used
BLOCK_FRAMES = 1 << 16  # of one checksum
_SAMPLE = np.dtype("<f4")

Block = NDArray[np.float32]


class DamagedCacheError(Exception):
    """Decoded sound in the cache is not what was written there."""


@dataclass(frozen=True)
class SoundFacts:
    """What opening a file tells of it."""

    frames: int
    channels: int
    sample_rate: int
    format: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class DecodedNotes:
    """What is noted beside decoded sound: the facts, and the CRC-32 of each block of `BLOCK_FRAMES` frames."""

    facts: SoundFacts
    checksums: tuple[int, ...]


def decoded_path(content_key: str) -> Path:
    """Return where the cache keeps the decoded sound of a file."""
    return cached_path("audio", f"{content_key}.v{DECODER_VERSION}.wav")


def load_notes(content_key: str) -> DecodedNotes | None:
    """Read the notes on decoded sound; None where it is not there, or visibly not what was written."""
    path = decoded_path(content_key)
    try:
        size = path.stat().st_size
        text = json.loads(path.with_suffix(".json").read_bytes())
        if text.pop("digest") != _digest(text):
            return None
        facts = SoundFacts(**{**text["facts"], "warnings": tuple(text["facts"]["warnings"])})
        notes = DecodedNotes(facts, tuple(text["checksums"]))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    data_bytes = facts.frames * facts.channels * _SAMPLE.itemsize
    if size != HEADER_BYTES + data_bytes or len(notes.checksums) != -(-facts.frames // BLOCK_FRAMES):
        return None
    mark_used(path)
    return notes


def forget_decoded(content_key: str) -> None:
    """Take decoded sound out of the cache, as far as the system lets us: first the notes, without which it is none."""
    path = decoded_path(content_key)
    for file in (path.with_suffix(".json"), path):
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)


def store_decoded(
    content_key: str,
    channels: int,
    sample_rate: int,
    blocks: Iterator[Block],
    facts_of: Callable[[int], SoundFacts],
    on_frames: Callable[[int], None],
) -> SoundFacts:
    """Write decoded sound into the cache, with notes.

    Parameters
    ----------
    content_key : str
    channels, sample_rate : int
    blocks : iterator of ndarray [shape=(channels, frames)], float32
    facts_of : callable
        Gets the number of frames at the end.
    on_frames : callable
        Gets the number of frames so far.

    Raises
    ------
    OutputError
        The cache cannot take it.
    """
    path = decoded_path(content_key)
    checksums = []
    forget_decoded(content_key)  # the notes on an earlier file must not stand beside the new one
    with whole_file(path) as temporary, WavWriter(temporary, channels, sample_rate) as writer:
        for block in _of_equal_length(blocks):
            interleaved = np.ascontiguousarray(block.T, _SAMPLE)
            writer.write(interleaved.T)
            checksums.append(zlib.crc32(interleaved.data))
            on_frames(writer.frames)
    facts = facts_of(writer.frames)
    text = {"facts": asdict(facts), "checksums": checksums}
    write_whole(path.with_suffix(".json"), json.dumps({**text, "digest": _digest(text)}).encode())
    return facts


def _of_equal_length(blocks: Iterator[Block]) -> Iterator[Block]:
    held: list[Block] = []
    count = 0
    for block in blocks:
        held.append(block)
        count += block.shape[1]
        if count >= BLOCK_FRAMES:
            joined = held[0] if len(held) == 1 else np.concatenate(held, axis=1)
            whole = count // BLOCK_FRAMES * BLOCK_FRAMES
            for start in range(0, whole, BLOCK_FRAMES):
                yield joined[:, start : start + BLOCK_FRAMES]
            held, count = [joined[:, whole:]] if count > whole else [], count - whole
    if count:
        yield np.concatenate(held, axis=1)


def _digest(text: object) -> str:
    return hashlib.blake2b(json.dumps(text, sort_keys=True).encode(), digest_size=16).hexdigest()


class DecodedReader:
    """Reads decoded sound at any place; not made for several threads at once.

    Parameters
    ----------
    content_key : str
    notes : DecodedNotes

    Raises
    ------
    DamagedCacheError
        The file is not there any more.
    """

    def __init__(self, content_key: str, notes: DecodedNotes) -> None:
        self._notes, self._is_checked = notes, [False] * len(notes.checksums)
        try:
            self._file = open(decoded_path(content_key), "rb", buffering=0)  # noqa: SIM115 - closed by close()
        except OSError as error:
            raise DamagedCacheError from error

    def read(self, start_frame: int, frames: int) -> NDArray[np.float32]:
        """Return `frames` frames from `start_frame`, which must be inside the sound.

        Returns
        -------
        samples : ndarray [shape=(frames, channels)], float32

        Raises
        ------
        DamagedCacheError
        """
        stop_frame = start_frame + frames
        samples = np.empty((frames, self._notes.facts.channels), _SAMPLE)
        at = start_frame
        while at < stop_frame:
            block = at // BLOCK_FRAMES
            first = block * BLOCK_FRAMES
            stop = min(first + BLOCK_FRAMES, stop_frame)
            into = samples[at - start_frame : stop - start_frame]
            if self._is_checked[block]:
                self._read_into(into, at)
            else:
                into[:] = self._checked_block(block)[at - first : stop - first]
            at = stop
        return samples.astype(np.float32, copy=False)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _checked_block(self, block: int) -> NDArray[np.float32]:
        facts = self._notes.facts
        first = block * BLOCK_FRAMES
        samples = np.empty((min(BLOCK_FRAMES, facts.frames - first), facts.channels), _SAMPLE)
        self._read_into(samples, first)
        if zlib.crc32(samples.data) != self._notes.checksums[block]:
            raise DamagedCacheError
        self._is_checked[block] = True
        return samples

    def _read_into(self, samples: NDArray[np.float32], start_frame: int) -> None:
        view = samples.data.cast("B")
        try:
            self._file.seek(HEADER_BYTES + start_frame * self._notes.facts.channels * _SAMPLE.itemsize, os.SEEK_SET)
            while view:
                count = self._file.readinto(view)
                if not count:
                    raise DamagedCacheError
                view = view[count:]
        except OSError as error:
            raise DamagedCacheError from error

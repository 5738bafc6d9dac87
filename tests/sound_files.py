"""Files of sound that the tests make for themselves, and a decoding of them that owes nothing to ScoreSep."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

RATE = 44_100
Samples = NDArray[np.float32]


def bursts(frames: int, channels: int = 2, seed: int = 5) -> Samples:
    """Noise in strokes with rests between: MP3's bit reservoir is at its fullest there, and every place is unlike."""
    rng = np.random.default_rng(seed)
    time = np.arange(frames)
    envelope = np.exp(-(time % 4_410) / 700) * ((time // 4_410) % 3 != 2)
    return (rng.uniform(-0.7, 0.7, (channels, frames)) * envelope).astype(np.float32)


def encode(
    path: Path,
    samples: Samples,
    codec: str,
    container: str,
    *,
    rate: int = RATE,
    first_stamp: int = 0,
    pictures: int = 0,
    container_options: dict[str, str] | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Write a file with PyAV.

    Parameters
    ----------
    first_stamp : int
        Where the sound begins, in frames.
    pictures : int
        How many pictures to show from the start, 25 in a second.
    """
    layout = "mono" if samples.shape[0] == 1 else "stereo"
    with av.open(str(path), "w", format=container, container_options=container_options or {}) as file:
        stream: Any = file.add_stream(codec, rate=rate, layout=layout, options=options or {})
        if codec == "wmav2":
            stream.bit_rate = 128_000  # it has no default
        if pictures:
            film: Any = file.add_stream("mpeg4", rate=25)
            film.width = film.height = 32
            film.pix_fmt = "yuv420p"
            for i in range(pictures):
                frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), i % 200, np.uint8), format="rgb24")
                frame.pts, frame.time_base = i, Fraction(1, 25)
                file.mux(film.encode(frame))
            file.mux(film.encode(None))
        resampler = av.AudioResampler(format=stream.format.name, layout=layout, rate=rate)
        for start in range(0, samples.shape[1], 1024):
            sound = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(samples[:, start : start + 1024]), format="fltp", layout=layout
            )
            sound.sample_rate, sound.pts, sound.time_base = rate, first_stamp + start, Fraction(1, rate)
            for piece in resampler.resample(sound):
                file.mux(stream.encode(piece))
        file.mux(stream.encode(None))
    return path


def decoded_in_one_go(path: Path) -> Samples:
    """Decode all packets one after the other with PyAV, without a seek and without ScoreSep."""

    def frames(container: Any) -> Iterator[Any]:
        packets = container.demux(audio=0)
        while True:
            try:
                packet = next(packets)
                yield from packet.decode()
            except StopIteration:
                return
            except av.error.EOFError:
                return
            except av.error.FFmpegError:
                continue

    blocks = []
    with av.open(str(path)) as container:
        for frame in frames(container):
            block = frame.to_ndarray()
            if not frame.format.is_planar:
                block = block.reshape(-1, frame.layout.nb_channels).T
            if block.dtype.kind == "i":
                block = block / 2.0 ** (8 * block.dtype.itemsize - 1)
            elif block.dtype.kind == "u":
                block = (block - 128.0) / 128
            blocks.append(block)
    joined: Samples = np.concatenate(blocks, axis=1).astype(np.float32)
    return joined

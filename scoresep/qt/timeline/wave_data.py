"""One waveform at any zoom: from its pyramid, or from its samples where the screen shows less than a second or two."""

from __future__ import annotations

import logging
from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from scoresep.errors import ScoreSepError
from scoresep.model.audio import SampleSource
from scoresep.model.peaks import BASE_FRAMES, Envelope, PeakPyramid, envelope_of_line, envelope_of_samples

CHUNK_FRAMES = 1 << 15
KEPT_CHUNKS = 12
_log = logging.getLogger(__name__)


class WaveData:
    """Outline and samples of one recording or stem. Samples that were read stay at hand for the next painting.

    Parameters
    ----------
    source : SampleSource or None
        Read in the thread that paints, a few chunks at a time.
    pyramid : PeakPyramid or None
    """

    def __init__(self, source: SampleSource | None, pyramid: PeakPyramid | None) -> None:
        self.source = source
        self.pyramid = pyramid
        self._chunks: OrderedDict[int, NDArray[np.float32]] = OrderedDict()

    @property
    def frames(self) -> int:
        """Length in frames."""
        if self.source is not None:
            return self.source.frames
        return self.pyramid.frames if self.pyramid is not None else 0

    @property
    def channels(self) -> int:
        """Number of channels."""
        if self.source is not None:
            return self.source.channels
        return self.pyramid.channels if self.pyramid is not None else 1

    def has_samples(self, frames_per_column: float) -> bool:
        """Whether this zoom is drawn from the samples themselves."""
        return self.source is not None and (frames_per_column < BASE_FRAMES or self.frames <= 4 * CHUNK_FRAMES)

    def is_drawable(self, frames_per_column: float) -> bool:
        """Whether there is something to show at this zoom."""
        return self.pyramid is not None or self.has_samples(frames_per_column)

    @property
    def peak(self) -> float | None:
        """Largest amplitude of all; None until it is known."""
        if self.pyramid is None or not self.pyramid.is_complete:
            return None
        return self.pyramid.peak

    def envelope(self, first_column: int, frames_per_column: float, columns: int) -> Envelope | None:
        """Return the outline of columns, counted from the first frame on; None while nothing is known at this zoom.

        Parameters
        ----------
        first_column : int
            Counted from frame 0.
        frames_per_column : float
        columns : int
            How many.
        """
        if self.has_samples(frames_per_column):
            first = max(int(np.floor(first_column * frames_per_column)) - 1, 0)
            last = int(np.ceil((first_column + columns) * frames_per_column)) + 2
            if frames_per_column < 1.0:
                return envelope_of_line(self.samples(first, last), first, first_column, frames_per_column, columns)
            return envelope_of_samples(self.samples(first, last), first, first_column, frames_per_column, columns)
        if self.pyramid is None:
            return None
        return self.pyramid.envelope(first_column, frames_per_column, columns)

    def samples(self, start_frame: int, stop_frame: int) -> NDArray[np.float32]:
        """Return the samples of a range inside the recording, shape (channels, frames)."""
        stop_frame = min(stop_frame, self.frames)
        if self.source is None or stop_frame <= start_frame:
            return np.zeros((self.channels, 0), np.float32)
        first, last = start_frame // CHUNK_FRAMES, (stop_frame - 1) // CHUNK_FRAMES
        joined = np.concatenate([self._chunk(i) for i in range(first, last + 1)], axis=1)
        return joined[:, start_frame - first * CHUNK_FRAMES : stop_frame - first * CHUNK_FRAMES]

    def _chunk(self, index: int) -> NDArray[np.float32]:
        assert self.source is not None
        if index in self._chunks:
            self._chunks.move_to_end(index)
        else:
            start, stop = index * CHUNK_FRAMES, min((index + 1) * CHUNK_FRAMES, self.source.frames)
            try:
                self._chunks[index] = self.source.read(start, stop)
            except ScoreSepError as error:  # said where it is played; while painting there is only a line to draw
                _log.warning("%s", error)
                self._chunks[index] = np.zeros((self.source.channels, stop - start), np.float32)
            while len(self._chunks) > KEPT_CHUNKS:
                self._chunks.popitem(last=False)
        return self._chunks[index]

"""What the `source-filter` engine has found out of a recording, and the stems that follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scoresep.engines.separation.activity import Pitches
from scoresep.engines.separation.block_by_block import stems_block_by_block
from scoresep.engines.separation.grid import make_grid, read_spectra
from scoresep.engines.separation.protocol import Arrays, SeparationReport
from scoresep.engines.separation.source_filter.cells import View, blocks_of, cells_of
from scoresep.engines.separation.source_filter.fitting import Fit
from scoresep.engines.separation.source_filter.masks import divided, stem_powers
from scoresep.engines.separation.source_filter.settings import SourceFilterSettings, for_moving
from scoresep.engines.separation.source_filter.sounds import BANDS, Sounds
from scoresep.engines.separation.source_filter.tracks import Tracks
from scoresep.engines.separation.spatial import Covariances
from scoresep.engines.separation.workplace import Workplace
from scoresep.model.alignment import SoundingNotes
from scoresep.model.audio import SampleSource
from scoresep.progress import Progress

STEM_WINDOWS = 128  # at most in a block: bounds memory, and the time until cancelling is heard


@dataclass(frozen=True)
class Findings:
    """What was found.

    Attributes
    ----------
    tracks : Tracks
    stem, midi : ndarray [shape=(pitches,)]
        The pitches of all parts.
    partials : ndarray [shape=(pitches, partials)], float32
        What they sound like.
    bands : ndarray [shape=(2 * stems, bands)], float32
        What of the parts has no pitch.
    moves : bool
        Whether pitches move so much that `for_moving` holds.
    covariances : Covariances or None
        Where the stems stand in stereo.
    """

    tracks: Tracks
    stem: NDArray[np.int64]
    midi: NDArray[np.float64]
    partials: NDArray[np.float32]
    bands: NDArray[np.float32]
    moves: bool
    covariances: Covariances | None

    @classmethod
    def of(cls, tracks: Tracks, sounds: Sounds, moves: bool, where: Covariances | None) -> Findings:
        """Gather what was found."""
        partials, bands = sounds.partials.cpu().numpy(), sounds.bands.cpu().numpy()
        return cls(tracks, sounds.pitches.stem, sounds.pitches.midi, partials, bands, moves, where)

    def arrays(self, source: SampleSource, settings: SourceFilterSettings) -> dict[str, NDArray[Any]]:
        """Return everything as arrays, and for what they hold."""
        return {
            "holds_for": np.array(_holds_for(source, settings)),
            "moves": np.array(self.moves),
            "covariances": _planes(self.covariances),
            **{name: getattr(self, name) for name in _ARRAYS},
            **vars(self.tracks),
        }


_ARRAYS = ("stem", "midi", "partials", "bands")


def findings_of(
    known: Arrays | None, source: SampleSource, stem_count: int, settings: SourceFilterSettings
) -> Findings | None:
    """Return what was kept, or None where it is of something else or damaged."""
    if known is None or str(known.get("holds_for")) != _holds_for(source, settings):
        return None
    try:
        tracks = Tracks(*(np.asarray(known[name]) for name in Tracks.__dataclass_fields__))
        stem, midi, partials, bands = (np.asarray(known[name]) for name in _ARRAYS)
        planes, moves = np.asarray(known["covariances"]), bool(known["moves"])
    except (KeyError, TypeError, ValueError):
        return None
    window_s = (for_moving(settings) if moves else settings).window_s
    grid = make_grid(source.frames, source.sample_rate, window_s)
    expected = {
        (4, stem_count + 1, grid.bins) if source.channels == 2 and stem_count else (0, 0, 0): planes.shape,
        (len(midi), settings.partials): partials.shape,
        (2 * stem_count, BANDS): bands.shape,
        (len(tracks.note_keys) + 1, len(midi)): (len(tracks.start), len(stem)),
    }
    if any(want != have for want, have in expected.items()) or len(tracks.cents) != tracks.start[-1]:
        return None
    where = Covariances(*torch.from_numpy(planes)) if planes.size else None
    return Findings(tracks, stem, midi, partials, bands, moves, where)


class SourceFilterLearned:
    """Gives the stems of any stretch; see `protocol.Learned`.

    Parameters
    ----------
    engine : str
    findings : Findings
    source : SampleSource
        The recording that was learned.
    settings : SourceFilterSettings
    place : Workplace
    """

    def __init__(
        self, engine: str, findings: Findings, source: SampleSource, settings: SourceFilterSettings, place: Workplace
    ) -> None:
        self._engine, self._findings, self._place = engine, findings, place
        self._settings = for_moving(settings) if findings.moves else settings
        self._own = make_grid(source.frames, source.sample_rate, settings.track_window_s)
        self._grid = make_grid(source.frames, source.sample_rate, self._settings.window_s)
        self._arrays = findings.arrays(source, settings)
        self._ready: tuple[SoundingNotes, torch.device, NDArray[np.int64], Sounds] | None = None

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return tracks, sounds and places."""
        return self._arrays

    def report(self) -> SeparationReport:
        """Say what did the work."""
        return SeparationReport(self._engine, self._place.device.type, tuple(self._place.warnings))

    def stems(
        self, source: SampleSource, notes: SoundingNotes, start_frame: int, stop_frame: int, progress: Progress
    ) -> NDArray[np.float32]:
        """Separate a stretch; see `protocol.Learned`."""
        view = View(notes, self._grid, self._settings)
        shape, stretch = (notes.stem_count, source.channels), (start_frame, stop_frame)

        def divided_block(first: int, end: int) -> tuple[int, Tensor]:
            last = blocks_of(view, first, end, min(self._place.block_windows, STEM_WINDOWS))[0][1]
            return last, self._spectra(source, view, first, last, progress)

        with torch.inference_mode():
            return stems_block_by_block(self._grid, self._place, shape, stretch, divided_block, progress)

    def _spectra(self, source: SampleSource, view: View, first: int, last: int, progress: Progress) -> Tensor:
        """Return the spectra of all stems in the windows [first, last), shape (stems, channels, windows, bins)."""
        notes, grid, settings, device = view.notes, view.grid, view.settings, self._place.device
        rows, sounds = self._ready_for(notes)
        spectra = read_spectra(source, grid, first, last, device)
        # a window more on either side, so that glides are the same wherever the block begins
        wide = cells_of(view, max(first - 1, 0), min(last + 1, grid.windows))
        cents = self._findings.tracks.cents_at(notes, rows, wide, self._own, grid)
        cells, keep = wide.within(first, last)
        fit = Fit(magnitude_of(spectra), cells, first, view, sounds)
        fit.set_pitch(cents[keep], wide.glides(cents)[keep], settings.partials, settings.shifts_cents)
        fit.improve(settings.solve_rounds, progress.check)
        powers = stem_powers(fit, notes.stem_count, progress.check)
        where = self._findings.covariances
        return divided(powers, spectra, where.to(device) if where is not None else None, progress.check)

    def _ready_for(self, notes: SoundingNotes) -> tuple[NDArray[np.int64], Sounds]:
        device = self._place.device
        if self._ready is None or self._ready[0] is not notes or self._ready[1] != device:
            rows = self._findings.tracks.nearest_rows(notes)
            found = self._findings
            sounds = Sounds(notes, self._settings.partials, self._grid, device)
            partials, bands = (torch.from_numpy(array).to(device) for array in (found.partials, found.bands))
            sounds.take(Pitches(found.stem, found.midi), partials, bands)
            self._ready = notes, device, rows, sounds
        return self._ready[2], self._ready[3]


def magnitude_of(spectra: Tensor) -> Tensor:
    """Return the magnitude over all channels, shape (windows, bins)."""
    return (spectra.abs() ** 2).mean(0).sqrt()


def _planes(where: Covariances | None) -> NDArray[np.float32]:
    if where is None:
        return np.zeros((0, 0, 0), np.float32)
    planes = where.left, where.right, where.cross_real, where.cross_imag
    return np.stack([plane.cpu().numpy() for plane in planes])


def _holds_for(source: SampleSource, settings: SourceFilterSettings) -> str:
    return f"{source.frames} {source.channels} {source.sample_rate} {settings}"

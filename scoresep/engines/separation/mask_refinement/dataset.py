"""What there is to learn from: stretches of the recording with the parts as they are known so far.

Where only one part sounds, by the notes, the recording itself is that part: free material without an error. Elsewhere a
teacher's estimates stand in.

Also here: how the network hears a recording: its notes as voices, its grid, and how loud it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scoresep.engines.separation.base import FittedSeparator
from scoresep.engines.separation.mask_refinement import MaskRefinerSettings
from scoresep.engines.separation.mask_refinement.network import LEVELS, ProfileSum, Tiles, TileShape, make_tiles
from scoresep.engines.separation.mask_refinement.voices import Tracks, Voices, refined, tracks_of, voices_of
from scoresep.engines.separation.stft import FrameGrid, make_grid, read_spectra
from scoresep.model.alignment import SoundingNotes
from scoresep.model.audio import ArraySource, SampleSource
from scoresep.progress import Progress

STEP_S = 0.01
EARLY_S, RING_S = 0.05, 0.4  # a part may be heard so long before and after its notes
FADE_S = 0.02


@dataclass(frozen=True)
class Excerpt:
    """A stretch of the recording, one channel.

    Attributes
    ----------
    start_frame : int
    stems : ndarray [shape=(stems, frames)], float32
    rest : ndarray [shape=(frames,)], float32
        What no stem has.
    notes : ndarray [shape=(notes,)], int64
        The notes that lie wholly inside.
    """

    start_frame: int
    stems: NDArray[np.float32]
    rest: NDArray[np.float32]
    notes: NDArray[np.int64]

    @property
    def frames(self) -> int:
        """Length."""
        return int(self.stems.shape[1])


def sounding_alone(notes: SoundingNotes, start_frame: int, stop_frame: int, sample_rate: int) -> NDArray[np.bool_]:
    """Say where a part sounds and no other does, ringing included, in steps of `STEP_S`; shape (stems, steps).

    Parameters
    ----------
    notes : SoundingNotes
    start_frame, stop_frame : int
        Half-open, of the recording.
    sample_rate : int
        Frames in a second.
    """
    step = max(1, int(STEP_S * sample_rate))
    steps = -(-(stop_frame - start_frame) // step)
    sure = np.zeros((notes.stem_count, steps), bool)
    possible = np.zeros_like(sure)
    onset, offset = notes.onset_frame - start_frame, notes.offset_frame - start_frame
    early, ring = int(EARLY_S * sample_rate), int(RING_S * sample_rate)
    for stem, a, b in zip(notes.stem_index.tolist(), onset.tolist(), offset.tolist(), strict=True):
        if b + ring <= 0 or a - early >= steps * step:
            continue
        sure[stem, max(a, 0) // step : max(b, 0) // step] = True
        possible[stem, max(a - early, 0) // step : -(-max(b + ring, 0) // step)] = True
    alone: NDArray[np.bool_] = possible & (possible.sum(0) == 1) & sure.any(0)
    return alone


def collect_excerpts(
    source: SampleSource,
    notes: SoundingNotes,
    teacher: FittedSeparator,
    scene_s: float,
    pool_s: float,
    progress: Progress,
) -> list[Excerpt]:
    """Read stretches from all over the recording, at most `pool_s` in all, and take them apart.

    Parameters
    ----------
    source : SampleSource
    notes : SoundingNotes
    teacher : FittedSeparator
        What another engine has learned.
    scene_s : float
        Length of one stretch.
    pool_s : float
        Length of all stretches together.
    progress : Progress
    """
    stretches = []
    bounds = stretch_bounds(source.frames, source.sample_rate, scene_s, pool_s)
    for i, (start, stop) in enumerate(bounds):
        part = progress.part(i / len(bounds), (i + 1) / len(bounds))
        stems = teacher.separate(source, notes, start, stop, part).mean(1)
        recording = source.read(start, stop).mean(0)
        _take_what_is_alone(
            stems, recording, sounding_alone(notes, start, stop, source.sample_rate), source.sample_rate
        )
        inside = (notes.onset_frame >= start) & (notes.offset_frame <= stop)
        rest = (recording - stems.sum(0)).astype(np.float32)
        stretches.append(Excerpt(start, stems.astype(np.float32), rest, np.flatnonzero(inside)))
    return [stretch for stretch in stretches if len(stretch.notes)]


def stretch_bounds(frames: int, sample_rate: int, scene_s: float, pool_s: float) -> list[tuple[int, int]]:
    """Return where the stretches lie: all of the recording, or of a long one an even selection.

    Parameters
    ----------
    frames : int
        Length of the recording.
    sample_rate : int
        Frames in a second.
    scene_s : float
        Length of one stretch.
    pool_s : float
        Length of all stretches together.
    """
    count = max(1, round(frames / (scene_s * sample_rate)))
    edges: list[int] = np.linspace(0, frames, count + 1).astype(int).tolist()
    most = max(1, int(pool_s / scene_s))
    chosen = np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))
    return [(edges[k], edges[k + 1]) for k in chosen.tolist()]


def _take_what_is_alone(
    stems: NDArray[np.float32], recording: NDArray[np.float32], alone: NDArray[np.bool_], sample_rate: int
) -> None:
    """Where one part sounds alone give it the recording, and the others nothing; in place."""
    anyone = alone.any(0)
    if not anyone.any():
        return
    step = max(1, int(STEP_S * sample_rate))
    at = np.arange(stems.shape[1])
    fade = np.ones(2 * max(1, int(FADE_S / STEP_S)) + 1)
    for stem in range(len(stems)):
        own = np.convolve(alone[stem], fade / len(fade), "same")
        others = np.convolve(anyone & ~alone[stem], fade / len(fade), "same")
        middles = (np.arange(alone.shape[1]) + 0.5) * step
        take, leave = (np.interp(at, middles, weight).astype(np.float32) for weight in (own, others))
        stems[stem] = stems[stem] * (1.0 - take - leave) + recording * take


MOST_SEMITONES = 3.0  # that a sound is transposed
LIKELY_SEMITONES = 1.5
NOTE_GAIN_DB, PART_GAIN_DB = 2.0, 3.0
SELF_WEIGHT = 0.15  # how readily a note sounds as itself
ALONE_WEIGHT = 5.0  # how much rather a sound is taken that was heard alone
BEFORE_S, NOTE_RING_S, NOTE_FADE_S = 0.03, 0.25, 0.06


@dataclass(frozen=True)
class TrainingMixture:
    """A mixture whose parts are known.

    Attributes
    ----------
    stretch : Excerpt
        The one whose notes sound.
    stems : ndarray [shape=(stems, frames)], float32
    rest : ndarray [shape=(frames,)], float32
    """

    stretch: Excerpt
    stems: NDArray[np.float32]
    rest: NDArray[np.float32]


class Remixer:
    """Makes scenes from stretches.

    Parameters
    ----------
    stretches : list of Excerpt
    notes : SoundingNotes
    sample_rate : int
    """

    def __init__(self, stretches: list[Excerpt], notes: SoundingNotes, sample_rate: int) -> None:
        self._stretches, self._notes, self._rate = stretches, notes, sample_rate
        self._home = np.concatenate([np.full(len(s.notes), k) for k, s in enumerate(stretches)])
        self._note = np.concatenate([s.notes for s in stretches])
        self._stem, self._pitch = notes.stem_index[self._note], notes.pitch_midi[self._note]
        self._length = np.maximum(notes.offset_frame[self._note] - notes.onset_frame[self._note], 1)
        self._room = self._length + self._rings()
        self._alone = np.concatenate([self._share_alone(s) for s in stretches])

    def _rings(self) -> NDArray[np.int64]:
        """Return how long every note may ring until the next of its part begins, in frames."""
        rings = np.full(len(self._note), int(NOTE_RING_S * self._rate))
        onset = self._notes.onset_frame[self._note]
        for stem in np.unique(self._stem):
            mine = np.flatnonzero(self._stem == stem)
            onsets = np.sort(onset[mine])
            following = np.searchsorted(onsets, onset[mine] + self._length[mine] // 2)
            following = np.append(onsets, np.iinfo(np.int64).max // 2)[following]
            rings[mine] = np.clip(following - onset[mine] - self._length[mine], 0, rings[mine])
        return rings

    def _share_alone(self, stretch: Excerpt) -> NDArray[np.float64]:
        start, stop = stretch.start_frame, stretch.start_frame + stretch.frames
        alone: NDArray[np.bool_] = sounding_alone(self._notes, start, stop, self._rate).max(axis=0)
        per_frame = len(alone) / stretch.frames
        first = ((self._notes.onset_frame[stretch.notes] - start) * per_frame).astype(int).tolist()
        last = ((self._notes.offset_frame[stretch.notes] - start) * per_frame).astype(int).tolist()
        shares = [float(alone[a : max(b, a + 1)].mean()) for a, b in zip(first, last, strict=True)]
        return np.array(shares)

    def scene(self, rng: np.random.Generator) -> TrainingMixture:
        """Make one scene."""
        home = int(rng.integers(len(self._stretches)))
        stretch = self._stretches[home]
        stems = np.zeros_like(stretch.stems)
        for k in np.flatnonzero(self._home == home).tolist():
            self._play(stems, stretch, k, self._donor(k, rng), rng)
        gains = 10.0 ** (rng.uniform(-PART_GAIN_DB, PART_GAIN_DB, (len(stems), 1)) / 20.0)
        return TrainingMixture(stretch, stems * gains.astype(np.float32), stretch.rest)

    def _donor(self, k: int, rng: np.random.Generator) -> int:
        """Choose the note that the note `k` shall sound as."""
        apart = np.abs(self._pitch - self._pitch[k])
        if np.isnan(self._pitch[k]):
            apart = np.where(np.isnan(self._pitch), 0.0, np.inf)
        possible = (self._stem == self._stem[k]) & (apart <= MOST_SEMITONES)
        weight = np.exp(-0.5 * (np.where(possible, apart, 0.0) / LIKELY_SEMITONES) ** 2) * possible
        weight *= np.minimum(1.0, self._length / self._length[k]) ** 2 * (1.0 + ALONE_WEIGHT * self._alone)
        weight[k] *= SELF_WEIGHT
        return int(rng.choice(len(weight), p=weight / weight.sum()))

    def _play(self, stems: NDArray[np.float32], stretch: Excerpt, k: int, donor: int, rng: np.random.Generator) -> None:
        """Add the sound of one note in the place of another, in its pitch."""
        from_stretch, stem = self._stretches[self._home[donor]], self._stem[k]
        semitones = self._pitch[k] - self._pitch[donor]
        speed = 1.0 if np.isnan(semitones) else 2.0 ** (semitones / 12.0)
        before = int(BEFORE_S * self._rate)
        start = self._notes.onset_frame[self._note[donor]] - from_stretch.start_frame
        length = int(min(self._room[donor] / speed, self._length[k] + int(NOTE_RING_S * self._rate)))
        at = start + np.arange(-before, length) * speed
        low = max(0, int(at[0]))
        sound = from_stretch.stems[stem, low : int(at[-1]) + 2]
        played = np.interp(at - low, np.arange(len(sound)), sound, left=0.0, right=0.0)
        fade = min(int(NOTE_FADE_S * self._rate), len(played) // 2)
        played[:before] *= np.linspace(0.0, 1.0, before)
        played[len(played) - fade :] *= np.linspace(1.0, 0.0, fade)
        played *= 10.0 ** (rng.uniform(-NOTE_GAIN_DB, NOTE_GAIN_DB) / 20.0)
        first = int(self._notes.onset_frame[self._note[k]]) - stretch.start_frame - before
        begin, end = max(first, 0), min(first + len(played), stems.shape[1])
        stems[stem, begin:end] += played[begin - first : end - first].astype(np.float32)


@dataclass(frozen=True)
class RecordingStatistics:
    """What is measured before the training.

    Attributes
    ----------
    mean_power : float
        Of the bins that the network sees.
    profiles : ndarray [shape=(stems, SEMITONES, harmonics)], float32
        Levels of partials; see `profiles`.
    blend : float
        Share of the network's division in the stems, as far as known.
    """

    mean_power: float
    profiles: NDArray[np.float32]
    blend: float = 0.3


@dataclass(frozen=True)
class NetworkInputs:
    """What is the same for all moments of a recording.

    Attributes
    ----------
    notes : SoundingNotes
    voices : Voices
        Of these notes.
    grid : FrameGrid
    settings : MaskRefinerSettings
    mean_power : float
        Of the bins that the network sees.
    profiles : ndarray [shape=(stems, SEMITONES, harmonics)], float32
        Levels of partials; see `profiles`.
    """

    notes: SoundingNotes
    voices: Voices
    grid: FrameGrid
    settings: MaskRefinerSettings
    mean_power: float
    profiles: NDArray[np.float32]

    @staticmethod
    def of(
        source: SampleSource, notes: SoundingNotes, settings: MaskRefinerSettings, observed: RecordingStatistics
    ) -> NetworkInputs:
        """Return how a recording is heard.

        Parameters
        ----------
        source : SampleSource
        notes : SoundingNotes
        settings : MaskRefinerSettings
        observed : RecordingStatistics
            Levels of the recording.
        """
        grid = make_grid(source.frames, source.sample_rate, settings.window_s)
        return NetworkInputs(notes, voices_of(notes), grid, settings, observed.mean_power, observed.profiles)

    @property
    def shape(self) -> TileShape:
        """The shape of tiles."""
        bins = min(self.grid.bins, max(2, int(self.settings.limit_hz / self.grid.bin_hz)))
        return TileShape(self.settings.harmonics, self.settings.reach_bins, bins, self.grid.bin_hz)

    def stem(self, device: torch.device) -> Tensor:
        """Return the stem of every voice, shape (voices,)."""
        return torch.from_numpy(self.voices.stem).to(device)

    def spectra(self, samples: NDArray[np.float32], device: torch.device) -> Tensor:
        """Return spectra of a stretch on a grid that begins with it, shape (rows, windows, bins of a tile).

        Parameters
        ----------
        samples : ndarray [shape=(rows, frames)], float32
        device : torch.device
        """
        grid = FrameGrid(self.grid.sample_rate, samples.shape[1], self.grid.hop_frames)
        rows = []
        for row in samples:  # one by one: all of their bins at once would need much memory
            source = ArraySource(row[None], grid.sample_rate)
            rows.append(read_spectra(source, grid, 0, grid.windows, device)[0, :, : self.shape.bins])
        return torch.stack(rows)

    def tracks(self, amplitude: Tensor, first: int, last: int, start_frame: int = 0) -> Tracks:
        """Return where the voices are in the windows [first, last) of a grid that begins at `start_frame`.

        Parameters
        ----------
        amplitude : Tensor [shape=(stems, windows, bins)], float32
            What is known of the magnitudes of the parts; pitches follow it.
        first, last : int
        start_frame : int
        """
        device = amplitude.device
        planes = tracks_of(self.voices, self.notes, self.grid, first, last, start_frame)
        f0 = refined(planes.f0_hz.to(device), amplitude, self.voices.stem.tolist(), self.grid.bin_hz)
        return Tracks(f0, planes.since_s.to(device), planes.until_s.to(device))

    def level(self, power: Tensor) -> Tensor:
        """Return log-magnitudes of about unit size."""
        return torch.log(power / self.mean_power + 1e-5) / LEVELS

    def tiles(self, level: Tensor, tracks: Tracks) -> Tiles:
        """Return the tiles of windows whose levels and tracks are given."""
        return make_tiles(
            level, tracks, self.stem(level.device), torch.from_numpy(self.profiles).to(level.device), self.shape
        )

    def add_to(self, profiles: ProfileSum, stems: Tensor, mixture: Tensor, tracks: Tracks) -> None:
        """Add what stems say of the profiles of their parts.

        Parameters
        ----------
        profiles : ProfileSum
        stems : Tensor [shape=(stems, windows, bins)], complex64
        mixture : Tensor [shape=(windows, bins)], complex64
        tracks : Tracks
            Of the same windows.
        """
        shape = self.shape
        power, whole = stems.abs().square(), mixture.abs().square()
        number = torch.arange(1, shape.harmonics + 1, device=power.device)
        for voice, stem in enumerate(self.voices.stem.tolist()):
            f0 = tracks.f0_hz[voice]
            middle = (f0[:, None] * number / shape.bin_hz).round().long()
            exists = middle < shape.bins - 1
            middle = middle.clamp(1, shape.bins - 2)
            peaks = torch.stack([power[stem].gather(1, middle + k) for k in (-1, 0, 1)])
            around = torch.stack([whole.gather(1, middle + k) for k in (-1, 0, 1)])
            own = (peaks.sum(0) / (around.sum(0) + 1e-12)).clamp(max=1.0)
            peak = peaks.amax(0) * exists
            level = self.level(peak) - self.level(peak.sum(1, keepdim=True))
            profiles.add(stem, f0, level, own * exists)


def measure_statistics(stretches: list[Excerpt], inputs: NetworkInputs, progress: Progress) -> RecordingStatistics:
    """Listen to stretches whose parts are known.

    Parameters
    ----------
    stretches : list of Excerpt
    inputs : NetworkInputs
        Its `mean_power` and profiles do not matter.
    progress : Progress
    """
    powers = []
    total = ProfileSum(inputs.notes.stem_count, inputs.settings.harmonics)
    for i, stretch in enumerate(stretches):
        progress.update(i / len(stretches), "Listening to the parts")
        mixture = (stretch.stems.sum(0) + stretch.rest)[None]
        spectra = inputs.spectra(np.concatenate([stretch.stems, mixture]), torch.device("cpu"))
        powers.append(float((spectra[-1].abs() ** 2).mean()))
        tracks = inputs.tracks(spectra[:-1].abs(), 0, spectra.shape[1], stretch.start_frame)
        scaled = spectra / max(powers[-1], 1e-12) ** 0.5
        inputs.add_to(total, scaled[:-1], scaled[-1], tracks)
    return RecordingStatistics(max(float(np.mean(powers)), 1e-12), total.profiles())

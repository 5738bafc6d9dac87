"""Which stems are heard: those of the project, others to compare with, or those that are being made just now."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scoresep.errors import ScoreSepError
from scoresep.files.growing_stems import GrowingStem
from scoresep.files.stem_files import StemSource
from scoresep.model.audio import Recording, SampleSource
from scoresep.model.project import Stem, StemSet
from scoresep.playback.mixing import Track, TrackKey
from scoresep.session.stem_making import StemsSoFar


def stem_tracks(recording: Recording, stem_set: StemSet) -> tuple[Track, ...]:
    """Open the stems of a set.

    Raises
    ------
    ScoreSepError
        One of them is missing, damaged, or of another length than the recording.
    """
    tracks = []
    for stem in stem_set.stems:
        source = StemSource(Path(stem_set.folder) / stem.file)
        _check(recording, source, stem)
        tracks.append(Track(_key_of(stem), source))
    return tuple(tracks)


def growing_tracks(
    recording: Recording, sound: SampleSource, so_far: StemsSoFar, before: Sequence[Track]
) -> tuple[Track, ...]:
    """Open stems that are being made; where they are not finished, those of before are heard.

    Parameters
    ----------
    recording : Recording
    sound : SampleSource
        Its samples: all of the residual where there was nothing before.
    so_far : StemsSoFar
    before : sequence of Track
        The stems that were heard until now; those of other parts than the present ones are of no use.

    Raises
    ------
    ScoreSepError
        One of them is missing, damaged, or of another length than the recording.
    """
    stems = so_far.stem_set.stems
    earlier: dict[TrackKey, SampleSource] = {track.key: track.source for track in before}
    if set(earlier) != {_key_of(stem) for stem in stems}:
        earlier = {"residual": sound}
    tracks = []
    for stem in stems:
        now, later = Path(so_far.stem_set.folder) / stem.file, Path(so_far.final_folder) / stem.file
        source = GrowingStem(now, later, so_far.finished, earlier.get(_key_of(stem)))
        _check(recording, source, stem)
        tracks.append(Track(_key_of(stem), source))
    return tuple(tracks)


def _key_of(stem: Stem) -> TrackKey:
    return "residual" if stem.part_index is None else stem.part_index


def _check(recording: Recording, source: SampleSource, stem: Stem) -> None:
    if (source.frames, source.sample_rate) != (recording.frames, recording.sample_rate):
        raise ScoreSepError(f"The stem '{stem.file}' does not belong to this recording; separate again.")

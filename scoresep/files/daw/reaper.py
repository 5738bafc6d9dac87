"""Projects of REAPER (``.rpp``): a text that names the files of sound beside it.

References
----------
The format is not documented by its makers; what stands here is what REAPER 7 writes, as other programs read it
(rpp, reaper-parser).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from scoresep.files.daw.arrangement import VELOCITY, Arrangement, DawTrack, MetrePoint, NoteTrack
from scoresep.model.colors import RESIDUAL_COLOR

SUFFIX = ".rpp"
TICKS = 960  # of a quarter, in items of notes
_HOLD = 1  # shape of a point: the value stays until the next
_QUOTES = "\"'`"


def write_rpp(arrangement: Arrangement, path: Path, sounds: Sequence[Path], check: Callable[[float], None]) -> None:
    """Write a project that names the files of sound beside it.

    Parameters
    ----------
    arrangement : Arrangement
    path : Path
        Made or overwritten.
    sounds : sequence of Path
        The file of every track, in their order.
    check : callable
        Told which share is done.

    Raises
    ------
    OSError
    """
    check(0.0)
    path.write_bytes(rpp_bytes(arrangement, [sound.name for sound in sounds]))


def rpp_bytes(arrangement: Arrangement, names: Sequence[str]) -> bytes:
    """Return the project.

    Parameters
    ----------
    arrangement : Arrangement
    names : sequence of str
        The file of every track, beside the project.
    """
    return ("\n".join(_lines(arrangement, names)) + "\n").encode("utf-8")


def _lines(arrangement: Arrangement, names: Sequence[str]) -> Iterator[str]:
    tempo, metre = arrangement.tempi[0], arrangement.metres[0]
    yield '<REAPER_PROJECT 0.1 "7.0" 0'
    yield "  RIPPLE 0"
    yield f"  SAMPLERATE {arrangement.sample_rate} 1 0"
    yield f"  TEMPO {_number(tempo.quarters_per_minute)} {metre.numerator} {metre.denominator}"
    yield "  TIMELOCKMODE 0"  # items and markers keep their seconds when the tempo changes
    yield "  TEMPOENVLOCKMODE 0"
    yield f"  MASTER_VOLUME {_number(arrangement.master_gain)} 0 -1 -1 1"
    yield from _tempo_envelope(arrangement)
    for i, marker in enumerate(arrangement.markers):
        yield f"  MARKER {i + 1} {_number(marker.time_s)} {_quoted(marker.name)} 0"
    for track, name in zip(arrangement.tracks, names, strict=True):
        yield from _sound_track(track, name, arrangement)
    if arrangement.note_tracks:
        yield from _track_head(DawTrack("Score", RESIDUAL_COLOR, 2, is_muted=True), "1 1")
        yield "  >"
    for i, notes in enumerate(arrangement.note_tracks):
        is_last = i + 1 == len(arrangement.note_tracks)
        yield from _note_track(notes, "2 -1" if is_last else "0 0")
    yield ">"


def _tempo_envelope(arrangement: Arrangement) -> Iterator[str]:
    """Write a point for every tempo, and for every metre; a metre that begins between two tempi repeats the tempo."""
    metres = {round(m.time_s, 9): m for m in arrangement.metres}
    tempi = {round(t.time_s, 9): t.quarters_per_minute for t in arrangement.tempi}
    yield "  <TEMPOENVEX"
    yield "    ACT 1 -1"
    yield "    VIS 1 0 1"
    yield "    LANEHEIGHT 0 0"
    yield "    ARM 0"
    yield f"    DEFSHAPE {_HOLD} -1 -1"
    now = arrangement.tempi[0].quarters_per_minute
    for time_s in sorted(metres.keys() | tempi.keys()):
        now = tempi.get(time_s, now)
        metre = metres.get(time_s)
        yield f"    PT {_number(time_s)} {_number(now)} {_HOLD}" + (f" {_signature(metre)} 0 1" if metre else "")
    yield "  >"


def _signature(metre: MetrePoint) -> int:
    return metre.denominator * 65536 + metre.numerator


def _sound_track(track: DawTrack, name: str, arrangement: Arrangement) -> Iterator[str]:
    yield from _track_head(track)
    yield "    <ITEM"
    yield "      POSITION 0"
    yield f"      LENGTH {_number(arrangement.duration_s)}"
    yield "      LOOP 0"
    yield "      BEAT 0"
    yield f"      NAME {_quoted(track.name)}"
    yield "      SOFFS 0"
    yield "      <SOURCE WAVE"
    yield f"        FILE {_quoted(name)}"
    yield "      >"
    yield "    >"
    yield "  >"


def _note_track(track: NoteTrack, folder: str) -> Iterator[str]:
    yield from _track_head(DawTrack(track.name, track.color, 2), folder)
    if track.notes:
        end_s = max(note.time_s + note.duration_s for note in track.notes)
        end = max(round((note.beat + note.duration_beats) * TICKS) for note in track.notes)
        yield "    <ITEM"
        yield "      POSITION 0"
        yield f"      LENGTH {_number(end_s)}"
        yield "      LOOP 0"
        yield f"      NAME {_quoted(track.name)}"
        yield "      <SOURCE MIDI"
        yield f"        HASDATA 1 {TICKS} QN"
        now = 0
        for tick, message in _events(track):
            yield f"        E {tick - now} {message}"
            now = tick
        yield f"        E {max(end - now, 0)} b0 7b 00"
        yield "      >"
        yield "    >"
    yield "  >"


def _events(track: NoteTrack) -> list[tuple[int, str]]:
    """Return tick and bytes of every stroke and release, releases first where both come at once."""
    events: list[tuple[int, int, str]] = []
    for note in track.notes:
        start = round(note.beat * TICKS)
        stop = max(round((note.beat + note.duration_beats) * TICKS), start + 1)
        events.append((start, 1, f"90 {note.key:02x} {VELOCITY:02x}"))
        events.append((stop, 0, f"80 {note.key:02x} 00"))
    return [(tick, message) for tick, _, message in sorted(events)]


def _track_head(track: DawTrack, folder: str = "0 0") -> Iterator[str]:
    """Write what all tracks begin with; `folder` says by REAPER's numbers where a group begins and ends."""
    red, green, blue = (int(track.color[i : i + 2], 16) for i in (1, 3, 5))
    yield "  <TRACK"
    yield f"    NAME {_quoted(track.name)}"
    yield f"    PEAKCOL {0x1000000 | blue << 16 | green << 8 | red}"
    yield "    BEAT 0"
    yield f"    VOLPAN {_number(track.gain)} {_number(track.pan)} -1 -1 1"
    yield f"    MUTESOLO {int(track.is_muted)} {2 if track.is_soloed else 0} 0"
    yield f"    ISBUS {folder}"
    yield f"    NCHAN {track.channels + track.channels % 2}"


def _quoted(text: str) -> str:
    """Return a text as one word: in whichever quotes it does not hold itself."""
    line = " ".join(text.split())
    quote = next((q for q in _QUOTES if q not in line), None)
    if quote is None:
        line, quote = line.replace("`", "'"), "`"
    return f"{quote}{line}{quote}"


def _number(value: float) -> str:
    return f"{value:.9f}".rstrip("0").rstrip(".")

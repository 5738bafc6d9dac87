"""DAWproject 1.0, the open format of Bitwig Studio, Studio One, Cubase and others: one file with sound and project.

References
----------
DAWproject 1.0, https://github.com/bitwig/dawproject (Project.xsd, MetaData.xsd).
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from scoresep import version
from scoresep.files.daw.arrangement import VELOCITY, Arrangement, DawTrack, NoteTrack

SUFFIX = ".dawproject"
AUDIO_FOLDER = "audio"
MOST_VOLUME = 2.0
_COPIED_BYTES = 1 << 20
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_dawproject(
    arrangement: Arrangement, path: Path, sounds: Sequence[Path], check: Callable[[float], None]
) -> None:
    """Write a project with the sound inside.

    Parameters
    ----------
    arrangement : Arrangement
    path : Path
        Made or overwritten.
    sounds : sequence of Path
        The file of every track, in their order.
    check : callable
        Told now and then which share is done; raises when the work is to stop.

    Raises
    ------
    OSError
    """
    names = [f"{AUDIO_FOLDER}/{sound.name}" for sound in sounds]
    whole, done = max(sum(sound.stat().st_size for sound in sounds), 1), 0
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(_entry("metadata.xml"), _metadata(arrangement))
        archive.writestr(_entry("project.xml"), project_xml(arrangement, names))
        for sound, name in zip(sounds, names, strict=True):
            with sound.open("rb") as source, archive.open(_entry(name), "w", force_zip64=True) as target:
                while piece := source.read(_COPIED_BYTES):  # stored, not deflated: sound hardly gets smaller
                    target.write(piece)
                    done += len(piece)
                    check(done / whole)


def _entry(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(name)  # of 1980: the same project gives the same bytes


def project_xml(arrangement: Arrangement, names: Sequence[str]) -> bytes:
    """Return ``project.xml``: what is in the project, by the names of the files of sound.

    Parameters
    ----------
    arrangement : Arrangement
    names : sequence of str
        Of the files in the archive, one for each track.
    """
    project = Element("Project", version="1.0")
    SubElement(project, "Application", name="ScoreSep", version=version.__version__)
    transport = SubElement(project, "Transport")
    first, metre = arrangement.tempi[0], arrangement.metres[0]
    tempo = _real(transport, "Tempo", first.quarters_per_minute, "bpm", id="tempo", min="1", max="999")
    signature = SubElement(
        transport,
        "TimeSignature",
        id="metre",
        numerator=str(metre.numerator),
        denominator=str(metre.denominator),
    )
    structure = SubElement(project, "Structure")
    for i, track in enumerate(arrangement.tracks):
        _add_track(structure, f"track{i}", track)
    if arrangement.note_tracks:
        group = SubElement(structure, "Track", id="notes", name="Score", contentType="tracks", loaded="true")
        _channel(group, "notes-channel", 2, role="regular")
        for i, notes in enumerate(arrangement.note_tracks):
            inner = SubElement(
                group, "Track", id=f"notes{i}", name=_clean(notes.name), color=notes.color, contentType="notes"
            )
            inner.set("loaded", "true")
            _channel(inner, f"notes{i}-channel", 2, role="regular", destination="notes-channel")
    master = SubElement(structure, "Track", id="master", name="Master", contentType="audio notes", loaded="true")
    channel = _channel(master, "master-channel", 2, role="master")
    _set_mixer(channel, "master", arrangement.master_gain, 0.0, False)

    music = SubElement(project, "Arrangement", id="arrangement")
    lanes = SubElement(music, "Lanes", timeUnit="seconds", id="lanes")
    for i, (track, name) in enumerate(zip(arrangement.tracks, names, strict=True)):
        _add_sound(lanes, f"track{i}", track, name, arrangement)
    for i, notes in enumerate(arrangement.note_tracks):
        _add_notes(lanes, f"notes{i}", notes)
    if arrangement.markers:
        markers = SubElement(music, "Markers", timeUnit="seconds", id="markers")
        for marker in arrangement.markers:
            SubElement(markers, "Marker", time=_number(marker.time_s), name=_clean(marker.name))
    points = SubElement(music, "TempoAutomation", timeUnit="beats", unit="bpm", id="tempo-points")
    SubElement(points, "Target", parameter=str(tempo.get("id")))
    for point in arrangement.tempi:
        SubElement(
            points,
            "RealPoint",
            time=_number(point.beat),
            value=_number(point.quarters_per_minute),
            interpolation="hold",
        )
    changes = SubElement(music, "TimeSignatureAutomation", timeUnit="beats", id="metre-points")
    SubElement(changes, "Target", parameter=str(signature.get("id")))
    for change in arrangement.metres:
        SubElement(
            changes,
            "TimeSignaturePoint",
            time=_number(change.beat),
            numerator=str(change.numerator),
            denominator=str(change.denominator),
        )
    return _bytes(project)


def _add_track(structure: Element, name: str, track: DawTrack) -> None:
    element = SubElement(
        structure, "Track", id=name, name=_clean(track.name), color=track.color, contentType="audio", loaded="true"
    )
    channel = _channel(element, f"{name}-channel", min(track.channels, 2), role="regular", destination="master-channel")
    if track.is_soloed:
        channel.set("solo", "true")
    _set_mixer(channel, name, track.gain, track.pan, track.is_muted)


def _channel(track: Element, name: str, channels: int, **values: str) -> Element:
    return SubElement(track, "Channel", {"id": name, "audioChannels": str(channels), **values})


def _set_mixer(channel: Element, name: str, gain: float, pan: float, is_muted: bool) -> None:
    SubElement(channel, "Mute", id=f"{name}-mute", name="Mute", value=str(is_muted).lower())
    _real(channel, "Pan", (1 + pan) / 2, "normalized", id=f"{name}-pan", name="Pan", min="0", max="1")
    volume = min(gain, MOST_VOLUME)
    _real(channel, "Volume", volume, "linear", id=f"{name}-volume", name="Volume", min="0", max=_number(MOST_VOLUME))


def _add_sound(lanes: Element, track_id: str, track: DawTrack, name: str, arrangement: Arrangement) -> None:
    duration = _number(arrangement.duration_s)
    lane = SubElement(lanes, "Lanes", track=track_id, id=f"{track_id}-lane", timeUnit="seconds")
    clips = SubElement(lane, "Clips", id=f"{track_id}-clips")
    clip = SubElement(
        clips,
        "Clip",
        time="0",
        duration=duration,
        contentTimeUnit="seconds",
        playStart="0",
        name=_clean(track.name),
        color=track.color,
    )
    audio = SubElement(
        clip,
        "Audio",
        id=f"{track_id}-audio",
        channels=str(track.channels),
        sampleRate=str(arrangement.sample_rate),
        duration=duration,
        algorithm="raw",
    )
    SubElement(audio, "File", path=name)


def _add_notes(lanes: Element, track_id: str, track: NoteTrack) -> None:
    lane = SubElement(lanes, "Lanes", track=track_id, id=f"{track_id}-lane", timeUnit="beats")
    clips = SubElement(lane, "Clips", id=f"{track_id}-clips")
    if not track.notes:
        return
    end = max(note.beat + note.duration_beats for note in track.notes)
    clip = SubElement(
        clips, "Clip", time="0", duration=_number(end), playStart="0", name=_clean(track.name), color=track.color
    )
    notes = SubElement(clip, "Notes", id=f"{track_id}-notes")
    for note in track.notes:
        SubElement(
            notes,
            "Note",
            time=_number(note.beat),
            duration=_number(note.duration_beats),
            channel="0",
            key=str(note.key),
            vel=_number(VELOCITY / 127),
            rel=_number(VELOCITY / 127),
        )


def _metadata(arrangement: Arrangement) -> bytes:
    element = Element("MetaData")
    SubElement(element, "Title").text = _clean(arrangement.title)
    SubElement(element, "Comment").text = "Stems, tempo and notes by ScoreSep"
    return _bytes(element)


def _real(parent: Element, tag: str, value: float, unit: str, **values: str) -> Element:
    return SubElement(parent, tag, {"unit": unit, "value": _number(value), **values})


def _number(value: float) -> str:
    return f"{value:.9f}".rstrip("0").rstrip(".")


def _clean(text: str) -> str:
    return _NOT_IN_XML.sub("\ufffd", text)


def _bytes(element: Element) -> bytes:
    indent(element)
    return bytes(tostring(element, encoding="utf-8", xml_declaration=True))

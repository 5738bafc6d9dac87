"""Which stems are heard: those of the project, others to compare with, or those that are being made just now."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import monotonic

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QLabel

from scoresep.errors import ScoreSepError
from scoresep.files.audio.recordings import open_source
from scoresep.files.audio.stems import GrowingStem, StemSource
from scoresep.model.audio import Patch, PatchedSource, Recording, SampleSource, SilentSource
from scoresep.model.note_edits import NoteEdit
from scoresep.model.project import Loop, Project, Stem, StemSet
from scoresep.playback.audition import AuditionMode, make_audition_mix
from scoresep.playback.mixing import Track, TrackKey, gain_factor, make_mix
from scoresep.playback.outputs import SILENT_DEVICE
from scoresep.playback.player import Player, PlayerState
from scoresep.qt.presenters.bridge import Bridge
from scoresep.qt.score.strip import ScoreStrip
from scoresep.qt.timeline.score_layout import beat_text
from scoresep.qt.timeline.timeline_view import TimelineView
from scoresep.qt.widgets.transport_bar import PositionDisplay
from scoresep.session.separation_job import StemsSoFar
from scoresep.session.session import Changed, Session

CHECK_TEXTS = {AuditionMode.CLICKS: "Clicks at notes", AuditionMode.SCORE: "Recording left, score right"}


def bar_and_beat(project: Project, frame: int, is_playing: bool) -> tuple[str, str]:
    """Write the bar and the beat at a frame: dashes outside the score, nothing without an alignment.

    Parameters
    ----------
    project : Project
    frame : int
    is_playing : bool
        Whole beats are written then, parts of them else.
    """
    unfolded, alignment = project.unfolded, project.alignment
    if unfolded is None or alignment is None:
        return "", ""
    quarter = alignment.time_map.frame_to_quarter(frame)
    if not 0 <= quarter + 1e-4 < unfolded.end_quarter:
        return "–", "–"
    step, beat = unfolded.quarter_to_beat(quarter)
    number = unfolded.score.measures[step.measure_index].number
    bar = number if step.occurrence == 1 else f"{number} ({step.occurrence})"
    return bar, str(int(beat + 1e-3)) if is_playing else beat_text(beat).rstrip("0").rstrip(".")


class PlayheadPresenter:
    """Shows where the playhead is: in the bar on top, the timeline and the engraved score.

    Parameters
    ----------
    session : Session
    display : PositionDisplay
    timeline : TimelineView
    strip : ScoreStrip
    """

    def __init__(self, session: Session, display: PositionDisplay, timeline: TimelineView, strip: ScoreStrip) -> None:
        self._session, self._display, self._timeline, self._strip = session, display, timeline, strip

    def show(self, state: PlayerState) -> None:
        """Take over where it is."""
        project = self._session.project
        recording = project.recording
        self._timeline.set_playing(state.is_playing)
        self._strip.set_playing(state.is_playing)
        self._strip.set_playhead(None if recording is None else state.frame)
        if recording is None:
            self._display.show_position(0.0, None, "", "")
            return
        if self._timeline.playhead_frame != state.frame:
            self._timeline.set_playhead(state.frame)
        bar, beat = bar_and_beat(project, state.frame, state.is_playing)
        self._display.show_position(state.frame / recording.sample_rate, recording.duration_s, bar, beat)


class OutputPresenter:
    """Shows what the sound comes out of, and says what is wrong with it.

    Parameters
    ----------
    bridge : Bridge
    playing : PlaybackController
    label : QLabel
    """

    def __init__(self, bridge: Bridge, playing: PlaybackController, label: QLabel) -> None:
        self._bridge, self._session, self._playing, self._label = bridge, bridge.session, playing, label
        self._output_problem = ""
        self._stem_problem = ""

    def show(self, state: PlayerState) -> None:
        """Take over how it is."""
        self._say_problems(state)
        text = CHECK_TEXTS.get(self._playing.check, "")
        if state.output.device:
            is_silent = self._session.settings.output_device == SILENT_DEVICE
            device = "No sound device" if is_silent else f"{state.output.sample_rate / 1000:g} kHz"
            text = f"{text}  ·  {device}" if text else device
            if state.underruns:
                text += f"  ·  {state.underruns} interruption{'s' if state.underruns > 1 else ''}"
        if text != self._label.text():
            self._label.setText(text)
            self._label.setToolTip(state.output.device)

    def _say_problems(self, state: PlayerState) -> None:
        if state.levels is not None and state.levels.problem not in ("", self._stem_problem):
            self._stem_problem = state.levels.problem
            self._session.say("warning", state.levels.problem, "stems")
        if state.output.problem != self._output_problem:
            self._output_problem = state.output.problem
            for message in [m for m in self._session.messages.shown if m.key == "output"]:
                self._session.messages.dismiss(message)
            if state.output.problem:
                self._session.say("warning", state.output.problem, "output")

    def play_without_sound(self) -> None:
        """Go on without a device, the playhead alone."""
        self._bridge.set_settings(output_device=SILENT_DEVICE)
        if not self._playing.state().is_playing:
            self._playing.toggle()


logger = logging.getLogger(__name__)


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


class PlayedStems:
    """The stems that are heard: others to compare with, those being made, or those of the project.

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    tracks : tuple of Track
        Empty where there are none.
    other : StemSet or None
        The stems that those of the project are compared with.
    plays_other : bool
        Whether those are heard.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.tracks: tuple[Track, ...] = ()
        self.other: StemSet | None = None
        self.plays_other = False
        self._so_far: StemsSoFar | None = None
        self._before: tuple[Track, ...] = ()  # the stems of the project while others are being made

    @property
    def keys(self) -> tuple[TrackKey, ...]:
        """What they are called in the mixer."""
        return tuple(track.key for track in self.tracks)

    @property
    def sources(self) -> dict[int | None, SampleSource]:
        """Their samples by part index; None for the residual."""
        return {(t.key if isinstance(t.key, int) else None): t.source for t in self.tracks}

    @property
    def stem_set(self) -> StemSet | None:
        """The set that is heard: the other, or that of the project."""
        return self.other if self.plays_other else self._session.project.stem_set

    @property
    def so_far(self) -> StemsSoFar | None:
        """The stems that are being made, where these are heard as far as they are finished."""
        return None if self.plays_other else self._so_far

    @property
    def has_grown(self) -> bool:
        """Whether more has been finished since they were opened, or nothing is being made any more."""
        return self._session.separation.stems_so_far != self._so_far

    def open(self, sound: SampleSource | None) -> bool:
        """Open what is to be heard; `sound` is the recording. Returns whether it is something else than before."""
        before, self.tracks = self.tracks, ()
        recording = self._session.project.recording
        self._so_far = self._session.separation.stems_so_far
        if recording is not None and sound is not None:
            self.tracks = self._found(recording, sound)
        else:
            self.other, self.plays_other = None, False
        return before != self.tracks

    def _found(self, recording: Recording, sound: SampleSource) -> tuple[Track, ...]:
        other, own, so_far = self.other, self._session.project.stem_set, self._so_far
        if self.plays_other and other is not None:
            if tracks := _opened(lambda: stem_tracks(recording, other)):
                return tracks
            self.other, self.plays_other = None, False
        stems: tuple[Track, ...] = ()
        if own is not None:
            stems = _opened(lambda: stem_tracks(recording, own))
            if not stems:
                text = "The stems are not there any more; separate again to hear them."
                self._session.say("warning", text, "stems")
        self._before = stems
        if so_far is not None:
            return _opened(lambda: growing_tracks(recording, sound, so_far, stems)) or stems
        return stems

    def edited(self, sound: SampleSource, patches: Mapping[TrackKey, tuple[Patch, ...]]) -> tuple[Track, ...]:
        """Return the tracks with what was done to single notes; stems that are being made know nothing of that yet."""
        if self.plays_other:
            return self.tracks
        recording, so_far = self._session.project.recording, self._so_far
        own = self.tracks if so_far is None else self._before
        edited = tuple(_patched(track, patches.get(track.key, ())) for track in own)
        if so_far is None or recording is None:
            return edited
        return _opened(lambda: growing_tracks(recording, sound, so_far, edited)) or edited


def _opened(do: Callable[[], tuple[Track, ...]]) -> tuple[Track, ...]:
    try:
        return do()
    except ScoreSepError as error:
        logger.info("stems: %s", error)
        return ()


def _patched(track: Track, patches: tuple[Patch, ...]) -> Track:
    return Track(track.key, PatchedSource(track.source, patches)) if patches else track


# What edits of notes depend on; `notes` are their sounds, which come later.
NOTE_FIELDS = frozenset({"notes", "note_edits", "stem_set", "alignment", "score", "path", "parts"})


# Held longer than this, a key compares for a moment; shorter, it switches.
HOLD_S = 0.35


class MomentaryKey:
    """The key of a switch: tapped, it switches; held, it switches back when it is let go.

    Parameters
    ----------
    switch : callable
        Switches, and returns whether there was anything to switch.
    """

    def __init__(self, switch: Callable[[], bool]) -> None:
        self._switch = switch
        self._pressed_at_s: float | None = None

    def press(self) -> None:
        """Switch."""
        self._pressed_at_s = monotonic() if self._switch() else None

    def release(self) -> None:
        """Switch back, if the key was held and not just tapped."""
        if self._pressed_at_s is not None and monotonic() - self._pressed_at_s > HOLD_S:
            self._switch()
        self._pressed_at_s = None


class PlaybackController(QObject):
    """Keeps the player at what the project says.

    Signals
    -------
    tracks_changed()
        Stems came or went, or others are heard.
    original_changed(bool)
    loop_changed(object)
        The `Loop`, or None.
    check_changed()
        Something else is heard besides the recording.
    compared()
        There are other stems to compare with, or none any more, or others are heard.

    Parameters
    ----------
    session : Session
    player : Player

    Attributes
    ----------
    stems : PlayedStems
    is_original : bool
        Whether the recording is heard in place of the stems.
    original_key : MomentaryKey
        Switches between the two.
    loop : Loop or None
        The stretch that is repeated.
    check : AuditionMode
        What is heard besides the recording.
    check_share : float
        How loud that is: from -1, the recording alone, to 1, without the recording.
    """

    tracks_changed = Signal()
    original_changed = Signal(bool)
    loop_changed = Signal(object)
    check_changed = Signal()
    compared = Signal()

    def __init__(self, session: Session, player: Player, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._player = player
        self._recording: SampleSource | None = None
        self.stems = PlayedStems(session)
        self.is_original = False
        self.original_key = MomentaryKey(lambda: self.set_original(not self.is_original))
        self._device: str | None = None
        self.loop: Loop | None = None
        self.check = AuditionMode.NONE
        self.check_share = 0.0
        self._patches: dict[TrackKey, tuple[Patch, ...]] = {}
        self._tried_edits: tuple[NoteEdit, ...] | None = None
        self._alone: tuple[Patch, ...] = ()
        self.read_project(Changed(frozenset({"recording", "stem_set", "source"})))

    # ------------------------------------------------------------------------------------------- from the project

    def read_project(self, changed: Changed) -> None:
        """Take over what has changed."""
        if "recording" in changed.what and self.stems.other is not None:
            self.stems.other, self.stems.plays_other = None, False
            self.compared.emit()
        if changed.what & {"recording", "source"}:
            self._open_recording()
        if changed.what & {"recording", "source", "stem_set"}:
            self._alone = ()
            self._open_stems()
        if changed.what & NOTE_FIELDS:
            self._patches = self._session.notes.patches(self._tried_edits)
        heard = {"recording", "source", "stem_set", "mixer"} | NOTE_FIELDS
        if self.check is not AuditionMode.NONE:
            heard |= {"alignment", "score", "path"}
        if changed.what & heard:
            self._exchange()

    def _open_recording(self) -> None:
        # The old source is let go, not closed: the reader may be reading from it at this moment.
        self._recording = None
        recording = self._session.project.recording
        self.set_loop(None)
        if recording is not None and self._session.recording.source is not None:
            try:
                self._recording = open_source(recording)
            except ScoreSepError as error:
                self._session.say("error", str(error), "recording")

    def _open_stems(self) -> None:
        if self.stems.open(self._recording):
            if not self.stems.tracks:
                self.set_original(False)
            self.tracks_changed.emit()

    def _exchange(self) -> None:
        recording = self._recording
        if recording is None:
            self._player.set_material(None)
            return
        project = self._session.project
        has_check = self.check is not AuditionMode.NONE and not self._alone
        if has_check and project.unfolded is not None and project.alignment is not None:
            gain = gain_factor(project.mixer.master_gain_db)
            self._player.set_material(
                make_audition_mix(recording, project.unfolded, project.alignment, self.check, self.check_share, gain)
            )
            return
        tracks = self.stems.tracks
        if self._alone:
            silence = SilentSource(recording.frames, recording.channels, recording.sample_rate)
            tracks = (Track("recording", PatchedSource(silence, self._alone)),)
        elif self.is_original or not tracks:
            tracks = (Track("recording", recording),)
        else:
            tracks = self.stems.edited(recording, self._patches)
        mixer = project.mixer
        self._player.set_material(make_mix(mixer, tracks, recording.frames, recording.sample_rate))

    # --------------------------------------------------------------------------------------------- from the person

    def follow_making(self) -> bool:
        """Hear what has been finished of running work since, or no more of it. Returns whether anything is new."""
        if not self.stems.has_grown:
            return False
        self._open_stems()
        self._exchange()
        return True

    def compare(self, other: StemSet | None, plays_other: bool) -> None:
        """Hear other stems at the same place, or those of the project; None ends comparing."""
        stems, plays_other = self.stems, plays_other and other is not None
        if (other, plays_other) == (stems.other, stems.plays_other):
            return
        heard, stems.other, stems.plays_other = stems.stem_set, other, plays_other
        if stems.stem_set != heard:
            self.set_original(False)
            self._open_stems()
            self._exchange()
        self.compared.emit()

    def set_original(self, is_original: bool) -> bool:
        """Hear the recording in place of the stems, at the same place, or the stems again. Returns True."""
        is_original = is_original and bool(self.stems.tracks)
        if is_original != self.is_original:
            self.is_original = is_original
            self._exchange()
        self.original_changed.emit(self.is_original)
        return True

    def set_check(self, check: AuditionMode, share: float | None = None) -> None:
        """Hear the alignment: clicks over the recording, or the score beside it; `AuditionMode.NONE` ends that."""
        share = self.check_share if share is None else min(max(share, -1.0), 1.0)
        if (check, share) != (self.check, self.check_share):
            self.check, self.check_share = check, share
            self._exchange()
            self.check_changed.emit()

    def try_note_edits(self, note_edits: tuple[NoteEdit, ...] | None) -> None:
        """Hear the project as if these were its edits of notes; None ends that."""
        if note_edits != self._tried_edits:
            self._tried_edits = note_edits
            self._patches = self._session.notes.patches(note_edits)
            self._exchange()

    @property
    def plays_alone(self) -> bool:
        """Whether single notes are heard in the place of all else."""
        return bool(self._alone)

    def play_alone(self, patches: tuple[Patch, ...]) -> None:
        """Hear single notes in the place of all else, without the loop; none ends that."""
        self._alone = patches
        self._exchange()
        self._player.set_loop(None if patches else self.loop)

    def set_loop(self, loop: Loop | None) -> None:
        """Repeat a stretch, or nothing."""
        if loop != self.loop:
            self.loop = loop
            self._player.set_loop(loop)
            self.loop_changed.emit(loop)

    def toggle(self) -> None:
        """Play from the playhead, or stop."""
        if self._player.state().is_playing:
            self._player.stop()
        else:
            self._player.play()

    def play_from(self, frame: int) -> None:
        """Play from a frame."""
        self._player.play(frame)

    def seek(self, frame: int) -> None:
        """Move the playhead."""
        self._player.seek(frame)

    def stop(self) -> None:
        """Stop."""
        self._player.stop()

    def choose_device(self, name: str) -> None:
        """Play to another device; empty for the system's default."""
        if name != self._device:
            self._device = name
            self._player.choose_device(name or None)

    def state(self) -> PlayerState:
        """Tell what is heard now."""
        return self._player.state()

    def close(self) -> None:
        """Stop and let everything go."""
        self._player.set_material(None)
        self._player.close()
        self._recording, self.stems.tracks = None, ()

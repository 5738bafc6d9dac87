"""What is heard of a project: joins the player with the stems, the mixer and the loop of the session."""

from __future__ import annotations

import logging
from collections.abc import Callable

from PySide6.QtCore import QObject, Signal

from scoresep.errors import ScoreSepError
from scoresep.files.audio_files import open_source
from scoresep.model.audio import Recording, SampleSource
from scoresep.model.note_edits import NoteEdit
from scoresep.model.patches import Patch, PatchedSource, SilentSource
from scoresep.model.project import Loop, StemSet
from scoresep.playback.checking import Check, check_mix
from scoresep.playback.mixing import Track, TrackKey, gain_factor, mix_of
from scoresep.playback.player import Player, PlayerState
from scoresep.qt.stem_tracks import growing_tracks, stem_tracks
from scoresep.session.session import Changed, Session
from scoresep.session.stem_making import StemsSoFar

logger = logging.getLogger(__name__)

# What edits of notes depend on; `notes` are their sounds, which come later.
NOTE_FIELDS = frozenset({"notes", "note_edits", "stem_set", "alignment", "score", "path", "parts"})


class Playing(QObject):
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
        self._stems: tuple[Track, ...] = ()
        self._so_far: StemsSoFar | None = None
        self._before: tuple[Track, ...] = ()  # the stems of the project while others are being made
        self._other: StemSet | None = None
        self._hears_other = False
        self._is_original = False
        self._device: str | None = None
        self._loop: Loop | None = None
        self._check = Check.NONE
        self._check_share = 0.0
        self._patches: dict[TrackKey, tuple[Patch, ...]] = {}
        self._tried_edits: tuple[NoteEdit, ...] | None = None
        self._alone: tuple[Patch, ...] = ()
        self.read_project(Changed(frozenset({"recording", "stem_set", "source"})))

    # ------------------------------------------------------------------------------------------- from the project

    def read_project(self, changed: Changed) -> None:
        """Take over what has changed."""
        if "recording" in changed.what and self._other is not None:
            self._other, self._hears_other = None, False
            self.compared.emit()
        if changed.what & {"recording", "source"}:
            self._open_recording()
        if changed.what & {"recording", "source", "stem_set"}:
            self._alone = ()
            self._open_stems()
        if changed.what & NOTE_FIELDS:
            self._patches = self._session.notes.patches(self._tried_edits)
        heard = {"recording", "source", "stem_set", "mixer"} | NOTE_FIELDS
        if self._check is not Check.NONE:
            heard |= {"alignment", "score", "path"}
        if changed.what & heard:
            self._exchange()

    def _open_recording(self) -> None:
        # The old source is let go, not closed: the reader may be reading from it at this moment.
        self._recording = None
        recording = self._session.project.recording
        self.set_loop(None)
        if recording is not None and self._session.source is not None:
            try:
                self._recording = open_source(recording)
            except ScoreSepError as error:
                self._session.say("error", str(error), "recording")

    def _open_stems(self) -> None:
        """Open what is to be heard of stems, and say so where it is something else than before."""
        before, self._stems = self._stems, ()
        recording, sound = self._session.project.recording, self._recording
        self._so_far = self._session.stems_so_far
        if recording is not None and sound is not None:
            self._stems = self._stems_of(recording, sound)
        else:
            self._other, self._hears_other = None, False
        if before != self._stems:
            if not self._stems:
                self.set_original(False)
            self.tracks_changed.emit()

    def _stems_of(self, recording: Recording, sound: SampleSource) -> tuple[Track, ...]:
        """Return the others to compare with, those being made, or those of the project."""
        other, own, so_far = self._other, self._session.project.stem_set, self._so_far
        if self._hears_other and other is not None:
            if tracks := self._opened(lambda: stem_tracks(recording, other)):
                return tracks
            self._other, self._hears_other = None, False
        stems: tuple[Track, ...] = ()
        if own is not None:
            stems = self._opened(lambda: stem_tracks(recording, own))
            if not stems:
                text = "The stems are not there any more; separate again to hear them."
                self._session.say("warning", text, "stems")
        self._before = stems
        if so_far is not None:
            return self._opened(lambda: growing_tracks(recording, sound, so_far, stems)) or stems
        return stems

    def _opened(self, do: Callable[[], tuple[Track, ...]]) -> tuple[Track, ...]:
        try:
            return do()
        except ScoreSepError as error:
            logger.info("stems: %s", error)
            return ()

    def _exchange(self) -> None:
        recording = self._recording
        if recording is None:
            self._player.set_material(None)
            return
        project = self._session.project
        has_check = self._check is not Check.NONE and not self._alone
        if has_check and project.unfolded is not None and project.alignment is not None:
            gain = gain_factor(project.mixer.master_gain_db)
            self._player.set_material(
                check_mix(recording, project.unfolded, project.alignment, self._check, self._check_share, gain)
            )
            return
        tracks = self._stems
        if self._alone:
            silence = SilentSource(recording.frames, recording.channels, recording.sample_rate)
            tracks = (Track("recording", PatchedSource(silence, self._alone)),)
        elif self._is_original or not tracks:
            tracks = (Track("recording", recording),)
        elif not self._hears_other:
            tracks = self._edited(recording)
        mixer = project.mixer
        self._player.set_material(mix_of(mixer, tracks, recording.frames, recording.sample_rate))

    def _edited(self, sound: SampleSource) -> tuple[Track, ...]:
        """Return the stems with what was done to single notes; stems that are being made know nothing of that yet."""
        recording, so_far = self._session.project.recording, self._so_far
        own = self._stems if so_far is None else self._before
        edited = tuple(_patched(track, self._patches.get(track.key, ())) for track in own)
        if so_far is None or recording is None:
            return edited
        return self._opened(lambda: growing_tracks(recording, sound, so_far, edited)) or edited

    # --------------------------------------------------------------------------------------------- from the person

    @property
    def keys(self) -> tuple[TrackKey, ...]:
        """The stems that can be heard."""
        return tuple(track.key for track in self._stems)

    @property
    def sources(self) -> dict[int | None, SampleSource]:
        """The samples of the stems by part index; None for the residual."""
        return {(t.key if isinstance(t.key, int) else None): t.source for t in self._stems}

    @property
    def heard_set(self) -> StemSet | None:
        """The stems that are heard, unless the original is: others to compare with, or those of the project."""
        return self._other if self._hears_other else self._session.project.stem_set

    @property
    def so_far(self) -> StemsSoFar | None:
        """The stems that are being made, where these are heard as far as they are finished."""
        return None if self._hears_other else self._so_far

    def follow_making(self) -> bool:
        """Hear what has been finished of running work since, or no more of it. Returns whether anything is new."""
        if self._session.stems_so_far == self._so_far:
            return False
        self._open_stems()
        self._exchange()
        return True

    @property
    def other(self) -> StemSet | None:
        """The stems that those of the project are compared with."""
        return self._other

    @property
    def hears_other(self) -> bool:
        """Whether those are heard."""
        return self._hears_other

    def compare(self, other: StemSet | None, hears_other: bool) -> None:
        """Hear other stems at the same place, or those of the project; None ends comparing."""
        hears_other = hears_other and other is not None
        if (other, hears_other) == (self._other, self._hears_other):
            return
        heard, self._other, self._hears_other = self.heard_set, other, hears_other
        if self.heard_set != heard:
            self.set_original(False)
            self._open_stems()
            self._exchange()
        self.compared.emit()

    @property
    def is_original(self) -> bool:
        """Whether the recording is heard in place of the stems."""
        return self._is_original

    @property
    def loop(self) -> Loop | None:
        """The stretch that is repeated."""
        return self._loop

    def set_original(self, is_original: bool) -> None:
        """Hear the recording in place of the stems, at the same place, or the stems again."""
        is_original = is_original and bool(self._stems)
        if is_original != self._is_original:
            self._is_original = is_original
            self._exchange()
        self.original_changed.emit(self._is_original)

    @property
    def check(self) -> Check:
        """What is heard besides the recording."""
        return self._check

    @property
    def check_share(self) -> float:
        """How loud that is: from -1, the recording alone, to 1, without the recording."""
        return self._check_share

    def set_check(self, check: Check, share: float | None = None) -> None:
        """Hear the alignment: clicks over the recording, or the score beside it; `Check.NONE` ends that."""
        share = self._check_share if share is None else min(max(share, -1.0), 1.0)
        if (check, share) != (self._check, self._check_share):
            self._check, self._check_share = check, share
            self._exchange()
            self.check_changed.emit()

    def try_note_edits(self, note_edits: tuple[NoteEdit, ...] | None) -> None:
        """Hear the project as if these were its edits of notes; None ends that."""
        if note_edits != self._tried_edits:
            self._tried_edits = note_edits
            self._patches = self._session.notes.patches(note_edits)
            self._exchange()

    @property
    def hears_alone(self) -> bool:
        """Whether single notes are heard in the place of all else."""
        return bool(self._alone)

    def hear_alone(self, patches: tuple[Patch, ...]) -> None:
        """Hear single notes in the place of all else, without the loop; none ends that."""
        self._alone = patches
        self._exchange()
        self._player.set_loop(None if patches else self._loop)

    def set_loop(self, loop: Loop | None) -> None:
        """Repeat a stretch, or nothing."""
        if loop != self._loop:
            self._loop = loop
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
        self._recording, self._stems = None, ()


def _patched(track: Track, patches: tuple[Patch, ...]) -> Track:
    return Track(track.key, PatchedSource(track.source, patches)) if patches else track

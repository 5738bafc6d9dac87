"""Which spectrogram the timeline shows: has it computed, shows it as it grows, and remembers how a person likes it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from PySide6.QtCore import QObject, Signal

from scoresep.model.colors import RESIDUAL_COLOR
from scoresep.model.spectrogram import Spectrogram
from scoresep.qt.presenters.bridge import Bridge
from scoresep.qt.presenters.playback import PlaybackController
from scoresep.qt.timeline.spectrogram_picture import Look, Shown
from scoresep.qt.timeline.timeline_view import TimelineView
from scoresep.session import spectrograms
from scoresep.session.jobs import Worker
from scoresep.session.session import Changed
from scoresep.session.spectrograms import SoundToShow

JOB = "spectrogram"
# Growth is shown every so many ticks of the bridge, some five times a second.
TICKS = 6


@dataclass(frozen=True)
class Choice:
    """Which sound is shown.

    Attributes
    ----------
    stem : int, str or None
        A part's index, ``"residual"``, or None for the recording.
    is_over : bool
        Whether a stem is shown over the recording.
    """

    stem: int | str | None = None
    is_over: bool = False


class OpenSpectrograms:
    """Spectrograms that have been opened: each is opened once, and shows by itself what is added to it."""

    def __init__(self) -> None:
        self._open: dict[SoundToShow, Spectrogram] = {}
        self._wanted_slab = -1

    def get(self, sound: SoundToShow) -> Spectrogram | None:
        """Return the spectrogram of a sound, as far as it was computed; None where nothing is there yet."""
        if sound not in self._open:
            found = spectrograms.load(sound)
            if found is None:
                return None
            self._open[sound] = found
        return self._open[sound]

    def clear(self) -> None:
        """Let all of them go."""
        self._open.clear()

    def drop_unfinished(self) -> None:
        """Let those go that are about to be computed anew."""
        self._open = {sound: found for sound, found in self._open.items() if found.is_complete}
        self._wanted_slab = -1

    def want(self, sounds: tuple[SoundToShow, ...], frame: int) -> None:
        """Have that computed next which is looked at."""
        slab = frame // sounds[0].shape.slab_frames
        if slab != self._wanted_slab:
            self._wanted_slab = slab
            for sound in sounds:
                spectrograms.want(sound, frame)


def _finished(shown: Shown) -> tuple[int, ...]:
    return tuple(s.ready_slabs for s in (shown.spectrogram, shown.ground) if s is not None)


class SpectrogramPresenter(QObject):
    """Keeps the spectrogram of the timeline at what the project and the person say.

    Signals
    -------
    changed()
        Something else is shown, or otherwise.

    Parameters
    ----------
    bridge : Bridge
    view : TimelineView
    playing : PlaybackController
        Says which of several sets of stems is heard: that one is shown.
    """

    changed = Signal()

    def __init__(self, bridge: Bridge, view: TimelineView, playing: PlaybackController) -> None:
        super().__init__(view)
        self._bridge, self._session = bridge, bridge.session
        self._view = view
        self._picture = view.spectrogram
        self._playing = playing
        self.choice = Choice()
        self._sounds: tuple[SoundToShow, ...] = ()
        self._asked: tuple[SoundToShow, ...] = ()
        self._open = OpenSpectrograms()
        self._seen: tuple[tuple[int, ...], bool] = ((), True)
        self._tick_count = 0
        view.spectrogram_gestures.height_changed.connect(lambda px: self._bridge.set_settings(spectrogram_height_px=px))
        view.spectrogram_gestures.gain_changed.connect(lambda db: self._bridge.set_settings(spectrogram_gain_db=db))
        bridge.ticked.connect(self._tick)
        playing.compared.connect(self._refresh)

    # ------------------------------------------------------------------------------------------- from the session

    def show(self, changed: Changed) -> None:
        """Take over what has changed."""
        what = changed.what
        if "settings" in what:
            self._show_settings()
        if what & {"recording", "source", "stem_set"}:
            self._asked = ()
            self._open.clear()
        if what & {"recording", "source", "stem_set", "parts", "settings"}:
            self._refresh()

    def _show_settings(self) -> None:
        settings, picture = self._session.settings, self._picture
        before = (picture.is_shown, picture.is_in_place, picture.height_px)
        picture.is_shown, picture.is_in_place = settings.shows_spectrogram, settings.spectrogram_in_place
        picture.height_px = settings.spectrogram_height_px
        look = Look(
            settings.spectrogram_gain_db,
            settings.spectrogram_contrast_db,
            settings.spectrogram_colors,
            settings.spectrogram_notes,
            settings.spectrogram_overtones,
        )
        if before != (picture.is_shown, picture.is_in_place, picture.height_px):
            self._view.canvas.rebuild()
        if look != picture.look:
            picture.look = look
            self._view.canvas.repaint_all()

    def choose_part(self, key: object) -> None:
        """Show the overtones of another part."""
        part = key if isinstance(key, int) else None
        if part != self._picture.chosen_part:
            self._picture.chosen_part = part
            if self._picture.is_shown and self._picture.look.with_overtones:
                self._view.canvas.repaint_all()

    # -------------------------------------------------------------------------------------------- from the person

    def choices(self) -> list[tuple[Choice, str]]:
        """Return what can be shown, with its name."""
        found = [(Choice(), "Recording")]
        stem_set = self._playing.stems.stem_set
        for stem in stem_set.stems if stem_set is not None else ():
            key: int | str = "residual" if stem.part_index is None else stem.part_index
            found.append((Choice(key), self._name_of(key)))
        return found

    def choose(self, choice: Choice) -> None:
        """Show another sound."""
        self.choice = choice
        self._asked = ()  # who asks again wants it again
        if not self._session.settings.shows_spectrogram:
            self._bridge.set_settings(shows_spectrogram=True)
        self._refresh()

    def step(self) -> None:
        """Show the next of what can be shown; a stem comes over the recording where the last one did."""
        stems = [choice.stem for choice, _ in self.choices()]
        at = stems.index(self.choice.stem) if self.choice.stem in stems else -1
        self.choose(replace(self.choice, stem=stems[(at + 1) % len(stems)]))

    def toggle(self) -> None:
        """Show or hide it."""
        self._asked = ()
        self._bridge.toggle_setting("shows_spectrogram")

    def toggle_in_place(self) -> None:
        """Show it in place of the waveform, or under it."""
        settings = self._session.settings
        in_place = not (settings.shows_spectrogram and settings.spectrogram_in_place)
        self._bridge.set_settings(shows_spectrogram=True, spectrogram_in_place=in_place)

    def toggle_over(self) -> None:
        """Show stems over the recording, or alone."""
        self.choose(replace(self.choice, is_over=not self.choice.is_over))

    @property
    def look(self) -> Look:
        """How it is shown."""
        return self._picture.look

    def set_look(self, **values: Any) -> None:
        """Show it otherwise, without remembering that yet (`save_look` does)."""
        self._picture.set_look(**values)
        self._view.canvas.repaint_all()

    def save_look(self) -> None:
        """Remember how it is shown."""
        look = self._picture.look
        self._bridge.set_settings(
            spectrogram_gain_db=look.gain_db,
            spectrogram_contrast_db=look.contrast_db,
            spectrogram_colors=look.colors,
        )

    # -------------------------------------------------------------------------------------------------- inside

    def _name_of(self, stem: int | str | None) -> str:
        if stem is None:
            return "Recording"
        return self._view.canvas.content.part_name(stem) if isinstance(stem, int) else "Residual"

    def _refresh(self) -> None:
        """Find what is to be shown, and have computed what is missing."""
        project = self._session.project
        recording = spectrograms.recording_to_show(project) if self._session.recording.source is not None else None
        if not self._picture.is_shown or recording is None:
            self._sounds = ()
            self._stop()
            self._put(None, None, None)
            self.changed.emit()
            return
        part = self.choice.stem if isinstance(self.choice.stem, int) else None
        heard = self._playing.stems.stem_set
        stem = spectrograms.stem_to_show(project, part, heard) if self.choice.stem is not None else None
        if stem is None:
            self.choice = replace(self.choice, stem=None)
            self._sounds = (recording,)
        else:
            self._sounds = (stem, recording) if self.choice.is_over else (stem,)
        is_missing = any(found is None or not found.is_complete for found in map(self._open.get, self._sounds))
        if is_missing and self._asked != self._sounds:
            self._asked = self._sounds
            self._open.drop_unfinished()
            self._session.jobs.start(
                JOB,
                "Draw spectrogram",
                spectrograms.build_spectrograms,
                (self._sounds,),
                lambda _: self._refresh(),
                Worker.SPECTRA,
            )
        elif not is_missing:
            self._stop()
        self._load(recording)
        self.changed.emit()

    def _stop(self) -> None:
        job = self._session.jobs.get(JOB)
        if job is not None:
            self._session.jobs.cancel(job)

    def _load(self, recording: SoundToShow) -> None:
        loaded = [self._open.get(sound) for sound in self._sounds]
        reference = loaded[-1] if self._sounds[-1] == recording else self._open.get(recording)
        ground = loaded[1] if len(loaded) > 1 else None
        if len(loaded) > 1 and ground is None:
            loaded[0] = None
        self._put(loaded[0], ground, reference if reference is not None and reference.ready_slabs else None)

    def _put(self, spectrogram: Spectrogram | None, ground: Spectrogram | None, reference: Spectrogram | None) -> None:
        stem, parts = self.choice.stem, self._view.canvas.content
        color = parts.part_color(stem) if isinstance(stem, int) else RESIDUAL_COLOR
        title = self._name_of(stem) + (" over all" if self.choice.is_over and stem is not None else "")
        shown = Shown(title, spectrogram, ground, color, reference, self._notice(spectrogram, ground))
        self._picture.put(shown)
        self._seen = (_finished(shown), self._session.jobs.get(JOB) is None)
        if self._picture.is_shown:
            self._view.canvas.repaint_all()

    def _notice(self, spectrogram: Spectrogram | None, ground: Spectrogram | None) -> str:
        if not self._sounds or (spectrogram is not None and spectrogram.is_complete and ground is None):
            return ""
        if all(s is not None and s.is_complete for s in (spectrogram, ground)):
            return ""
        if self._session.jobs.get(JOB) is None and self._asked == self._sounds:
            return "The spectrogram is not whole; press G twice to go on"
        shapes = [(s.ready_slabs, s.shape.slabs) for s in (spectrogram, ground) if s is not None]
        done, total = (sum(column) for column in zip(*shapes, strict=True)) if shapes else (0, 1)
        return f"Drawing the spectrogram … {done / max(total, 1):.0%}"

    def _tick(self) -> None:
        """Show what has come, and ask for what is looked at."""
        self._tick_count += 1
        if self._tick_count % TICKS or not self._sounds:
            return
        shown, is_running = self._picture.shown, self._session.jobs.get(JOB) is not None
        if is_running:
            self._open.want(self._sounds, max(round(self._view.axis.x_to_frame(0.0)), 0))
        is_new = shown.spectrogram is None or (
            self.choice.is_over and self.choice.stem is not None and not shown.ground
        )
        if (_finished(shown), not is_running) != self._seen or (is_running and is_new):
            recording = spectrograms.recording_to_show(self._session.project)
            if recording is not None:
                self._load(recording)

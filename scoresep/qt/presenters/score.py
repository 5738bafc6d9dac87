"""What the score strip is shown of a session, and the engraving that is made for it in the background."""

from __future__ import annotations

from scoresep.model.engraving import Engraving
from scoresep.playback.mixing import TrackKey, stereo_gains
from scoresep.qt.score.strip import ScoreStrip
from scoresep.session.jobs import Worker
from scoresep.session.session import Changed, Session

SCORE_FIELDS = frozenset({"score", "path", "alignment", "parts", "recording"})
JOB = "engraving"
NOT_ENGRAVED = "The score was not engraved; hide the score strip and show it again to try anew."
UNKNOWN_RATE = 44100


class ScorePresenter:
    """Shows a session in a score strip.

    Parameters
    ----------
    session : Session
    strip : ScoreStrip
    """

    def __init__(self, session: Session, strip: ScoreStrip) -> None:
        self._session = session
        self._strip = strip
        self._awaits = False
        strip.engraving_wanted.connect(self._engrave)

    def show(self, changed: Changed) -> None:
        """Take over what has changed."""
        project = self._session.project
        if changed.what & SCORE_FIELDS:
            rate = project.recording.sample_rate if project.recording is not None else UNKNOWN_RATE
            self._strip.set_score(project.unfolded, project.alignment, project.parts, rate)
        if "jobs" in changed.what and self._awaits and self._session.jobs.get(JOB) is None:
            self._awaits = False  # cancelled, or failed, which the session has said
            self._strip.set_failure(NOT_ENGRAVED)

    def show_audible(self, keys: tuple[TrackKey, ...]) -> None:
        """Pale what is not heard now."""
        gains = stereo_gains(self._session.project.mixer, keys)
        silent = {key for key, gain in zip(keys, gains, strict=True) if not gain.any()}
        self._strip.set_silent_parts(frozenset(key if isinstance(key, int) else None for key in silent))

    def _engrave(self, width_units: int) -> None:
        score_file = self._session.project.score_file
        if score_file is None:
            return
        from scoresep.files.engraving import EngravingRequest, engrave_score  # the window opens without it

        def got(engraving: Engraving) -> None:
            self._awaits = False
            if self._session.project.score_file == score_file:
                self._strip.set_engraving(engraving)

        self._awaits = True
        request = EngravingRequest(score_file, width_units)
        self._session.jobs.start(JOB, "Engrave the score", engrave_score, (request,), got, Worker.ENGRAVING)

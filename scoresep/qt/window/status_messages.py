"""What the window says by itself: the messages of the session, what is missing, and what to do next.

Everything is derived from the present state, so that a hint goes when it no longer applies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from scoresep.qt.presenters.separation import DOUBT
from scoresep.qt.widgets.message_bar import Offer, Sentence
from scoresep.qt.widgets.method_menu import duration_text
from scoresep.session import unused_stems as leftovers
from scoresep.session.session import DOUBTFUL_CONFIDENCE, Message, Session

Do = Mapping[str, Callable[[], None]]

# Where more than this is to be separated again it is not worth saying how much it is.
MOST_CHANGED = 0.8
# What can be tried again when it has failed: matters of messages, and the ids of actions.
AGAIN = {"alignment": "align", "separation": "separate", "export": "export"}


def sentences_of(session: Session, do: Do, difference: str = "") -> tuple[Sentence, ...]:
    """Return all that is to be said now, hints first.

    Parameters
    ----------
    session : Session
    do : mapping of callable
        What can be offered, by the ids of actions, and ``find_recording``, ``show_export`` and ``no_sound``.
    difference : str
        What an alignment that waits to be accepted would change, in a sentence.
    """
    hints = [hint for hint in (_missing(session, do), _alignment(session, do, difference), _stems(session, do)) if hint]
    return (*hints, *(_sentence(message, session, do) for message in session.messages.shown))


def _sentence(message: Message, session: Session, do: Do) -> Sentence:
    """Give a message what can be done about it."""
    alignment, text = session.project.alignment, message.text
    offers: tuple[Offer, ...] = ()
    if message.key == "export" and message.level == "info":
        offers = (Offer("Show folder", do["show_export"]),)
    elif message.key == leftovers.KEY and message.level == "info":
        offers = (Offer("Show…", do["unused_stems"]),)
    elif message.key in AGAIN and message.level == "error":
        offers = (Offer("Try again", do[AGAIN[message.key]]),)
    elif message.key == DOUBT:
        offers = (Offer("Align here again", do["align_stretch"]), Offer("Next", do["next_doubtful"]))
    elif message.key == "output":
        offers = (Offer("Play without sound", do["no_sound"]),)
    elif message.key == "alignment" and message.level == "warning" and alignment is not None:
        offers = (Offer("Repeats…", do["repeats"]), Offer("Other score…", do["open_score"]))
        if alignment.confidence < DOUBTFUL_CONFIDENCE:
            text += f" (Confidence: {round(100 * alignment.confidence)} %. You can go on all the same.)"
    return Sentence(message.level, text, offers, message)


def next_step(session: Session) -> str:
    """Return which of ``align``, ``separate`` and ``export`` comes next; empty for none."""
    project = session.project
    is_busy = any(session.jobs.get(key) for key in ("alignment", "separation"))
    if project.recording is None or project.score is None or is_busy:
        return ""
    if project.alignment is None:
        return "align"
    if project.stem_set is None or session.separation.has_stale_stems:
        return "separate"
    return "export"


def _missing(session: Session, do: Do) -> Sentence | None:
    project = session.project
    missing = session.recording.missing
    if missing is not None and session.jobs.get("recording") is None:
        text = f"The recording “{missing.name}” is not where it was. Show where it lies now; nothing else is lost."
        return Sentence("hint", text, (Offer("Find it…", do["find_recording"]),))
    if project.recording is not None and project.score is None and session.jobs.get("score") is None:
        text = "The recording is open. Now open its score."
        if project.activities is not None:
            text = "Sets of instruments are found by their sound. Open the score to align and separate its parts."
        return Sentence("hint", text, (Offer("Open score…", do["open_score"]),))
    if project.score is not None and project.recording is None and session.jobs.get("recording") is None:
        text = "The score is open, shown at its marked tempo. Now open the recording of it."
        return Sentence("hint", text, (Offer("Open recording…", do["open_recording"]),))
    return None


def _alignment(session: Session, do: Do, difference: str) -> Sentence | None:
    project = session.project
    if project.pending_alignment is not None:
        confidence = round(100 * project.pending_alignment.confidence)
        text = f"There is a new alignment (confidence {confidence} %), shown dashed. {difference}".rstrip()
        text += " The present one stays until you accept it."
        return Sentence("hint", text, (Offer("Accept", do["accept"]), Offer("Reject", do["reject"])))
    return None


def _stems(session: Session, do: Do) -> Sentence | None:
    recording, staleness = session.project.recording, session.separation.staleness
    if recording is None or not staleness.is_stale or session.jobs.get("separation") is not None:
        return None
    text = "The stems were separated before the last changes."
    if staleness.changed_frames >= MOST_CHANGED * recording.frames:
        return Sentence("hint", text, (Offer("Separate again…", do["separate"]),))
    changed = duration_text(staleness.changed_frames / recording.sample_rate)
    text += f" Only {changed} of {duration_text(recording.duration_s)} have to be separated again."
    return Sentence(
        "hint", text, (Offer("Separate what changed", do["separate_again"]), Offer("Choose…", do["separate"]))
    )

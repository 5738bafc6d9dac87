"""Which repeats were played: by the names of the command line, and in sentences on what an alignment found out."""

from __future__ import annotations

from scoresep.model.path import PathChoices, repeat_sites
from scoresep.model.project import Project
from scoresep.model.repeats import JUMP_MARKS
from scoresep.model.score import Score

MOST_NAMED = 4


def choices_named(repeats: str, score: Score) -> PathChoices | None:
    """Return the choices that a name means; None for ``auto``, which leaves them to the recording.

    Parameters
    ----------
    repeats : str
        ``auto``, ``written`` (none again after da capo), ``none`` or ``all`` (again after da capo).
    score : Score
    """
    if repeats == "auto":
        return None
    if repeats == "none":
        return PathChoices(skipped_repeats=frozenset(site.closing_measure for site in repeat_sites(score)))
    return PathChoices(repeats_after_jump=repeats == "all")


def played_otherwise(project: Project) -> tuple[str, ...]:
    """Say in what the performance departs from the score as written; nothing of what a person chose."""
    score, choices, usual = project.score, project.path_choices, PathChoices()
    if score is None or choices.is_by_hand:
        return ()
    sites = repeat_sites(score)
    skipped = [site.label.split(",")[0] for site in sites if site.closing_measure in choices.skipped_repeats]
    told = []
    if skipped and len(skipped) == len(sites) > 1:
        told.append("None of the repeats was played.")
    elif len(skipped) > MOST_NAMED:
        told.append(f"{len(skipped)} of {len(sites)} repeats were not played: {', '.join(skipped)}.")
    else:
        told.extend(f"The repeat of {bars} was not played." for bars in skipped)
    has_jumps = any(JUMP_MARKS.intersection(m.marks) for m in score.measures)
    if has_jumps and choices.takes_jumps != usual.takes_jumps:
        told.append("The da capo or dal segno was not followed.")
    elif has_jumps and choices.repeats_after_jump != usual.repeats_after_jump:
        told.append("After the da capo or dal segno the repeats were played again.")
    if choices.keeps_bars_together != usual.keeps_bars_together:
        told.append("The parts disagree about the lengths of bars; they were played with every bar together.")
    return tuple(told)

"""Where the last chord ends: it is held as long as the players like, and nothing after it tells.

Within a piece the next notes say how long a chord was held; what is heard of its end would say it less well there
(measured against renderings and real recordings: rooms and strings ring on).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scoresep.engines.alignment.note_patches import DB_SCALE, HeardLevels
from scoresep.engines.features import ONSET_SCALE

RATE_HZ = ONSET_SCALE.frame_rate_hz
# A sound is over where it stays so far below what it would be if it went on as it began; plucked ones fade meanwhile.
# It was let go where it last was not yet below that by a few dB, a little before.
FALLEN_DB, FALLEN_S, STEEPEST_DB_PER_S, LET_GO_DB, LET_GO_S = 8.0, 0.05, -30.0, 3.0, 0.08
# It is looked for until the written end, and for as long again as the chord is written, or so long, whichever is more.
LEAST_LONGER_S = 1.0
# Nearer to it than this, the written end stands: when each part is let go is found by those who listen part by part.
CLEARLY_S = 0.12
ATTACK_S, LEAST_BODY_S = 0.1, 0.15


def last_sound_end_s(levels: HeardLevels, onset_s: float, written_end_s: float) -> float | None:
    """Return when a chord that nothing follows falls silent; None where it is not heard to, or about as written.

    Parameters
    ----------
    levels : HeardLevels
    onset_s : float
        When the last of its notes begins.
    written_end_s : float
        When it ends by the tempo.
    """
    level_db = levels.overall[:, 0].astype(np.float64) * DB_SCALE
    length_s = written_end_s - onset_s
    first = max(round((onset_s + min(ATTACK_S, 0.3 * length_s)) * RATE_HZ), 0)
    body = level_db[first : round((onset_s + max(0.6 * length_s, LEAST_BODY_S)) * RATE_HZ)]
    latest = min(round((written_end_s + max(LEAST_LONGER_S, length_s)) * RATE_HZ), len(level_db))
    frame = np.arange(first + len(body) // 2, latest)
    least = round(FALLEN_S * RATE_HZ)
    if len(body) < 4 or len(frame) < least:
        return None
    start_db, slope = _line(body)
    below_db = start_db + slope * (frame - first) - level_db[frame]
    found = np.flatnonzero(np.convolve(below_db > FALLEN_DB, np.ones(least), "valid") == least)
    if not len(found):
        return None
    held = np.flatnonzero(below_db[: found[0] + 1] <= LET_GO_DB)
    last_held = max(int(held[-1]) if len(held) else 0, int(found[0]) - round(LET_GO_S * RATE_HZ))
    end_s = float(frame[max(last_held, 0)]) / RATE_HZ
    return end_s if abs(end_s - written_end_s) > CLEARLY_S else None


def _line(body_db: NDArray[np.float64]) -> tuple[float, float]:
    """Return the level at the start of a held sound, and by how much it falls in every frame."""
    at = np.arange(len(body_db))
    slope = float(np.polyfit(at, body_db, 1)[0]) if len(body_db) > 15 else 0.0
    slope = min(max(slope, STEEPEST_DB_PER_S / RATE_HZ), 0.0)
    return float(np.median(body_db - slope * at)), slope

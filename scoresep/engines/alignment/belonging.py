"""How sure it is that score and recording belong together."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

# How fit, lead and the logarithm of the length are weighed; beyond these limits more does not tell more. Fitted to the
# first 3, 6, 12, 30 and 60 seconds of recordings beside their own and beside strangers' scores, and to cut and patched
# ones; `tests/benchmarks/structure.py` measures it.
FIT, LEAD, LENGTH, CONSTANT = 14.0, 77.0, 1.63, -11.2
LEAST_FIT, MOST_FIT, LEAST_S, MOST_S = -0.1, 0.3, 1.0, 30.0


def belonging(fit: float, lead: float, length_s: float) -> float:
    """Return how sure it is that score and recording belong together, 0 to 1.

    Parameters
    ----------
    fit : float
        Of the coarse path.
    lead : float
        How much better the recording fits in its key than in any other, as a share of a certain match.
    length_s : float
        For how long the score is heard.
    """
    fit, length_s = np.clip(fit, LEAST_FIT, MOST_FIT), np.clip(length_s, LEAST_S, MOST_S)
    return float(expit(FIT * fit + LEAD * lead + LENGTH * np.log(length_s) + CONSTANT))

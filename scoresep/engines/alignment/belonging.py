"""How sure it is that score and recording belong together."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

# How fit, lead and the logarithm of the length are weighed.
FIT, LEAD, LENGTH, CONSTANT = 30.0, 45.0, 0.5, -8.5


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
    return float(expit(FIT * fit + LEAD * lead + LENGTH * np.log(length_s) + CONSTANT))

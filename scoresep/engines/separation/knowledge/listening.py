"""What is measured of a recording before the training: how loud it is, and the profiles of its parts."""

from __future__ import annotations

import numpy as np
import torch

from scoresep.engines.separation.knowledge.hearing import Heard, Hearing
from scoresep.engines.separation.knowledge.material import Stretch
from scoresep.engines.separation.knowledge.profiles import ProfileSum
from scoresep.progress import Progress


def listen(stretches: list[Stretch], hearing: Hearing, progress: Progress) -> Heard:
    """Listen to stretches whose parts are known.

    Parameters
    ----------
    stretches : list of Stretch
    hearing : Hearing
        Its `mean_power` and profiles do not matter.
    progress : Progress
    """
    powers = []
    total = ProfileSum(hearing.notes.stem_count, hearing.settings.harmonics)
    for i, stretch in enumerate(stretches):
        progress.update(i / len(stretches), "Listening to the parts")
        mixture = (stretch.stems.sum(0) + stretch.rest)[None]
        spectra = hearing.spectra(np.concatenate([stretch.stems, mixture]), torch.device("cpu"))
        powers.append(float((spectra[-1].abs() ** 2).mean()))
        tracks = hearing.tracks(spectra[:-1].abs(), 0, spectra.shape[1], stretch.start_frame)
        scaled = spectra / max(powers[-1], 1e-12) ** 0.5
        hearing.add_to(total, scaled[:-1], scaled[-1], tracks)
    return Heard(max(float(np.mean(powers)), 1e-12), total.profiles())

"""What stated confidences mean, in one place for all that state, show or act on them.

The confidence of a note is the probability that it is where it is said to be; that of a stretch or a segment, the share
that is right; that of an alignment, the probability that score and recording belong together. How they are reached is
told by the engines that state them.
"""

from __future__ import annotations

# Below this, wrong is as likely as right: a note or place is doubtful, is shown so, and is where "next unsure" leads;
# a score is rather not that of the recording.
DOUBTFUL_CONFIDENCE = 0.5

"""``segments.csv``: who plays when, as stretches of one set of parts, gapless from 0 to the recording's end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scoresep.files.tables.csv_tables import table_bytes, write_table
from scoresep.model.segments import Segment

COLUMNS = ("start_s", "end_s", "category", "part_indices", "parts")
JOINT = "+"


def write_segments_csv(
    path: str | Path, segments: Sequence[Segment], part_names: Sequence[str], sample_rate: int
) -> None:
    """Write segments.

    Parameters
    ----------
    path : str or Path
        ``-`` for the standard output.
    segments : sequence of Segment
    part_names : sequence of str
        For every part of the score; a ``+`` in a name becomes ``&``, since it joins the names.
    sample_rate : int
        Of the recording.

    Raises
    ------
    OutputError
    """
    write_table(path, COLUMNS, _rows(segments, part_names, sample_rate))


def segments_csv_bytes(segments: Sequence[Segment], part_names: Sequence[str], sample_rate: int) -> bytes:
    """Make the content of the table.

    Parameters
    ----------
    segments : sequence of Segment
    part_names : sequence of str
        By part index.
    sample_rate : int
    """
    return table_bytes(COLUMNS, _rows(segments, part_names, sample_rate))


def _rows(segments: Sequence[Segment], part_names: Sequence[str], sample_rate: int) -> list[tuple[str, ...]]:
    names = [name.replace(JOINT, "&") for name in part_names]
    return [
        (
            f"{segment.start_frame / sample_rate:.6f}",
            f"{segment.end_frame / sample_rate:.6f}",
            segment.category,
            JOINT.join(str(i) for i in segment.part_indices),
            JOINT.join(names[i] for i in segment.part_indices),
        )
        for segment in segments
    ]

"""Engravings as bytes, for the cache: a JSON head, and the compressed drawings one after the other."""

from __future__ import annotations

import json

from scoresep.model.engraving import EngravedSystem, Engraving, MeasureBox, Piece

_MAGIC = b"ScoreSep engraving\n"


def engraving_to_bytes(engraving: Engraving) -> bytes:
    """Write an engraving, without its font."""
    head = {
        "content_key": engraving.content_key,
        "width_units": engraving.width_units,
        "systems": [
            {
                "size": [s.width, s.height],
                "measures": [[m.measure_index, m.left, m.top, m.right, m.bottom] for m in s.measures],
                "pieces": [[len(p.svg_deflated), *p.notes] for p in s.pieces],
            }
            for s in engraving.systems
        ],
    }
    text = json.dumps(head, separators=(",", ":")).encode()
    drawings = [piece.svg_deflated for system in engraving.systems for piece in system.pieces]
    return b"".join((_MAGIC, len(text).to_bytes(8, "little"), text, *drawings))


def engraving_from_bytes(data: bytes) -> Engraving:
    """Read an engraving.

    Raises
    ------
    ValueError
        If the bytes are damaged.
    """
    if not data.startswith(_MAGIC):
        raise ValueError("not an engraving")
    start = len(_MAGIC) + 8
    end = start + int.from_bytes(data[len(_MAGIC) : start], "little")
    systems = []
    try:
        head = json.loads(data[start:end])
        for system in head["systems"]:
            pieces = []
            for length, *notes in system["pieces"]:
                start, end = end, end + int(length)
                pieces.append(Piece(data[start:end], tuple(notes)))
            width, height = system["size"]
            boxes = tuple(MeasureBox(int(m[0]), *m[1:]) for m in system["measures"])
            systems.append(EngravedSystem(width, height, tuple(pieces), boxes))
        if end != len(data):
            raise ValueError("cut short")
        return Engraving(str(head["content_key"]), int(head["width_units"]), tuple(systems))
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError("a damaged engraving") from error

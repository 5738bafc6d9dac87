"""What is offered as the instrument of a part."""

from __future__ import annotations

from scoresep.model.general_midi import FAMILIES


def test_every_program_of_general_midi_has_a_name_of_its_own() -> None:
    families = FAMILIES.items()
    names = [name for _, names in families for name in names]
    assert len(families) == 16 and all(len(names) == 8 for _, names in families)
    assert len(set(names)) == 128
    assert (names[0], names[40], names[68], names[127]) == ("Piano", "Violin", "Oboe", "Gunshot")

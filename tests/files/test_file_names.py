"""File names are accepted everywhere, and templates give what their preview shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoresep.errors import UsageError
from scoresep.files.storage.paths import MAX_NAME_BYTES, render_template, safe_name, template_fields


@given(st.text(max_size=200))
def test_any_text_becomes_a_name_that_is_one_and_stays_so(text: str) -> None:
    name = safe_name(text)
    assert name
    assert safe_name(name) == name
    assert not set(name) & set('<>:"/\\|?*\n\t\0')
    assert name == name.strip(" .")
    assert len(name.encode()) <= MAX_NAME_BYTES + 1
    assert Path(name).name == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Violin I", "Violin I"),
        ("Clarinet in B♭ / A", "Clarinet in B♭ - A"),
        ("Flöte", "Flöte"),
        ("../../etc/passwd", "-..-etc-passwd"),
        ("con", "con_"),
        ("LPT1.wav", "LPT1_.wav"),
        ("Console", "Console"),
        ("...", "Part"),
        ("", "Part"),
    ],
)
def test_known_names(text: str, name: str) -> None:
    assert safe_name(text) == name


def test_templates_are_filled_and_empty_fields_leave_nothing_behind() -> None:
    fields = {"number": "01", "song": "Ave/Maria", "part": "Alto", "instrument": ""}
    assert render_template("{number} {song} - {part} ({instrument})", fields) == "01 Ave-Maria - Alto"
    assert render_template("{song} - {instrument} - {part}", fields) == "Ave-Maria - Alto"
    assert render_template("{{{part}}}", fields) == "{Alto}"
    assert template_fields("{number} {song}") == ("number", "song")


@pytest.mark.parametrize(
    "template", ["", "{instrument}", "{part", "}", "{voice}", "{part!r}", "{part:>9}", "{}", "{0}", "{part.x}"]
)
def test_a_wrong_template_is_one_sentence(template: str) -> None:
    with pytest.raises(UsageError, match="template"):
        render_template(template, {"part": "Alto", "instrument": ""})

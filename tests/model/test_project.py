"""A change and its inverse lead back to the same project, and only to that."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoresep.model.audio import Recording
from scoresep.model.project import (
    ChannelStrip,
    Mixer,
    PartSettings,
    Project,
    Recipe,
    apply_change,
    change_to,
)

recordings = st.builds(
    Recording,
    path=st.text(max_size=8),
    content_key=st.text("0123456789abcdef", min_size=1, max_size=4),
    frames=st.integers(1, 10**9),
    channels=st.integers(1, 8),
    sample_rate=st.sampled_from([8000, 44100, 192000]),
)
parts = st.lists(st.builds(PartSettings, name=st.text(max_size=5), color=st.just("#0072b2")), max_size=4).map(tuple)
strips = st.builds(ChannelStrip, gain_db=st.floats(-60, 12), pan=st.floats(-1, 1), is_muted=st.booleans())
mixers = st.builds(Mixer, strips=st.lists(strips, max_size=4).map(tuple), master_gain_db=st.floats(-60, 6))
projects = st.builds(Project, recording=st.none() | recordings, parts=parts, mixer=mixers)


@given(projects, projects)
def test_undoing_a_change_gives_the_project_before(before: Project, after: Project) -> None:
    change = change_to(before, "Change", recording=after.recording, parts=after.parts, mixer=after.mixer)
    changed = apply_change(before, change)
    assert (changed.recording, changed.parts, changed.mixer) == (after.recording, after.parts, after.mixer)
    assert apply_change(changed, change.inverse) == before
    assert change.inverse.inverse == change


@given(projects)
def test_only_fields_that_differ_are_part_of_a_change(project: Project) -> None:
    change = change_to(project, "Nothing", recording=project.recording, parts=project.parts)
    assert change.what == frozenset()
    assert change_to(project, "Recipe", recipe=Recipe("x"), parts=project.parts).what == {"recipe"}


def test_a_change_for_another_project_is_refused() -> None:
    change = change_to(Project(), "Engine", recipe=Recipe("nmf"))
    with pytest.raises(ValueError, match="another state"):
        apply_change(Project(recipe=Recipe("other")), change)


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValueError, match="no field"):
        change_to(Project(), "Oh", nonsense=1)


def test_parts_that_double_each_other_share_a_stem_and_absent_ones_have_none() -> None:
    four = (
        PartSettings("Violin", "#000001"),
        PartSettings("Flute", "#000002", joined_to=0),
        PartSettings("Harp", "#000003", is_absent=True),
        PartSettings("Cello", "#000004"),
    )
    project = Project(parts=four)
    assert project.stem_owners == (0, 3)
    assert project.stem_of_part == (0, 0, None, 1)

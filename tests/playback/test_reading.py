"""The read cursor: loops, seeks and exchanges, sample by sample."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from scoresep.model.audio import ArraySource
from scoresep.model.project import Loop, Mixer
from scoresep.playback.mixing import Mix, Track, make_mix
from scoresep.playback.reader import BLOCK_FRAMES, FADE_FRAMES, Head, ReadAhead, Ring, read_block, start_from_silence

RATE = 8000
FRAMES = 6000


def material(value: float | None = None) -> Mix:
    """A ramp that tells the frame by its value, or a constant."""
    samples = np.arange(FRAMES, dtype=np.float32)[None] if value is None else np.full((1, FRAMES), value, np.float32)
    return make_mix(Mixer(), (Track("recording", ArraySource(samples, RATE)),), FRAMES, RATE)


def read_all(head: Head, sizes: list[int]) -> tuple[np.ndarray, Head]:
    pieces = []
    for size in sizes:
        block = read_block(head, size)
        pieces.append(block.samples[:, 0])
        head = block.next_head
    return np.concatenate(pieces), head


@given(st.lists(st.integers(1, 700), min_size=1, max_size=12), st.integers(0, 3000))
def test_blocks_of_any_size_join_to_the_material(sizes: list[int], start: int) -> None:
    heard, head = read_all(Head(material(), start), sizes)
    expected = np.arange(start, start + sum(sizes), dtype=np.float32)
    np.testing.assert_array_equal(heard, np.where(expected < FRAMES, expected, 0))
    assert head.frame == start + sum(sizes)


@settings(max_examples=40)
@given(st.lists(st.integers(1, 900), min_size=1, max_size=12), st.integers(0, 2000), st.integers(300, 2500))
def test_a_loop_repeats_exactly_every_so_many_frames(sizes: list[int], start: int, length: int) -> None:
    loop = Loop(start, start + length)
    heard, _ = read_all(Head(material(), start, loop), sizes)
    expected = start + np.arange(sum(sizes)) % length
    turn = np.arange(sum(sizes)) % length
    is_seam = (np.arange(sum(sizes)) >= length) & (turn < FADE_FRAMES)
    np.testing.assert_array_equal(heard[~is_seam], expected[~is_seam])
    ramp = turn[is_seam] / FADE_FRAMES
    faded = expected[is_seam] * ramp + (expected[is_seam] + length) * (1 - ramp)
    np.testing.assert_allclose(heard[is_seam], faded, rtol=1e-5)


def test_a_loop_shorter_than_a_fade_still_keeps_its_length() -> None:
    _, head = read_all(Head(material(), 100, Loop(100, 150)), [175])
    assert head.frame == 125


def test_the_runs_of_a_block_say_which_frame_sounds_where() -> None:
    block = read_block(Head(material(), 950, Loop(400, 1000)), 700)
    assert block.runs == ((0, 950), (50, 400), (650, 400))


def test_a_seek_fades_over_and_is_then_exact() -> None:
    head = read_block(Head(material(), 0), 500).next_head.changed(frame=3000)
    heard, _ = read_all(head, [100, 300, 100])
    ramp = np.arange(FADE_FRAMES) / FADE_FRAMES
    np.testing.assert_allclose(
        heard[:FADE_FRAMES], (3000 * ramp + 500 * (1 - ramp)) + np.arange(FADE_FRAMES), rtol=1e-5
    )
    np.testing.assert_array_equal(heard[FADE_FRAMES:], np.arange(3000 + FADE_FRAMES, 3500))


def test_exchanging_the_material_keeps_the_frame_and_never_jumps() -> None:
    head = Head(material(0.5), 700)
    heard, head = read_all(head, [300])
    later, head = read_all(head.changed(material(-0.5)), [1000])
    both = np.concatenate([heard, later])
    assert head.frame == 2000
    assert np.abs(np.diff(both)).max() <= 1.01 / FADE_FRAMES
    assert both[0] == 0.5 and both[-1] == -0.5


def test_changes_on_top_of_each_other_never_jump() -> None:
    heard, head = read_all(start_from_silence(material(0.5), 0), [60])
    pieces = [heard]
    for value in (-0.5, 0.2, 0.9):
        head = head.changed(material(value))
        heard, head = read_all(head, [70])
        pieces.append(heard)
    assert np.abs(np.diff(np.concatenate(pieces))).max() < 5 / FADE_FRAMES


def test_an_exchange_for_the_same_sound_is_not_heard() -> None:
    head = read_block(Head(material(), 0), 100).next_head
    heard, _ = read_all(head.changed(material()), [400])
    np.testing.assert_allclose(heard, np.arange(100, 500), rtol=1e-6)


def test_a_jump_is_told_before_anything_was_read_from_there() -> None:
    ahead = ReadAhead(Ring(4 * BLOCK_FRAMES, 2), Head(material(), 0))
    ahead.fill(oldest_needed=0.0)
    jump = ahead.replace(lambda head: head.changed(frame=5000))
    assert (ahead.frame_at(jump), ahead.frame_at(0)) == (5000, 0)
    ahead.fill(oldest_needed=0.0)
    assert ahead.frame_at(jump + 10) == 5010

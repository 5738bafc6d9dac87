from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from scoresep.engines.separation.chunking import MOST_S, Stretch, next_chunk, plan_chunks


@given(
    frames=st.integers(1, 3_000_000),
    rate=st.sampled_from([8000, 44100]),
    stems=st.integers(0, 60),
    edges=st.lists(st.integers(-5, 3_000_005), max_size=40),
)
def test_a_recording_is_divided_without_gaps_and_into_pieces_that_fit(
    frames: int, rate: int, stems: int, edges: list[int]
) -> None:
    stretches = plan_chunks(frames, rate, 2, stems, edges)

    assert stretches[0].start_frame == 0 and stretches[-1].stop_frame == frames
    for one, other in pairwise(stretches):
        assert one.stop_frame == other.start_frame
    assert all(0 < s.stop_frame - s.start_frame <= MOST_S * rate for s in stretches)


def test_segments_of_a_usable_length_are_pieces() -> None:
    edges = [50_000, 51_000, 110_000]
    assert [s.stop_frame for s in plan_chunks(160_000, 8000, 1, 2, edges)] == [50_000, 110_000, 160_000]


def test_what_is_under_the_playhead_comes_first_then_what_follows_then_the_start() -> None:
    left = [Stretch(0, 10), Stretch(10, 20), Stretch(20, 30)]
    order = []
    while left:
        order.append(next_chunk(left, 15))
        left.remove(order[-1])
    assert [s.start_frame for s in order] == [10, 20, 0]

"""The plain twin of the UDP edge: which frames leave together. `tests/native/test_udp.py` tries both forms."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from alagg.engine.header import DATA, SIZE
from alagg.ports import udp as plain
from tests.native.test_udp import frames


@given(frames, st.sampled_from([0, 0xFC]), st.sampled_from([1, 2, 64]))
def test_groups_are_what_the_kernel_cuts_again(sizes: list[tuple[int, int]], mask: int, segments: int) -> None:
    """All but the last one of a group have one size, and all have one traffic class."""
    batch = [bytes([DATA]) + bytes(SIZE - 1) + bytes([fill]) * size for size, fill in sizes]
    start = 0
    while start < len(batch):
        count, traffic = plain.group(batch, start, segments, mask)
        group = batch[start : start + count]
        assert 1 <= count <= segments
        assert len({len(frame) for frame in group[:-1]}) <= 1
        assert len(group[-1]) <= len(group[0])
        assert sum(map(len, group)) <= plain.LARGEST
        assert {plain.traffic_class(frame, traffic) & mask for frame in group} == {traffic}
        start += count

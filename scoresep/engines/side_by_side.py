"""Pieces of array work side by side on a few processors.

numpy lets other threads run while it computes, so that threads do where the pieces are large. Its matrix products would
start threads of their own, which wait for each other busily; `product` stays below the size from which they do.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Item = TypeVar("Item")
Answer = TypeVar("Answer")

MOST_THREADS = 4
# OpenBLAS keeps to one thread for products of up to so many multiplications.
# https://github.com/OpenMathLib/OpenBLAS: SMP_THRESHOLD_MIN * GEMM_MULTITHREAD_THRESHOLD
ONE_THREAD_MULTIPLICATIONS = 2**18
COLUMNS = 64


def side_by_side(work: Callable[[Item], Answer], items: Iterable[Item]) -> Iterator[Answer]:
    """Yield what `work` gives for every item, in their order; a few are worked on at once.

    Only a few items are taken ahead, so that they may be large. `items` is read in the calling thread.
    """
    threads = min(MOST_THREADS, _processors())
    if threads < 2:
        yield from map(work, items)
        return
    pool = ThreadPoolExecutor(threads)
    try:
        ahead: deque[Future[Answer]] = deque()
        for item in items:
            ahead.append(pool.submit(work, item))
            if len(ahead) > threads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def product(rows: NDArray[np.float32], matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the matrix product of arrays, shape (n, k) and (k, m), worked out a little at a time in this thread."""
    out = np.empty((len(rows), matrix.shape[1]), np.float32)
    for first in range(0, matrix.shape[1], COLUMNS):
        part, to = matrix[:, first : first + COLUMNS], out[:, first : first + COLUMNS]
        together = max(ONE_THREAD_MULTIPLICATIONS // max(part.size, 1), 1)
        whole = len(rows) // together * together
        blocks = rows[:whole].reshape(-1, together, rows.shape[1])
        np.matmul(blocks, part, out=to[:whole].reshape(-1, together, part.shape[1]))
        np.matmul(rows[whole:], part, out=to[whole:])
    return out


def _processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

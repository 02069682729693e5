"""Divides draws into blocks and works on them in threads; what comes out has the order of the blocks."""

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")

# Bytes of the outcomes of one block. No measure of the machine enters, so that blocks are the same everywhere.
BLOCK_BYTES = 32_000_000

# A larger block gains nothing, and progress is told once a block.
MOST_DRAWS = 4096

# No block has fewer draws, however large their outcomes: the compiled engine runs a few draws one by one, slowly and
# with sums in another order. Blocks are a multiple of this, which is a whole vector,
LEAST_DRAWS = 16

# and larger blocks of this, which is several vectors of every compiled kernel.
VECTOR = 64

# A small ensemble is divided so often, for several threads to have work,
PARTS = 16

# unless that leaves a block with less work than this, in variables times steps times draws: about five milliseconds.
LEAST_WORK = 20_000_000

# Blocks that wait for a thread, besides those at work: enough that none stands idle, few enough to bound memory.
AHEAD = 2


def blocks(draws: int, bytes_per_draw: int, work_per_draw: int = LEAST_WORK) -> list[slice]:
    """Divide draws into blocks."""
    fits = max(LEAST_DRAWS, BLOCK_BYTES // max(1, bytes_per_draw))
    size = min(fits, MOST_DRAWS, max(VECTOR, -(-draws // PARTS), LEAST_WORK // max(1, work_per_draw)))
    size -= size % (VECTOR if size > VECTOR else LEAST_DRAWS)
    # What is left over joins the last block: a few draws alone take a kernel of their own.
    firsts = [first for first in range(0, draws, size) if first == 0 or draws - first >= min(size, VECTOR)]
    return [slice(first, last) for first, last in itertools.pairwise([*firsts, draws])]


def in_order(work: Callable[[slice], Result], parts: Sequence[slice], threads: int) -> Iterator[tuple[slice, Result]]:
    """Do some work for every block; results come in the order of the blocks, whatever the number of threads."""
    if threads == 1 or len(parts) < 2:
        for part in parts:
            yield part, work(part)
        return
    with ThreadPoolExecutor(max_workers=threads, thread_name_prefix="ensemble") as pool:
        waiting: deque[tuple[slice, Future[Result]]] = deque()
        try:
            for part in parts:
                waiting.append((part, pool.submit(work, part)))
                if len(waiting) >= threads + AHEAD:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

"""Run work in threads, processes or by any other executor; the results do not depend on which."""

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from itertools import islice
from multiprocessing import active_children, get_context, parent_process
from typing import Any, ParamSpec, TypeVar

from pysd_runner.core.errors import InvalidInput, Message
from pysd_runner.engine.validation import check_integer, cores, one_core

Item = TypeVar("Item")
Result = TypeVar("Result")
P = ParamSpec("P")
R = TypeVar("R")

# Items submitted per worker: enough that none is idle, few enough to bound memory.
ITEMS_PER_WORKER = 2
# Items submitted to an executor whose number of workers is unknown.
UNKNOWN_WORKERS = 64

UNGUARDED = Message(
    "the processes could not start: each begins by importing the script that called; put the call under "
    '`if __name__ == "__main__":` in a file, or take another executor'
)
# Part of Python's error message if a process starts others while it imports the main script.
IMPORTING = "bootstrapping phase"


class WorkerLost(InvalidInput):
    """A worker ended before its work was finished."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Pool of workers, created by `open_pool`; without an executor, work runs in the calling thread."""

    executor: Executor | None
    limit: int

    def finished(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[tuple[int, Result]]:
        """Apply `work` to every item, and yield item numbers and results as they are finished."""
        if self.executor is None:
            for number, item in enumerate(items):
                yield number, work(item)
            return
        running: dict[Future[Result], int] = {}
        coming = enumerate(items)
        with _watched(running):
            while True:
                for number, item in islice(coming, self.limit - len(running)):
                    running[self.executor.submit(_alone, work, item)] = number
                if not running:
                    return
                ready = wait(running, return_when=FIRST_COMPLETED).done
                for future in sorted(ready, key=running.__getitem__):
                    yield running.pop(future), future.result()

    def in_order(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Apply `work` to every item, and yield results in order; the number of pending results is bounded."""
        if self.executor is None:
            yield from map(work, items)
            return
        waiting: deque[Future[Result]] = deque()
        with _watched(waiting):
            for item in items:
                if len(waiting) >= self.limit:
                    yield waiting.popleft().result()
                waiting.append(self.executor.submit(_alone, work, item))
            while waiting:
                yield waiting.popleft().result()


@contextmanager
def _watched(futures: Collection[Future[Any]]) -> Iterator[None]:
    """Raise `WorkerLost` if workers are lost, and cancel pending work in the end."""
    try:
        yield
    except BrokenExecutor as error:
        raise WorkerLost("a worker ended early, as when there is not enough memory; take fewer workers") from error
    except CancelledError as error:
        raise WorkerLost("the scheduler is gone, or somebody cancelled the work") from error
    finally:
        for future in futures:
            future.cancel()


def one_thread(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function to run its linear algebra on one thread."""
    # Matrices of about sixty rows gain nothing from a second thread, and lose much if another process occupies its
    # core. Workers also have one thread; with more, products can differ in the last bit.

    @wraps(function)
    def limited(*args: P.args, **kwargs: P.kwargs) -> R:
        with _limited_algebra():
            return function(*args, **kwargs)

    return limited


def _limited_algebra() -> Any:
    """Limit linear algebra to one thread, from now on or within a block."""
    # Imported first: limits apply only to loaded libraries, and SciPy brings its own BLAS.
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1, user_api="blas")


def _alone(work: Callable[[Item], Result], item: Item) -> Result:
    """Process one item on one core, leaving the other cores to the other workers."""
    with one_core():
        return work(item)


def check_executor(executor: str) -> None:
    """Raise `InvalidInput` for an unknown name of an executor."""
    if executor not in ("threads", "processes"):
        raise InvalidInput(
            "executor: expected 'threads', 'processes' or, in Python, an executor, such as "
            "`dask.distributed.Client(address).get_executor()`; found {found!r}",
            found=executor,
        )


@contextmanager
def open_pool(
    executor: str | Executor | None, workers: int | None = None, *, items: int | None = None
) -> Iterator[Pool]:
    """Open a pool of workers; executors that are created here are closed at the end."""
    if executor is None:
        yield Pool(None, 1)
        return
    if not isinstance(executor, str):
        if not callable(getattr(executor, "submit", None)):
            raise InvalidInput("executor: expected a name or something with `submit`; found {found!r}", found=executor)
        yield Pool(executor, UNKNOWN_WORKERS)
        return
    check_executor(executor)
    count = cores() if workers is None else check_integer("workers", workers, least=1)
    count = count if items is None else max(1, min(count, items))
    if executor == "threads":
        if count == 1:
            yield Pool(None, 1)
            return
        with ThreadPoolExecutor(count, thread_name_prefix="gapsim") as threads:
            yield Pool(threads, ITEMS_PER_WORKER * count)
    else:
        with processes(count) as own:
            yield Pool(own, ITEMS_PER_WORKER * count)


@contextmanager
def processes(count: int) -> Iterator[Executor]:
    """Open processes that ignore Ctrl-C; after an interruption or failure they are terminated at once."""
    others = set(active_children())
    own = ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=_begin)
    try:
        _start(own, count)
        yield own
    except BaseException:
        for child in set(active_children()) - others:
            child.terminate()
        raise
    finally:
        own.shutdown(cancel_futures=True)


def _start(own: Executor, count: int) -> None:
    """Start all processes, which ignore Ctrl-C from the beginning, and wait until they are ready."""
    try:
        with _interruption_held():
            started = [own.submit(_ignore_interruption) for _ in range(count)]
        for one in started:
            one.result()
    except BrokenProcessPool:
        raise InvalidInput(UNGUARDED) from None
    except RuntimeError as error:
        if IMPORTING not in str(error):
            raise
        # A worker that still imports the script: the process that started it reports the error.
        raise SystemExit(1) from None


@contextmanager
def _interruption_held() -> Iterator[None]:
    """Block Ctrl-C, also for processes started meanwhile, which inherit the mask; no effect on Windows."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    former = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


def _ignore_interruption() -> None:
    """Ignore Ctrl-C, which the parent process handles."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _begin() -> None:
    """Initialise a worker: ignore Ctrl-C, exit when the parent process ends, limit linear algebra to one thread."""
    _ignore_interruption()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _limited_algebra()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)

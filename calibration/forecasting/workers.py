"""Processes that forecast at the same time, and end quietly with the one that started them."""

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process

from pysd_runner.core.errors import InvalidInput

UNGUARDED = (
    "the processes that `workers` asks for could not start: each begins by importing the script that called; put the "
    'call of `backtest` under `if __name__ == "__main__":` in a file, or give an `executor`'
)
# What Python says to a process that starts others while it imports the script.
IMPORTING = "bootstrapping phase"
LOST = "a process that `workers` asked for ended early, as when there is not enough memory; take fewer workers"


@contextmanager
def processes(count: int) -> Iterator[Executor]:
    """Processes that ignore Ctrl-C; after it, or a failure, what they do ends at once and what waits never begins."""
    others = set(active_children())
    own = ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=_begin)
    try:
        _start(own, count)
        yield own
    except BrokenProcessPool as error:
        raise InvalidInput(LOST) from error
    except BaseException:
        for child in set(active_children()) - others:
            child.terminate()
        raise
    finally:
        own.shutdown(cancel_futures=True)


def _start(own: Executor, count: int) -> None:
    """Begin all processes, deaf to Ctrl-C from their first moment, and wait until they are there."""
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
        # A worker that still imports the script: the process that started it says what is wrong.
        raise SystemExit(1) from None


@contextmanager
def _interruption_held() -> Iterator[None]:
    """Hold Ctrl-C back, for processes started meanwhile too: they inherit what is held. Not known on Windows."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    former = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


def _ignore_interruption() -> None:
    """Leave Ctrl-C to the process that gives the work."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _begin() -> None:
    """Leave Ctrl-C to the process that gives the work, and end when it ends, even if it is killed."""
    _ignore_interruption()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)

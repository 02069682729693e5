"""Ctrl-C that waits for the block at hand, so that what is kept is whole."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Interruption:
    """Remembers that an interruption was asked for."""

    def __init__(self, former: Callable[[int, FrameType | None], Any]) -> None:
        self._former, self._is_asked = former, False

    def ask(self, number: int, frame: FrameType | None) -> None:
        """Handle the signal."""
        if self._is_asked:
            self._former(number, frame)
        self._is_asked = True

    def check(self) -> None:
        """Stop if an interruption was asked for."""
        if self._is_asked:
            raise KeyboardInterrupt


@contextmanager
def listening() -> Iterator[Interruption]:
    """Listen for Ctrl-C between blocks; the former handler comes back afterwards."""
    former = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(former):
        yield Interruption(signal.default_int_handler)
        return
    interruption = Interruption(former)
    signal.signal(signal.SIGINT, interruption.ask)
    try:
        yield interruption
    finally:
        signal.signal(signal.SIGINT, former)

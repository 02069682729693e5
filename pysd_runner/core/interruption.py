"""Ctrl-C, a request to end and a terminal that goes away: none is lost, and all end in the same orderly way."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

# Ctrl-C; what `timeout` and services send; a terminal that is closed (not known on Windows).
ASKING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Interruption:
    """Remembers that an interruption was asked for."""

    # The interpreter drops an exception that a signal raises inside the callbacks of C libraries. Work that checks here
    # from time to time stops all the same.

    def __init__(self) -> None:
        self._is_asked = False
        self._former: dict[int, Any] = {}
        self.kind: int = signal.SIGINT  # what asked last

    def ask(self, kind: int, _: FrameType | None) -> None:
        """Handle a signal at once."""
        self._is_asked, self.kind = True, kind
        raise KeyboardInterrupt

    def ask_later(self, kind: int, frame: FrameType | None) -> None:
        """Handle a signal at the next `check`; whoever asks again is heard by the former handler."""
        if self._is_asked:
            self._former[kind](kind, frame)
        self._is_asked = True

    def check(self) -> None:
        """Stop if an interruption was asked for."""
        if self._is_asked:
            self._is_asked = False
            raise KeyboardInterrupt

    def hear(self, kind: int, handler: Callable[[int, FrameType | None], None]) -> None:
        """Handle a signal until `leave`."""
        self._former[kind] = signal.signal(kind, handler)

    def leave(self) -> None:
        """Give the signals back to the handlers of before."""
        for kind, former in self._former.items():
            signal.signal(kind, former)


@contextmanager
def listening() -> Iterator[Interruption]:
    """Listen for Ctrl-C and what else asks to end while a command runs; the former handlers come back afterwards."""
    interruption = Interruption()
    # Signals can only be handled in the main thread, and a caller that ignores them wants that.
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    for kind in ASKING:
        if signal.getsignal(kind) not in (signal.SIG_IGN, None):
            interruption.hear(kind, interruption.ask)
    former_hook = sys.unraisablehook
    sys.unraisablehook = lambda lost: None if lost.exc_type is KeyboardInterrupt else former_hook(lost)
    try:
        yield interruption
    finally:
        interruption.leave()
        sys.unraisablehook = former_hook


@contextmanager
def between_steps() -> Iterator[Interruption]:
    """Hold Ctrl-C back until a step of the work is finished and `check` is called."""
    interruption = Interruption()
    if threading.current_thread() is threading.main_thread() and callable(signal.getsignal(signal.SIGINT)):
        interruption.hear(signal.SIGINT, interruption.ask_later)
    try:
        yield interruption
    finally:
        interruption.leave()

"""Ctrl-C that is never lost."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interruption:
    """Remembers that an interruption was asked for.

    The interpreter drops an exception that a signal raises inside the callbacks of C libraries. Work that checks here
    from time to time stops all the same.
    """

    def __init__(self) -> None:
        self._is_asked = False

    def ask(self, _: int, __: FrameType | None) -> None:
        """Handle the signal.

        Raises
        ------
        KeyboardInterrupt
            Always.
        """
        self._is_asked = True
        raise KeyboardInterrupt

    def check(self) -> None:
        """Stop if an interruption was asked for.

        Raises
        ------
        KeyboardInterrupt
            If it was.
        """
        if self._is_asked:
            self._is_asked = False
            raise KeyboardInterrupt


@contextmanager
def listening() -> Iterator[Interruption]:
    """Listen for Ctrl-C while a command runs; the former handler comes back afterwards.

    Yields
    ------
    Interruption
        To be checked between steps of the work.
    """
    interruption = Interruption()
    # Signals can only be handled in the main thread, and a caller that ignores them wants that.
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        yield interruption
        return
    former, former_hook = signal.signal(signal.SIGINT, interruption.ask), sys.unraisablehook
    sys.unraisablehook = lambda lost: None if lost.exc_type is KeyboardInterrupt else former_hook(lost)
    try:
        yield interruption
    finally:
        signal.signal(signal.SIGINT, former)
        sys.unraisablehook = former_hook

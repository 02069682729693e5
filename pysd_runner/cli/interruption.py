"""Ctrl-C, a request to end and a terminal that goes away: none is lost, and all end in the same orderly way."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# Ctrl-C; what `timeout` and services send; a terminal that is closed (not known on Windows).
ASKING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Interruption:
    """Remembers that an interruption was asked for."""

    # The interpreter drops an exception that a signal raises inside the callbacks of C libraries. Work that checks here
    # from time to time stops all the same.

    def __init__(self) -> None:
        self._is_asked = False
        self.kind: int = signal.SIGINT  # what asked last

    def ask(self, kind: int, _: FrameType | None) -> None:
        """Handle the signal."""
        self._is_asked, self.kind = True, kind
        raise KeyboardInterrupt

    def check(self) -> None:
        """Stop if an interruption was asked for."""
        if self._is_asked:
            self._is_asked = False
            raise KeyboardInterrupt


@contextmanager
def listening() -> Iterator[Interruption]:
    """Listen for Ctrl-C and what else asks to end while a command runs; the former handlers come back afterwards."""
    interruption = Interruption()
    # Signals can only be handled in the main thread, and a caller that ignores them wants that.
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    heard = [kind for kind in ASKING if signal.getsignal(kind) not in (signal.SIG_IGN, None)]
    former = {kind: signal.signal(kind, interruption.ask) for kind in heard}
    former_hook = sys.unraisablehook
    sys.unraisablehook = lambda lost: None if lost.exc_type is KeyboardInterrupt else former_hook(lost)
    try:
        yield interruption
    finally:
        for kind, handler in former.items():
            signal.signal(kind, handler)
        sys.unraisablehook = former_hook

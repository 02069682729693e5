"""Progress bars of long work at a terminal, and orderly handling of interruptions (Ctrl-C and other signals)."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Bar:
    """Progress bar of one stage of the work."""

    def __init__(self, progress: "Progress", task: "TaskID", title: str) -> None:
        self._progress, self._task, self._title = progress, task, title

    def advance(self, steps: int) -> None:
        """Advance by the number of steps finished since the last call."""
        self._progress.advance(self._task, steps)

    def at(self, what: str, done: int, total: int) -> None:
        """Show the current activity, and the number of finished steps and of all."""
        self._progress.update(self._task, description=f"{self._title}: {what}", completed=done, total=total)


@contextmanager
def bar(title: str, total: int | None) -> Iterator[Bar]:
    """Show a progress bar while a stage runs; its title and duration remain on the screen."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        SpinnerColumn(finished_text="✓"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    console = Console(stderr=True, highlight=False)
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(title, total=total)
        yield Bar(progress, task, title)
        progress.update(task, description=title, total=total or 1, completed=total or 1)


# Signals for Ctrl-C, for termination by `timeout` and services, and for a closed terminal (not on Windows).
ASKING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Interruption:
    """Handle signals, and remember that an interruption was requested."""

    # An exception that a signal handler raises inside a callback of a C library is lost. Work that calls `check` from
    # time to time stops nevertheless.

    def __init__(self) -> None:
        self._is_asked = False
        self._former: dict[int, Any] = {}
        self.kind: int = signal.SIGINT  # the last signal received

    def ask(self, kind: int, _: FrameType | None) -> None:
        """Handle a signal at once, by raising `KeyboardInterrupt`."""
        self._is_asked, self.kind = True, kind
        raise KeyboardInterrupt

    def ask_later(self, kind: int, frame: FrameType | None) -> None:
        """Handle a signal at the next `check`; a second signal is passed to the former handler."""
        if self._is_asked:
            self._former[kind](kind, frame)
        self._is_asked = True

    def check(self) -> None:
        """Raise `KeyboardInterrupt` if an interruption was requested."""
        if self._is_asked:
            self._is_asked = False
            raise KeyboardInterrupt

    def hear(self, kind: int, handler: Callable[[int, FrameType | None], None]) -> None:
        """Install a signal handler until `leave`."""
        self._former[kind] = signal.signal(kind, handler)

    def leave(self) -> None:
        """Restore the former signal handlers."""
        for kind, former in self._former.items():
            signal.signal(kind, former)


@contextmanager
def listening() -> Iterator[Interruption]:
    """Handle Ctrl-C and other signals to terminate while a command runs; restore the former handlers afterwards."""
    interruption = Interruption()
    # Signals can only be handled in the main thread; those that the caller ignores stay ignored.
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
    """Defer Ctrl-C until a step of the work is finished and `check` is called."""
    interruption = Interruption()
    if threading.current_thread() is threading.main_thread() and callable(signal.getsignal(signal.SIGINT)):
        interruption.hear(signal.SIGINT, interruption.ask_later)
    try:
        yield interruption
    finally:
        interruption.leave()

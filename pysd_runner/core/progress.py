"""Long work at a terminal: a bar with the time that remains, and ends that are asked for, none lost and all orderly."""

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
    """A stage drawn as a bar."""

    def __init__(self, progress: "Progress", task: "TaskID", title: str) -> None:
        self._progress, self._task, self._title = progress, task, title

    def advance(self, steps: int) -> None:
        """Count steps that were finished since the last call."""
        self._progress.advance(self._task, steps)

    def at(self, what: str, done: int, total: int) -> None:
        """Say what is being done now, and how many steps of how many are finished."""
        self._progress.update(self._task, description=f"{self._title}: {what}", completed=done, total=total)


@contextmanager
def bar(title: str, total: int | None) -> Iterator[Bar]:
    """Show a bar while a stage runs; what remains on the screen is its title and how long it took."""
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

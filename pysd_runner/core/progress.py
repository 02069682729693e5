"""Progress of long work at a terminal or in a notebook, and orderly handling of interruptions (Ctrl-C and others)."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from importlib import import_module
from time import monotonic
from types import FrameType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

#: Called with the current step, the number of finished items and their total.
Callback = Callable[[str, int, int], None]
#: A function to call; True or False to show or hide a line with the time left; None to show it where someone watches.
ProgressCallback = Callback | bool | None
P = ParamSpec("P")
R = TypeVar("R")

# Whether progress is shown or hidden already, so that functions called by others show nothing of their own.
is_told = ContextVar("is_told", default=False)
# Seconds before a line is shown, between changes of it, and between lines of a file.
AT_FIRST, OFTEN, SELDOM = 1.0, 0.4, 10.0


def with_progress(title: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorator of a function with a parameter ``progress``: the function is given one that it can call."""

    def around(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def told(*args: Any, progress: ProgressCallback = None, **kwargs: Any) -> R:
            line = ProgressLine(title) if _is_wanted(progress) else None
            mark = is_told.set(True)
            try:
                tell = callback_of(progress if line is None else line.at)
                return cast("Callable[..., R]", function)(*args, progress=tell, **kwargs)
            finally:
                is_told.reset(mark)
                if line is not None:
                    line.close()

        return cast("Callable[P, R]", told)

    return around


def callback_of(progress: ProgressCallback) -> Callback:
    """The function to call, which does nothing if none was given."""
    return progress if callable(progress) else lambda *_: None


def counted(progress: ProgressCallback, what: str, total: int) -> Callable[[int], None]:
    """Adapt a progress callback (task, done, total) to functions that report items finished since the last call."""
    done = 0

    def finished(items: int) -> None:
        nonlocal done
        done += items
        callback_of(progress)(what, done, total)

    return finished


def _is_wanted(progress: ProgressCallback) -> bool:
    """Whether to show a line: if asked to, in a notebook or at a terminal; not in threads and processes of others."""
    if callable(progress) or progress is False or is_told.get() or _asked("multiprocessing", "parent_process"):
        return False
    is_main = threading.current_thread() is threading.main_thread()
    return is_main and (progress is True or _is_notebook() or sys.stderr.isatty())


def _asked(module: str, function: str) -> Any:
    """Result of a function of a module, if the module was imported."""
    return getattr(sys.modules.get(module), function, lambda: None)()


def _is_notebook() -> bool:
    return hasattr(_asked("IPython", "get_ipython"), "kernel")


class ProgressLine:
    """Progress in one line with the time left, in a notebook or on standard error."""

    def __init__(self, title: str) -> None:
        self._title, self._begun, self._output = title, monotonic(), None
        self._next, self._former, self._stage = self._begun + AT_FIRST, (0, 0), (0, self._begun)
        self._pause = OFTEN if _is_notebook() or sys.stderr.isatty() else SELDOM

    def at(self, what: str, done: int, total: int) -> None:
        """Show the current activity, and the time left of the present step; steps count from their own beginning."""
        now = monotonic()
        if done < self._former[0] or total != self._former[1]:
            self._stage = (done, now)
        self._former = (done, total)
        if now < self._next:
            return
        self._next = now + self._pause
        first, since = self._stage
        text = f"{self._title}: {what}, {done} of {total}; {_spelled(now - self._begun)} so far"
        if first < done:
            text += f", about {_spelled((now - since) / (done - first) * (total - done))} left of this step"
        self._show(text)

    def close(self) -> None:
        """Leave the duration in a notebook, and nothing at a terminal."""
        if self._output is not None:
            self._show(f"{self._title}: {_spelled(monotonic() - self._begun)}")
        elif sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")

    def _show(self, text: str) -> None:
        shown = {"text/plain": text}
        if self._output is not None:
            self._output.update(shown, raw=True)
        elif _is_notebook():
            self._output = import_module("IPython.display").display(shown, raw=True, display_id=True)
        else:
            sys.stderr.write(f"\r\x1b[K{text}" if sys.stderr.isatty() else f"{text}\n")
            sys.stderr.flush()


def _spelled(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


class Bar:
    """Progress bar of one stage of the work."""

    def __init__(self, progress: "Progress", task: "TaskID", title: str) -> None:
        self._progress, self._task, self._title = progress, task, title

    def advance(self, steps: int) -> None:
        """Advance by the number of steps finished since the last call."""
        self._progress.advance(self._task, steps)

    def at(self, what: str, done: int, total: int) -> None:
        """Show the current activity, and the number of finished steps and of all."""
        shown = f"{self._title}: {what}" if what else self._title
        self._progress.update(self._task, description=shown, completed=done, total=total)


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

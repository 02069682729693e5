"""A bar on standard error with the time that remains."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class Bar:
    """A stage drawn as a bar."""

    def __init__(self, progress: Progress, task: TaskID, title: str) -> None:
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

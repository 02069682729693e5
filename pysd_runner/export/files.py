"""Write files and folders atomically: under hidden draft names until they are complete."""

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # Windows, where drafts are not locked, so that abandoned drafts cannot be identified
    fcntl: Any = None  # type: ignore[no-redef]

DRAFT, ASIDE = ".part", ".old"


def write_text_whole(path: str | Path, text: str) -> Path:
    """Write a UTF-8 text file atomically; an interruption leaves the previous file, or none.

    Parameters
    ----------
    path
        Where to write; missing folders are made.
    text
        The content; line ends are written as given.

    Returns
    -------
    Path
        ``path``.

    Raises
    ------
    OSError
        If the folder cannot be made or the file cannot be written; nothing is left behind.
    """
    return write_bytes_whole(path, text.encode("utf-8"))


def write_bytes_whole(path: str | Path, content: bytes) -> Path:
    """Write a binary file atomically; an interruption leaves the previous file, or none.

    Parameters
    ----------
    path
        Where to write; missing folders are made.
    content
        The content.

    Returns
    -------
    Path
        ``path``.

    Raises
    ------
    OSError
        If the folder cannot be made or the file cannot be written; nothing is left behind.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The draft is in the same folder, so that renaming it cannot cross file systems and is atomic.
    try:
        with draft_file(path) as draft:
            with draft.open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            draft.chmod(0o666 & ~_umask())
            draft.replace(path)
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)  # errors such as a full disk do not name the file
        raise
    return path


@contextmanager
def draft_file(path: Path) -> Iterator[Path]:
    """A hidden empty file in the folder of a path; removed afterwards, unless it was renamed."""
    with _draft(path, lambda name: _closed(*tempfile.mkstemp(dir=path.parent, prefix=name, suffix=DRAFT))) as draft:
        yield draft


@contextmanager
def draft_folder(path: Path, suffix: str = DRAFT) -> Iterator[Path]:
    """A hidden folder in the folder of a path; removed afterwards with its contents, unless it was renamed."""
    with _draft(path, lambda name: tempfile.mkdtemp(dir=path.parent, prefix=name, suffix=suffix)) as draft:
        yield draft


def publish_new(draft: Path, path: Path) -> None:
    """Rename a draft to a path that must not exist; raises `FileExistsError`, without race conditions, if it does."""
    try:
        os.link(draft, path)
    except FileExistsError:
        raise
    except (OSError, NotImplementedError):
        # On a file system without links, create the file first and then replace it.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        draft.replace(path)


def remove_leftovers(path: Path) -> None:
    """Remove drafts of a path whose processes have died, and restore an earlier result that one of them moved away."""
    if fcntl is None:
        return
    pattern = re.compile(rf"\.{re.escape(path.name)}\.[a-z0-9_]{{8}}({re.escape(DRAFT)}|{re.escape(ASIDE)})")
    # Nothing is removed from a folder that does not exist or cannot be modified.
    with suppress(OSError):
        for item in [item for item in path.parent.iterdir() if pattern.fullmatch(item.name)]:
            with suppress(OSError):
                _remove_dead(item, path)


def remove(path: Path) -> None:
    """Remove a file, a link, or a folder with its contents."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def _draft(path: Path, make: Callable[[str], str]) -> Iterator[Path]:
    """A draft that is locked while its process works on it."""
    remove_leftovers(path)
    while True:
        draft = Path(make(f".{path.name}."))
        try:
            lock = None if fcntl is None else os.open(draft, os.O_RDONLY)
        except FileNotFoundError:
            continue  # another process removed it as abandoned before it was locked
        try:
            if lock is None or _is_ours(lock, draft):
                try:
                    yield draft
                finally:
                    remove(draft)
                return
        finally:
            if lock is not None:
                os.close(lock)


def _is_ours(lock: int, draft: Path) -> bool:
    """Lock a draft; False if another process has locked or removed it as abandoned."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks, where drafts are never removed
    return os.path.lexists(draft)


def _remove_dead(item: Path, path: Path) -> None:
    """Remove an abandoned draft, which is not locked."""
    lock = os.open(item, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        earlier = item / path.name
        if item.suffix == ASIDE and os.path.lexists(earlier) and not os.path.lexists(path):
            earlier.rename(path)
        remove(item)
    finally:
        os.close(lock)


def _closed(descriptor: int, name: str) -> str:
    os.close(descriptor)
    return name


def _umask() -> int:
    """The umask of the process, which mkstemp ignores: its files are readable by their owner only."""
    mask = os.umask(0)
    os.umask(mask)
    return mask

"""Files that are written whole or not at all."""

import os
from pathlib import Path

from pysd_runner.export.drafts import draft_file


def write_text_whole(path: str | Path, text: str) -> Path:
    """Write a UTF-8 text file; an interruption leaves the former file, or none, never half of one.

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
    """Write a binary file; an interruption leaves the former file, or none, never half of one.

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
    # In the same folder, so that the move cannot cross file systems and is atomic.
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
            error.filename = str(path)  # a full disk does not say which
        raise
    return path


def _umask() -> int:
    """Permissions new files lose; mkstemp ignores it and would leave files only their owner can read."""
    mask = os.umask(0)
    os.umask(mask)
    return mask

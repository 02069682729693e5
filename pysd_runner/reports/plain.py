"""Texts that every file format can hold."""

import re

_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def printable(text: str) -> str:
    """A text without characters that XML cannot hold.

    >>> printable("Si" + chr(7) + "chuan")
    'Sichuan'
    """
    return _FORBIDDEN.sub("", text)

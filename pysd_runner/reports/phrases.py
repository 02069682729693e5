"""What reports say, in English and Chinese."""

from pysd_runner.text.words import word


def say(key: str, lang: str, **parts: object) -> str:
    """Text of a report in a language, with its blanks filled in.

    Parameters
    ----------
    key
        A key of the dictionaries without ``report.``, with blanks for underscores.
    lang
        ``"en"`` or ``"zh"``.
    parts
        What to put into the blanks.

    Returns
    -------
    str
        The text.

    Raises
    ------
    InvalidInput
        If there is no such language.
    """
    return word(f"report.{key.replace(' ', '_').replace(',', '')}", lang, **parts)

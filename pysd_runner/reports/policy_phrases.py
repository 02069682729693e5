"""What the policy analyses say, in English and Chinese."""

from pysd_runner.text import say


def phrase(key: str, lang: str, **parts: object) -> str:
    """Text of a policy analysis in a language, with its blanks filled in.

    Parameters
    ----------
    key
        A key of the dictionaries without ``policy.``, with blanks for underscores.
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
    return say(f"policy.{key}", lang, **parts)

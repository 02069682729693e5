"""What reports say, in English and Chinese."""

from pysd_runner.text.words import word


def say(key: str, lang: str, **parts: object) -> str:
    """Text of a report in a language, with its blanks filled in."""
    return word(f"report.{key.replace(' ', '_').replace(',', '')}", lang, **parts)

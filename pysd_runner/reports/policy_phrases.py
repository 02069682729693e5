"""What the policy analyses say, in English and Chinese."""

from pysd_runner.text import say


def phrase(key: str, lang: str, **parts: object) -> str:
    """Text of a policy analysis in a language, with its blanks filled in."""
    return say(f"policy.{key}", lang, **parts)

"""Format numbers for display: consistent rounding, a typographic minus sign, a dash for NaN."""

from decimal import ROUND_HALF_UP, Decimal
from math import floor, isfinite, isnan, log10

MINUS = "−"


def written(value: float, digits: int = 0, *, signed: bool = False) -> str:
    """Format a number with `digits` decimals and commas between thousands, rounding halves away from zero.

    >>> written(0.645, 2), written(-0.004, 2), written(2.5), written(1.0, 1, signed=True)
    ('0.65', '0.00', '3', '+1.0')
    """
    if isnan(value):
        return "–"
    if not isfinite(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    # The shortest decimal representation, so that 0.645 is rounded as a half although its binary value is not.
    exact = Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)
    text = f"{abs(exact):,f}"
    if exact == 0:
        return text
    return f"{MINUS if exact < 0 else '+' if signed else ''}{text}"


def three_digits(value: float, *, signed: bool = False, digits: int = 3) -> str:
    """Format a number to three significant digits, or another number of them; only from 1e15 with an exponent.

    >>> three_digits(4_593_210), three_digits(2.718e-5), three_digits(-1234, signed=True), three_digits(1e23)
    ('4,590,000', '0.0000272', '-1,230', '1e+23')
    """
    text = f"{value:{'+' if signed else ''}.{digits}g}"
    return f"{Decimal(text):{'+' if signed else ''},f}" if isfinite(value) and abs(value) < 1e15 else text


# Large units in words: their size, from the largest on.
_LARGE = {"en": ((1e9, " billion"), (1e6, " million")), "zh": ((1e8, "\u4ebf"), (1e4, "\u4e07"))}


def spoken(value: float, lang: str = "en", *, signed: bool = False, digits: int = 3) -> str:
    r"""Format a number as `three_digits` does, with large units in words.

    >>> spoken(4_593_210), spoken(-1234, signed=True), spoken(999_999), ascii(spoken(4_593_210, "zh"))
    ('4.59 million', '-1,230', '1 million', "'459\\u4e07'")
    """
    rounded = float(f"{value:.{digits}g}")
    size, word = next((item for item in _LARGE[lang] if item[0] <= abs(rounded) < 1e15), (1.0, ""))
    return three_digits(rounded / size, signed=signed, digits=digits) + word


def percent(share: float, digits: int = 0) -> str:
    """Format a fraction as a percentage, without the percent sign.

    >>> percent(0.645), percent(0.005, 1)
    ('65', '0.5')
    """
    return written(round(100 * share, 12), digits)


def interval(low: float, high: float, digits: int = 0, errors: tuple[float, float] = (0.0, 0.0)) -> str:
    """Format the two ends of an interval, each rounded according to its Monte Carlo error.

    >>> interval(-0.5, 1.25, 1), interval(0.68, 3.84, 1, (0.02, 0.13)), interval(8.3, 31.4, 1, (0.6, 3.0))
    ('−0.5 … 1.3', '0.7 … 3.8', '8 … 30')
    """
    return " … ".join(_to_error(end, digits, error) for end, error in zip((low, high), errors, strict=True))


def _to_error(value: float, digits: int, error: float) -> str:
    """Format a number rounded to a multiple of 1, 2 or 5 times a power of ten that is at least its error."""
    step = 10.0**-digits
    if not (isfinite(value) and isfinite(error) and error > step):
        return written(value, digits)
    power = floor(log10(error))
    step = next(size for size in (10.0**power * factor for factor in (1, 2, 5, 10)) if size >= error * (1 - 1e-9))
    return written(step * round(value / step), min(digits, max(0, -floor(log10(step) + 1e-9))))

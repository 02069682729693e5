"""What can be estimated from what is there, in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from calibration.observation import Series
from pysd_runner.core.errors import Message, joined
from pysd_runner.panel import Panel
from pysd_runner.panel.assembly import JUMPED
from pysd_runner.panel.coverage import LEFT_OUT
from pysd_runner.panel.variables import CURRENCY

FIRST_YEAR = Message(
    "The first year gives no residual: the simulation starts from what was observed in it, and its differences only "
    "condition those of the year after."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Description:
    """What a calibration will do with a panel."""

    panel: str
    regions: int
    first_year: int
    last_year: int
    series: tuple[str, ...]  # available observations, a line each
    absent: tuple[str, ...]  # declared observations the panel does not make, with the reason
    estimated: Mapping[str, tuple[str, ...]]
    unobserved: Mapping[str, tuple[str, ...]]
    fixed: Mapping[str, float]  # values the user has set, by key
    imputed: tuple[str, ...]  # start values that were not observed, a line each
    notes: tuple[str, ...] = field(default=())  # what else a reader must know
    opening: str = ""  # first line, where the data are no panel of regions

    def lines(self) -> list[str]:
        """The description as lines of text."""
        first = Message(
            "Panel {panel}: {count} {regions}, {first} to {last}. {first_year}",
            panel=self.panel,
            count=self.regions,
            regions="region" if self.regions == 1 else "regions",
            first=self.first_year,
            last=self.last_year,
            first_year=FIRST_YEAR,
        )
        text = [self.opening or first]
        text += _section(Message("Observed:"), self.series)
        text += _section(Message("Not observed:"), self.absent)
        text += _section(Message("Estimated together:"), _blocks(self.estimated))
        text += _section(Message("In blocks without a series, so close to their priors:"), _blocks(self.unobserved))
        text += _section(Message("Set by you:"), [f"{key} = {value:g}" for key, value in self.fixed.items()])
        text += _section(Message("Start values not observed:"), self.imputed)
        text += _section(Message("Note:"), self.notes)
        return text

    def __str__(self) -> str:
        """All lines."""
        return joined(self.lines(), "\n")


def _blocks(keys: Mapping[str, tuple[str, ...]]) -> list[str]:
    return [Message("{where}: {said}", where=Message(block), said=", ".join(names)) for block, names in keys.items()]


def _section(title: str, items: list[str] | tuple[str, ...]) -> list[str]:
    return [title, *(Message("  {line}", line=item) for item in items)] if items else []


def line_of(series: Series) -> str:
    """Describe a series in a line."""
    cells = int(series.used.sum())
    values = {"count": cells, "s": "" if cells == 1 else "s"}
    changes = Message("{count} change{s}", **values) if series.increments else Message("{count} value{s}", **values)
    parts = [
        Message(
            "{measurement} from {indicator}: {values}, {errors}",
            measurement=series.measurement,
            indicator=series.indicator,
            values=changes,
            errors=series.errors.words,
        )
    ]
    if series.missing > series.recounted:
        parts.append(Message(", {count} missing and left out", count=series.missing - series.recounted))
    if series.recounted:
        parts.append(Message(", {count} left out because population was counted anew", count=series.recounted))
    if series.unusable:
        parts.append(Message(", {count} without a logarithm (zero or less) and left out", count=series.unusable))
    return joined(parts, "")


def notes_on_errors(series: Sequence[Series]) -> tuple[str, ...]:
    """Say what a reader must know about the declared errors."""
    return tuple(
        Message(
            "Errors of {measurement} ({indicator}) are declared independent although levels are compared: if they "
            "persist, every year counts as news and standard errors are too small.",
            measurement=item.measurement,
            indicator=item.indicator,
        )
        for item in series
        if item.errors.memory == "independent" and not item.increments and (item.used.sum(axis=1) > 1).any()
    )


def notes_on(panel: Panel, yuan_per_unit: float) -> tuple[str, ...]:
    """Say what a reader must know about the money and the regions of a panel."""
    notes: list[str] = []
    if "constant" not in panel.price_basis:
        basis = (
            Message("is in {basis}", basis=Message(panel.price_basis))
            if panel.price_basis
            else Message("may be in current prices; the file does not say")
        )
        notes.append(
            Message(
                "Output {basis}: relative prices between regions count as output, and the trend is not read.",
                basis=basis,
            )
        )
    if "yuan" not in panel.currency.casefold() and yuan_per_unit == 1:
        notes.append(
            Message(
                "Output is in {currency}, and the model's costs and affordable income in yuan: pass yuan_per_unit "
                "(--yuan-per-unit) if access is to be read.",
                currency=_currency(panel),
            )
        )
    notes += [_as_note(item.message) for item in panel.problems if item.rule in (LEFT_OUT, JUMPED)]
    return tuple(notes)


def _as_note(text: str) -> str:
    return f"{text.removesuffix('?')}." if text.endswith("?") else Message("{said}.", said=text)


def _currency(panel: Panel) -> str:
    return Message("a currency the file does not name") if panel.currency == CURRENCY else panel.currency

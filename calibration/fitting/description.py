"""What can be estimated from what is there, in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from calibration.observation import Series
from pysd_runner.panel import Panel
from pysd_runner.panel.assembly import JUMPED
from pysd_runner.panel.coverage import LEFT_OUT
from pysd_runner.panel.variables import CURRENCY

FIRST_YEAR = (
    "The first year gives no residual: the simulation starts from what was observed in it, "
    "and its differences only condition those of the year after."
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
        noun = "region" if self.regions == 1 else "regions"
        first = f"Panel {self.panel}: {self.regions} {noun}, {self.first_year} to {self.last_year}. {FIRST_YEAR}"
        text = [self.opening or first]
        text += _section("Observed", self.series)
        text += _section("Not observed", self.absent)
        text += _section("Estimated together", _blocks(self.estimated))
        text += _section("In blocks without a series, so close to their priors", _blocks(self.unobserved))
        text += _section("Set by you", [f"{key} = {value:g}" for key, value in self.fixed.items()])
        text += _section("Start values not observed", self.imputed)
        text += _section("Note", self.notes)
        return text

    def __str__(self) -> str:
        """All lines."""
        return "\n".join(self.lines())


def _blocks(keys: Mapping[str, tuple[str, ...]]) -> list[str]:
    return [f"{block}: {', '.join(names)}" for block, names in keys.items()]


def _section(title: str, items: list[str] | tuple[str, ...]) -> list[str]:
    return [f"{title}:", *(f"  {item}" for item in items)] if items else []


def line_of(series: Series) -> str:
    """Describe a series in a line."""
    cells = int(series.used.sum())
    noun = ("change" if series.increments else "value") + ("" if cells == 1 else "s")
    text = f"{series.measurement} from {series.indicator}: {cells} {noun}"
    text += f", {series.errors.words}"
    if series.missing > series.recounted:
        text += f", {series.missing - series.recounted} missing and left out"
    if series.recounted:
        text += f", {series.recounted} left out because population was counted anew"
    if series.unusable:
        text += f", {series.unusable} without a logarithm (zero or less) and left out"
    return text


def notes_on_errors(series: Sequence[Series]) -> tuple[str, ...]:
    """Say what a reader must know about the declared errors."""
    return tuple(
        f"Errors of {item.measurement} ({item.indicator}) are declared independent although levels are compared: "
        "if they persist, every year counts as news and standard errors are too small."
        for item in series
        if item.errors.memory == "independent" and not item.increments and (item.used.sum(axis=1) > 1).any()
    )


def notes_on(panel: Panel, yuan_per_unit: float) -> tuple[str, ...]:
    """Say what a reader must know about the money and the regions of a panel."""
    notes = []
    if "constant" not in panel.price_basis:
        basis = f"is in {panel.price_basis}" if panel.price_basis else "may be in current prices; the file does not say"
        notes.append(f"Output {basis}: relative prices between regions count as output, and the trend is not read.")
    if "yuan" not in panel.currency.casefold() and yuan_per_unit == 1:
        notes.append(
            f"Output is in {_currency(panel)}, and the model's costs and affordable income in yuan: "
            "pass yuan_per_unit (--yuan-per-unit) if access is to be read."
        )
    notes += [f"{item.message.removesuffix('?')}." for item in panel.problems if item.rule in (LEFT_OUT, JUMPED)]
    return tuple(notes)


def _currency(panel: Panel) -> str:
    return "a currency the file does not name" if panel.currency == CURRENCY else panel.currency

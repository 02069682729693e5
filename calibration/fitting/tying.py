"""A model tied to data: everything a problem of calibration is made of, and what can be estimated from it in words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from calibration.fitting.columns import Binding
from calibration.fitting.runs import ModelRuns
from calibration.fitting.stages import Block
from calibration.observation import Absent, Series
from calibration.parameters import ParameterSpace
from pysd_runner.core.errors import Message, joined
from pysd_runner.model import Model
from pysd_runner.spec import ModelSpec

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


@dataclass(kw_only=True, eq=False, repr=False)
class Tied:
    """A model tied to data.

    Attributes
    ----------
    model, data, spec
        The model with as many entities as the data; observations; declarations with what the caller changed.
    fixed, space
        Values that are set, by key, and parameters that are estimated.
    window
        First and last moment.
    stages
        Blocks that are fitted one after the other.
    series, absent
        The observations in the order of the residuals; declared ones that are not there, and why.
    runs
        The model as a function of its parameters.
    codes, names
        Regions, and their labels in English and Chinese; empty for other data.
    lines, notes, reasons, opening
        What a description says of each series, of the whole, of the choice of parameters, and at its beginning.
    record
        How it was made, for a fit to keep.
    asked, binding
        What the caller asked for, and how columns were matched, to tie the same again; None for a panel of regions.
    until
        The last moment that is fitted, where later ones are held out.
    time_unit
        Unit of the model's time; empty for years of regions.
    """

    model: Model
    data: Any
    spec: ModelSpec
    fixed: Mapping[str, float]
    space: ParameterSpace
    window: tuple[Any, Any]
    stages: tuple[Block, ...]
    series: tuple[Series, ...]
    runs: ModelRuns
    absent: tuple[Absent, ...] = ()
    codes: tuple[str, ...] = ()
    names: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    lines: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    opening: str = ""
    record: Mapping[str, Any] = field(default_factory=dict)
    asked: Mapping[str, Any] = field(default_factory=dict)
    binding: Binding | None = None
    until: float | None = None
    time_unit: str = ""

"""A model set up for data: its runs as a function of parameters, blocks fitted in sequence, and a description."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from calibration.fitting.entering import Entering, Parameters, Spreads
from calibration.fitting.space import ParameterSpace
from calibration.observation import Series
from pysd_runner.core.calendar import PLAIN, Calendar
from pysd_runner.core.errors import Message, joined
from pysd_runner.core.types import Array, Arrays, Numbers, Record, Values, frozen
from pysd_runner.data import Data, Entity
from pysd_runner.engine import Linearised, Task
from pysd_runner.model import Model
from pysd_runner.simulation.run import Run, simulate
from pysd_runner.simulation.task import prepared
from pysd_runner.spec import ModelSpec, Observation, Prior
from pysd_runner.spec.design import StudyDesign

if TYPE_CHECKING:
    from calibration.fitting.payoff import Payoff


class ModelRuns:
    """Outcomes of a model as a function of its parameters; it reuses its working memory and is not thread-safe.

    Start, stop and save_every are in the model's unit of time; None for those of the model file.
    """

    def __init__(
        self,
        entering: Entering,
        *,
        outcomes: Sequence[str],
        start: float | None = None,
        stop: float | None = None,
        save_every: float | None = None,
    ) -> None:
        self.entering, self.outcomes = entering, tuple(outcomes)
        self.bounds: dict[str, Any] = {"start": start, "stop": stop, "save_every": save_every}
        self._task: Task | None = None
        self._linearised: dict[tuple[tuple[str, ...], ...], Linearised] = {}

    def __getstate__(self) -> Values:
        """Exclude compiled programs, which another process compiles again."""
        return {**self.__dict__, "_task": None, "_linearised": {}}

    def copied(self, *, outcomes: Sequence[str] = ()) -> "ModelRuns":
        """Copy with its own working memory and, if given, other outcomes."""
        return ModelRuns(self.entering, outcomes=outcomes or self.outcomes, **self.bounds)

    @property
    def moments(self) -> Array:
        """Saved times, shape (saved time,)."""
        centre = dict.fromkeys(self.entering.keys, 1.0)
        return np.asarray(self._prepared(self.entering.values(centre, 1)).clock.saved_times, dtype=float)

    def batch(self, parameters: Parameters, draws: int) -> Arrays:
        """Outcomes (draw, element..., saved time) for many parameter vectors; not finite where a run fails."""
        values = self.entering.values(parameters, draws)
        task = self._prepared(values)
        with np.errstate(all="ignore"):
            found = replace(task, values={**task.values, **values}).compute()
        return {name: np.broadcast_to(item[0], (draws, *item.shape[2:])) for name, item in found.items()}

    def linearised(self, parameters: Parameters, spreads: Spreads) -> tuple[Arrays, Arrays]:
        """Outcomes for one parameter vector, shape (element..., saved time), and derivatives (extra trailing axis).

        The next call overwrites the arrays.
        """
        values, seeds = self.entering.moved(parameters, spreads)
        identity = (tuple(spreads), tuple(values), tuple(seeds))
        if identity not in self._linearised:
            task = prepared(
                self.entering.model, {**self.entering.held, **values}, outcomes=self.outcomes, **self.bounds
            )
            self._linearised[identity] = Linearised(task, (), seeded=tuple(seeds), more=len(spreads))
        with np.errstate(all="ignore"):
            data, slopes = self._linearised[identity].run(values, seeds, copy=False)
        return {name: data[name][0, 0] for name in data}, {name: slopes[name][0, 0] for name in slopes}

    def run(self, parameters: Parameters, draws: int) -> Run:
        """Simulate some parameter vectors; the result reports where runs failed."""
        values = {**self.entering.held, **self.entering.values(parameters, draws)}
        return simulate(self.entering.model, values, outcomes=self.outcomes, throw=False, **self.bounds)

    def _prepared(self, values: Arrays) -> Task:
        if self._task is None:
            every = {**self.entering.held, **values}
            self._task = prepared(self.entering.model, every, outcomes=self.outcomes, **self.bounds)
        return self._task


def outcomes_of(series: Sequence[Series]) -> tuple[str, ...]:
    """Variables that series observe, each once."""
    return tuple(dict.fromkeys(name for item in series for name in item.expression.variables))


def whole_steps(model: Model, held: Values, *, start: float | None, last: float) -> tuple[float, float, float]:
    """Start, stop and step of a run that ends with the first step at or after the time `last`."""
    clock = prepared(model, held, start=start, outcomes=[]).clock
    steps = max(int(np.ceil((last - clock.start) / clock.step - 1e-6)), 1)
    return clock.start, clock.start + steps * clock.step, clock.step


@frozen
class Block:
    """A block of parameters and the measurements that are informative about them, which are fitted together."""

    name: str  # group in the model file; for the last block, the name of the output variable
    parameters: tuple[str, ...]  # keys of all declared parameters that belong to the block
    measurements: tuple[str, ...]  # keys of the measurements

    def owns(self, series: Series) -> bool:
        """Whether a series belongs to this block."""
        return series.measurement in self.measurements


def stages_of(model: Model) -> tuple[Block, ...]:
    """Blocks of a model in the order they are fitted."""
    # A stock observed in levels forms a block with the parameters of its group in the model file and the loadings of
    # its measurement. A national series belongs to the block whose start values it determines, or to that of its group.
    # All others, and the measurements in yearly changes, form the last block.
    spec, last = model.declarations, model.bindings.variables.output
    measured = [*spec.measurements.items()]

    def group(variable: str) -> str:
        return model.variables[model.find(variable)].group

    local = {key: last if item.increments else group(item.outcome) for key, item in measured if not item.national}
    # In reverse order, so that of several measurements of the same indicators the first takes precedence.
    alike = {item.indicators: local[key] for key, item in measured[::-1] if key in local}
    of, level = (
        {getattr(proxy, name): alike.get(proxy.indicators, last) for proxy in spec.proxies[::-1]}
        for name in ("of", "level")
    )

    def block(variable: str) -> str:
        return group(variable) if group(variable) in local.values() else last

    home = {
        key: local.get(key) or (last if item.increments else of.get(item.national) or block(item.outcome))
        for key, item in measured
    }
    loadings = level | {item.loading: home[key] for key, item in measured[::-1]}
    owner = {
        key: block(item.variable) if item.variable else loadings.get(key, last) for key, item in spec.parameters.items()
    }
    names = [name for name in dict.fromkeys(home.values()) if name != last]
    return tuple(
        Block(
            name=name,
            parameters=tuple(key for key, place in owner.items() if place == name),
            measurements=tuple(key for key, place in home.items() if place == name),
        )
        for name in (*names, last)
    )


FIRST_YEAR = Message(
    "The first year gives no residual: the simulation starts from what was observed in it, and its differences only "
    "condition those of the year after."
)


@frozen
class Description:
    """Description of a calibration before it is run: observations, estimated parameters and notes."""

    panel: str
    regions: int
    first_year: int
    last_year: int
    series: tuple[str, ...]  # available series, one line each
    absent: tuple[str, ...]  # declared measurements without usable data, with the reason
    estimated: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unobserved: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fixed: Numbers  # values the user has set, by key
    imputed: tuple[str, ...] = ()  # start values that were not observed, one line each
    notes: tuple[str, ...] = field(default=())  # further notes for the user
    opening: str = ""  # first line, if the data are a table

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
        """The description as text."""
        return joined(self.lines(), "\n")


def _blocks(keys: Mapping[str, tuple[str, ...]]) -> list[str]:
    return [Message("{where}: {said}", where=Message(block), said=", ".join(names)) for block, names in keys.items()]


def _section(title: str, items: list[str] | tuple[str, ...]) -> list[str]:
    return [title, *(Message("  {line}", line=item) for item in items)] if items else []


NOTHING = ParameterSpace.of(())


@dataclass(frozen=True, kw_only=True)
class Choices:
    """Arguments with which a caller set up a problem; see `calibration.Problem`."""

    free: str | Iterable[str] | None = None
    values: Values
    priors: Mapping[str, Prior]
    observations: Any
    start: Any = None
    until: Any = None
    yuan_per_unit: float = 1.0
    seed: int = 0
    is_own: bool = False  # whether the model has the data, or its log posterior, itself


@dataclass(kw_only=True, eq=False, repr=False)
class Bound:
    """A model set up for data: parameters, observed series and runs."""

    model: Model  # with as many regions as the panel
    data: Data
    design: StudyDesign  # how the data are studied
    spec: ModelSpec  # declarations, with changes by the caller
    fixed: Numbers  # values set by the caller, by key
    space: ParameterSpace = NOTHING  # parameters to estimate
    first_year: Any  # start time of the simulation
    last_year: Any  # end time of the simulation
    stages: tuple[Block, ...] = ()  # blocks that are fitted one after the other
    series: tuple[Series, ...]  # observed series in the order of the residuals
    runs: ModelRuns  # outcomes of the model as a function of its parameters
    absent: tuple[str, ...] = ()  # declared measurements without usable data, with the reason
    notes: tuple[str, ...] = ()  # further notes for the user
    opening: str = ""  # first line of a description, if the data are a table
    calendar: Calendar = PLAIN  # years or dates of model times, if these are not years
    record: Record = field(default_factory=dict)  # settings to store in the provenance of a fit
    asked: Choices  # arguments of the caller, to build the same problem again
    payoff: "Payoff | None" = None  # log posterior that the model computes, which is added; None if there is none
    is_open: bool = False  # whether the parameters are candidates, of which those that the data distinguish are chosen
    observations: Mapping[str, Observation] = field(default_factory=dict)  # how columns observe variables
    until: float | None = None  # last fitted time if later observations are held out
    time_unit: str = ""  # unit of the model's time; empty for a panel of regions

    @property
    def entities(self) -> tuple[Entity, ...]:
        """Entities of the data in whose observed state runs start; empty if they start from the values in the file."""
        return self.data.entities.get(self.design.entity, ())

"""Any model, a table, parameters and errors joined: what a fit, a sample and a profile work on."""

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.metadata import version
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from calibration.fitting.description import Description
from calibration.fitting.general.binding import Measurements, bound, driven_paths, series_of
from calibration.fitting.general.comparison import TableComparison
from calibration.fitting.general.forward import Forward
from calibration.fitting.general.free import Target, parameters_of, targets_of
from calibration.fitting.general.series import ObservedSeries
from calibration.fitting.problem import CalibrationProblem
from calibration.fitting.stages import Stage
from calibration.observation import Noise
from calibration.parameters import ParameterSpace
from pysd_runner.core.errors import InvalidInput, UnsupportedFeature
from pysd_runner.general.clock import in_time_of
from pysd_runner.general.equations import equations_hash, equations_of
from pysd_runner.model import Model
from pysd_runner.panel.calendar import unit_of_time
from pysd_runner.panel.table import Table
from pysd_runner.simulation.showing import time_unit
from pysd_runner.simulation.task import prepared
from pysd_runner.spec import ModelSpec, Prior

if TYPE_CHECKING:
    from calibration.fitting.results import FitResult

Array = NDArray[np.float64]

# Step of differences along a model that jumps, in prior standard deviations.
WIDE_STEP = 0.1
# The one block of a model of which nobody said how its parts hang together.
BLOCK = "Model"


class TableProblem(CalibrationProblem, data=Table):
    """What fits any model to a table of observations.

    It is made by ``CalibrationProblem(model, table, ...)``. Residuals are fitted less observed on the scale of each
    column, standardised by errors whose size and persistence are estimated unless given; counts enter by their
    deviances.

    Parameters
    ----------
    model
        Any model the engine covers.
    table
        Observations, made by `load_table`; times in the model's unit of time, or dates.
    free
        Parameters to estimate: constants, elements of them, or stocks for their starting value. None takes those that
        are declared beside the model, else at most ten that the data can tell apart.
    values
        Values to set instead, by name.
    priors
        Priors by name, instead of those that are declared or weak.
    measurements
        How columns observe the model, by key or in a list; see `pysd_runner.spec.Observation`. Others are matched by
        their names.
    start
        Where the run starts, in the model's unit of time; None takes the file's.
    until
        The last moment that is fitted; what comes later is held out and scored.
    seed
        Decides which parameters are chosen where none are named.

    Raises
    ------
    InvalidInput
        If something does not fit together; the message says what to do.
    UnknownName
        If there is no such variable, element or column.
    InvalidPanel
        If the table says nothing the model can be compared with.

    Examples
    --------
    >>> from pysd_runner import load_model, load_table
    >>> table = load_table("obs.csv", time="day")  # doctest: +SKIP
    >>> CalibrationProblem(load_model("sir.mdl"), table, free=["Contact Rate"])  # doctest: +SKIP
    <TableProblem of 'sir' on 'obs': 1 parameter, 40 observations>
    """

    def __init__(  # noqa: PLR0913 - a front door
        self,
        model: Model,
        table: Table,
        *,
        free: Iterable[str] | None = None,
        values: Mapping[str, Any] | None = None,
        priors: Mapping[str, Prior] | None = None,
        measurements: Measurements | None = None,
        start: float | None = None,
        until: float | None = None,
        seed: int = 0,
    ) -> None:
        self._asked = {"values": values, "priors": priors, "measurements": measurements, "start": start, "seed": seed}
        if isinstance(free, str):
            raise InvalidInput(f"free must be a list of parameters, such as [{free!r}]; found the text {free!r}")
        clock = prepared(model, None, start=start, outcomes=[]).clock
        clocked, told = in_time_of(model, table, clock.start)
        self.table = clocked
        self.panel = clocked  # type: ignore[assignment]
        self.start, self.until = start, until
        kept = clocked if until is None else clocked.until(until)
        binding = bound(model, kept, spec=model.spec, measurements=measurements)
        paths, ends = driven_paths(model, kept, binding.driven)
        held = {**paths, **_entered(model, values or {})}
        self._held = held
        self.binding, self._priors = binding, dict(priors or {})
        self.notes: tuple[str, ...] = (*told, *binding.notes, *ends)
        run = _run_of(model, kept, held, start)
        series, left_out = series_of(model, kept, binding, held=held, moments=run.moments, step=run.step)
        self.notes += (*left_out, *_too_close(model, kept, run))
        self._step: float | None = None
        self.model = model
        self.chosen: tuple[str, ...] = ()
        if free is None:
            from calibration.fitting.general.selection import selected

            free, self.chosen = selected(self, model, held, series, run, seed=seed)
        targets = targets_of(model, free)
        self._check_free(targets, values or {})
        parameters = parameters_of(model, targets, spec=model.spec, priors=self._priors)
        self.targets = targets
        self.fixed = {name: float(value) for name, value in (values or {}).items() if np.ndim(value) == 0}
        self.space = ParameterSpace.of(parameters)
        self.first_year, self.last_year = run.start, run.stop  # type: ignore[assignment]
        self.spec = _spec_of(model, self.space)
        self.observed = SimpleNamespace(series=series, absent=())  # type: ignore[assignment]
        self.stages = (
            Stage(name=BLOCK, parameters=self.space.keys, measurements=tuple(s.measurement for s in series)),
        )
        names = list(dict.fromkeys(name for item in series for name in item.expression.variables))
        self._runs = Forward(model, targets, held=held, outcomes=names, start=run.start, stop=run.stop)
        self._table_comparison = TableComparison(self._runs, self.space.keys, series)
        self._comparison = self._table_comparison  # type: ignore[assignment]
        self.noise = self._comparison.declared_noise()

    def __repr__(self) -> str:
        cells = sum(len(item.cells) for item in self.observations)
        count = len(self.space)
        noun = "parameter" if count == 1 else "parameters"
        return f"<TableProblem of {self.model.name!r} on {self.table.name!r}: {count} {noun}, {cells} observations>"

    def _check_free(self, targets: Sequence[Target], values: Mapping[str, Any]) -> None:
        """Refuse what is both set, by itself or with all elements, or follows a column, and to be estimated."""
        given = {item.name for name in values for item in targets_of(self.model, [name])}
        for target in targets:
            if target.name in given or target.variable in self.binding.driven:
                raise InvalidInput(f"parameter {target.name!r} is both set and to be estimated; leave it in one")

    @property
    def observations(self) -> tuple[ObservedSeries, ...]:
        """The observations, in the order of the residuals."""
        return self._table_comparison.series

    @property
    def time_unit(self) -> str:
        """Unit of the model's time."""
        return time_unit(self.model)

    @property
    def held(self) -> Mapping[str, Any]:
        """What takes the place of values of the file in every run: set values and inputs driven by data."""
        return self._held

    @property
    def yuan_per_unit(self) -> float:
        """One: nothing here is converted."""
        return 1.0

    @property
    def years(self) -> tuple[int, ...]:
        """Start and end of the run, for the fingerprint of a fit."""
        return (self.first_year, self.last_year)

    def copied(self) -> "TableProblem":
        """The same problem with working memory of its own: a problem serves one thread at a time."""
        other = copy(self)
        other._table_comparison = self._table_comparison.copied()
        other._comparison = other._table_comparison  # type: ignore[assignment]
        other._runs = other._table_comparison._forward
        return other

    @property
    def alternatives(self) -> tuple[dict[str, str], ...]:
        """None: nothing was declared in several ways."""
        return ()

    def digest(self, *settings: object) -> str:
        """Fingerprint of everything that decides a fit, and of further settings."""
        held = [
            (name, getattr(value, "values", np.asarray(value)).tolist()) for name, value in sorted(self._held.items())
        ]
        parts = (
            self.model.sha256,
            self.spec,
            self.table.sha256,
            self.years,
            self.space.keys,
            held,
            sorted(self.noise.items()),
            [item.observation for item in self.observations],
            version("gapsim"),
            settings,
        )
        return sha256("\n".join(repr(part) for part in parts).encode("utf-8")).hexdigest()

    def curvature_jacobian(self, z: Array) -> Array:
        """Derivatives whose squares are the information of data and priors.

        Counts give what is expected of them. Where the size of errors was estimated, parameters have Student's
        distribution, whose variance is that of the normal one times ``freedom / (freedom - 2)``.
        """
        found = self._information_jacobian(z)
        factors = self._table_comparison.known_sizes()
        found[: len(factors)] *= factors[:, None]
        return found

    def _information_jacobian(self, z: Array) -> Array:
        if not any(item.errors.is_count for item in self.observations):
            return np.array(self.jacobian(z))
        parameters = {key: float(np.ravel(value)[0]) for key, value in self.parameters_at(z).items()}
        try:
            slopes = self._table_comparison.information(parameters, self.noise) * self.space.value_slopes(z)
        except UnsupportedFeature:
            return self.jacobian(z)
        return np.concatenate([slopes, np.diag(self.space.prior_slopes(z))], axis=0)

    def _slopes(self, z: Array, columns: Sequence[int]) -> tuple[Array, Array]:
        if self._step is None:
            return super()._slopes(z, columns)
        return self._wide_differences(z, columns, self._step)

    def with_wide_steps(self) -> "TableProblem":
        """The same problem with slopes from wide differences, for a model that jumps."""
        other = copy(self)
        other._step = WIDE_STEP
        return other

    def _wide_differences(self, z: Array, columns: Sequence[int], step: float) -> tuple[Array, Array]:
        """Residuals at a point and slopes over a step in prior standard deviations to either side."""
        lower, upper = self.space.bounds
        points = np.repeat(z[None, :], 2 * len(columns) + 1, axis=0)
        for place, column in enumerate(columns):
            points[2 * place, column] = min(z[column] + step * self.space.scale[column], upper[column])
            points[2 * place + 1, column] = max(z[column] - step * self.space.scale[column], lower[column])
        values = self._data_residuals(points)
        widths = np.array([points[2 * k, column] - points[2 * k + 1, column] for k, column in enumerate(columns)])
        return values[-1], np.asarray(((values[:-1:2] - values[1:-1:2]) / widths[:, None]).T, dtype=float)

    def again(self, *, until: float | None, free: Iterable[str]) -> "TableProblem":
        """The same problem with another last moment and these parameters.

        Parameters
        ----------
        until
            The last moment that is fitted.
        free
            Parameters.
        """
        asked = {**self._asked, "measurements": {item.label: item.observation for item in self.observations}}
        return TableProblem(self.model, self.table, free=free, until=until, **asked)  # type: ignore[arg-type]

    def with_noise_of(self, fit: "FitResult") -> "TableProblem":
        """The same problem with the errors that a fit settled on.

        Parameters
        ----------
        fit
            Of this problem.
        """
        kept = fit.fitted.provenance["errors"]
        noise = {
            item.label: Noise(kept[item.label]["sd"], kept[item.label]["persistence"])
            if item.label in kept
            else self.noise[item.label]
            for item in self.observations
        }
        other = self.with_noise(noise)
        assert isinstance(other, TableProblem)  # noqa: S101
        return other

    @property
    def runs(self) -> Forward:
        """Runs of the model over the window."""
        return self._runs

    def runs_to(self, stop: float) -> tuple[Forward, float]:
        """Runs that go on to a later moment, and their step.

        Parameters
        ----------
        stop
            The last moment, in the model's unit of time; the end of a step at or after it is taken.
        """
        clock = prepared(self.model, self._held, start=self.start, outcomes=[]).clock
        steps = max(int(np.ceil((stop - clock.start) / clock.step - 1e-6)), 1)
        end = clock.start + steps * clock.step
        run = Forward(
            self.model, self.targets, held=self._held, outcomes=self._runs.outcomes, start=clock.start, stop=end
        )
        return run, clock.step

    @property
    def model_sha256(self) -> str:
        """What a fit is bound to: the hash of all equations."""
        return equations_hash(equations_of(self.model))

    def describe(self) -> Description:
        """Say what can be estimated from what is there, before anything is fitted."""
        unit = f" {self.time_unit}" if self.time_unit and unit_of_time(self.time_unit) != "year" else ""
        cells = sum(len(item.cells) for item in self.observations)
        return Description(
            panel=self.table.name,
            regions=0,
            first_year=self.first_year,
            last_year=self.last_year,
            series=tuple(_line(item) for item in self.observations),
            absent=(),
            estimated={BLOCK: self.space.keys} if len(self.space) else {},
            unobserved={},
            fixed=dict(self.fixed),
            imputed=(),
            notes=(*self.notes, *self.chosen, *(_prior_line(item) for item in self.space.parameters)),
            opening=f"Table {self.table.name}: {cells} observations; {self.model.name} runs from {self.first_year:g} "
            f"to {self.last_year:g}{unit}.",
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class RunOf:
    """Bounds of the run that is compared."""

    start: float
    stop: float
    step: float
    moments: Array


def _run_of(model: Model, table: Table, held: Mapping[str, Any], start: float | None) -> RunOf:
    """From the start of the file to the last observation, in whole steps."""
    clock = prepared(model, held, start=start, outcomes=[]).clock
    last = float(table.times[-1])
    if last <= clock.start:
        raise InvalidInput(
            f"table {table.name!r} ends at {last:g}, but {model.path.name} starts at {clock.start:g}; are the times in "
            f"the model's unit{f' ({time_unit(model)})' if time_unit(model) else ''}? Another start is "
            "start=... (--start)"
        )
    steps = max(int(np.ceil((last - clock.start) / clock.step - 1e-6)), 1)
    stop = clock.start + steps * clock.step
    moments = clock.start + clock.step * np.arange(steps + 1)
    return RunOf(start=clock.start, stop=stop, step=clock.step, moments=np.asarray(moments, dtype=float))


def _too_close(model: Model, table: Table, run: RunOf) -> list[str]:
    """Doubt the unit of the model's time where a step of it holds several observations."""
    apart = float(np.median(np.diff(table.times))) if table.times.size > 1 else np.inf
    if apart > run.step * (1 - 1e-6):
        return []
    unit = time_unit(model) or "units of time"
    return [
        f"Observations lie {apart:.3g} apart, closer than a step of {model.path.name} ({run.step:g} {unit}); does it "
        f"really count in {unit}? If not, give numbers for times instead of dates, and --time-unit."
    ]


def _entered(model: Model, values: Mapping[str, Any]) -> dict[str, Any]:
    """Set values under the names of the file; elements change an array of the file."""
    plain: dict[str, Any] = {}
    for name, value in values.items():
        for target in targets_of(model, [name]) if np.ndim(value) == 0 else ():
            if target.is_start:
                raise InvalidInput(f"{name!r} is a stock; set the constants its starting value is computed from")
            if not target.position:
                plain[target.variable] = float(value)
                continue
            from pysd_runner.simulation.elements import constant_values

            array = plain.setdefault(target.variable, np.array(constant_values(model, target.variable)))
            array[target.position] = float(value)
        if np.ndim(value) > 0:
            plain[model.find(name)] = np.asarray(value, dtype=float)
    return plain


def _spec_of(model: Model, space: ParameterSpace) -> ModelSpec:
    """Declarations of a fit: those of the file, and the parameters as they are estimated."""
    declared = model.spec or ModelSpec(
        name=model.name, parameters={}, inputs={}, outcomes={}, measurements={}, levers={}, classes={}
    )
    return replace(declared, parameters={**declared.parameters, **{item.key: item for item in space.parameters}})


def _line(series: ObservedSeries) -> str:
    cells = len(series.cells)
    who = f" for {len(series.labels)} entities" if len(series.labels) > 1 else ""
    text = f"{series.expression.text} from column {series.indicator}: {cells} value{'' if cells == 1 else 's'}{who}"
    kind = {"flow": ", added up over each interval", "cumulative": ", added up from the start"}
    text += kind.get(series.observation.kind, "")
    text += (
        f", {series.errors.words}" if series.errors.is_count else f", compared by {_SCALES[series.observation.scale]}"
    )
    return text if series.errors.is_count else f"{text}, {series.errors.words}"


_SCALES = {"level": "level", "log": "logarithm", "logit": "log odds"}


def _prior_line(parameter: Any) -> str:
    return f"{parameter.key}: prior {parameter.note}."

"""The evaluated model, in its base run and with other inputs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from calibration.fitting.results import Fit
from pysd_runner.checks import experiments_of
from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.types import Arrays, Numbers, Values, frozen
from pysd_runner.data import Data
from pysd_runner.engine import TimePath
from pysd_runner.model import Model, load_model
from pysd_runner.simulation import Run, simulate
from pysd_runner.spec import FittedParameters
from pysd_runner.spec.baseline import check_ahead
from pysd_runner.study.binding import RegionalModel
from pysd_runner.study.draws import check_fit, panel_differences
from pysd_runner.study.inputs import inputs_of

UNTIL = 2040


@frozen(eq=False)
class Calibrated:
    """A fit, its panel, and the conversion of parameters to inputs of the model."""

    result: Fit
    panel: Data  # observations up to the origin
    model: Model  # with as many regions as the panel

    @property
    def origin(self) -> int:
        """Last year of the data of the fit, where projections start."""
        return self.result.fitted.last_year

    @property
    def yuan_per_unit(self) -> float:
        """Value of one unit of the panel's currency in yuan."""
        return float(self.result.fitted.provenance.get("yuan_per_unit", 1.0))

    @property
    def estimates(self) -> Numbers:
        """Estimates and declared values by key, without policy parameters."""
        spec = self.model.spec
        declared = {} if spec is None else spec.parameters
        central = {key: item.value for key, item in declared.items() if item.role != "POL"}
        return central | self.result.fitted.as_values()

    def values(self, parameters: Values) -> dict[str, Any]:
        """Inputs of a run that starts at the origin, as in `pysd_runner.project`, without shocks."""
        bound = RegionalModel(
            model=self.model,
            panel=self.panel,
            parameters={key: np.atleast_1d(np.asarray(value, dtype=float)) for key, value in parameters.items()},
            yuan_per_unit=self.yuan_per_unit,
        )
        return bound.values(bound.start(self.origin, self.result.fitted.first_year))


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """A model and the inputs of its base run.

    Parameters
    ----------
    model
        The model.
    values
        Inputs of the base run, by variable.
    start, stop, save_every
        First and last year of the base run and its saving interval; None for those of the model file.
    calibrated
        The fit that determined the inputs; None for a model without a fit.
    """

    model: Model
    values: Values
    start: float | None = None
    stop: float | None = None
    save_every: float | None = None
    calibrated: Calibrated | None = None

    @classmethod
    def of_fit(cls, result: Fit, panel: Data, *, until: int = UNTIL, model: Model | None = None) -> "Subject":
        """A calibrated model, run from the last year of its fit.

        Parameters
        ----------
        result
            The fit.
        panel
            The panel the fit was made on.
        until
            Last year of the base run.
        model
            The model of the fit, with any number of regions; None for the shipped model of that name.

        Returns
        -------
        Subject
            The model at the estimates, without policy.

        Raises
        ------
        InvalidInput
            If the fit belongs to another panel or another version of the model, or `until` is invalid.
        """
        fitted = result.fitted
        differences = panel_differences(fitted, panel)
        if differences:
            raise InvalidInput(
                "{why} An evaluation needs the panel of the fit: give it with --data, or calibrate again",
                why=differences[0],
            )
        if until <= fitted.last_year:
            raise InvalidInput(
                "until must lie after the last year of the fit, {year}; found {found}",
                year=fitted.last_year,
                found=until,
            )
        check_ahead(until, fitted.last_year)
        count = len(panel.regions)
        model = load_model(fitted.model, regions=count) if model is None else model.with_regions(count)
        check_fit(fitted, model, fitted.last_year)
        seen = panel.subset(times=range(panel.years[0], fitted.last_year + 1))
        calibrated = Calibrated(result=result, panel=seen, model=model)
        return cls(
            model=model,
            values=calibrated.values(calibrated.estimates),
            start=float(fitted.last_year),
            stop=float(until),
            save_every=1.0,
            calibrated=calibrated,
        )

    @classmethod
    def of_model(cls, model: Model) -> "Subject":
        """A model without a fit, run with the settings of its file.

        Parameters
        ----------
        model
            The model, from `load_model`.

        Returns
        -------
        Subject
            The model; tests that need observations are left out.
        """
        return cls(model=model, values={})

    @classmethod
    def of_values(cls, model: Model, data: Data | None, fitted: FittedParameters | None) -> "Subject":
        """A model with the estimates of a fit, run as its file says; tests that need observations are left out."""
        inputs = inputs_of(model, data, fitted, draws=1)
        values = {
            name: value if isinstance(value, int | float) or not hasattr(value, "shape") else value[0, 0]
            for name, value in inputs.common.values.items()
        }
        return cls(model=inputs.run_model, values=values, start=inputs.bounds[0], stop=inputs.bounds[1])

    @cached_property
    def base(self) -> Run:
        """The base run with every variable; non-finite values are kept so that tests can report them."""
        return self._simulated({**self.steady, **self.values}, stop=self.stop)

    @cached_property
    def steady(self) -> Values:
        """Values in the base run of all inputs that some declared experiment changes.

        They are inputs of every run, so that one compiled program serves base run and experiments.
        """
        declared = experiments_of(self.model)
        named = [name for item in (*declared.extremes, *declared.realities) for name in (*item.values, *item.given)]
        named += [name for loop in declared.loops for name in (*loop.values, *loop.given)]
        variables = dict.fromkeys(self.model.find(name) for name in named)
        wanted = [name for name in variables if name not in self.values]
        if not wanted:
            return {}
        run = self._simulated(self.values, stop=self.stop, outcomes=wanted)
        return {name: run[name][0, 0, ..., 0] for name in wanted}

    @cached_property
    def clock(self) -> Numbers:
        """Start, stop, time step and saving interval of the base run, in its time unit."""
        made = self.base.provenance
        return {name: float(made[name]) for name in ("start", "stop", "step", "save_every")}

    @property
    def stocks(self) -> tuple[str, ...]:
        """Names of the stocks."""
        return tuple(name for name, item in self.model.variables.items() if item.kind == "stock")

    @property
    def regions(self) -> tuple[str, ...]:
        """Elements of the range of regions."""
        return self.model.ranges.get(self.model.design.ranges.region, ())

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Variables whose paths are compared: the declared regional and national outcomes, or else the stocks."""
        spec = self.model.spec
        if spec is None:
            return self.stocks
        names, regions = (
            dict.fromkeys(item.variable for item in spec.outcomes.values()),
            self.model.design.ranges.region,
        )
        return tuple(name for name in names if set(self.model.variables[name].dims) <= {regions})

    def run(self, changes: Values | None = None, *, years: float | None = None) -> Run:
        """Simulate with some inputs changed, and save every variable.

        Parameters
        ----------
        changes
            Inputs that differ from the base run, by variable or key.
        years
            Length of the run; None for that of the base run.

        Returns
        -------
        Run
            The run; it describes non-finite cases and does not raise for them.
        """
        given = {self.model.find(name): value for name, value in (changes or {}).items()}
        start = self.clock["start"] if self.start is None else self.start
        stop = self.stop if years is None else start + years
        return self._simulated({**self.steady, **self.values, **given}, stop=stop)

    def integrated(self, step: float) -> Run:
        """The base run with another step, saved at the same times; failures are described in it."""
        return self._simulated(
            {**self.steady, **self.values}, stop=self.stop, step=step, every=self.clock["save_every"]
        )

    def _simulated(
        self,
        values: Values,
        *,
        stop: float | None,
        step: float | None = None,
        outcomes: Sequence[str] | None = None,
        every: float | None = None,
    ) -> Run:
        return simulate(
            self.model,
            values,
            start=self.start,
            stop=stop,
            step=step,
            save_every=self.save_every if every is None else every,
            outcomes=outcomes,
            throw=False,
        )

    def paths(self, run: Run, names: Sequence[str] | None = None) -> Arrays:
        """Outcomes of a run with one scenario and draw, by variable, shape (..., year); all if `names` is None."""
        return {name: run[name][0, 0] for name in (run.data if names is None else names)}

    def with_regions(self, count: int) -> "Subject":
        """The subject with only its first `count` regions; raises if there are fewer."""
        has = len(self.regions)
        if count > has:
            raise InvalidInput("{count} regions were asked for; the model has {held}", count=count, held=has)
        model = self.model.with_regions(count)
        cut = {key: self._region_wise(key, value, slice(count)) for key, value in self.values.items()}
        return replace(self, model=model, values=cut)

    def alike(self) -> "Subject":
        """The subject with the inputs of the first region in every region."""
        first = np.zeros(len(self.regions), dtype=int)
        return replace(self, values={key: self._region_wise(key, value, first) for key, value in self.values.items()})

    def _region_wise(self, name: str, value: Any, kept: Any) -> Any:
        """Index an input along its axis of regions by `kept`."""
        dims, region = self.model.variables[name].dims, self.model.design.ranges.region
        if isinstance(value, TimePath) or region not in dims:
            return value
        array = np.asarray(value, dtype=float)
        axis = array.ndim - len(dims) + dims.index(region)
        return array[(slice(None),) * axis + (kept,)]

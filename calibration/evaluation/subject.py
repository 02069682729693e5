"""The evaluated model, in its base run and with other inputs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from calibration.fitting.results import Fit
from pysd_runner.checks import experiments_of
from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.types import Arrays, Numbers, Values
from pysd_runner.data import Data
from pysd_runner.engine import TimePath
from pysd_runner.model import Model, load_model
from pysd_runner.simulation import Run, simulate
from pysd_runner.study.draws import panel_differences
from pysd_runner.study.inputs import ProjectionInputs, declared_in, inputs_of


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
        First and last time of the base run and its saving interval; None for those of the model file.
    fit
        The fit that determined the inputs; None for a model without a fit.
    inputs
        Inputs of a projection from the fit, at its estimates and without shocks; None without a fit.
    """

    model: Model
    values: Values
    start: float | None = None
    stop: float | None = None
    save_every: float | None = None
    fit: Fit | None = None
    inputs: ProjectionInputs | None = None

    @classmethod
    def of_fit(
        cls, result: Fit, data: Data | None = None, *, until: float | None = None, model: Model | None = None
    ) -> "Subject":
        """A model at the estimates of its fit, without policy, started in the last year of data or as in its file.

        Parameters
        ----------
        result
            The fit.
        data
            The data that the fit was made on; needed where runs start in the state that they show.
        until
            Last time of the base run; None for the default of a projection.
        model
            The model of the fit, with any number of entities; None for the shipped model of that name.

        Returns
        -------
        Subject
            The model with the inputs that a projection has.

        Raises
        ------
        InvalidInput
            If the fit belongs to other data or another version of the model, or `until` is invalid.
        """
        fitted = result.fitted
        known = load_model(fitted.model) if model is None else model
        known, data, origin = _BEGIN[known.design.start](known, data, result)
        rate = float(fitted.provenance.get("yuan_per_unit", 1.0))
        inputs = inputs_of(known, data, fitted, until=until, draws=1, origin=origin, shocks=False, yuan_per_unit=rate)
        return cls(
            model=inputs.run_model,
            values=inputs.common.values,
            start=inputs.bounds[0],
            stop=inputs.bounds[1],
            save_every=inputs.design.save_every,
            fit=result,
            inputs=inputs,
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

    @property
    def past(self) -> tuple[Data, ...]:
        """Data of the entities in whose observed state the base run starts; empty if it starts as in its file."""
        return () if self.inputs is None else self.inputs.past

    @property
    def estimates(self) -> Numbers:
        """Estimates of the fit, and declared values of other parameters that are not policy choices, by key."""
        if self.fit is None:
            return {}
        declared = declared_in(self.fit.fitted, self.model).parameters
        central = {key: item.value for key, item in declared.items() if item.role != "POL"}
        return central | self.fit.fitted.as_values()

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


def _in_state(model: Model, data: Data | None, result: Fit) -> tuple[Model, Data | None, int | None]:
    """Start runs from the state observed in the last year of the data of the fit."""
    if data is None:
        raise InvalidInput("an evaluation of this fit starts from what was observed: give the data it was made on")
    differences = panel_differences(result.fitted, data)
    if differences:
        raise InvalidInput(
            "{why} An evaluation needs the panel of the fit: give it with --data, or calibrate again",
            why=differences[0],
        )
    return model.with_regions(len(data.codes)), data, result.fitted.last_year


def _as_file(model: Model, data: Data | None, _result: Fit) -> tuple[Model, Data | None, int | None]:
    """Start runs from the initial values in the model file."""
    return model, data, None


_BEGIN = {"state": _in_state, "file": _as_file}

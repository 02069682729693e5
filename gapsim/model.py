"""The model class for scripts: variables by name, and runs as data frames."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from pysd_runner import model as plain
from pysd_runner.core.errors import InvalidInput, UnknownName
from pysd_runner.engine import Budgets, TimePath
from pysd_runner.engine.ir import Variable
from pysd_runner.export.files import missing
from pysd_runner.simulation import simulate
from pysd_runner.simulation.run import constant_values
from pysd_runner.simulation.task import RunSettings, prepared

if TYPE_CHECKING:
    import pandas as pd

    from calibration.fitting.results import Fit

# Maximum distance, in steps, at which a requested time is taken as a saved one.
TIME_TOLERANCE = 1e-6


class Model(plain.Model):
    """A model file with its declarations: ``model["Infected"]``, ``"Infected" in model``, ``list(model)``."""

    def __getitem__(self, name: str) -> Any:
        """Value of a constant, or a computed variable with its ``unit``, ``equation`` and ``doc``.

        Raises
        ------
        UnknownName
            If there is no such variable.
        """
        found: Variable = self.ir.variables[self.find(name)]
        if found.kind != "constant":
            return found
        values = constant_values(self, found.name)
        return values if found.dims else float(values)

    def __contains__(self, name: object) -> bool:
        """Whether there is such a variable."""
        try:
            return isinstance(name, str) and bool(self.find(name))
        except UnknownName:
            return False

    def __iter__(self) -> Iterator[str]:
        """Names of the variables, in the order of the file."""
        return iter(self.variables)

    def __len__(self) -> int:
        return len(self.variables)

    def __bool__(self) -> bool:
        return True

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Raise `AttributeError`, with a suggestion of the intended attribute."""
            return missing(self, name)

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.variables)

    @property
    def doc(self) -> "pd.DataFrame":
        """Unit, kind, subscripts, equation and documentation of each variable, by name."""
        import pandas as pd

        rows = [
            (item.name, item.unit, item.kind, ", ".join(item.dims), item.equation, item.doc)
            for item in self.variables.values()
        ]
        columns = ["name", "unit", "kind", "subscripts", "equation", "doc"]
        return pd.DataFrame(rows, columns=columns).set_index("name")

    @property
    def parameters(self) -> "pd.DataFrame":
        """Value, unit and limits of each number that a run can set and a fit can estimate, by name."""
        import pandas as pd

        found = plain.facts_of(self.ir).values()
        rows = [(item.name, item.value, item.unit, *(item.limits or (np.nan, np.nan))) for item in found]
        return pd.DataFrame(rows, columns=["name", "value", "unit", "lower", "upper"]).set_index("name")

    def run(
        self,
        params: Mapping[str, Any] | None = None,
        return_columns: str | Sequence[str] | None = None,
        return_timestamps: float | Sequence[float] | None = None,
        initial_condition: tuple[float, Mapping[str, Any]] | None = None,
        *,
        initial_time: float | None = None,
        final_time: float | None = None,
        time_step: float | None = None,
        saveper: float | None = None,
    ) -> "pd.DataFrame":
        """Run the model, as `simulate` does, with the arguments and the table of PySD's ``run``.

        Parameters
        ----------
        params
            Values by variable, for this run only: numbers, arrays over the subscripts, or a series over time, between
            whose points lie straight lines.
        return_columns
            Variables in the table; None for all.
        return_timestamps
            Times in the table; None for those that the model saves.
        initial_condition
            Time at which the run starts, and values of stocks at that time.
        initial_time, final_time, time_step, saveper
            Time controls; None for those of the file.

        Returns
        -------
        pandas.DataFrame
            One row for each time, one column for each variable or element of one.

        Raises
        ------
        InvalidInput
            If a value does not fit its variable, or no step ends at a requested time.
        UnknownName
            If there is no such variable.
        SimulationFailed
            If a value is not finite.
        """
        import pandas as pd

        values = {} if params is None else dict(params)
        if initial_condition is not None:
            initial_time, stocks = initial_condition
            values |= stocks
        for name, value in values.items():
            if isinstance(value, pd.Series):
                values[name] = TimePath(
                    times=value.index.to_numpy(float), values=value.to_numpy(float), interpolate="linear"
                )
        settings: RunSettings = {"start": initial_time, "stop": final_time, "step": time_step, "save_every": saveper}
        if return_timestamps is None:
            return simulate(self, values, outcomes=return_columns, **settings).table()
        times = np.atleast_1d(np.asarray(return_timestamps, dtype=float))
        settings["stop"] = float(times.max()) if final_time is None else final_time
        settings["save_every"] = step = prepared(self, None, outcomes=[], **settings).clock.step
        table = simulate(self, values, outcomes=return_columns, **settings).table()
        saved = table.index.to_numpy()
        nearest = np.abs(saved[:, None] - times).argmin(axis=0)
        apart = np.abs(saved[nearest] - times)
        if (apart > TIME_TOLERANCE * step).any():
            raise InvalidInput(
                "no step ends at {time:g}; the run has steps of {step:g} from {start:g} to {stop:g}",
                time=times[apart.argmax()],
                step=step,
                start=table.index[0],
                stop=table.index[-1],
            )
        return pd.DataFrame(table.iloc[nearest])

    def fit(self, data: Any, **settings: Any) -> "Fit":
        """Fit the model to data: see `gapsim.fit`."""
        from gapsim.calls import offered
        from gapsim.fitting import fit

        return cast("Fit", offered(fit)(self, data, **settings))


def load_model(
    name: str | Path,
    *,
    regions: int | Sequence[str] | None = None,
    files: Mapping[str, str | Path] | None = None,
    changes: Sequence[str | Path] = (),
    data: str | Path | Sequence[str | Path] = (),
    budgets: Budgets = plain.BUDGETS,
) -> Model:
    """Load a shipped model or any Vensim or XMILE file, with its declarations; no code in the file is executed.

    Parameters
    ----------
    name
        Name of a shipped model, a path to an ``.mdl`` or XMILE file, or a folder with a ``model.mdl``.
    regions, files, changes, data, budgets
        See `pysd_runner.model.load_model`.

    Returns
    -------
    Model
        The model with its declarations, if there are any.

    Raises
    ------
    InvalidModel
        If the file cannot be read.
    UnknownName
        If there is no such shipped model.
    """
    found = plain.load_model(name, regions=regions, files=files, changes=changes, data=data, budgets=budgets)
    return Model(**{item.name: getattr(found, item.name) for item in fields(found)})

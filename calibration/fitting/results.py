"""The result of a fit, and the folder in which it is stored."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, field, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from calibration.fitting.bound import Description
from calibration.fitting.estimates import (
    NOT_JUDGED,
    HeldOut,
    LocalOptimum,
    ParameterEstimate,
    RidgeEstimate,
    Search,
    SeriesFit,
)
from calibration.observation import Shocks
from pysd_runner.core.calendar import Calendar
from pysd_runner.core.errors import InvalidInput, Message, UnknownName, joined
from pysd_runner.core.findings import Finding
from pysd_runner.core.numbers import three_digits
from pysd_runner.core.types import Array, Numbers, Values, frozen
from pysd_runner.export.files import Tabled
from pysd_runner.export.records import check_entries, nan_to_null, null_to_nan, read_record, write_record
from pysd_runner.spec import FittedParameters
from pysd_runner.spec.fitted import EARLIER, REMEDY, load_fitted, moved_words

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from pysd_runner.plots.figure import ReportFigure

SCHEMA = 2
FITTED, RECORD, RESIDUALS, PARAMETERS = "fitted.json", "fit.json", "residuals.csv", "parameters.csv"


@frozen(eq=False)
class ResidualTable:
    """Observed and fitted values of every observed cell, as shown in reports (see `Series.shown`)."""

    region: tuple[str, ...]
    measurement: tuple[str, ...]
    indicator: tuple[str, ...]
    year: tuple[int, ...]
    used: tuple[bool, ...]
    observed: tuple[float, ...]
    fitted: tuple[float, ...]
    standardised: tuple[float, ...]  # innovation in standard deviations; NaN in rows that are not used

    def to_frame(self) -> "pd.DataFrame":
        """Convert to a data frame with one row per cell; ``residual`` is fitted minus observed."""
        import pandas as pd

        frame = pd.DataFrame({name: list(getattr(self, name)) for name in RESIDUAL_COLUMNS})
        frame.insert(len(RESIDUAL_COLUMNS) - 1, "residual", frame["fitted"] - frame["observed"])
        return frame


# Columns of the table of parameters, and the headings of those that differ from the attribute.
COLUMNS = (
    *("key", "name", "unit", "estimate", "standard_error", "low", "high", "lower_bound", "upper_bound", "prior_median"),
    *("prior_low", "prior_high", "contraction", "at_bound", "words", "stage", "role", "price_basis"),
)
COLUMN_NAMES = {"low": "low_90", "high": "high_90", "prior_low": "prior_low_90", "prior_high": "prior_high_90"}
RESIDUAL_COLUMNS = ("region", "year", "measurement", "indicator", "used", "observed", "fitted", "standardised")


@frozen(eq=False, repr=False)
class Fit(Tabled):
    """Result of a fit: estimates of a model's parameters, and how they were obtained.

    Attributes
    ----------
    fitted
        Estimates and covariance, in the form that simulations use.
    parameters
        One entry for each estimated parameter, in the order of the declarations.
    series
        The observed series with their error models.
    residuals
        Observed and fitted values by region and year.
    searches
        Result of each search.
    optima
        Distinct optima at which converged searches ended, the best first.
    ridges
        Estimates of identified combinations of parameters on a ridge, if all of these were estimated.
    shocks
        Summary of the regional growth residuals; None for a table.
    description
        Which parameters were estimated from which observations.
    findings
        Problems and notes about the fit, errors first.
    region_names
        English and Chinese label by region code.
    cost
        Half the sum of squared residuals at the estimate, including the priors.
    stage_distance
        Largest difference between the end of the stages and the joint optimum, in posterior standard deviations.
    seconds
        Computing time in seconds; not saved, so that repeated calibrations give identical files.
    time_unit
        Unit of the model's time if the data are a table; empty for a panel of regions and years.
    holdout
        Forecast skill for held-out observations; empty if there are none.
    problem
        The `Problem` that was fitted; not saved, so None in a fit that was loaded.
    posterior
        Adds draws of the posterior to the fit when they are needed; not saved. None adds none.
    """

    fitted: FittedParameters
    parameters: tuple[ParameterEstimate, ...]
    series: tuple[SeriesFit, ...]
    residuals: ResidualTable
    searches: tuple[Search, ...]
    optima: tuple[LocalOptimum, ...]
    ridges: tuple[RidgeEstimate, ...]
    shocks: Shocks | None
    description: Description
    findings: tuple[Finding, ...]
    region_names: Mapping[str, tuple[str, str]]
    cost: float
    stage_distance: float
    seconds: float = field(default=0.0)
    time_unit: str = ""
    holdout: tuple[HeldOut, ...] = ()
    problem: Any = field(default=None)
    posterior: Callable[["Fit"], "Fit"] | None = field(default=None)

    @property
    def drawn(self) -> "Fit":
        """The fit with its draws, else those of `posterior`: what `save` and projections use."""
        return self if self.fitted.draws or self.posterior is None else self.posterior(self)

    def check(self) -> list[Finding]:
        """List the diagnostics that failed; the list is empty if the fit can be used without reservation."""
        return [item for item in self.findings if item.severity == "error"]

    def with_findings(self, *more: Finding) -> "Fit":
        """Add findings; errors are also stored in `fitted`, which may be used without the rest of the result.

        Parameters
        ----------
        *more
            Findings to add.
        """
        findings = tuple(sorted([*self.findings, *more], key=lambda item: item.severity))
        failed = [item.message for item in findings if item.severity == "error"]
        fitted = replace(self.fitted, provenance={**self.fitted.provenance, "failed_checks": failed})
        # Contractions are computed at the estimate, which is not reliable when a check fails.
        judged = [replace(item, words=NOT_JUDGED) for item in self.parameters] if failed else self.parameters
        return replace(self, fitted=fitted, findings=findings, parameters=tuple(judged))

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Findings of severity "warning", which do not prevent use of the fit."""
        return tuple(item for item in self.findings if item.severity == "warning")

    @property
    def shown(self) -> tuple[ParameterEstimate, ...]:
        """Estimates that tables show: roles FREE and FREE* first, then others about which the panel is informative."""
        found = [item for item in self.parameters if item.is_shown]
        return tuple(sorted(found, key=lambda item: not item.role.startswith("FREE")))

    @property
    def shifts(self) -> Numbers:
        """Posterior centre (median of the draws, or mode) less prior median, in prior standard deviations."""
        sampled = (self.fitted.provenance.get("sampling") or {}).get("shift", {})
        return {item.key: sampled.get(item.key, item.score) for item in self.parameters}

    @property
    def moved(self) -> str:
        """Sentence on estimates far from their priors despite uninformative data; empty if there are none."""
        return moved_words(self.shifts, self.fitted.contraction)

    def parameter(self, key: str) -> ParameterEstimate:
        """Return the estimate of one parameter.

        Parameters
        ----------
        key
            Key of the parameter, or its name in the model.

        Returns
        -------
        ParameterEstimate
            The estimate.

        Raises
        ------
        UnknownName
            If the fit has no such parameter.
        """
        for item in self.parameters:
            if key in (item.key, item.name):
                return item
        raise UnknownName(
            "the fit has no parameter {name!r}.{suggestion}", name=key, among=[item.key for item in self.parameters]
        )

    def table(self) -> "pd.DataFrame":
        """Table of parameters: key, name, unit, estimate, standard error, 90 % interval, prior, contraction, words."""
        import pandas as pd

        rows = [{COLUMN_NAMES.get(name, name): getattr(item, name) for name in COLUMNS} for item in self.parameters]
        found = pd.DataFrame(rows, columns=[COLUMN_NAMES.get(name, name) for name in COLUMNS])
        found.insert(1 + list(found.columns).index("contraction"), "shift", list(self.shifts.values()))
        return found

    def to_frame(self) -> "pd.DataFrame":
        """Observed and fitted values and residuals by region, year and series, one row per cell."""
        frame = self.residuals.to_frame()
        return frame.assign(year=self.calendar.shown(frame["year"]))

    def to_xarray(self) -> "xr.Dataset":
        """Parameters and residuals as one labelled data set, with dimensions (parameter) and (cell).

        Save it with `pysd_runner.export.save_netcdf`; `save` stores the complete fit.
        """
        import xarray as xr

        parameters = self.table().set_index("key").rename_axis("parameter").to_xarray()
        cells = self.to_frame().rename_axis("cell").rename(columns={"region": "region_code"}).to_xarray()
        return xr.merge([parameters, cells])

    def __repr__(self) -> str:
        span = f"{self.fitted.first_year:g} to {self.fitted.last_year:g}"
        shown = ", ".join(f"{item.key} {item.estimate:.4g}" for item in self.shown[:4])
        more = ", ..." if len(self.shown) > 4 else ""
        what = f"{self.fitted.model!r} on {self.fitted.panel!r}, {span}"
        status = "checks failed" if self.check() else self.fitted.status
        return f"<Fit of {what}: {shown}{more}; {status}>"

    def _repr_html_(self) -> str:
        """HTML table of the first parameters in `shown`."""
        import pandas as pd

        names = {"": "name", "unit": "unit", "estimate": "estimate", "low": "low", "high": "high", "rests on": "words"}
        rows = [{label: getattr(item, name) for label, name in names.items()} for item in self.shown[:20]]
        return str(pd.DataFrame(rows).to_html(index=False, float_format="{:.4g}".format))

    def plot(self, indicator: str | None = None, *, ax: Any = None, lang: str = "en") -> "ReportFigure | Any":
        """Plot fitted and observed values over time.

        Parameters
        ----------
        indicator
            Column of the data to plot; None for the first twelve series.
        ax
            Axes to draw in, one for each series; None creates a figure.
        lang
            Language of labels, ``"en"`` or ``"zh"``.
        """
        from pysd_runner.plots.over_time import plot_fitted

        frame = self.to_frame()
        if indicator is not None:
            frame = frame[frame["indicator"] == indicator]
        return plot_fitted(frame, ax=ax, time_unit=self.calendar.unit_of(self.time_unit), lang=lang)

    def to_excel(self, path: str | Path) -> Path:
        """Write the parameters, and observed and fitted values, to an Excel workbook."""
        from pysd_runner.export.files import save_workbook

        return save_workbook({"parameters": self.table(), "residuals": self.to_frame()}, path)

    def correlation(self) -> "pd.DataFrame":
        """Posterior correlations of the parameters on the unconstrained scale, by key."""
        import pandas as pd

        covariance = np.array(self.fitted.covariance, dtype=float).reshape(len(self.fitted.keys), -1)
        spread = np.sqrt(np.diag(covariance))
        keys = list(self.fitted.keys)
        return pd.DataFrame(covariance / np.outer(spread, spread), index=keys, columns=keys)

    @property
    def verdict(self) -> str:
        """The checks that failed or, if all hold, how the search ended."""
        failed = joined((item.message for item in self.check()), " ")
        return Message("The fit fails its checks. {said}", said=failed) if failed else self.fitted.message

    @property
    def params(self) -> "pd.Series[float]":
        """Estimates by key."""
        import pandas as pd

        return pd.Series({item.key: item.estimate for item in self.parameters}, name="estimate")

    @property
    def x(self) -> Array:
        """Estimates, shape (parameter,)."""
        return np.array([item.estimate for item in self.parameters])

    def __getitem__(self, name: str) -> float:
        """Estimate of a parameter, by key or by name in the model file."""
        known = {spelled: item.estimate for item in self.parameters for spelled in (item.name, item.key)}
        if name not in known:
            raise UnknownName("the fit has no parameter {name!r}.{suggestion}", name=name, among=known)
        return known[name]

    @property
    def bse(self) -> "pd.Series[float]":
        """Standard errors by key."""
        return self.table().set_index("key")["standard_error"]

    def cov_params(self) -> "pd.DataFrame":
        """Covariance of the estimates: their standard errors with the correlations of the unconstrained scale."""
        errors = self.bse.loc[list(self.fitted.keys)].to_numpy()
        return self.correlation() * np.outer(errors, errors)

    covariance = property(cov_params)

    def conf_int(self, alpha: float = 0.1) -> "pd.DataFrame":
        """Ends of 90 % intervals by key; other levels are those of profiles, ``profile(fit, level=0.95)``."""
        if abs(alpha - 0.1) > 1e-9:
            raise InvalidInput(
                "intervals of a fit hold 90 % (alpha=0.1); profile(fit, level={level:g}) gives others", level=1 - alpha
            )
        return self.table().set_index("key")[["low_90", "high_90"]]

    @property
    def fun(self) -> float:
        """Half the sum of squared residuals at the estimate, including the priors: `cost`."""
        return self.cost

    def predict(self, until: float | None = None, *, draws: int = 1, seed: int = 0) -> "pd.DataFrame":
        """Observed outcomes of the fitted model over time, also beyond the data; of regions, the leading one.

        Parameters
        ----------
        until
            Last time; None for that of the model.
        draws
            Number of parameter draws; 1 gives the run at the estimates.
        seed
            Seed of the draws.

        Returns
        -------
        pandas.DataFrame
            One row for each time, one column for each outcome; with several draws, the quantiles 0.05, 0.5 and 0.95 of
            each, which hold the errors of the parameters alone: `gapsim.forecast` adds those of the model.

        Raises
        ------
        InvalidInput
            If the fit was loaded, so that its model and data are not known.
        """
        import pandas as pd

        from pysd_runner.study.projection import project

        if self.problem is None:
            raise InvalidInput("the fit was loaded, so its model and data are not known; use project(model, data, ...)")
        future = project(self, {}, draws=draws, seed=seed, until=until)
        names = [name for name in future.observed if future[name].ndim == 3] or [future.leading]
        found = future.data[names].isel(scenario=0, drop=True)
        if draws == 1:
            return found.isel(draw=0, drop=True).to_dataframe()[names]
        wide = found.quantile([0.05, 0.5, 0.95], dim="draw").to_dataframe()[names].unstack("quantile")
        return pd.DataFrame(wide)

    @property
    def success(self) -> bool:
        """Whether the search converged and no check failed."""
        return self.fitted.status == "converged" and not self.check()

    @property
    def nobs(self) -> int:
        """Number of observations that were used."""
        return sum(item.observations for item in self.series)

    @property
    def resid(self) -> "pd.DataFrame":
        """Fitted minus observed values, a column for each series and entity."""
        return self._wide("residual")

    @property
    def fittedvalues(self) -> "pd.DataFrame":
        """Fitted values, a column for each series and entity."""
        return self._wide("fitted")

    def _wide(self, column: str) -> "pd.DataFrame":
        frame = self.to_frame()
        axes = ["indicator", *(["region"] if frame["region"].astype(bool).any() else [])]
        return frame.pivot_table(index="year", columns=axes, values=column)

    @property
    def headline(self) -> str:
        """Verdict on the fit, and the fitted time span."""
        return Message(
            "{message} Fitted from {first} to {last}.",
            message=self.verdict,
            first=self.calendar.said(self.fitted.first_year),
            last=self.calendar.said(self.fitted.last_year, self.time_unit),
        )

    @property
    def calendar(self) -> Calendar:
        """Years or dates of the model times, for a model that does not count years."""
        return Calendar.of(self.fitted.provenance.get("calendar"))

    @property
    def remarks(self) -> list[str]:
        """Lines on ridges, shocks, errors, optima, held-out observations and findings that are no failed checks."""
        left = self.shocks
        shocks = [Message("  Shocks: {words}.", words=left.words)] if left is not None and left.count else []
        several = self.optima if len(self.searches) > 1 else ()
        optima = [Message("  Optima: {words}.", words=item.words) for item in several]
        errors = [Message("  {said}.", said=item.words) for item in self.series if item.errors]
        ridges = [Message("  {said}.", said=item.words) for item in self.ridges]
        held = [Message("  {said}.", said=item.words) for item in self.holdout]
        findings = [Message("  {line}", line=str(item)) for item in self.findings if item.severity != "error"]
        return [*ridges, *shocks, *errors, *optima, *held, *findings]

    def summary(self) -> str:
        """Summary as text: verdict, estimates and remarks."""
        return "\n".join(self.lines)

    @property
    def lines(self) -> list[str]:
        """The lines of the summary."""
        lines = [self.headline]
        width = max((len(item.key) for item in self.shown), default=0)
        for item in self.shown:
            estimate, low, high = (three_digits(value, digits=4) for value in (item.estimate, item.low, item.high))
            lines.append(
                Message(
                    "  {key}  {estimate:>8}  ({low} to {high})  {unit}: {words}",
                    key=item.key.ljust(width),
                    estimate=estimate,
                    low=low,
                    high=high,
                    unit=item.unit,
                    words=item.words,
                )
            )
        others = len(self.parameters) - len(self.shown)
        kept = Message("  {count} others keep their priors: the panel says next to nothing about them.", count=others)
        lines += [kept] if others else []
        lines += [Message("  {said}.", said=self.moved)] if self.moved else []
        return [*lines, *self.remarks]

    def save(self, folder: str | Path) -> Path:
        """Write the fit to a folder; each file is written atomically, ``fit.json`` last.

        ``fitted.json`` contains the fitted parameters for simulations (`pysd_runner.spec.load_fitted`), ``fit.json``
        everything else, ``residuals.csv`` and ``parameters.csv`` tables for the user.

        Parameters
        ----------
        folder
            Folder to write to; created if it does not exist.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        OSError
            If a file cannot be written.
        """
        from pysd_runner.export.files import save_csv

        folder, whole = Path(folder), self.drawn
        whole.fitted.save(folder / FITTED)
        save_csv(whole.to_frame(), folder / RESIDUALS)
        save_csv(whole.table(), folder / PARAMETERS)
        write_record(folder / RECORD, record(whole), schema=SCHEMA)
        return folder

    @classmethod
    def load(cls, folder: str | Path) -> "Fit":
        """Read a saved fit, without loss.

        Parameters
        ----------
        folder
            Folder that was passed to `save`.

        Returns
        -------
        Fit
            The saved fit.

        Raises
        ------
        InvalidInput
            If the folder contains no fit, or one of another schema.
        """
        folder = Path(folder)
        for name in (FITTED, RECORD):
            if not (folder / name).is_file():
                raise InvalidInput(
                    "{folder} holds no fit: {name} is missing; expected a folder written by a calibration",
                    folder=folder,
                    name=name,
                )
        file = folder / RECORD
        content = read_record(file, schema=SCHEMA, what=Message("record of a fit"), remedy=REMEDY, earlier=EARLIER)
        check_entries(Fit, content, str(file), REMEDY, without=("fitted", "problem", "posterior"))
        many = {name: tuple(_one(kind, row) for row in content[name]) for name, kind in NESTED.items()}
        single = {name: None if content[name] is None else _one(kind, content[name]) for name, kind in SINGLE.items()}
        found: dict[str, Any] = {name: null_to_nan(content[name]) for name in ENTRIES} | many | single
        return cls(fitted=load_fitted(folder / FITTED), **found)


def cells_of(result: Fit, series: SeriesFit) -> "xr.Dataset":
    """Observed, fitted and standardised values of a series by entity and time, NaN in cells that were not used.

    Entities are those of the data, else those of the series, one without a code for a series without entities; times
    are the years of the window without the first, else those of the series.
    """
    import xarray as xr

    frame = result.residuals.to_frame()
    frame = frame[frame["used"] & (frame["measurement"] == series.measurement)]
    frame = frame[frame["indicator"] == series.indicator].set_index(["region", "year"])
    found = xr.Dataset.from_dataframe(frame[["observed", "fitted", "standardised"]])
    if not result.region_names:
        return found
    years = range(result.fitted.first_year + 1, result.fitted.last_year + 1)
    return found.reindex(region=[""] if series.national else list(result.region_names), year=years)


# Entries of a record that are lists of objects, and single objects; the others are numbers, strings and region labels.
NESTED: Mapping[str, type] = {
    "findings": Finding,
    "parameters": ParameterEstimate,
    "series": SeriesFit,
    "searches": Search,
    "optima": LocalOptimum,
    "ridges": RidgeEstimate,
    "holdout": HeldOut,
}
SINGLE: Mapping[str, type] = {"shocks": Shocks, "description": Description, "residuals": ResidualTable}
ENTRIES = (
    *("cost", "stage_distance", "findings", "parameters", "series", "searches", "optima", "ridges", "shocks"),
    *("description", "region_names", "residuals", "time_unit", "holdout"),
)


def load_fit(folder: str | Path) -> Fit:
    """Load what `Fit.save` wrote.

    Parameters
    ----------
    folder
        The folder.

    Returns
    -------
    Fit
        The saved fit, without its problem.

    Raises
    ------
    InvalidInput
        If the folder holds no fit, or a file of it is damaged.
    """
    return Fit.load(folder)


def record(result: Fit) -> Values:
    """Content of a fit apart from `fitted`, in a form suitable for JSON, with null for NaN."""
    return dict(nan_to_null({name: _plain(getattr(result, name)) for name in ENTRIES}))


def _plain(value: Any) -> Any:
    if isinstance(value, Finding):
        return {"rule": value.rule, "message": value.message, "severity": value.severity}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def _one(kind: type, entries: Values) -> Any:
    return kind(**{name: null_to_nan(value) for name, value in entries.items()})

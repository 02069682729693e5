"""Initial values of the regions in the first simulated year: observed, or imputed and marked as such."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from pysd_runner.core.errors import InvalidInput, InvalidPanel, Message, joined
from pysd_runner.core.findings import listed
from pysd_runner.core.types import Array, Arrays, Flags, Values
from pysd_runner.data import Data
from pysd_runner.engine.ir import Number
from pysd_runner.model import Model
from pysd_runner.spec import ModelSpec, Proxy, RegionInput
from pysd_runner.spec.bindings import Bindings

# Maximum distance in years of an indicator that is used as a proxy; regional rankings change little in that time.
NEAR_YEARS = 3

# Unobserved access, as a share of the access that a region's income can afford. Judgement.
ACCESS_SHARE_OF_CEILING = 0.75

# Sharpness of the smooth minimum of an inferred share and its ceiling.
SHARPNESS = 16

# Share of last year's excess growth that is momentum rather than noise. Judgement; see the model's README.
MOMENTUM_GAIN = 0.5

NO_INDICATOR = Message("no indicator of how regions differ")
EQUAL_SHARES = Message("missing, equal shares; population-weighted results are withheld")


@dataclass(frozen=True, slots=True)
class Imputed:
    """Record of an initial value that was not observed."""

    key: str
    variable: str
    regions: tuple[str, ...]  # codes of the regions concerned
    how: str  # how it was imputed

    def __str__(self) -> str:
        if len(self.regions) == 1:
            return Message(
                "{variable}: {how} (region {code})", variable=self.variable, how=self.how, code=self.regions[0]
            )
        return Message(
            "{variable}: {how} ({count} regions)", variable=self.variable, how=self.how, count=len(self.regions)
        )


@dataclass(frozen=True, slots=True)
class RegionInputs:
    """Initial values of all regions."""

    year: int  # the first simulated year
    values: Arrays
    imputed: tuple[Imputed, ...]  # values that were not observed, and how they were imputed
    warnings: tuple[str, ...] = ()  # observations that contradict each other
    read: frozenset[str] = frozenset()  # keys of the parameters on which the values depend

    @property
    def has_population(self) -> bool:
        """Whether any region's population was observed."""
        return not any(item.how == EQUAL_SHARES for item in self.imputed)


@dataclass(slots=True)
class _Work:
    """Working state while the inputs are computed."""

    spec: ModelSpec
    bindings: Bindings
    panel: Data
    year: int
    parameters: Arrays
    carried: Arrays
    errors: Arrays
    found: dict[str, Array] = field(default_factory=dict)
    imputed: list[Imputed] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    read: set[str] = field(default_factory=set)

    @property
    def people(self) -> Array:
        """Population, the weights of national means."""
        return self.found[self.bindings.inputs.population]

    def parameter(self, name: str) -> Array:
        """Value of a parameter, shape (draw, 1)."""
        self.read.add(name)
        return self.parameters[name]

    def mark(self, item: RegionInput, missing: Flags, how: str) -> None:
        """Record the regions for which an input was not observed."""
        codes = tuple(code for code, gone in zip(self.panel.codes, missing, strict=True) if gone)
        if codes:
            self.imputed.append(Imputed(item.key, item.variable, codes, how))


def region_inputs(
    model: Model,
    panel: Data,
    year: int,
    *,
    parameters: Values | None = None,
    carried: Values | None = None,
    reference_years: int = 0,
    yuan_per_unit: float = 1.0,
    errors: Arrays | None = None,
) -> RegionInputs:
    """Compute the initial values of every region in one year of a panel; `errors` of indicators are in log points."""
    check_money(yuan_per_unit)
    bindings = model.bindings
    if year not in panel.years:
        raise InvalidPanel(
            "panel {panel!r} has no year {year}; it has {first} to {last}",
            panel=panel.name,
            year=year,
            first=panel.years[0],
            last=panel.years[-1],
        )
    known = {name: item.value for name, item in model.declarations.parameters.items()}
    given = {
        name: np.atleast_1d(np.asarray(value, dtype=float))[:, None]
        for name, value in {**known, **(parameters or {})}.items()
    }
    held = {name: np.atleast_1d(np.asarray(value, dtype=float)) for name, value in (carried or {}).items()}
    keys = bindings.inputs
    work = _Work(model.declarations, bindings, panel, year, given, held, errors or {})
    rules = {
        "required": _required,
        "equal_shares": _equal_shares,
        "proxy": _proxy,
        "constant": _constant,
        "latest": _latest,
    }
    for item in model.declarations.inputs.values():
        work.found[item.key] = rules[item.rule](work, item)
        if item.key == keys.output_per_head:
            work.found[item.key] = work.found[item.key] * yuan_per_unit
    work.found[keys.momentum] = _momentum(work, time_step(model))
    if reference_years:
        work.found[keys.reference_shift] = _reference_shift(work, reference_years)
    values = {model.declarations.inputs[name].variable: array[None] for name, array in work.found.items()}
    return RegionInputs(year, values, tuple(work.imputed), tuple(work.warnings), frozenset(work.read))


def check_money(yuan_per_unit: float) -> None:
    """Raise if an exchange rate is not a positive number."""
    is_number = isinstance(yuan_per_unit, int | float | np.number) and not isinstance(yuan_per_unit, bool)
    if not is_number or not np.isfinite(yuan_per_unit) or yuan_per_unit <= 0:
        raise InvalidInput(
            "yuan_per_unit must be a positive number, the yuan that one unit of the panel's currency is worth; found "
            "{found!r}",
            found=yuan_per_unit,
        )


def time_step(model: Model) -> float:
    """Time step of the model file, in years."""
    expression = model.variables["TIME STEP"].blocks[0].expression
    if not isinstance(expression, Number):
        raise InvalidInput(
            "{model}: TIME STEP must be a number for a model that is tied to a panel", model=model.path.name
        )
    return expression.value


def _observed(work: _Work, variable: str) -> Array:
    """Values of a panel variable in the first simulated year, shape (region,); NaN where a region has none."""
    if not variable or variable not in work.panel:
        return np.full(len(work.panel.codes), np.nan)
    return work.panel.array(variable)[:, work.panel.years.index(work.year)]


def _nearest(work: _Work, years: Iterable[int]) -> int | None:
    """The nearest of some years to the first simulated one, if it is near; ties go to the earlier year."""
    near = [year for year in years if abs(year - work.year) <= NEAR_YEARS]
    return min(near, key=lambda year: (abs(year - work.year), year > work.year), default=None)


def _near(work: _Work, variable: str) -> tuple[Array, int] | None:
    """Values of an indicator in the nearest year with data, and that year."""
    best = _nearest(work, work.panel.years_with(variable)) if variable in work.panel else None
    return None if best is None else (work.panel.array(variable)[:, work.panel.years.index(best)], best)


def _required(work: _Work, item: RegionInput) -> Array:
    values = _observed(work, item.panel)
    missing = ~np.isfinite(values)
    if missing.any():
        raise InvalidPanel(
            "panel {panel!r}: {variable!r} is missing in {year} for {regions}; each region needs it in the first "
            "simulated year: choose another year or leave these regions out",
            panel=work.panel.name,
            variable=item.panel,
            year=work.year,
            regions=_shown(work, missing),
        )
    return values[None, :]


def _shown(work: _Work, chosen: Flags) -> str:
    """Codes of some regions, five at most."""
    return listed(np.array(work.panel.codes)[chosen].tolist())


def _equal_shares(work: _Work, item: RegionInput) -> Array:
    values = _observed(work, item.panel)
    missing = ~np.isfinite(values)
    if missing.all():
        work.mark(item, missing, EQUAL_SHARES)
        return np.full((1, values.size), 1e6)
    work.mark(item, missing, Message("missing, mean of the other regions"))
    return np.where(missing, np.nanmean(values), values)[None, :]


def _constant(work: _Work, item: RegionInput) -> Array:
    observed = _observed(work, item.panel)
    missing = ~np.isfinite(observed)
    absent = Message("no series") if missing.all() else Message("missing")
    if item.key in work.carried:
        filling = np.atleast_2d(work.carried[item.key])
        work.mark(item, missing, joined([absent, Message("carried on from the simulated history")], "; "))
    else:
        filling = np.full((1, observed.size), 0.0 if item.fallback is None else item.fallback)
        if item.panel:
            work.mark(item, missing, joined([absent, Message("{value:g}", value=filling[0, 0])], "; "))
    return np.where(missing, filling, observed)


def _latest(work: _Work, item: RegionInput) -> Array:
    """Values of the year; without data those of the last year before with data, else of the first year after."""
    years = work.panel.years_with(item.panel) if item.panel in work.panel else ()
    if not years:
        return _constant(work, item)
    best = min(years, key=lambda year: (year > work.year, abs(year - work.year)))
    values = work.panel.array(item.panel)[:, work.panel.years.index(best)]
    missing, fallback = ~np.isfinite(values), 0.0 if item.fallback is None else item.fallback
    if best != work.year:
        work.mark(item, ~missing, Message("missing, that of {year}", year=best))
    work.mark(item, missing, Message("no series; {value:g}", value=fallback))
    return np.where(missing, fallback, values)[None, :]


def _proxy(work: _Work, item: RegionInput) -> Array:
    assert item.proxy is not None  # noqa: S101
    values = _observed(work, item.panel)
    missing = ~np.isfinite(values)
    inferred, how = _inferred(work, item, item.proxy)
    work.mark(item, missing, how if missing.all() else Message("missing; inferred"))
    if not missing.all():
        _compare_with_ceiling(work, item, values)
    return np.where(missing, inferred, values)


def _compare_with_ceiling(work: _Work, item: RegionInput, values: Array) -> None:
    """Warn of observed shares above their ceiling in the model, taken as its median if it varies between draws."""
    ceiling, ceiling_of = _ceiling(work, item)
    if ceiling is None:
        return
    above = values > np.median(ceiling, axis=0) * (1 + 1e-9)
    if above.any():
        work.warnings.append(
            Message(
                "{series} observed in {year} lies above {ceiling} in {codes}; the simulation starts above its own "
                "ceiling: check both series",
                series=item.panel,
                year=work.year,
                ceiling=ceiling_of,
                codes=_shown(work, above),
            )
        )


def _inferred(work: _Work, item: RegionInput, proxy: Proxy) -> tuple[Array, str]:
    """Values inferred from indicators and a national level, and the method."""
    relative, how = _relative(work, proxy)
    level, level_how = _level(work, item, proxy)
    share = level * relative
    ceiling, _ = _ceiling(work, item)
    if ceiling is not None and proxy.cap:
        share = smooth_minimum(share, proxy.cap * ceiling)
    return share, joined([level_how, how], "; ")


def smooth_minimum(share: Array, limit: Array) -> Array:
    """Smooth minimum of a share and a limit, without a kink, so that parameter searches have derivatives."""
    # ``share / (1 + (share / limit) ** p) ** (1 / p)`` with ``p = SHARPNESS``: within 0.5 percent of the share up to
    # three quarters of the limit, 4 percent below the limit where the two are equal, never above either.
    smaller, larger = np.minimum(share, limit), np.maximum(share, limit)
    ratio = np.divide(smaller, larger, out=np.zeros_like(larger), where=larger > 0)
    return smaller / (1 + ratio**SHARPNESS) ** (1 / SHARPNESS)


def _relative(work: _Work, proxy: Proxy) -> tuple[Array, str]:
    """Relative level of regions by the indicators, shape (draw, region), with weighted mean one; and its label."""
    near = {name: found for name in proxy.indicators if (found := _near(work, name)) is not None}
    if not near:
        return np.ones((1, len(work.panel.codes))), NO_INDICATOR
    logs = []
    for name, (column, _) in near.items():
        positive = np.where(column > 0, column, np.nan)
        with np.errstate(invalid="ignore"):
            logs.append(np.log(positive / np.nanmean(positive)) - work.errors.get(name, np.zeros((1, 1))))
    loading = work.parameter(proxy.loading)
    relative = np.exp(np.nan_to_num(np.mean(np.broadcast_arrays(*logs), axis=0)) / loading)
    people = work.people
    mean = (relative * people).sum(axis=1, keepdims=True) / people.sum(axis=1, keepdims=True)
    years = sorted({year for _, year in near.values()})
    return relative / mean, Message(
        "spread by {series} of {years}", series=", ".join(near), years=", ".join(str(year) for year in years)
    )


def _level(work: _Work, item: RegionInput, proxy: Proxy) -> tuple[Array, str]:
    """National level of a share, shape (draw, 1) or (draw, region), and a label of its source."""
    if item.key in work.carried:
        return np.atleast_1d(work.carried[item.key])[:, None], Message(
            "national level carried on from the simulated history"
        )
    level, how = _declared_level(work, proxy)
    if not proxy.of:
        return level, Message("national level {value}", value=how)
    if proxy.of in work.spec.inputs:
        base, variable = work.found[proxy.of], work.spec.inputs[proxy.of].variable
        if not any(_near(work, name) for name in proxy.indicators):
            return level * base, Message("{share} of the region's {variable}", share=how, variable=variable)
        people = work.people
        mean = (base * people).sum(axis=1, keepdims=True) / people.sum(axis=1, keepdims=True)
        return level * mean, Message("{share} of the national {variable}", share=how, variable=variable)
    series = work.panel.national.get(proxy.of, {})
    # A national series may extend beyond the panel, but only years of the panel may be used.
    best = _nearest(work, (year for year in series if year <= work.panel.years[-1]))
    if best is not None:
        return level * series[best], Message("national {series} of {year}", series=proxy.of, year=best)
    ceiling = _affordable(work)
    return (
        ACCESS_SHARE_OF_CEILING * ceiling,
        Message("no national series; {share:g} of what incomes can afford", share=ACCESS_SHARE_OF_CEILING),
    )


def _declared_level(work: _Work, proxy: Proxy) -> tuple[Array, str]:
    """Declared level of a proxy (a number or a parameter's value), shape (draw, 1), and its label."""
    if isinstance(proxy.level, str):
        return work.parameter(proxy.level), Message("the share {name}", name=proxy.level)
    return np.full((1, 1), proxy.level), f"{proxy.level:g}"


def _affordable(work: _Work) -> Array:
    keys = work.bindings.parameters
    income = work.found[work.bindings.inputs.output_per_head]
    return work.parameter(keys.access_ceiling) * income / (income + work.parameter(keys.affordable_income))


def _ceiling(work: _Work, item: RegionInput) -> tuple[Array | None, str]:
    """Upper bound of a share, shape (draw, region), and its label; None if unbounded."""
    keys = work.bindings.inputs
    if item.key == keys.access:
        return _affordable(work), Message("what incomes can afford")
    if item.key == keys.skills:
        return work.found[keys.access], Message("access")
    if item.key == keys.application:
        found = np.sqrt(work.found[keys.access] * work.found[keys.skills])
        return np.asarray(found), Message("the geometric mean of access and skills")
    return None, ""


def relative_growth(panel: Data) -> Array:
    """Change in log output per head minus its mean over regions observed in both years, shape (region, year - 1)."""
    # A region that is missing in one year does not affect the growth of the others.
    growth = np.diff(_log_output(panel), axis=1)
    growth[:, np.diff(panel.years) != 1] = np.nan
    return growth - _mean_seen(growth)


def reference_position(panel: Data, years: Sequence[int]) -> Array:
    """Log output per head relative to the mean of the regions observed in all given years, shape (region, year)."""
    logs = _log_output(panel)[:, [panel.years.index(year) for year in years]]
    always = np.asarray(np.isfinite(logs).all(axis=1, keepdims=True))
    return logs - _mean_seen(np.where(always, logs, np.nan))


def _log_output(panel: Data) -> Array:
    output = panel.array("output_per_head")
    return np.log(np.where(output > 0, output, np.nan))


def _mean_seen(values: Array) -> Array:
    """Mean over the observed regions, shape (1, year); NaN where none is observed."""
    seen = np.isfinite(values)
    count = seen.sum(axis=0, keepdims=True)
    return np.where(count > 0, np.where(seen, values, 0.0).sum(axis=0, keepdims=True) / np.maximum(count, 1), np.nan)


def yearly_memory(decay: Array, step: float) -> Array:
    """Share of growth momentum that remains after a year of Euler steps."""
    return np.maximum(1 - step / decay, 0.0) ** (1 / step)


def _momentum(work: _Work, step: float) -> Array:
    """Initial growth momentum, such that a share `MOMENTUM_GAIN` of last year's excess growth continues."""
    count = len(work.panel.codes)
    if work.year - 1 not in work.panel.years:
        return np.zeros((1, count))
    extra = np.nan_to_num(relative_growth(work.panel)[:, work.panel.years.index(work.year) - 1])
    decay = work.parameter(work.bindings.parameters.momentum_decay)
    phi = yearly_memory(decay, step)
    # Momentum that decays to a fraction phi in a year then yields that share of excess growth in the first year.
    return MOMENTUM_GAIN * extra[None, :] / (decay * (1 - phi))


def _reference_shift(work: _Work, length: int) -> Array:
    """Mean relative position over `length` years up to the first simulated one, minus the last; 0 if unknown."""
    years = [year for year in work.panel.years if work.year - length < year <= work.year]
    position = reference_position(work.panel, years)
    seen = np.isfinite(position)
    mean = np.where(seen, position, 0.0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    return np.asarray(np.nan_to_num(mean - position[:, -1])[None, :])

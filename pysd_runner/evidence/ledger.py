"""The ledger of a model: measured effects and unit costs, and their pools with the spread between studies.

Every row of ``evidence/effects.csv`` is an effect that was published, with its experiment as a scenario of the model or
the reason why it cannot be one. Values of one quantity are pooled by a random-effects model::

    y_i = mu + u_i + e_i,    u_i ~ N(0, tau^2),    e_i ~ N(0, s_i^2)

with the ``tau^2`` of Paule and Mandel and the standard error of Hartung and Knapp, never below the usual one.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pysd_runner.core.errors import InvalidInput, Message, of_system
from pysd_runner.core.paths import declarations_beside, model_file
from pysd_runner.core.types import Array, Values, frozen
from pysd_runner.spec import Parameter, load_spec
from pysd_runner.text import translate

if TYPE_CHECKING:
    import pandas as pd

FOLDER = "evidence"
# Fewest sources, in the unit of the model, that are evidence of a unit cost.
SOURCES = 2
# Fewest values that are pooled: the predictive interval has k - 2 degrees of freedom.
MIN_POOLED = 3
QUANTITIES = {
    "R": "yearly earnings gained for each unit of training money spent once",
    "M": "output of a region for each unit of money it gets, within about two years",
    "PV": "present value of benefits over present value of money, of mixed kinds",
    "B": "percent of output for 10 points more access",
    "T": "percent of firms' productivity for 10 points more access",
    "L": "points of employment for 10 points more access",
    "C": "percent of consumption for 10 points more access",
    "P": "earnings of the trained or skilled above those of others, percent",
}
# Ratios are pooled as logarithms, which a null does not have; their standard errors are those of the logarithm.
LOGARITHMIC = ("PV",)
# Source of a standard error: published, from a stated p value, from a claim of significance (an upper bound), half a
# published range, or assumed.
MEASURED = ("published", "p")
BASES = (*MEASURED, "significance", "range", "assumed", "")

# Columns of the files: strings, numbers, and categories with their allowed values.
_NUMBERS = {
    "effects": ("rating", "size", "error", "control", "cost", "value", "se", "return", "return_se"),
    "costs": ("amount", "yuan_2024"),
}
_WORDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "effects": {
        "read_as": ("full text", "table", "abstract", "page", "secondary", "recalled"),
        "quantity": (*QUANTITIES, ""),
        "pool": ("yes", "zero", "later", ""),
        "error_from": BASES,
        "se_from": BASES,
    },
    "costs": {"is_model_unit": ("yes", "no")},
}
_TEXTS = {
    "effects": ("study", "trial", "lever", "design", "dose", "outcome", "source"),
    "costs": ("lever", "parameter", "unit", "currency", "price_year", "read_as", "source"),
}
_EVERY = ("id", "used_as", "experiment", "why_not")

# Choices of rows to pool; the columns of `Ledger.values` that each restricts, and the settings of `Ledger.chosen`.
VARIANTS: Mapping[str, Values] = {
    "all": {},
    "rating >= 3": {"rating": 3},
    "rating >= 4": {"rating": 4},
    "s.e. published or from p": {"is_measured": True},
    "training only": {"lever": "skills", "quantity": "R"},
    "training, randomised": {"lever": "skills", "quantity": "R", "rating": 4},
    "training, rating 5": {"lever": "skills", "quantity": "R", "rating": 5},
    "all + nulls at 0": {"nulls": True},
    "rating >= 3 + nulls at 0": {"rating": 3, "nulls": True},
    "one value a trial": {"by_trial": True},
    "with sources of priors": {"sources": True},
    "with sources of priors + nulls at 0": {"sources": True, "nulls": True},
    "with later readings": {"later": True},
}


@frozen
class Pooled:
    """Random-effects summary of values, with 90 % intervals.

    With ``w_i = 1 / (s_i^2 + tau^2)``, ``k`` values and quantiles ``t(k - 1)``, ``t(k - 2)`` at .95:

    Attributes
    ----------
    count
        Number of values, ``k``.
    median, mean
        Median; mean with the weights ``w_i``.
    error
        ``max(1 / sqrt(sum w), sqrt(sum w (y - mean)^2 / ((k - 1) sum w)))``.
    low, high
        Interval of the mean, ``mean -+ t(k - 1) error``.
    tau
        Standard deviation between studies: ``sum w_i (y_i - mean)^2 = k - 1``, or 0 if there is no root.
    predictive_low, predictive_high
        Interval of the effect in another study, ``mean -+ t(k - 2) sqrt(tau^2 + error^2)``.
    """

    count: int
    median: float
    mean: float
    error: float
    low: float
    high: float
    tau: float
    predictive_low: float
    predictive_high: float

    def as_ratio(self) -> "Pooled":
        """The summary of logarithms as one of ratios; ``error`` and ``tau`` remain those of logarithms."""
        names = ("median", "mean", "low", "high", "predictive_low", "predictive_high")
        given = asdict(self)
        return Pooled(**given | {name: float(np.exp(given[name])) for name in names})


def pool(values: npt.ArrayLike, errors: npt.ArrayLike) -> Pooled:
    """Pool effects by a random-effects model.

    Parameters
    ----------
    values, errors
        Effects ``y_i`` and their standard errors ``s_i``, shape ``(k,)``.

    Returns
    -------
    Pooled
        Mean, spread between studies, and intervals.

    Raises
    ------
    InvalidInput
        If there are fewer than three values, or an error is not positive.
    """
    from scipy.stats import t

    y, s = np.asarray(values, dtype=float), np.asarray(errors, dtype=float)
    if len(y) < MIN_POOLED or not (np.isfinite(y).all() and (s > 0).all()):
        raise InvalidInput("a pool needs at least three finite values with positive standard errors")
    k, tau2 = len(y), _between(y, s)
    w = 1 / (s**2 + tau2)
    mean = float(w @ y / w.sum())
    error = float(np.sqrt(max(1.0, w @ (y - mean) ** 2 / (k - 1)) / w.sum()))
    around, ahead = t.ppf(0.95, k - 1) * error, t.ppf(0.95, k - 2) * np.sqrt(tau2 + error**2)
    return Pooled(
        count=k,
        median=float(np.median(y)),
        mean=mean,
        error=error,
        low=mean - float(around),
        high=mean + float(around),
        tau=float(np.sqrt(tau2)),
        predictive_low=mean - float(ahead),
        predictive_high=mean + float(ahead),
    )


def _between(y: Array, s: Array) -> float:
    """Variance between studies: root of ``sum w (y - mean)^2 = k - 1``, which falls in it; 0 if there is none."""
    from scipy.optimize import brentq

    def excess(tau2: float) -> float:
        w = 1 / (s**2 + tau2)
        return float(w @ (y - w @ y / w.sum()) ** 2) - (len(y) - 1)

    # At this bound the sum is below k - 1 even if all weights are equal to it.
    most = float(((y - y.mean()) ** 2).sum())
    return 0.0 if excess(0.0) <= 0 else float(brentq(excess, 0.0, most, xtol=1e-14 * most))


@dataclass(frozen=True)
class Ledger:
    """Measured effects and unit costs of a model.

    Attributes
    ----------
    effects, costs
        The rows of the files; numbers are floats, missing ones NaN, missing texts empty.
    tests
        Predictions of the model beside what was measured, by `benchmarks.policy_tests`; None without ``tests.csv``.
    """

    effects: "pd.DataFrame"
    costs: "pd.DataFrame"
    tests: "pd.DataFrame | None" = None

    @cached_property
    def values(self) -> "pd.DataFrame":
        """Values that can be pooled: a row for each quantity of an effect, with its standard error."""
        import pandas as pd

        kept = ["id", "study", "trial", "lever", "rating", "pool", "used_as"]
        given = self.effects[self.effects["quantity"] != ""]
        main = given[[*kept, "quantity", "value", "se", "se_from"]]
        given = self.effects[self.effects["return"].notna()]
        names = {"return": "value", "return_se": "se", "error_from": "se_from"}
        returns = given[[*kept, *names]].rename(columns=names).assign(quantity="R")
        found = pd.concat([main, returns], ignore_index=True)
        found["used_as"] = found["used_as"].where(found["used_as"].str.startswith("prior"), "")
        recalled = found["id"].isin(self.effects.loc[self.effects["read_as"] == "recalled", "id"])
        return found.assign(is_measured=found["se_from"].isin(MEASURED) & ~recalled)

    def chosen(self, quantity: str, variant: str = "all") -> "pd.DataFrame":
        """Rows of `values` that a variant pools; ratios and their errors as logarithms.

        Parameters
        ----------
        quantity
            One of `QUANTITIES`.
        variant
            One of `VARIANTS`.

        Returns
        -------
        pandas.DataFrame
            Columns of `values`; none if the variant is not one of this quantity.

        Raises
        ------
        InvalidInput
            If there is no such quantity or variant.
        """
        _known(quantity, QUANTITIES)
        asked = _known(variant, VARIANTS)
        found = self.values[self.values["quantity"] == asked.get("quantity", quantity)]
        found = found[(found["quantity"] == quantity) & (found["rating"] >= asked.get("rating", 0))]
        typical = self.values.loc[(self.values["quantity"] == quantity) & (self.values["pool"] == "yes"), "se"].median()
        pools = ["yes"] + ["zero"] * ("nulls" in asked) + ["later"] * ("later" in asked)
        found = found[found["pool"].isin(pools)]
        if "sources" not in asked:
            found = found[found["used_as"] == ""]
        if "lever" in asked:
            found = found[found["lever"] == asked["lever"]]
        if "is_measured" in asked:
            found = found[found["is_measured"]]
        if quantity in LOGARITHMIC:
            found = found[found["pool"] != "zero"]
            found = found.assign(value=np.log(found["value"]))
        found = found.assign(se=found["se"].fillna(typical))
        return _one_a_trial(found) if "by_trial" in asked else found

    def pool(self, quantity: str, variant: str = "all") -> Pooled | None:
        """Pool the rows of a variant; None if there are fewer than three. Ratios are those of `Pooled.as_ratio`."""
        found = self.chosen(quantity, variant)
        if len(found) < MIN_POOLED:
            return None
        pooled = pool(found["value"], found["se"])
        return pooled.as_ratio() if quantity in LOGARITHMIC else pooled

    def pools(self) -> "pd.DataFrame":
        """Every pool: quantity, variant, trials, those that were predicted and are inside, and all of `Pooled`."""
        import pandas as pd

        rows, seen = [], set()
        for quantity, variant in product(QUANTITIES, VARIANTS):
            found = self.chosen(quantity, variant)
            key = (quantity, *found["id"], *found["value"])
            pooled = None if key in seen else self.pool(quantity, variant)
            if pooled is not None:
                seen.add(key)
                tested = self.leave_one_out(quantity, variant)["is_inside"]
                facts = {"quantity": quantity, "variant": variant, "trials": found["trial"].nunique()}
                rows.append({**facts, "predicted": len(tested), "inside": int(tested.sum()), **asdict(pooled)})
        return pd.DataFrame(rows)

    def leave_one_out(self, quantity: str, variant: str = "all") -> "pd.DataFrame":
        """Predict every trial of a pool from the other ones.

        All rows of a trial leave together and are one value ``y`` with variance ``v``: the mean with weights
        ``1 / s_i^2``, and ``1 / sum 1 / s_i^2``. With mean, error and tau of the others the interval of ``y`` is
        ``mean -+ t(k - 2) sqrt(tau^2 + error^2 + v)``.

        Parameters
        ----------
        quantity, variant
            As in `chosen`.

        Returns
        -------
        pandas.DataFrame
            A row for each trial: ``trial``, ``rows``, ``value``, ``error``, ``mean`` of the others, ``low`` and
            ``high`` of the predictive interval, ``is_inside``. Empty if fewer than three values remain.
        """
        import pandas as pd
        from scipy.stats import t

        found = self.chosen(quantity, variant)
        back: Callable[[float], float] = np.exp if quantity in LOGARITHMIC else float
        rows = []
        for trial, own in found.groupby("trial", sort=False):
            others = found[found["trial"] != trial]
            if len(others) < MIN_POOLED:
                continue
            rest = pool(others["value"], others["se"])
            one = _one_a_trial(own).iloc[0]
            reach = t.ppf(0.95, rest.count - 2) * np.sqrt(rest.tau**2 + rest.error**2 + one["se"] ** 2)
            numbers = {"value": one["value"], "mean": rest.mean, "low": rest.mean - reach, "high": rest.mean + reach}
            facts = {"trial": trial, "rows": " ".join(own["id"]), "error": one["se"]}
            facts["is_inside"] = abs(one["value"] - rest.mean) <= reach
            rows.append(facts | {name: float(back(number)) for name, number in numbers.items()})
        columns = ["trial", "rows", "value", "error", "mean", "low", "high", "is_inside"]
        return pd.DataFrame(rows, columns=columns)

    def predicted(self) -> "pd.DataFrame":
        """`leave_one_out` of every quantity, all rows, with a column ``quantity``."""
        import pandas as pd

        found = [self.leave_one_out(name).assign(quantity=name) for name in QUANTITIES]
        # Columns of tables without rows have no type.
        return pd.concat([item for item in found if len(item)] or found, ignore_index=True)

    def levers(self) -> "pd.DataFrame":
        """Numbers of effects and costs by lever: all, with a standard error, pooled, and used as experiments."""
        import pandas as pd

        table = self.effects
        marks = {
            "effects": table["id"] != "",
            "with_error": table["error"].notna() & (table["read_as"] != "recalled"),
            "measured": table["error_from"].isin(MEASURED),
            "pooled": (table["pool"] != "") & ~table["used_as"].str.startswith("prior"),
            "experiments": table["experiment"] != "",
        }
        found = pd.DataFrame({name: mark.groupby(table["lever"]).sum() for name, mark in marks.items()})
        costs = self.costs.groupby("lever")["is_model_unit"]
        found["costs"] = costs.size()
        found["in_model_unit"] = costs.agg(lambda column: int((column == "yes").sum()))
        order = list(dict.fromkeys([*table["lever"], *self.costs["lever"]]))
        return found.reindex(order).fillna(0).astype(int).rename_axis("lever").reset_index()


def _one_a_trial(found: "pd.DataFrame") -> "pd.DataFrame":
    """One row a trial: the mean of its values weighted by ``1 / s^2``, and its standard error."""
    weight = found["se"] ** -2.0
    total = weight.groupby(found["trial"], sort=False).sum()
    mean = (weight * found["value"]).groupby(found["trial"], sort=False).sum() / total
    first = found.drop_duplicates("trial").set_index("trial", drop=False)
    return first.assign(value=mean, se=total**-0.5).reset_index(drop=True)


def _known(name: str, names: Values) -> Any:
    if name not in names:
        raise _wrong("ledger", " | ".join(names), name)
    return names[name]


def _wrong(place: str, expected: str, what: str) -> InvalidInput:
    return InvalidInput("{place}: expected {expected}, found {what!r}", place=place, expected=expected, what=what)


def load_ledger(model: str | Path) -> Ledger:
    """Read the ledger of a model.

    Parameters
    ----------
    model
        A shipped model, a model file or its folder; the ledger is the folder ``evidence`` beside the file.

    Returns
    -------
    Ledger
        Effects of ``effects.csv`` and costs of ``costs.csv``.

    Raises
    ------
    InvalidInput
        If a file is missing or damaged.
    """
    import pandas as pd

    folder = model_file(model).parent / FOLDER
    tests = folder / "tests.csv"
    found = pd.read_csv(tests, keep_default_na=False) if tests.is_file() else None
    effects, costs = (_table(folder / f"{name}.csv", name) for name in ("effects", "costs"))
    return Ledger(effects, costs, found)


@lru_cache(maxsize=8)
def unsupported_costs(model: str | Path) -> frozenset[str]:
    """Keys of the unit costs of a model without evidence: fewer than two sources in the unit of the model.

    Parameters
    ----------
    model
        As for `load_ledger`; a model without a ledger has no unsupported costs.
    """
    file = model_file(model)
    if not (file.parent / FOLDER / "costs.csv").is_file():
        return frozenset()
    costs = load_ledger(model).costs
    counts = costs[costs["is_model_unit"] == "yes"].groupby("parameter")["source"].nunique()
    declared = load_spec(declarations_beside(file)).parameters
    return frozenset(key for key, item in declared.items() if item.role == "COST" and counts.get(key, 0) < SOURCES)


def meaning(model: str | Path, item: Parameter, lang: str) -> str:
    """Meaning of a parameter in English or Chinese, marked if it is a unit cost without evidence."""
    text = str(getattr(item, lang))
    return translate("report.no evidence", lang, meaning=text) if item.key in unsupported_costs(model) else text


def _table(path: Path, kind: str) -> "pd.DataFrame":
    """Read and check one file of a ledger."""
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = of_system(error) if isinstance(error, OSError) else str(error)
        raise InvalidInput("{path}: the ledger cannot be read: {reason}", path=path, reason=reason) from error
    columns = {*_EVERY, *_TEXTS[kind], *_NUMBERS[kind], *_WORDS[kind]}
    if missing := sorted(columns - set(table.columns)):
        raise _wrong(f"{path}, 1", ", ".join(missing), ", ".join(table.columns))
    unread = table.copy()
    for name in _NUMBERS[kind]:
        table[name] = pd.to_numeric(table[name], errors="coerce")
    text = Message("a text")
    checks: list[tuple[str, Any, str]] = [(name, unread[name] != "", text) for name in _TEXTS[kind]]
    checks.append(("id", (table["id"] != "") & ~table["id"].duplicated(), Message("a name that no other row has")))
    checks += [
        (name, table[name].notna() | (unread[name] == ""), Message("a number or nothing")) for name in _NUMBERS[kind]
    ]
    checks += [(name, table[name].isin(words), " | ".join(words)) for name, words in _WORDS[kind].items()]
    either = (table["experiment"] == "") != (table["why_not"] == "")
    checks.append(("experiment", either, Message("an experiment, or a reason in why_not, and not both")))
    if kind == "effects":
        pooled = table["pool"].isin(["yes", "later"])
        checks += [
            (error, ~(pooled & table[value].notna()) | (table[error] > 0), Message("a positive number"))
            for value, error in (("value", "se"), ("return", "return_se"))
        ]
    for name, is_right, expected in checks:
        for row in table.index[~is_right][:1]:
            raise _wrong(f"{path}, {table['id'][row] or row + 2}, {name}", expected, unread[name][row])
    return table

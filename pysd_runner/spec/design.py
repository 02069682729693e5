"""The design of a study: how a model uses data, and which results of its runs are shown."""

from collections.abc import Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING, Literal

from pysd_runner.core.errors import Message
from pysd_runner.core.types import Record, Texts, frozen
from pysd_runner.spec.baseline import UNTIL
from pysd_runner.spec.bindings import USUAL_RANGES, RangeNames

if TYPE_CHECKING:
    from pysd_runner.data import Data
    from pysd_runner.spec.declarations import DeclaredOutcome, ModelSpec, RegionInput

# Defaults: number of draws; number of draws and last year of a study of regions.
DRAWS, REGIONAL_DRAWS = 500, 200
# Maximum number of stocks that are saved by default.
MOST_STOCKS = 12
# Unit of money in the declarations of a model.
MONEY = "Yuan"
# Relative rounding error of stored outcomes of regions, which reduces files to a third of the size.
KEPT_ERROR = 1e-5


@frozen
class ErrorSizes:
    """How the standard deviation of errors is estimated from residuals; by default from a declared one.

    Attributes
    ----------
    weight
        Weight of the declared standard deviation, in observations.
    holds
        Whether outlying residuals are clipped before their persistence is estimated.
    least
        Minimum, relative to the standard deviation of the data: a series fitted exactly must not dominate the others.
    by_parameters
        Whether estimated parameters reduce the degrees of freedom; otherwise the means removed at each time do.
    """

    weight: float = 4.0
    holds: bool = True
    least: float = 0.0
    by_parameters: bool = False


DECLARED, FOUND = ErrorSizes(), ErrorSizes(weight=0.0, holds=False, least=1e-3, by_parameters=True)


@frozen
class StudyDesign:
    """Settings of a study of a model besides those of its runs; a model that declares nothing has the defaults.

    Attributes
    ----------
    entity
        Axis of the entities whose state at the origin is the start of a run; empty if runs start as the file says.
    labels
        Attribute of an entity in each coordinate of results along that axis.
    panel
        Whether data are read as a panel of entities by year; None to take what they are.
    source
        Name of the shipped data that are taken where none are named; empty if there are none.
    ranges
        Ranges of the entities of the data, of the levers and of the classes.
    bound
        Variables that the declarations bind and that must be in the file.
    policy
        Variable that each setting of a policy sets; empty if scenarios change constants by name alone.
    search
        Scenario from whose money a search for the best policy starts; empty if levers have values of their own.
    usual
        Outcome and money of a measured effect that declares none.
    axes
        Axis of results by subscript range; other ranges keep their names.
    averaged
        Axes with which only the mean over draws is kept.
    time
        Name of the axis of time: ``"year"`` if whole years are saved.
    clock
        NumPy type of the times of the data: integer for calendar years, float for other times.
    noun
        Noun for the data in sentences.
    target
        Quantity that is fitted and forecast: the columns of the data, or relative output with further declared series.
    errors
        How the sizes of the errors of the data are estimated.
    stages
        First stage of a fit: block by block, or screening of prior draws.
    shock_sizes
        Parameters for the size of shocks, which is estimated from the residuals of growth.
    save_every
        Interval between saved times; None for that of the file.
    is_strict
        Whether a draw without numbers ends the run; otherwise it is NaN.
    start
        Start of runs: from the values in the model file, or from the observed ``"state"``.
    page
        Quantities that users of the explorer can change.
    initial
        Values that are derived from the state observed at the origin, by key.
    shock
        Variable by which a run without policy follows a forecast; empty if it cannot.
    lever
        Range of the levers that policies set; empty if scenarios change constants by name.
    levers
        Constant, or element of one, that each declared lever sets.
    money
        Unit of money in declared units, for which results have the currency of the data; empty if there is none.
    outcomes
        Outcomes that are saved under their keys, with their labels.
    stocks
        Maximum number of stocks that are saved besides declared and observed outcomes.
    totals
        Pairs of outcomes from which indicators over the entities are computed: output, and the people it is for.
    leading, leading_places
        Outcomes that are shown first, of all and of single entities; empty for those observed.
    rounding
        Relative rounding error of stored outcomes; None to store them as they are.
    tables
        Tables that are saved beside the outcomes.
    figures
        Kinds of figures on the page of results.
    title
        Text that heads the page of results.
    draws, until
        Defaults; None for the last time of the file.
    caveats
        What a reader needs to know of every result.
    unfitted, unsampled, unfollowed
        What one needs to know of a result without a fit, of draws from a fit that was not sampled, and of a run that
        follows no forecast.
    """

    entity: str = ""
    labels: Texts = field(default_factory=dict)
    panel: bool | None = None
    source: str = ""
    ranges: RangeNames = USUAL_RANGES
    bound: tuple[str, ...] = ()
    policy: Texts = field(default_factory=dict)
    search: str = ""
    usual: tuple[str, str] = ("", "")
    axes: Texts = field(default_factory=dict)
    averaged: tuple[str, ...] = ()
    time: str = "time"
    clock: str = "float64"
    noun: str = Message("data")
    target: str = "columns"
    errors: ErrorSizes = FOUND
    stages: str = "screening"
    shock_sizes: tuple[str, ...] = ()
    save_every: float | None = None
    is_strict: bool = False
    start: Literal["file", "state"] = "file"
    page: Literal["constants", "policies"] = "constants"
    initial: "Mapping[str, RegionInput]" = field(default_factory=dict)
    shock: str = ""
    lever: str = ""
    levers: Texts = field(default_factory=dict)
    money: str = ""
    outcomes: "Mapping[str, DeclaredOutcome]" = field(default_factory=dict)
    stocks: int = MOST_STOCKS
    totals: tuple[tuple[str, str], ...] = ()
    leading: tuple[str, ...] = ()
    leading_places: tuple[str, ...] = ()
    rounding: float | None = None
    tables: tuple[str, ...] = ("end", "quantiles")
    figures: tuple[str, ...] = ("outcomes",)
    title: str = "own.title"
    draws: int = DRAWS
    until: int | None = None
    caveats: tuple[str, ...] = ()
    unfitted: str = Message("No fit was given: the values of the file were run once, without uncertainty.")
    unsampled: tuple[str, ...] = ()
    unfollowed: tuple[str, ...] = ()

    def given(self, data: object) -> "StudyDesign":
        """The design that applies to these data; without data the default one, if runs start from an observed state."""
        return PLAIN if data is None and self.initial else self

    @property
    def record(self) -> Record:
        """The parts of the design that are stored with results, which are shown without the model."""
        return {name: getattr(self, name) for name in _KEPT}


# Fields that tables, figures and sentences need.
_KEPT = ("entity", "time", "totals", "leading", "leading_places", "rounding", "tables", "figures", "title")


PLAIN = StudyDesign()
# Design of studies of regions by year, whatever the names of the model's variables.
REGIONAL = StudyDesign(
    entity="region",
    labels={"region": "code"} | {name: name for name in ("name_en", "name_zh", "group", "row", "column")},
    panel=True,
    source="china",
    search="zoned_need",
    averaged=("lever",),
    time="year",
    clock="int64",
    noun=Message("panel"),
    target="relative_output",
    errors=DECLARED,
    stages="blocks",
    save_every=1,
    is_strict=True,
    start="state",
    page="policies",
    money=MONEY,
    stocks=0,
    totals=(("output", "population"),),
    leading=("laggard_gap", "theil", "national_gap", "sigma"),
    leading_places=("relative_output", "gap_to_leader"),
    rounding=KEPT_ERROR,
    tables=(),
    figures=("mixes", "output", "classes", "tiles"),
    title="report.report",
    draws=REGIONAL_DRAWS,
    until=UNTIL,
    caveats=(
        Message(
            "Effects of digital policy on output rest on priors from the literature passed through the structure; "
            "panels like this one say almost nothing about them."
        ),
        Message("Unit costs of the levers are judgement and decide their ranking."),
    ),
    unfitted=Message("No calibration was given: every parameter is drawn from its prior."),
    unsampled=(
        Message(
            "The parameters are drawn from the normal approximation of the posterior, which is not skewed where "
            "the posterior is: sample it before quoting ends of intervals (gapsim calibrate --sample)."
        ),
    ),
    unfollowed=(
        Message(
            "The run without policy is the path of the model, not a forecast: compare scenarios, do not quote levels."
        ),
    ),
)


def design_of(spec: "ModelSpec | None") -> StudyDesign:
    """The design that declarations describe; the default where there are none."""
    if spec is None or spec.bindings is None:
        levers = {} if spec is None else {key: item.element for key, item in spec.levers.items()}
        return PLAIN if spec is None else replace(PLAIN, levers=levers, **spec.study)
    ranges, names = spec.bindings.ranges, spec.bindings.variables
    measured = [name for item in spec.regional_outcomes.values() for name in item.variables]
    return replace(
        REGIONAL,
        shock_sizes=(spec.bindings.parameters.shock_size,),
        ranges=ranges,
        bound=(*spec.bindings.named(), *measured),
        policy=spec.bindings.policy,
        usual=(names.output, names.policy_money),
        axes={ranges.region: "region", ranges.lever: "lever", ranges.policy_class: "class"},
        initial=spec.inputs,
        shock=names.shock,
        lever=ranges.lever,
        levers={key: f"{spec.bindings.policy['levers']}[{item.element}]" for key, item in spec.levers.items()},
        outcomes=spec.outcomes,
    )


def kept_design(record: Record | None) -> StudyDesign:
    """The design stored with results by `StudyDesign.record`; results of earlier versions are regional."""
    if record is None:
        return REGIONAL
    known = {name: record[name] for name in _KEPT if name in record}
    lists = {name: tuple(value) for name, value in known.items() if isinstance(value, list)}
    return replace(PLAIN, **known | lists | {"totals": tuple(tuple(pair) for pair in known.get("totals", ()))})


def studied(data: "Data", design: StudyDesign = REGIONAL) -> "tuple[Data, StudyDesign]":
    """Data in the form that a model uses, with the design that applies to them: the regional one only for a panel."""
    taken = data.for_model(regional=bool(design.entity))
    return taken, design if taken.is_panel == bool(design.entity) else PLAIN

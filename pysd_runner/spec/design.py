"""The design of a study: what a model takes from data, and what is shown of its runs, beyond running it."""

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from pysd_runner.core.errors import Message
from pysd_runner.core.kinds import Texts, frozen
from pysd_runner.spec.baseline import UNTIL
from pysd_runner.spec.bindings import USUAL_RANGES, RangeNames

if TYPE_CHECKING:
    from pysd_runner.spec.declarations import ModelSpec, RegionInput

# Defaults: number of draws; number of draws and last year of a study of regions.
DRAWS, REGIONAL_DRAWS = 500, 200
# Unit of money in the declarations of a model.
MONEY = "Yuan"


@frozen
class StudyDesign:
    """What a study of a model needs besides its runs; a model that declares nothing has the defaults.

    Attributes
    ----------
    entity
        Axis of the entities whose state at the origin is the start of a run; empty if runs start as the file says.
    ranges
        Ranges of the entities of the data, of the levers and of the classes.
    bound
        Variables that the declarations bind and that must be in the file.
    policy
        Variable that each setting of a policy sets; empty if scenarios change constants by name alone.
    axes
        Axis of results by subscript range; other ranges keep their names.
    averaged
        Axes with which only the mean over draws is kept.
    time
        Name of the axis of time: ``"year"`` if whole years are saved.
    save_every
        Interval between saved times; None for that of the file.
    is_strict
        Whether a draw without numbers ends the run; otherwise it is NaN.
    initial
        Values that are derived from the state observed at the origin, by key.
    shock
        Variable by which a run without policy follows a forecast; empty if it cannot.
    lever
        Range of the levers that policies set; empty if scenarios change constants by name.
    money
        Unit of money in declared units, for which results have the currency of the data; empty if there is none.
    draws, until
        Defaults; None for the last time of the file.
    caveats, unfitted
        What a reader needs to know of every result, and of one without a fit.
    """

    entity: str = ""
    ranges: RangeNames = USUAL_RANGES
    bound: tuple[str, ...] = ()
    policy: Texts = field(default_factory=dict)
    axes: Texts = field(default_factory=dict)
    averaged: frozenset[str] = frozenset()
    time: str = "time"
    save_every: float | None = None
    is_strict: bool = False
    initial: "Mapping[str, RegionInput]" = field(default_factory=dict)
    shock: str = ""
    lever: str = ""
    money: str = ""
    draws: int = DRAWS
    until: int | None = None
    caveats: tuple[str, ...] = ()
    unfitted: str = Message("No fit was given: the values of the file were run once, without uncertainty.")


PLAIN = StudyDesign()


def design_of(spec: "ModelSpec | None") -> StudyDesign:
    """The design that declarations describe; the default where there are none."""
    if spec is None or spec.bindings is None:
        return PLAIN
    ranges = spec.bindings.ranges
    return StudyDesign(
        entity="region",
        ranges=ranges,
        bound=spec.bindings.named(),
        policy=spec.bindings.policy,
        axes={ranges.region: "region", ranges.lever: "lever", ranges.policy_class: "class"},
        averaged=frozenset({"lever"}),
        time="year",
        save_every=1,
        is_strict=True,
        initial=spec.inputs,
        shock=spec.bindings.variables.shock,
        lever=ranges.lever,
        money=MONEY,
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
    )

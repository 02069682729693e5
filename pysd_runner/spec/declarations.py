"""Declarations of a model: parameters, inputs, outcomes, measurements, levers and classes."""

from collections.abc import Mapping
from dataclasses import field
from math import inf
from typing import Literal, get_args

from pysd_runner.core.errors import InvalidInput, Message, UnknownName, suggest
from pysd_runner.core.types import Record, Texts, frozen
from pysd_runner.spec.aims import Aim, RegionalOutcome
from pysd_runner.spec.bindings import Bindings
from pysd_runner.spec.evidence import EvidenceTerm
from pysd_runner.spec.priors import Prior

Role = Literal["FREE", "FREE*", "FIX", "COST", "ASM", "POL"]
ROLES: tuple[str, ...] = get_args(Role)

FallbackRule = Literal["required", "equal_shares", "proxy", "constant", "latest"]


@frozen
class Parameter:
    """A number of the model or of its measurement equations that is the same in every region.

    Attributes
    ----------
    key, variable
        Short key; name in the model file, empty for a parameter that is only in the measurement equations.
    unit
        Unit as written in the model file.
    value, lower, upper
        Central value, and finite bounds of all estimates, draws and scenarios.
    prior
        Prior distribution; None for policy choices and structural alternatives (compared, not drawn).
    role
        ``FREE`` mainly estimated from a panel; ``FREE*`` estimated, but weakly identified; ``FIX`` from literature;
        ``COST`` unit cost; ``ASM`` assumption without an estimate; ``POL`` policy or design choice. A calibration
        estimates all with a prior except ``POL``; tables show ``FREE`` ones first.
    sources
        Keys of ``references.bib``.
    judgement
        Whether the central value is based on judgement rather than on a cited estimate.
    note
        Basis of the value, in words.
    price_basis
        Price basis of monetary units; empty for other units.
    en, zh
        One-line meaning in English and Chinese.
    switch
        Key of the parameter that must not be 0 for this one to have an effect, or the policy setting that must be used
        (``"policy.targets.pilots"``); empty if it always has an effect.
    """

    key: str
    variable: str = ""
    unit: str
    value: float
    lower: float
    upper: float
    prior: Prior | None = None
    role: Role
    sources: tuple[str, ...] = ()
    judgement: bool
    note: str = ""
    price_basis: str = ""
    en: str
    zh: str
    switch: str = ""


@frozen
class Proxy:
    """How a missing initial share is inferred from indicators of the panel.

    The national value is ``level`` times the national value of ``of`` (another input, or a national series).
    A region's value is this times ``(indicator / mean over regions) ** (1 / loading)``, at most ``cap`` times the
    ceiling of the share. Several indicators enter by their geometric mean. Without an indicator the value of a region
    is ``level`` times its own ``of``.

    Attributes
    ----------
    indicators
        Panel variables.
    loading
        Key of the parameter that is the exponent.
    of
        Key of the input, or name of the national series, that ``level`` multiplies; empty if ``level`` is the value.
    level, cap
        Dimensionless; an uncertain level is given by the key of a parameter. ``cap`` is 0 if there is no ceiling.
    """

    indicators: tuple[str, ...] = ()
    loading: str
    of: str = ""
    level: float | str
    cap: float = 0.0


@frozen
class RegionInput:
    """A value of each region for the first simulated year.

    Attributes
    ----------
    key, variable, unit
        Short key; name in the model file without its subscript; unit as written in the model file.
    panel
        Panel variable that contains it; empty if there is none.
    rule
        Rule for values missing in the panel: ``required`` (an error), ``equal_shares``, ``proxy``, ``constant``, or
        ``latest``: the last earlier value, else the first later one, else the constant.
    fallback
        The constant used if nothing else is known, or None.
    proxy
        How the value is inferred from indicators, or None.
    lower, upper
        Finite bounds of a plausible value.
    price_basis
        Price basis of monetary units; empty for other units.
    note
        Basis of the fallback, in words.
    en, zh
        One-line meaning in English and Chinese.
    """

    key: str
    variable: str
    unit: str
    panel: str = ""
    rule: FallbackRule
    fallback: float | None = None
    proxy: Proxy | None = None
    lower: float
    upper: float
    price_basis: str = ""
    note: str = ""
    en: str
    zh: str


@frozen
class DeclaredOutcome:
    """A model variable reported as an outcome, with its labels.

    Attributes
    ----------
    key, variable, unit
        Short key; name in the model file without its subscript; unit as written in the model file.
    en, zh
        Labels in English and Chinese.
    better
        ``"higher"`` or ``"lower"``; empty if the better direction was not declared.
    """

    key: str
    variable: str
    unit: str
    en: str
    zh: str
    better: str = ""


# Error distributions: of counts, which have only sampling variation, and all.
COUNT_FAMILIES = ("poisson", "negative_binomial")
ERROR_FAMILIES = ("huber", "normal", "student", *COUNT_FAMILIES)
ERROR_MEMORIES = ("ar1", "independent", "momentum")
ERROR_SCALES = ("series", "region")
# Student's t has a standard deviation only for more degrees of freedom than this.
LEAST_DEGREES = 2.0


@frozen
class ErrorModel:
    """Distribution of the errors of a measurement.

    Attributes
    ----------
    family
        ``"huber"``: normal in the middle, exponential beyond 2.5 standard deviations; ``"normal"``; ``"student"``;
        for counts of any model ``"poisson"`` and ``"negative_binomial"``, with variance ``m + (sd m)^2`` about ``m``.
    degrees
        Degrees of freedom of ``"student"``, more than 2.
    memory
        Autocorrelation of errors: ``"ar1"``: first-order, estimated; ``"independent"``: none; ``"momentum"``: as that
        of extra growth in the model itself, for yearly changes of output.
    scale
        ``"series"``: one standard deviation; ``"region"``: one for each region, shrunk to the common one.
    known
        Whether the declared standard deviation is used as it is; otherwise it is estimated from the residuals.

    Raises
    ------
    InvalidInput
        If a word is not known or the degrees of freedom are not more than 2.
    """

    family: str = "huber"
    degrees: float = 5.0
    memory: str = "ar1"
    scale: str = "series"
    known: bool = False

    def __post_init__(self) -> None:
        for name, allowed in (("family", ERROR_FAMILIES), ("memory", ERROR_MEMORIES), ("scale", ERROR_SCALES)):
            word = getattr(self, name)
            if word not in allowed:
                raise InvalidInput(
                    "{name} of an error: expected one of {names}, found {word!r}.{suggestion}",
                    name=name,
                    names=", ".join(allowed),
                    word=word,
                    suggestion=suggest(word, allowed),
                )
        if not LEAST_DEGREES < self.degrees < inf:
            raise InvalidInput(
                "degrees of freedom of an error must be more than 2 and finite; found {degrees:g}", degrees=self.degrees
            )

    @property
    def is_count(self) -> bool:
        """Whether the observations are counts, Poisson or overdispersed."""
        return self.family in COUNT_FAMILIES

    @property
    def words(self) -> str:
        """Description of the errors for a report."""
        if self.is_count:
            if self.family == "poisson":
                return Message("Poisson counts")
            spread = Message("spread known") if self.known else Message("spread estimated")
            return Message("negative binomial counts, {spread}", spread=spread)
        families = {
            "huber": Message("Huber errors"),
            "normal": Message("normal errors"),
            "student": Message("Student-t errors with {degrees:g} degrees of freedom", degrees=self.degrees),
        }
        memories = {
            "ar1": "AR(1)",
            "independent": Message("independent"),
            "momentum": Message("fading like the model's momentum"),
        }
        scales = {"series": "", "region": Message(", a standard deviation for each region")}
        return Message(
            "{family}, {memory}{scale}{size}",
            family=families[self.family],
            memory=memories[self.memory],
            scale=scales[self.scale],
            size=Message(", standard deviation known") if self.known else "",
        )


USUAL_ERRORS = ErrorModel()


@frozen
class Measurement:
    """How a model variable is observed.

    ``log indicator = c_t + loading * log outcome + e``, with ``e`` of standard deviation ``sd``; the year's
    effect ``c_t`` is removed by subtracting the mean over regions when ``relative``; first differences are
    compared when ``increments``. With a ``national`` series the level is compared: ``series = outcome + e``.

    Attributes
    ----------
    key, outcome
        Short key; name of the observed variable in the model file.
    indicators
        Panel variables, each of which is a separate observation; empty for a national series.
    loading
        Key of the loading parameter; empty for 1.
    relative, increments
        Whether the mean over regions is removed in each year; whether yearly changes are compared.
    sd
        Standard deviation of the error: log points, or the unit of the outcome for a national series.
    national
        Name of the national series; empty for an observation by region.
    alternatives
        National series of the same quantity by other definitions; a calibration uses one of them.
    requires
        Panel variable without which the measurement is left out; empty for none.
    errors
        Distribution of ``e``.
    note
        Basis of the error, in words.
    en, zh
        One-line meaning in English and Chinese.
    """

    key: str
    outcome: str
    indicators: tuple[str, ...] = ()
    loading: str = ""
    relative: bool = False
    increments: bool = False
    sd: float
    national: str = ""
    requires: str = ""
    note: str = ""
    en: str
    zh: str
    errors: ErrorModel = USUAL_ERRORS
    alternatives: tuple[str, ...] = ()


TERM_TIMES = ("steps", "end", "start")
STEP_WEIGHTS = ("step", "time")
# Laws of data about the model that residuals are held against; empty for none.
TERM_LAWS = ("", "poisson", "normal")


@frozen
class ObjectiveTerm:
    """A term of a log posterior that the model itself computes: a weight times a variable.

    Attributes
    ----------
    variable
        A variable, summed over its elements, or an element of one.
    weight
        A number, or the name of a constant, which may be estimated itself.
    at
        ``"steps"``: summed over all time steps from start to end; ``"end"`` or ``"start"``: at that time alone.
    data, model
        A data variable and what it observes, for residuals; both empty if the term compares no single pair.
    law
        Law of the data about `model`: ``"poisson"``, or ``"normal"`` with a variance of one; empty if not told.
    """

    variable: str
    weight: float | str = 1.0
    at: str = "steps"
    data: str = ""
    model: str = ""
    law: str = ""


@frozen
class Objective:
    """A log posterior that is a weighted sum of model variables.

    Attributes
    ----------
    terms
        The terms that are added.
    times
        ``"step"``: sums over time steps are plain; ``"time"``: they are multiplied by the time step.
    """

    terms: tuple[ObjectiveTerm, ...]
    times: str = "step"


OBSERVED_SCALES = ("auto", "level", "log", "logit")
OBSERVED_KINDS = ("level", "flow", "cumulative")
DIRECTIONS = ("", "higher", "lower")


@frozen
class Observation:
    """How a column of a table observes a model variable, for any model.

    ``f(column) = f(outcome) + e`` with ``f`` the scale; counts are random with the outcome as their mean.

    Attributes
    ----------
    column
        Heading of the column.
    outcome
        A variable, an element of one (``Infected[north]``), or an expression of them (``Infected + Recovered``).
    scale
        ``"level"``, ``"log"`` or ``"logit"``; ``"auto"`` is the logarithm if all values are positive and the largest is
        at least ten times the smallest, else the level.
    kind
        ``"level"``: the value at the time of the observation; ``"flow"``: the total flow since the previous
        observation; ``"cumulative"``: the total flow since the start of the run.
    errors
        Distribution of ``e``.
    sd
        Standard deviation of ``e``, on the scale; for negative binomial counts the relative standard deviation in
        excess of Poisson's. None to estimate it.

    Raises
    ------
    InvalidInput
        If a word is not known, or settings are inconsistent.
    """

    column: str
    outcome: str
    scale: str = "auto"
    kind: str = "level"
    errors: ErrorModel = USUAL_ERRORS
    sd: float | None = None

    def __post_init__(self) -> None:
        place = Message("measurement of {name!r}", name=self.column)
        for name, allowed in (("scale", OBSERVED_SCALES), ("kind", OBSERVED_KINDS)):
            word = getattr(self, name)
            if word not in allowed:
                expected = Message("expected one of {names}", names=", ".join(allowed))
                raise InvalidInput(
                    "{place}: {name}: {expected}, found {word!r}.{suggestion}",
                    place=place,
                    name=name,
                    expected=expected,
                    word=word,
                    suggestion=suggest(str(word), allowed),
                )
        if self.sd is not None and not 0 < self.sd < inf:
            raise InvalidInput("{place}: sd must be positive and finite; found {sd!r}", place=place, sd=self.sd)
        if self.errors.memory == "momentum":
            raise InvalidInput(
                "{place}: memory 'momentum' is one of the regional model; take 'ar1' or 'independent'", place=place
            )
        if self.errors.scale == "region":
            raise InvalidInput("{place}: errors have one scale here; expected scale = 'series'", place=place)
        if self.errors.is_count and self.scale not in ("auto", "level"):
            raise InvalidInput("{place}: counts are compared as they are; expected scale = 'level'", place=place)
        if self.errors.known and self.sd is None:
            raise InvalidInput("{place}: errors of known size need sd", place=place)

    @property
    def is_given(self) -> bool:
        """Whether the size of the errors is given; otherwise it is estimated."""
        return self.sd is not None


@frozen
class Definition:
    """One of several national series that measure the same quantity by different definitions."""

    key: str  # name of the series
    en: str
    zh: str


@frozen
class PlausibleRange:
    """Plausible range of a policy effect, by evidence from outside the model."""

    key: str  # effect of policy, see `pysd_runner.policy.effects.effects`
    lower: float
    upper: float
    sources: tuple[str, ...] = ()
    note: str
    en: str
    zh: str


RidgeForm = Literal["product", "turnover"]
RIDGE_FORMS: Mapping[RidgeForm, int] = {"product": 2, "turnover": 3}


@frozen
class Ridge:
    """Parameters of which only a combination is identified: along a ridge the likelihood is nearly flat.

    Attributes
    ----------
    key
        Short key.
    form
        ``"product"`` of two parameters, better identified than the second alone; ``"turnover"`` of a stock with two
        gains, the second per unit of another share, and a loss: its equilibrium and speed are identified.
    keys
        The parameters, in the order of the form.
    reference
        Positive value of the other share at which the equilibrium and speed of a turnover are computed.
    en, zh
        One-line meaning in English and Chinese.
    """

    key: str
    form: RidgeForm
    keys: tuple[str, ...] = ()
    reference: float = 1.0
    en: str
    zh: str


@frozen
class PolicyClass:
    """A class of regions distinguished by policy.

    Attributes
    ----------
    key, element
        Short key used in scenarios; element of the model's ``Class`` range.
    en, zh
        Labels.
    """

    key: str
    element: str
    en: str
    zh: str

    def label(self, lang: str) -> str:
        """Label in a language, ``"en"`` or ``"zh"``."""
        return self.zh if lang == "zh" else self.en


@frozen
class DeclaredLever(PolicyClass):
    """A way to spend the policy budget.

    Attributes
    ----------
    element
        Element of the model's ``Lever`` range, or in a user's model the constant, or the element of one, that it sets.
    off, to
        Value without the policy, and value when full on, above or below it; None if not declared.
    cost
        Cost of a change from off by one unit, in units of the budget.
    """

    off: float = 0.0
    to: float | None = None
    cost: float = 1.0


@frozen
class DeclaredLoop:
    """A feedback loop with a name.

    Attributes
    ----------
    key
        Short name.
    path
        Variables in the order of their links; the last one acts on the first. ``"A | B"`` takes either variable.
    en, zh
        Labels.
    """

    key: str
    path: tuple[str, ...]
    en: str = ""
    zh: str = ""


@frozen
class DeclaredScenario:
    """A scenario by name: change files on top of those of the study, and files with its published series."""

    changes: tuple[str, ...] = ()
    published: tuple[str, ...] = ()


@frozen
class Published:
    """What was published of the base run: its payoff, files with its series, and how its authors searched, as text."""

    payoff: float | None = None
    series: tuple[str, ...] = ()
    search: Texts = field(default_factory=dict)


@frozen
class ModelSpec:
    """The declarations of one model, read from its ``model.toml``.

    Attributes
    ----------
    name
        Name of the model.
    parameters, inputs, outcomes, measurements, levers, classes, ridges, definitions, plausible, evidence, loops
        Declarations by key, in the order of the file.
    regional_outcomes, aims
        Outcomes of policies over all regions, and the parts of the aim that they measure.
    observations
        How columns of a table observe a model that is not regional, by key.
    scenarios, published
        Scenarios of change files by name, and what was published of the base run.
    objective
        Log posterior that the model computes, which is maximised; None if not declared.
    budget
        Maximum total cost of the levers of a user's model; None if not declared.
    study
        Fields of the `StudyDesign` that a user's model declares.
    bindings
        Bindings of the names of a regional model; None for other models.
    """

    name: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    inputs: Mapping[str, RegionInput] = field(default_factory=dict)
    outcomes: Mapping[str, DeclaredOutcome] = field(default_factory=dict)
    measurements: Mapping[str, Measurement] = field(default_factory=dict)
    levers: Mapping[str, DeclaredLever] = field(default_factory=dict)
    classes: Mapping[str, PolicyClass] = field(default_factory=dict)
    ridges: Mapping[str, Ridge] = field(default_factory=dict)
    definitions: Mapping[str, Definition] = field(default_factory=dict)
    plausible: Mapping[str, PlausibleRange] = field(default_factory=dict)
    evidence: Mapping[str, EvidenceTerm] = field(default_factory=dict)
    loops: Mapping[str, DeclaredLoop] = field(default_factory=dict)
    regional_outcomes: Mapping[str, RegionalOutcome] = field(default_factory=dict)
    aims: Mapping[str, Aim] = field(default_factory=dict)
    observations: Mapping[str, Observation] = field(default_factory=dict)
    scenarios: Mapping[str, DeclaredScenario] = field(default_factory=dict)
    published: Published = Published()
    objective: Objective | None = None
    budget: float | None = None
    study: Record = field(default_factory=dict)
    bindings: Bindings | None = None

    @property
    def bound(self) -> Bindings:
        """Bindings of a regional model; raises if there are none."""
        if self.bindings is None:
            raise InvalidInput(
                "{model} has no declarations with [bindings], so nothing ties it to a panel of regions; take a folder "
                "with a model.toml that has them, or a table of observations",
                model=self.name,
            )
        return self.bindings

    def parameter(self, name: str) -> Parameter:
        """Return the parameter with this key or this name in the model file.

        Parameters
        ----------
        name
            Key (``"q_a"``) or model name (``"Access Imitation Coefficient"``).

        Returns
        -------
        Parameter
            The declaration.

        Raises
        ------
        UnknownName
            If neither a key nor a model name matches.
        """
        if name in self.parameters:
            return self.parameters[name]
        by_variable = {item.variable: item for item in self.parameters.values() if item.variable}
        if name in by_variable:
            return by_variable[name]
        raise UnknownName(
            "no parameter is called {name!r}.{suggestion}",
            name=name,
            suggestion=suggest(name, [*self.parameters, *by_variable]),
        )

    @property
    def proxies(self) -> tuple[Proxy, ...]:
        """Proxies of the inputs that have one."""
        return tuple(item.proxy for item in self.inputs.values() if item.proxy is not None)

    def acts(self, parameter: Parameter) -> bool:
        """Whether a parameter is used in the model, a measurement or the initial values, and is switched on."""
        switch = self.parameters.get(parameter.switch)
        if parameter.switch and (switch is None or not switch.value):
            return False
        beside = {item.loading for item in self.measurements.values()}
        beside |= {name for proxy in self.proxies for name in (proxy.loading, proxy.level) if isinstance(name, str)}
        return bool(parameter.variable) or parameter.key in beside

"""What a model declares about itself: parameters, inputs, outcomes, measurements, levers and classes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Literal, get_args

from pysd_runner.core.errors import InvalidInput, Message, UnknownName, suggest
from pysd_runner.spec.bindings import Bindings
from pysd_runner.spec.priors import Prior

Role = Literal["FREE", "FREE*", "FIX", "COST", "ASM", "POL"]
ROLES: tuple[str, ...] = get_args(Role)

FallbackRule = Literal["required", "equal_shares", "proxy", "constant", "latest"]
FALLBACK_RULES: tuple[str, ...] = get_args(FallbackRule)


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    """A number of the model or of its measurement equations that is the same in every region.

    Attributes
    ----------
    key, variable
        Short key; name in the model file, empty for a parameter of the measurement equations alone.
    unit
        Unit in the spelling of the model file.
    value, lower, upper
        Central value and the finite bounds no estimate, draw or scenario may leave.
    prior
        Belief before the panel; None for policy choices and structural alternatives (compared, not drawn).
    role
        ``FREE`` what a panel is asked for first; ``FREE*`` the same, a panel says little; ``FIX`` from literature;
        ``COST`` unit cost; ``ASM`` assumption without an estimate; ``POL`` policy or design choice. A calibration moves
        all but the last that have a prior; tables show ``FREE`` ones first.
    sources
        Keys of ``references.bib``.
    judgement
        True where the central value rests on judgement rather than on a cited estimate.
    note
        What the value rests on, in words.
    price_basis
        Prices in which money is expressed; empty where the unit holds no money.
    en, zh
        One-line meaning in English and Chinese.
    switch
        Key of the parameter that must not be 0 for this one to act, or the setting of a policy without which it does
        not (``"policy.targets.pilots"``); empty where it always acts.
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Proxy:
    """How a missing starting share is inferred from indicators of the panel.

    The national value is ``level`` times the national value of ``of`` (another input, or a national series).
    A region gets it times ``(indicator / mean over regions) ** (1 / loading)``, at most ``cap`` times the
    ceiling of the share. Several indicators enter by their geometric mean. Without an indicator a region gets
    ``level`` times its own ``of``.

    Attributes
    ----------
    indicators
        Panel variables.
    loading
        Key of the parameter that is the exponent.
    of
        Key of the input, or name of the national series, that gives the level; empty: ``level`` is the level.
    level, cap
        Dimensionless; a level that is uncertain is the key of a parameter. ``cap`` is 0 where no ceiling applies.
    """

    indicators: tuple[str, ...] = ()
    loading: str
    of: str = ""
    level: float | str
    cap: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class RegionInput:
    """A number each region brings to the first simulated year.

    Attributes
    ----------
    key, variable, unit
        Short key; name in the model file without its subscript; unit in the spelling of the model file.
    panel
        Panel variable that gives it, empty when no panel column does.
    rule
        When the panel lacks it: ``required`` (an error), ``equal_shares``, ``proxy``, ``constant``, or ``latest``: the
        last value before, else the first after, else the constant.
    fallback
        The constant used when nothing else is known; None where there is none.
    proxy
        How it is inferred from indicators; None where no proxy exists.
    lower, upper
        Finite bounds of a plausible value.
    price_basis
        Prices in which money is expressed; empty where the unit holds no money.
    note
        What the fallback rests on.
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


@dataclass(frozen=True, kw_only=True, slots=True)
class DeclaredOutcome:
    """A model variable that is read, with its labels.

    Attributes
    ----------
    key, variable, unit
        Short key; name in the model file without its subscript; unit in the spelling of the model file.
    en, zh
        Labels.
    better
        ``"higher"`` or ``"lower"``; empty where nobody said which direction is better.
    """

    key: str
    variable: str
    unit: str
    en: str
    zh: str
    better: str = ""


# Families of errors about what is measured, and of counts, which have no errors beside their own chance.
COUNT_FAMILIES = ("poisson", "negative_binomial")
ERROR_FAMILIES = ("huber", "normal", "student", *COUNT_FAMILIES)
ERROR_MEMORIES = ("ar1", "independent", "momentum")
ERROR_SCALES = ("series", "region")
# Degrees of freedom at and below this have no standard deviation.
LEAST_DEGREES = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ErrorModel:
    """How the errors of a measurement are distributed.

    Attributes
    ----------
    family
        ``"huber"``: normal in the middle, exponential beyond 2.5 standard deviations; ``"normal"``; ``"student"``;
        for counts of any model ``"poisson"`` and ``"negative_binomial"``, with variance ``m + (sd m)^2`` about ``m``.
    degrees
        Degrees of freedom of ``"student"``, more than 2.
    memory
        ``"ar1"``: a share of an error, estimated, is left a year later; ``"independent"``: none; ``"momentum"``: the
        share that is left of extra growth in the model itself, for yearly changes of output.
    scale
        ``"series"``: one standard deviation; ``"region"``: one for each region, pulled towards the common one.
    known
        Whether the declared standard deviation holds; otherwise it is estimated again from the residuals.

    Raises
    ------
    InvalidInput
        If a word is not known or the degrees of freedom leave no standard deviation.
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
                    f"{name} of an error: expected one of {', '.join(allowed)}, found {word!r}.{suggest(word, allowed)}"
                )
        if not LEAST_DEGREES < self.degrees < inf:
            raise InvalidInput(f"degrees of freedom of an error must be more than 2 and finite; found {self.degrees:g}")

    @property
    def is_count(self) -> bool:
        """Whether counts are observed, which vary by chance alone or more."""
        return self.family in COUNT_FAMILIES

    @property
    def words(self) -> str:
        """One clause for a report."""
        if self.is_count:
            spread = "" if self.family == "poisson" else ", spread known" if self.known else ", spread estimated"
            return f"counts, {self.family.replace('_', ' ')}{spread}"
        families = {
            "huber": "Huber",
            "normal": Message("normal"),
            "student": Message("Student-t with {degrees:g} degrees of freedom", degrees=self.degrees),
        }
        memories = {
            "ar1": "AR(1)",
            "independent": Message("independent"),
            "momentum": Message("fading like the model's momentum"),
        }
        scales = {"series": Message("one scale"), "region": Message("a scale for each region")}
        return Message(
            "errors {family}, {memory}, {scale}{size}",
            family=families[self.family],
            memory=memories[self.memory],
            scale=scales[self.scale],
            size=Message(", size known") if self.known else "",
        )


USUAL_ERRORS = ErrorModel()


@dataclass(frozen=True, kw_only=True, slots=True)
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
        Panel variables, each an observation of its own; empty for a national series.
    loading
        Key of the loading parameter; empty for 1.
    relative, increments
        Whether the year's mean is removed; whether yearly changes are compared.
    sd
        Standard deviation of the error: log points, or the unit of the outcome for a national series.
    national
        Name of the national series; empty for an observation by region.
    alternatives
        National series that measure the same thing by another definition; a calibration reads one of them.
    requires
        Panel variable without which the measurement is left out; empty for none.
    errors
        How ``e`` is distributed.
    note
        What the error rests on.
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


OBSERVED_SCALES = ("auto", "level", "log", "logit")
OBSERVED_KINDS = ("level", "flow", "cumulative")
DIRECTIONS = ("", "higher", "lower")


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """How a column of a table observes a model of any kind.

    ``f(column) = f(outcome) + e`` with ``f`` the scale; counts vary by chance about the outcome.

    Attributes
    ----------
    column
        Heading of the column.
    outcome
        A variable, an element of one (``Infected[north]``), or an expression of them (``Infected + Recovered``).
    scale
        ``"level"``, ``"log"`` or ``"logit"``; ``"auto"`` is the logarithm where all values are positive and the largest
        is at least ten times the smallest, else the level.
    kind
        ``"level"``: the value at that moment; ``"flow"``: what flowed since the moment before, in total;
        ``"cumulative"``: what has flowed since the start of the run.
    errors
        How ``e`` is distributed.
    sd
        Standard deviation of ``e``, on the scale; for negative binomial counts the relative standard deviation beyond
        Poisson's. None estimates it.

    Raises
    ------
    InvalidInput
        If a word is not known, or the parts do not fit together.
    """

    column: str
    outcome: str
    scale: str = "auto"
    kind: str = "level"
    errors: ErrorModel = USUAL_ERRORS
    sd: float | None = None

    def __post_init__(self) -> None:
        place = f"measurement of {self.column!r}"
        for name, allowed in (("scale", OBSERVED_SCALES), ("kind", OBSERVED_KINDS)):
            word = getattr(self, name)
            if word not in allowed:
                expected = Message("expected one of {names}", names=", ".join(allowed))
                raise InvalidInput(f"{place}: {name}: {expected}, found {word!r}.{suggest(str(word), allowed)}")
        if self.sd is not None and not 0 < self.sd < inf:
            raise InvalidInput(f"{place}: sd must be positive and finite; found {self.sd!r}")
        if self.errors.memory == "momentum":
            raise InvalidInput(f"{place}: memory 'momentum' is one of the regional model; take 'ar1' or 'independent'")
        if self.errors.scale == "region":
            raise InvalidInput(f"{place}: errors have one scale here; expected scale = 'series'")
        if self.errors.is_count and self.scale not in ("auto", "level"):
            raise InvalidInput(f"{place}: counts are compared as they are; expected scale = 'level'")
        if self.errors.known and self.sd is None:
            raise InvalidInput(f"{place}: errors of known size need sd")

    @property
    def is_given(self) -> bool:
        """Whether the size of the errors is given; otherwise it is estimated."""
        return self.sd is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class Definition:
    """One of several national series that measure the same thing."""

    key: str  # name of the series
    en: str
    zh: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PlausibleRange:
    """Where an effect of policy is believed to lie by evidence from outside the model."""

    key: str  # effect of policy, see `pysd_runner.policy.effects.effects`
    lower: float
    upper: float
    sources: tuple[str, ...] = ()
    note: str
    en: str
    zh: str


RidgeForm = Literal["product", "turnover"]
RIDGE_FORMS: Mapping[RidgeForm, int] = {"product": 2, "turnover": 3}


@dataclass(frozen=True, kw_only=True, slots=True)
class Ridge:
    """Parameters that observations hold together: along the ridge they say next to nothing.

    Attributes
    ----------
    key
        Short key.
    form
        ``"product"`` of two parameters, which data know better than the second alone; ``"turnover"`` of a stock with
        two gains, the second for each unit of another share, and a loss: data know its equilibrium and its speed.
    keys
        The parameters, in the order of the form.
    reference
        Share at which the second gain of a turnover is taken, positive.
    en, zh
        One-line meaning in English and Chinese.
    """

    key: str
    form: RidgeForm
    keys: tuple[str, ...] = ()
    reference: float = 1.0
    en: str
    zh: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyClass:
    """A type of region the policy distinguishes.

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


@dataclass(frozen=True, kw_only=True, slots=True)
class DeclaredLever(PolicyClass):
    """A way to spend the policy budget.

    Attributes
    ----------
    element
        Element of the model's ``Lever`` range, or in a model of one's own the constant, or the element of one, that
        carries it.
    off, upper
        Value that means it is left, and the most it may be; None where nobody said.
    cost
        What one unit of it takes from the budget.
    """

    off: float = 0.0
    upper: float | None = None
    cost: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelSpec:
    """The declarations of one model, read from its ``model.toml``.

    Attributes
    ----------
    name
        Name of the model.
    parameters, inputs, outcomes, measurements, levers, classes, ridges, definitions, plausible
        Declarations by key, in the order of the file.
    observations
        How columns of a table observe a model that is no regional one, by key.
    budget
        What the levers of a model of one's own may cost together; None where nobody said.
    bindings
        What the names of a regional model mean; None for any other model.
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
    observations: Mapping[str, Observation] = field(default_factory=dict)
    budget: float | None = None
    bindings: Bindings | None = None

    def parameter(self, name: str) -> Parameter:
        """Give the parameter with this key or this name in the model file.

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
        raise UnknownName(f"no parameter is called {name!r}.{suggest(name, [*self.parameters, *by_variable])}")

    @property
    def proxies(self) -> tuple[Proxy, ...]:
        """Proxies of the inputs that have one."""
        return tuple(item.proxy for item in self.inputs.values() if item.proxy is not None)

    def acts(self, parameter: Parameter) -> bool:
        """Whether a parameter stands in the model, a measurement or the start values of regions, and is switched on."""
        switch = self.parameters.get(parameter.switch)
        if parameter.switch and (switch is None or not switch.value):
            return False
        beside = {item.loading for item in self.measurements.values()}
        beside |= {name for proxy in self.proxies for name in (proxy.loading, proxy.level) if isinstance(name, str)}
        return bool(parameter.variable) or parameter.key in beside

"""The variables a panel may hold, what they are measured in, and what values they can take."""

from dataclasses import dataclass
from typing import Literal

from pysd_runner.core.errors import Message

Kind = Literal["money", "money per head", "person", "user", "port", "share", "per 100", "index", "duration", "rate"]

CURRENCY = "currency"

# More than the world has or will have; output per head and output in the smallest currency, so that no product of two
# values leaves what a number can be.
MOST_PEOPLE, MOST_PER_HEAD = 2e10, 1e30

# Unit in which a panel holds each kind; `currency` is replaced by the panel's own.
CANONICAL: dict[Kind, str] = {
    "money": "currency/Year",
    "money per head": "currency/(Year*Person)",
    "person": "Person",
    "user": "User",
    "port": "Port",
    "share": "Dmnl",
    "per 100": "per 100 persons",
    "index": "Dmnl",
    "duration": "Year",
    "rate": "1/Year",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class PanelVariable:
    """A variable the panel reader knows."""

    name: str  # name in the panel
    kind: Kind  # what it measures; fixes its canonical unit
    lower: float = 0.0
    upper: float = float("inf")
    lower_allowed: bool = True  # whether the least value itself is possible

    @property
    def limits(self) -> str:
        """The possible values in words."""
        values = {"low": self.lower, "high": self.upper, "unit": self.unit}
        if self.upper != float("inf"):
            if self.lower_allowed:
                return Message("a value from {low:g} to {high:g} {unit}", **values)
            return Message("a value above {low:g}, at most {high:g} {unit}", **values)
        if self.lower_allowed:
            return Message("a value of at least {low:g}", **values)
        return Message("a value above {low:g}", **values)

    @property
    def unit(self) -> str:
        """Canonical unit, with ``currency`` where the panel's own currency goes."""
        return CANONICAL[self.kind]


def _share(name: str) -> PanelVariable:
    return PanelVariable(name=name, kind="share", upper=1.0)


def _people(name: str) -> PanelVariable:
    return PanelVariable(name=name, kind="person", upper=MOST_PEOPLE)


_KNOWN = (
    PanelVariable(name="output", kind="money", upper=MOST_PEOPLE * MOST_PER_HEAD, lower_allowed=False),
    PanelVariable(name="population", kind="person", upper=MOST_PEOPLE, lower_allowed=False),
    PanelVariable(name="output_per_head", kind="money per head", upper=MOST_PER_HEAD, lower_allowed=False),
    PanelVariable(name="mobile_internet_users", kind="user", upper=MOST_PEOPLE),
    PanelVariable(name="mobile_internet_per_100", kind="per 100"),
    PanelVariable(name="broadband_ports", kind="port"),
    PanelVariable(name="broadband_ports_per_100", kind="per 100"),
    _people("ict_employment"),
    _people("urban_unit_employment"),
    _people("urban_population"),
    _people("rural_population"),
    _share("ict_employment_share"),
    _share("firms_with_ecommerce"),
    _share("urban_share"),
    _share("access"),
    _share("skills"),
    _share("application"),
    PanelVariable(name="schooling", kind="index", lower_allowed=False),
    PanelVariable(name="capital_output_ratio", kind="duration", lower_allowed=False),
    _share("investment_rate"),
    PanelVariable(name="natural_growth", kind="rate", lower=-0.2, upper=0.2),
    _share("shared_data"),
    _share("governance"),
    _share("platform"),
    PanelVariable(name="terrain", kind="index", lower_allowed=False),
)

VARIABLES: dict[str, PanelVariable] = {variable.name: variable for variable in _KNOWN}

REQUIRED = ("output", "output_per_head")

"""The variables a panel may hold, what they are measured in, and what values they can take."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["money", "money per head", "person", "user", "port", "share", "per 100", "index", "duration", "rate"]

CURRENCY = "currency"

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
        if self.upper != float("inf"):
            return f"a value from {self.lower:g} to {self.upper:g} {self.unit}"
        return f"a value {'of at least' if self.lower_allowed else 'above'} {self.lower:g}"

    @property
    def unit(self) -> str:
        """Canonical unit, with ``currency`` where the panel's own currency goes."""
        return CANONICAL[self.kind]


def _share(name: str) -> PanelVariable:
    return PanelVariable(name=name, kind="share", upper=1.0)


_KNOWN = (
    PanelVariable(name="output", kind="money", lower_allowed=False),
    PanelVariable(name="population", kind="person", lower_allowed=False),
    PanelVariable(name="output_per_head", kind="money per head", lower_allowed=False),
    PanelVariable(name="mobile_internet_users", kind="user"),
    PanelVariable(name="mobile_internet_per_100", kind="per 100"),
    PanelVariable(name="broadband_ports", kind="port"),
    PanelVariable(name="broadband_ports_per_100", kind="per 100"),
    PanelVariable(name="ict_employment", kind="person"),
    PanelVariable(name="urban_unit_employment", kind="person"),
    PanelVariable(name="urban_population", kind="person"),
    PanelVariable(name="rural_population", kind="person"),
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

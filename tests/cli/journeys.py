"""Five models of one's own after published equations, each with a table of observations and levers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pysd_runner import load_model, simulate

EPIDEMIC = """{UTF-8}
{ Susceptible, exposed, infectious and recovered by age: Anderson and May, Infectious Diseases of Humans, 1991,
  chapter 9; contacts by age as surveyed by Mossong and others, PLoS Medicine 5, e74, 2008, rounded. }
Age: child, adult, old
  ~~|
Other: child, adult, old
  ~~|
Population[Age] = 20000, 60000, 20000
  ~ person ~|
Contacts[Age, Other] =
  8, 4, 0.5;
  1.5, 8, 1;
  0.5, 3, 2;
  ~ 1/day ~|
Transmission = 0.04
  ~ Dmnl [0,0.2]
  ~ Chance that a contact infects. |
Latency = 3
  ~ day ~|
Duration = 4
  ~ day ~|
Fatality[Age] = 0.0001, 0.002, 0.05
  ~ Dmnl ~|
Doses[Age] = 0, 0, 0
  ~ person/day [0,2000]
  ~ Vaccinated in a day. |
Mixing Table([(0,0)-(200,1)],(0,1),(60,1),(75,0.8),(200,0.8))
  ~ Dmnl
  ~ Contacts of a day as a share of those without a season. |
Mixing = Mixing Table(Time / One Day)
  ~ Dmnl ~|
One Day = 1
  ~ day ~|
First Dose = 20
  ~ day ~|
Force[Age] = Transmission * Mixing * SUM(Contacts[Age, Other!] * Infectious[Other!] / Population[Other!])
  ~ 1/day ~|
Infection[Age] = Force[Age] * Susceptible[Age]
  ~ person/day ~|
Vaccination[Age] = STEP(Doses[Age], First Dose) * Susceptible[Age] / Population[Age]
  ~ person/day ~|
Susceptible[Age] = INTEG(-Infection[Age] - Vaccination[Age], Population[Age] - 20)
  ~ person ~|
Exposed[Age] = INTEG(Infection[Age] - Cases[Age], 0)
  ~ person ~|
Cases[Age] = Exposed[Age] / Latency
  ~ person/day
  ~ Who falls ill in a day. |
Infectious[Age] = INTEG(Cases[Age] - Infectious[Age] / Duration, 20)
  ~ person ~|
Deaths[Age] = INTEG(Fatality[Age] * Infectious[Age] / Duration, 0)
  ~ person ~|
INITIAL TIME = 0
  ~ day ~|
FINAL TIME = 120
  ~ day ~|
TIME STEP = 0.5
  ~ day ~|
SAVEPER = 1
  ~ day ~|
"""
PREY = """{UTF-8}
{ Prey and predators: Lotka, Elements of Physical Biology, 1925, and Volterra, Nature 118, 1926, with the satiation
  of Holling, Canadian Entomologist 91, 1959, in two places between which predators move. }
Place: valley, hill
  ~~|
There: hill, valley
  ~~|
Growth[Place] = 0.6, 0.4
  ~ 1/month [0,3]
  ~ Births less deaths of prey. |
Capacity[Place] = 2000, 1000
  ~ animal ~|
Attack = 0.012
  ~ 1/animal/month [0,1] ~|
Handling = 0.4
  ~ month ~|
Conversion = 0.3
  ~ Dmnl [0,1] ~|
Mortality = 0.3
  ~ 1/month ~|
Movement = 0.05
  ~ 1/month ~|
Hunting[Place] = 0, 0
  ~ 1/month [0,0.5]
  ~ Share of the prey that is shot in a month. |
First Month of Hunting = 37
  ~ month ~|
Shot[Place] = STEP(Hunting[Place], First Month of Hunting) * Prey[Place]
  ~ animal/month ~|
Eaten[Place] = Attack * Prey[Place] * Predators[Place] / (1 + Attack * Handling * Prey[Place])
  ~ animal/month ~|
Prey[Place] = INTEG(Growth[Place] * Prey[Place] * (1 - Prey[Place] / Capacity[Place]) - Eaten[Place] -
  Shot[Place], Prey at First[Place])
  ~ animal ~|
Prey at First[Place] = 800, 300
  ~ animal ~|
Predators[Place] = INTEG(Conversion * Eaten[Place] - Mortality * Predators[Place] + Movement *
  (SUM(Predators[Place!]) - 2 * Predators[Place]), 20)
  ~ animal ~|
Bag = INTEG(SUM(Shot[Place!]), 0)
  ~ animal
  ~ Prey that was shot. |
INITIAL TIME = 1
  ~ month ~|
FINAL TIME = 84
  ~ month ~|
TIME STEP = 0.125
  ~ month ~|
SAVEPER = 1
  ~ month ~|
"""
FISHERY = """{UTF-8}
{ Growth of a stock and what is taken: Schaefer, Bulletin of the Inter-American Tropical Tuna Commission 1,
  1954. Growth by a
  table, which a scenario may bend as Pella and Tomlinson did in the same bulletin 13, 1969. }
Growth = 0.3
  ~ 1/year [0.05,1.5]
  ~ Growth of a small stock. |
Capacity = 250
  ~ kt [100,1000]
  ~ Stock that nobody fishes. |
Catchability = 0.25
  ~ kg/hook/kt [0.01,1] ~|
Crowding([(0,0)-(2,2)],(0,1),(1,0),(2,-1))
  ~ Dmnl
  ~ Growth at a share of the capacity, relative to that of a small stock. |
Catch = 20
  ~ kt/year ~|
Quota = 0
  ~ kt/year [0,40]
  ~ What may be taken from 1990 on. |
Landings = IF THEN ELSE(Time < 1990, Catch, MIN(Quota, Biomass / Year))
  ~ kt/year ~|
Year = 1
  ~ year ~|
Biomass = INTEG(Growth * Biomass * Crowding(Biomass / Capacity) - Landings, Capacity)
  ~ kt ~|
Catch per Effort = Catchability * Biomass
  ~ kg/hook ~|
Landed since 1990 = INTEG(IF THEN ELSE(Time < 1990, 0, Landings), 0)
  ~ kt ~|
INITIAL TIME = 1967
  ~ year ~|
FINAL TIME = 2030
  ~ year ~|
TIME STEP = 1
  ~ year ~|
SAVEPER = 1
  ~ year ~|
"""

# Catch of albacore in the South Atlantic in thousand tonnes and catch per effort in kg per hundred hooks: Polacheck,
# Hilborn and Punt, Canadian Journal of Fisheries and Aquatic Sciences 50, 1993, whose estimates are `truth` below.
CATCH = (
    "15.9 25.7 28.5 23.7 25.0 33.3 28.2 19.7 17.5 19.3 21.6 23.1 22.5 22.5 23.6 29.1 14.4 13.2 28.4 34.6 37.5 25.9 25.3"
)
CPUE = (
    "61.89 78.98 55.59 44.61 56.89 38.27 33.84 36.13 41.95 36.63 36.33 38.82 34.32 37.64 34.01 32.16 26.88 36.61 30.07 "
    "30.75 23.36 22.36 21.91"
)
STORE = """{UTF-8}
{ Inventory and workforce: Sterman, Business Dynamics, 2000, chapters 18 and 19; overtime by a table of
  schedule pressure. }
Product: pump, valve
  ~~|
Orders[Product] = 100, 60
  ~ piece/month ~|
Rise = 0.3
  ~ Dmnl
  ~ Orders rise by this share after half a year. |
Demand[Product] = Orders[Product] * (1 + STEP(Rise, 6))
  ~ piece/month ~|
Productivity = 5
  ~ piece/person/month [1,20] ~|
Hiring Delay = 3
  ~ month [0.5,12]
  ~ Time until a vacancy is filled. |
Stay = 24
  ~ month ~|
Correction = 2
  ~ month ~|
Coverage[Product] = 0.5, 0.5
  ~ month [0,6]
  ~ Months of demand that are kept in store. |
Overtime([(0,0)-(3,2)],(0,0.5),(0.5,0.75),(1,1),(1.5,1.25),(2,1.35),(3,1.4))
  ~ Dmnl
  ~ Output relative to normal hours, at a ratio of what is wanted to what normal hours give. |
Wanted[Product] = MAX(0, Demand[Product] + (Coverage[Product] * Demand[Product] - Inventory[Product]) / Correction)
  ~ piece/month ~|
Normal[Product] = Productivity * Workforce[Product]
  ~ piece/month ~|
Production[Product] = Normal[Product] * Overtime(Wanted[Product] / Normal[Product])
  ~ piece/month ~|
Shipments[Product] = Demand[Product] * MIN(1, Inventory[Product] / (Demand[Product] * One Week))
  ~ piece/month ~|
One Week = 0.25
  ~ month ~|
Inventory[Product] = INTEG(Production[Product] - Shipments[Product], Orders[Product] * 0.5)
  ~ piece ~|
Workforce[Product] = INTEG((Wanted[Product] / Productivity - Workforce[Product]) / Hiring Delay,
  Orders[Product] / Productivity)
  ~ person ~|
Holding Cost = 2
  ~ yuan/piece/month ~|
Lost Margin = 40
  ~ yuan/piece ~|
Cost = INTEG(SUM(Holding Cost * Inventory[Product!] + Lost Margin * (Demand[Product!] - Shipments[Product!])), 0)
  ~ yuan
  ~ Of stores and of orders that are lost. |
INITIAL TIME = 0
  ~ month ~|
FINAL TIME = 36
  ~ month ~|
TIME STEP = 0.125
  ~ month ~|
SAVEPER = 1
  ~ month ~|
"""
BASS = """{UTF-8}
{ Diffusion of a durable: Bass, Management Science 15, 1969, by regions that talk to each other. }
Region: north, middle, south
  ~~|
Households[Region] = 800, 500, 300
  ~ thousand ~|
Innovation = 0.01
  ~ 1/year [0,0.2]
  ~ Chance of buying without having seen one. |
Imitation = 0.25
  ~ 1/year [0,2] ~|
Talk Across = 0.1
  ~ Dmnl [0,1] ~|
Advertising[Region] = 0, 0, 0
  ~ million/year [0,30]
  ~ Money for advertisements in a year. |
First Advertisement = 2011
  ~ year ~|
Return of Advertising = 0.02
  ~ 1/year ~|
One Million = 1
  ~ million/year ~|
Spread[Region] = (1 - Talk Across) * Owners[Region] / Households[Region] + Talk Across * SUM(Owners[Region!])
  / SUM(Households[Region!])
  ~ Dmnl ~|
Advertised[Region] = STEP(Return of Advertising * SQRT(Advertising[Region] / One Million), First Advertisement)
  ~ 1/year ~|
Sales[Region] = (Innovation + Advertised[Region] + Imitation * Spread[Region]) * (Households[Region] - Owners[Region])
  ~ thousand/year ~|
Owners[Region] = INTEG(Sales[Region], 0)
  ~ thousand ~|
Owning = SUM(Owners[Region!])
  ~ thousand
  ~ Households with one. |
INITIAL TIME = 2000
  ~ year ~|
FINAL TIME = 2016
  ~ year ~|
TIME STEP = 0.25
  ~ year ~|
SAVEPER = 1
  ~ year ~|
"""


@dataclass(frozen=True)
class Story:
    """A model, what its table holds, and what is asked of it; `truth` are the values behind the table."""

    text: str
    truth: Mapping[str, float]
    seen: tuple[str, ...]
    times: tuple[float, ...]
    noise: float
    scenario: str
    levers: tuple[str, ...]
    better: tuple[str, str]
    budget: float | None = None
    dates: str = ""
    time: str = "year"
    axis: str = ""
    about: float = 0.0

    def write(self, folder: Path) -> None:
        """Write model, table, declarations and scenario."""
        (folder / "mine.mdl").write_text(self.text, encoding="utf-8")
        self.table(folder).to_csv(folder / "obs.csv", index=False)
        outcome, way = self.better
        lines = ["schema = 2", f'[outcomes."{outcome}"]', f'better = "{way}"']
        for place, name in enumerate(self.levers):
            lines += [f"[levers.lever{place}]", f'constant = "{name}"', f'label = "措施{place}"', "off = 0"]
        lines += [] if self.budget is None else ["[budget]", f"total = {self.budget}"]
        (folder / "mine.toml").write_text("\n".join([*lines, ""]), encoding="utf-8")
        (folder / "a.yaml").write_text(
            f"name: a\nlabel: {{en: Something else, zh: 另一做法}}\nchanges: {self.scenario}\n", encoding="utf-8"
        )

    def table(self, folder: Path) -> pd.DataFrame:
        """What is observed: a column for each element, with dates; or rows for each element; or published numbers."""
        if not self.seen:
            return pd.DataFrame({"year": range(1967, 1990), "Catch": CATCH.split(), "Catch per Effort": CPUE.split()})
        model = load_model(folder / "mine.mdl")
        run = simulate(model, dict(self.truth), outcomes=list(self.seen), stop=self.times[-1])
        rng = np.random.default_rng(1)
        (dim,) = model.variables[self.seen[0]].dims
        places = model.ranges[dim]
        at = np.searchsorted(run.years, self.times)
        found = {
            (name, place): run[name][0, 0, row, at] * np.exp(self.noise * rng.standard_normal(len(at)))
            for name in self.seen
            for row, place in enumerate(places)
        }
        if self.dates:
            when = pd.date_range(self.dates, periods=len(at), freq="D" if self.time == "day" else "MS")
            columns = {f"{name}[{place}]": values for (name, place), values in found.items()}
            table = pd.DataFrame({"date": when.strftime("%Y-%m-%d"), **columns})
            return table.mask(table == 0)
        parts = [
            pd.DataFrame({self.time: self.times, self.axis: place, **{name: found[name, place] for name in self.seen}})
            for place in places
        ]
        return pd.concat(parts)


STORIES = {
    "epidemic": Story(
        text=EPIDEMIC,
        truth={"Transmission": 0.05},
        seen=("Cases",),
        times=tuple(range(61)),
        noise=0.15,
        scenario='{"Contacts[child,child]": {2021-02-10: 4}}',
        levers=("Doses[child]", "Doses[adult]", "Doses[old]"),
        better=("Deaths", "lower"),
        budget=2000,
        dates="2021-01-01",
        time="day",
    ),
    "prey": Story(
        text=PREY,
        truth={"Attack": 0.009},
        seen=("Prey", "Predators"),
        times=tuple(range(1, 38)),
        noise=0.1,
        scenario='{"Hunting[hill]": {40: 0.2}}',
        levers=("Hunting[valley]", "Hunting[hill]"),
        better=("Bag", "higher"),
        time="month",
        axis="place",
    ),
    "fishery": Story(
        text=FISHERY,
        truth={"Growth": 0.328, "Capacity": 239.6, "Catchability": 0.2671},
        seen=(),
        times=(),
        noise=0,
        scenario="{Quota: {1990: 15}}",
        levers=("Quota",),
        better=("Landed since 1990", "higher"),
        # What is best hangs on the draw, as more than a stock bears ends it: less than the largest lasting catch.
        about=12.7,
    ),
    "store": Story(
        text=STORE,
        truth={"Hiring Delay": 4},
        seen=("Inventory", "Workforce"),
        times=tuple(range(25)),
        noise=0.02,
        scenario='{"Coverage[pump]": {2021-02-01: 1}}',
        levers=("Coverage[pump]", "Coverage[valve]"),
        better=("Cost", "lower"),
        dates="2019-01-01",
        time="month",
    ),
    "diffusion": Story(
        text=BASS,
        truth={"Imitation": 0.35},
        seen=("Owners",),
        times=tuple(range(2001, 2011)),
        noise=0.03,
        scenario='{"Advertising[south]": {2011: 10}}',
        levers=("Advertising[north]", "Advertising[middle]", "Advertising[south]"),
        better=("Owning", "higher"),
        budget=20,
        axis="region",
    ),
}

"""The commands that ``gapsim init`` prints run as printed, on ten models written from published ones."""

import json
import shlex

import numpy as np
import pandas as pd
import pytest

from pysd_runner import load_model, simulate
from tests.engine.xmile_files import aux, flow, stock, write_xmile
from tests.study.models import written


def over(*names):
    """The dimensions of a variable of an XMILE file."""
    inner = "".join(f'<dim name="{name}"/>' for name in names)
    return f"<dimensions>{inner}</dimensions>"


def each(name, *dims, **values):
    """An auxiliary of an XMILE file with a value for each element, whose subscripts are joined by underscores."""
    parts = [(key.replace("_", ", "), value) for key, value in values.items()]
    inner = "".join(f'<element subscript="{place}"><eqn>{value}</eqn></element>' for place, value in parts)
    return f'<aux name="{name}">{over(*dims)}{inner}</aux>\n'


def dimension(name, *labels):
    """Declaration of a dimension of an XMILE file."""
    inner = "".join(f'<elem name="{label}"/>' for label in labels)
    return f'<dim name="{name}">{inner}</dim>'


SEAS = dimension("Sea", "inner", "outer")
PLACES = dimension("Place", "town", "farm") + dimension("Age", "child", "adult")
GRAPH = '<gf><xscale min="0" max="2"/><ypts>0,0.3,0.6,0.8,0.95,1,1</ypts></gf>'
# Of each model: its text, or its variables and dimensions as XMILE; what is observed and the constants that made the
# data; unit, end and step; whether the table has dates.
CASES = {
    # Kermack and McKendrick (1927), with contacts of ages after Mossong and others (2008): a matrix.
    "epidemic among ages": {
        "text": """Age: young, old ~~|
            Peer <-> Age ~~|
            Population[Age] = 800, 1500 ~ person ~|
            Contacts[young, Peer] = 8, 3 ~ 1/day ~|
            Contacts[old, Peer] = 3, 5 ~ 1/day ~|
            Infectivity = 0.05 ~ Dmnl [0,1] ~|
            Duration[Age] = 4, 6 ~ day ~|
            Infection[Age] = Infectivity * Susceptible[Age] * SUM(Contacts[Age, Peer!] * Infected[Peer!] /
                Population[Peer!]) ~ person/day ~|
            Susceptible[Age] = INTEG(-Infection[Age], Population[Age] - 3) ~ person ~|
            Infected[Age] = INTEG(Infection[Age] - Infected[Age] / Duration[Age], 3) ~ person ~|""",
        "seen": ("Infected",),
        "truth": {"Infectivity": 0.06},
        "clock": ("day", 40, 0.5),
    },
    # Forrester (1968), market growth: a table and delayed information.
    "market growth": {
        "text": """Salesmen = INTEG((Indicated - Salesmen) / Hiring Time, 10) ~ person ~|
            Hiring Time = 20 ~ month ~|
            Budget Share = 0.1 ~ Dmnl ~|
            Salary = 4 ~ unit/(person*month) ~|
            Indicated = Budget Share * SMOOTH(Delivery, 3) * 10 / Salary ~ person ~|
            Attraction( [(0,0)-(10,2)],(0,1),(1,0.97),(2,0.87),(3,0.73),(4,0.53),(6,0.25),(8,0.1),(10,0.05) ) ~ Dmnl ~|
            Selling = 10 ~ unit/(person*month) ~|
            Orders = Salesmen * Selling * Attraction(Recognised Delay / Target Delay) ~ unit/month ~|
            Target Delay = 1.5 ~ month ~|
            Recognised Delay = DELAY1I(Backlog / Capacity, 6, 1) ~ month ~|
            Capacity = 120 ~ unit/month ~|
            Delivery = MIN(Capacity, Backlog / 1) ~ unit/month ~|
            Backlog = INTEG(Orders - Delivery, 90) ~ unit ~|""",
        "seen": ("Backlog", "Salesmen"),
        "truth": {"Capacity": 140, "Hiring Time": 15},
        "clock": ("month", 48, 0.5),
    },
    # Sterman (2000), chapter 19, inventory and workforce, for two products.
    "inventory and workforce": {
        "text": """Product: plain, fancy ~~|
            Demand[Product] = 100, 40 ~ item/week ~|
            Productivity[Product] = 2, 1 ~ item/(person*week) ~|
            Coverage = 4 ~ week ~|
            Adjustment Time[Product] = 8, 12 ~ week ~|
            Expected[Product] = SMOOTH3(Demand[Product] * (1 + STEP(0.2, 5)), 4) ~ item/week ~|
            Desired[Product] = Expected[Product] + (Coverage * Expected[Product] - Inventory[Product]) /
                Adjustment Time[Product] ~ item/week ~|
            Labour[Product] = INTEG((Desired[Product] / Productivity[Product] - Labour[Product]) / 10,
                Demand[Product] / Productivity[Product]) ~ person ~|
            Output[Product] = DELAY3(Labour[Product] * Productivity[Product], 3) ~ item/week ~|
            Inventory[Product] = INTEG(Output[Product] - Demand[Product] * (1 + STEP(0.2, 5)),
                Coverage * Demand[Product]) ~ item ~|""",
        "seen": ("Inventory",),
        "truth": {"Coverage": 5},
        "clock": ("week", 40, 0.5),
    },
    # Bass (1969), for countries, with a table of dates.
    "diffusion in countries": {
        "text": """Country: A, B ~~|
            Market[Country] = 1000, 3000 ~ household ~|
            Innovation = 0.01 ~ 1/month [0,1] ~|
            Imitation[Country] = 0.2, 0.15 ~ 1/month ~|
            Adoption[Country] = (Innovation + Imitation[Country] * Adopters[Country] / Market[Country]) *
                (Market[Country] - Adopters[Country]) ~ household/month ~|
            Adopters[Country] = INTEG(Adoption[Country], 1) ~ household ~|""",
        "seen": ("Adopters",),
        "truth": {"Innovation": 0.02},
        "clock": ("month", 30, 0.25),
        "dates": True,
    },
    # Leslie (1945) in continuous time: cohorts that age into the next one, an equation for each.
    "population in cohorts": {
        "text": """Cohort: child, adult, old ~~|
            Mortality[Cohort] = 0.01, 0.005, 0.06 ~ 1/year ~|
            Fertility = 0.05 ~ 1/year ~|
            Years In[Cohort] = 15, 45, 30 ~ year ~|
            Ageing[Cohort] = Population[Cohort] / Years In[Cohort] ~ person/year ~|
            Population[child] = INTEG(Fertility * Population[adult] - Ageing[child] -
                Mortality[child] * Population[child], 300) ~ person ~|
            Population[adult] = INTEG(Ageing[child] - Ageing[adult] - Mortality[adult] * Population[adult], 500) ~~|
            Population[old] = INTEG(Ageing[adult] - Mortality[old] * Population[old], 100) ~ person ~|""",
        "seen": ("Population",),
        "truth": {"Fertility": 0.06},
        "clock": ("year", 40, 0.5),
    },
    # Solow (1956), for regions and sectors: two dimensions.
    "growth of regions and sectors": {
        "text": """Region: north, south ~~|
            Sector: fields, factories ~~|
            Saving[Region] = 0.2, 0.3 ~ Dmnl ~|
            Wear[Sector] = 0.05, 0.1 ~ 1/year ~|
            Skill[north, Sector] = 1, 2 ~ yuan/year ~|
            Skill[south, Sector] = 1.5, 1.2 ~ yuan/year ~|
            Elasticity = 0.4 ~ Dmnl [0.1,0.9] ~|
            Output[Region, Sector] = Skill[Region, Sector] * Capital[Region, Sector] ^ Elasticity ~ yuan/year ~|
            Capital[Region, Sector] = INTEG(Saving[Region] * Output[Region, Sector] - Wear[Sector] *
                Capital[Region, Sector], 1) ~ yuan ~|""",
        "seen": ("Output",),
        "truth": {"Elasticity": 0.5},
        "clock": ("year", 30, 0.5),
    },
    # Schaefer (1954), a fishery in two seas whose yield is read from a graph: XMILE.
    "fishery in two seas": {
        "variables": stock("Fish", 500, ["growing"], ["catching"], over("Sea"))
        + flow("growing", "rate * Fish * (1 - Fish / room)", over("Sea"))
        + flow("catching", "boats * yield", over("Sea"))
        + aux("yield", "Fish / 400", over("Sea") + GRAPH)
        + each("rate", "Sea", inner=0.3, outer=0.4)
        + each("boats", "Sea", inner=20, outer=35)
        + aux("room", 1000),
        "before": f"<dimensions>{SEAS}</dimensions>",
        "seen": ("Fish",),
        "truth": {"room": 900},
        "clock": ("year", 25, 0.25),
    },
    # Anderson and May (1991), measles by place and age with a delay before reports: XMILE in two dimensions.
    "measles by place and age": {
        "variables": stock("Well", 1000, (), ["falling_ill"], over("Place", "Age"))
        + stock("Ill", 2, ["falling_ill"], ["recovering"], over("Place", "Age"))
        + flow("falling_ill", "contacts[Place, Age] * Well * SUM(Ill[Place, *]) / 2000", over("Place", "Age"))
        + flow("recovering", "Ill / duration[Age]", over("Place", "Age"))
        + each("contacts", "Place", "Age", town_child=0.5, town_adult=0.3, farm_child=0.4, farm_adult=0.2)
        + each("duration", "Age", child=6, adult=8)
        + aux("reported", "DELAY3(Ill, 2)", over("Place", "Age")),
        "before": f"<dimensions>{PLACES}</dimensions>",
        "seen": ("reported",),
        "truth": {},
        "clock": ("day", 30, 0.5),
    },
    # Meadows (1970), the hog cycle: two tables and a fixed delay.
    "commodity cycle": {
        "text": """Price = Base Price * Effect Of Stock(Hogs / Wanted) ~ yuan ~|
            Base Price = 10 ~ yuan ~|
            Wanted = 100 ~ hog ~|
            Effect Of Stock( [(0,0)-(3,3)],(0,2.5),(0.5,1.6),(1,1),(1.5,0.7),(2,0.5),(3,0.4) ) ~ Dmnl ~|
            Effect Of Price( [(0,0)-(30,3)],(0,0.3),(5,0.6),(10,1),(15,1.3),(20,1.5),(30,1.6) ) ~ Dmnl ~|
            Breeding = 20 ~ hog/month ~|
            Arriving = DELAY FIXED(Breeding * Effect Of Price(Price), 10, 20) ~ hog/month ~|
            Keeping = 5 ~ month ~|
            Hogs = INTEG(Arriving - Hogs / Keeping, 120) ~ hog ~|""",
        "seen": ("Hogs", "Price"),
        "truth": {"Keeping": 6},
        "clock": ("month", 60, 1),
    },
    # Sterman (1989), the beer distribution game, its sectors as elements with an equation each.
    "beer game": {
        "text": """Sector: retailer, wholesaler, factory ~~|
            Upstream: wholesaler, factory ~~|
            Downstream: retailer, wholesaler -> Upstream ~~|
            Customers = 4 ~ crate/week ~|
            Coverage[Sector] = 3, 3, 4 ~ week ~|
            Correction = 0.3 ~ 1/week [0,1] ~|
            Asked[retailer] = Customers * (1 + STEP(1, 4)) ~ crate/week ~|
            Asked[Upstream] = Order[Downstream] ~ crate/week ~|
            Forecast[Sector] = SMOOTH(Asked[Sector], 4) ~ crate/week ~|
            Order[Sector] = MAX(0, Forecast[Sector] + Correction * (Coverage[Sector] * Forecast[Sector] -
                Crates[Sector])) ~ crate/week ~|
            Crates[Sector] = INTEG(DELAY1(Order[Sector], 3) - Asked[Sector], 12) ~ crate ~|""",
        "seen": ("Crates",),
        "truth": {"Correction": 0.2},
        "clock": ("week", 40, 0.5),
    },
}


def write(folder, *, seen, truth, clock, text="", variables="", before="", dates=False):
    """Write a model and a table of eleven moments with errors of some per cent; return the name of the model file."""
    unit, stop, step = clock
    if text:
        path = written(folder, "{UTF-8}\n" + text, unit=unit, stop=stop, step=step)
    else:
        path = write_xmile(folder, variables, before=before, stop=stop, step=step)
    model = load_model(path)
    run = simulate(model, truth, outcomes=seen)
    at = np.linspace(0, run.years.size - 1, 11).round().astype(int)
    times = pd.Timestamp(2019, 1, 1) + pd.to_timedelta(run.years[at] * 30.4375, "D") if dates else run.years[at]
    rng, table = np.random.default_rng(0), {}
    for name in seen:
        values = run[name][0, 0][..., at]
        values = values * (1 + 0.03 * rng.standard_normal(values.shape))
        labels = [model.ir.ranges[dim] for dim in model.ir.variables[name].dims]
        for place in np.ndindex(values.shape[:-1]):
            element = ", ".join(items[number] for items, number in zip(labels, place, strict=True))
            table[f"{name}[{element}]" if element else name] = values[place]
    pd.DataFrame(table, index=pd.Index(times, name="date" if dates else unit)).to_csv(folder / "obs.csv")
    return path.name


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_the_lines_that_init_prints_run_as_printed(gapsim, tmp_path, no_pictures, case):
    model = write(tmp_path, **case)
    told = gapsim("init", "--model", model, "--data", "obs.csv", code=0).err
    lines = [shlex.split(line) for line in told.splitlines() if line.startswith("  ")]
    assert [line[:2] for line in lines] == [["gapsim", "calibrate"], ["gapsim", "run"]]
    for _, *words in lines:
        answer = gapsim(*words)
        # Diagnostics may fail; the fit is written all the same.
        assert answer.code in (0, 3), answer.err
        assert "bug" not in answer.err
    declared = load_model(tmp_path / model).spec.parameters
    fitted = json.loads((tmp_path / "fit" / "fitted.json").read_text(encoding="utf-8"))
    assert set(fitted["keys"]) <= set(declared)
    assert (tmp_path / "results" / "summary.html").is_file()

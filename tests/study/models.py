"""Small models of one's own, and data drawn from them."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from pysd_runner import load_data, load_model, simulate
from pysd_runner.data import Data
from pysd_runner.model import Model

CONTROLS = """
INITIAL TIME = 0
	~	{unit}	~	|
FINAL TIME = {stop}
	~	{unit}	~	|
TIME STEP = {step}
	~	{unit}	~	|
SAVEPER = 1
	~	{unit}	~	|
"""
SIR = """{UTF-8}
Population = 1000
	~	person	~	|
Initial Infected = 5
	~	person [1,50]
	~	Ill at the start. |
Contact Rate = 9
	~	1/day [0,20]
	~	Contacts in a day. |
Infectivity = 0.1
	~	Dmnl [0,1]	~	|
Duration = 4
	~	day	~	|
Infection = Contact Rate * Infectivity * Susceptible * Infected / Population
	~	person/day	~	|
Susceptible = INTEG(-Infection, Population - Initial Infected)
	~	person	~	|
Infected = INTEG(Infection - Infected / Duration, Initial Infected)
	~	person	~	|
"""
LOGISTIC = """{UTF-8}
Growth Rate = 0.3
	~	1/year	~	|
Capacity = 100
	~	t	~	|
Stock = INTEG(Growth Rate * Stock * (1 - Stock / Capacity), 5)
	~	t	~	|
"""
REGIONS = """{UTF-8}
Place: North, South ~~|
Sort: old, new ~~|
Rate[Place] = 0.1, 0.2
	~	1/year	~	|
Stock[Place, Sort] = INTEG(Rate[Place] * Stock[Place, Sort], Start[Place, Sort])
	~	t	~	|
Start[North, Sort] = 1, 2
	~	t	~	|
Start[South, Sort] = 3, 4
	~	t	~	|
"""
JUMPY = """{UTF-8}
Threshold = 6.3
	~	year [1,20]	~	|
Level = 2
	~	t/year	~	|
Stock = INTEG(IF THEN ELSE(Time > Threshold, Level, 0), 1)
	~	t	~	|
"""
FRAGILE = """{UTF-8}
Rate = 0.5
	~	1/year	~	|
Stock = INTEG(LN(2 - Rate) * Stock, 1)
	~	t	~	|
"""
DRIVEN = """{UTF-8}
Price = 1
	~	yuan	~	|
Response = 0.5
	~	t/yuan/year	~	|
Stock = INTEG(Response * Price, 0)
	~	t	~	|
"""
LINEAR = """{UTF-8}
Inflow = 2
	~	t/month	~	|
Lifetime = 10
	~	month	~	|
Stock = INTEG(Inflow - Stock / Lifetime, 5)
	~	t	~	|
"""
# As an epidemic is reported: a total that starts at nothing.
REPORTED = """{UTF-8}
Population = 10000
	~	person	~	|
Contact Rate = 0.35
	~	1/week [-1,1]	~	|
Reports = Contact Rate * Infected * (1 - Infected / Population)
	~	person/week	~	|
Infected = INTEG(Reports, 3)
	~	person	~	|
Total Reported = INTEG(Reports, 0)
	~	person	~	|
"""
# What is reported comes from a stock that starts at nothing.
SEIR = """{UTF-8}
Population = 5000
	~	person	~	|
Contact Rate = 1.3
	~	1/day [0,5]	~	|
Rate = 0.5
	~	1/day	~	|
Infection = Contact Rate * Susceptible * Infectious / Population
	~	person/day	~	|
Cases = Rate * Exposed
	~	person/day	~	|
Susceptible = INTEG(-Infection, Population - 2)
	~	person	~	|
Exposed = INTEG(Infection - Cases, 0)
	~	person	~	|
Infectious = INTEG(Cases - Rate * Infectious, 2)
	~	person	~	|
"""
# Its numbers soon leave the range of floating point unless its rates are small.
HUNTED = """{UTF-8}
Fertility = 2
	~	1/day [0,10]	~	|
Predation = 0.0001
	~	1/day [0,0.0001]	~	|
Feeding = 0.001
	~	1/day [0,0.0001]	~	|
Prey = INTEG(Fertility * Prey - Predation * Prey * Predators, 250)
	~	animal	~	|
Predators = INTEG(Feeding * Prey * Predators - 0.01 * Predators, 100)
	~	animal	~	|
"""
DELAYED = """{UTF-8}
Inflow = 2
	~	t/month	~	|
Stock = INTEG(DELAY FIXED(Inflow, 3, 0) - Stock / 10, 5)
	~	t	~	|
"""


def written(
    folder: Path, text: str, *, unit: str = "year", stop: int = 30, step: float = 0.25, name: str = "mine"
) -> Path:
    path = folder / f"{name}.mdl"
    path.write_text(text + CONTROLS.format(unit=unit, stop=stop, step=step), encoding="utf-8")
    return path


def made(folder: Path, text: str, **bounds: object) -> Model:
    return load_model(written(folder, text, **bounds))  # type: ignore[arg-type]


def infections(model: Model, *, noise: float = 0.1, seed: int = 1, stop: int = 40) -> Data:
    """What is seen of an epidemic with a contact rate of 8 and five days of illness."""
    run = simulate(model, {"Contact Rate": 8, "Duration": 5}, outcomes=["Infected"], stop=stop)
    errors = noise * np.random.default_rng(seed).standard_normal(stop + 1)
    content = {"day": np.arange(stop + 1), "infected": run["Infected"][0, 0] * np.exp(errors)}
    return replace(load_data(content, roles={"infected": "Infected"}), name="obs")

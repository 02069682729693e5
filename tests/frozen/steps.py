"""Commands whose numbers, records and messages are hashed, each with the files it needs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

EPIDEMIC = """{UTF-8}
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
	~	day [1,20]	~	|
Infection = Contact Rate * Infectivity * Susceptible * Infected / Population
	~	person/day	~	|
Susceptible = INTEG(-Infection, Population - Initial Infected)
	~	person	~	|
Infected = INTEG(Infection - Infected / Duration, Initial Infected)
	~	person	~	|
INITIAL TIME = 0
	~	day	~	|
FINAL TIME = 60
	~	day	~	|
TIME STEP = 0.25
	~	day	~	|
SAVEPER = 1
	~	day	~	|
"""
PLACES = """{UTF-8}
Place: North, South ~~|
Rate[Place] = 0.1, 0.2
	~	1/year [0,1]	~	|
Memory = 3
	~	year	~	|
Start[Place] = 1, 3
	~	t	~	|
Stock[Place] = INTEG(Rate[Place] * Stock[Place], Start[Place])
	~	t	~	|
Perceived[Place] = DELAY3(Stock[Place], Memory)
	~	t	~	|
Smoothed[Place] = SMOOTHI(MIN(Stock[Place], 20), Memory, 1)
	~	t	~	|
Total = SUM(Perceived[Place!]) + PULSE(4, 2) + STEP(1, 5)
	~	t	~	|
Noise = RANDOM NORMAL(-1, 1, 0, 0.3, 7)
	~	Dmnl	~	|
INITIAL TIME = 0
	~	year	~	|
FINAL TIME = 20
	~	year	~	|
TIME STEP = 0.5
	~	year	~	|
SAVEPER = 1
	~	year	~	|
"""
SCENARIO = """name: lockdown
label: Stay at home
changes:
  Contact Rate: {10: x0.5, 40: 8}
"""
# Runs every outcome of every model file by both targets; a model that only one of them runs is of that one alone.
ENGINES = """
import hashlib, sys
import numpy as np
from pathlib import Path
from pysd_runner import load_model, simulate
def told(name, run):
    digest = hashlib.sha256()
    for outcome in sorted(map(str, run.data_vars)):
        digest.update(outcome.encode() + np.ascontiguousarray(run[outcome].to_numpy(), dtype=float).tobytes())
    print(f"{name}\\t{len(run.data_vars)} {digest.hexdigest()}")
for place in sys.argv[1:]:
    for path in sorted(Path(place).rglob("*")) if Path(place).is_dir() else [Path(place)]:
        if path.suffix not in (".mdl", ".xmile", ".stmx", ".itmx", ".xml") and path.exists():
            continue
        for engine in ("numpy", "llvm"):
            try:
                told(f"{path.name}.{engine}", simulate(load_model(str(path)), engine=engine).to_xarray())
            except Exception as error:
                print(f"{path.name}.{engine}\\t{type(error).__name__} {' '.join(str(error).split())}")
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A command, or a program in Python, with files that are written before it."""

    name: str
    arguments: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    program: str | None = None
    said: bool = True


def step(name: str, command: str, *, said: bool = True, **files: str) -> Step:
    """A command line whose words have no spaces within, with files by name, a dot written as __."""
    written = {key.replace("__", "."): text for key, text in files.items()}
    return Step(name=name, arguments=tuple(command.split()), files=written, said=said)


def epidemic() -> str:
    """Counts of an epidemic with errors of a tenth."""
    rng = np.random.default_rng(1)
    rows = [f"{day},{5 * np.exp(0.3 * min(day, 20) + 0.1 * rng.standard_normal()):.6g}" for day in range(30)]
    return "\n".join(["day,Infected", *rows]) + "\n"


def stocks() -> str:
    """Stocks of two places that grow at different rates."""
    rows = []
    for year in range(15):
        for number, place in enumerate(("North", "South")):
            level = (1 + number) * np.exp((0.12 + 0.05 * number) * year) * (1 + 0.05 * np.sin(3 * year))
            rows.append(f"{year},{place},{level:.6g}")
    return "\n".join(["year,Place,Stock", *rows]) + "\n"


def panel(regions: int = 8, years: int = 16) -> str:
    """A panel of another nation, with a fault in it."""
    rng = np.random.default_rng(3)
    rows = [
        f"R{region},{2005 + year},{(20 + 5 * region) * 1.03**year * np.exp(0.02 * rng.standard_normal()):.6g}"
        for region in range(regions)
        for year in range(years)
    ]
    return "\n".join(["region,year,output_per_head", *rows]) + "\n"


SHARED = Path(__file__).parents[3] / "shared" / "benchmarks"
WRONG = (
    "calibrate nowhere.csv",
    "calibrate china --window 2030:",
    "calibrate obs.csv --model sir.mdl --free Contacts",
    "calibrate obs.csv --model sir.mdl --window 3:",
    "data check obs.csv --model sir.mdl --map Infected=Ill",
    "calibrate empty.csv",
    "run zoned_needs --fit fit",
    "run zoned_need --fit nowhere",
    "run bad.yaml --fit fit",
    "run worse.yaml --fit fit",
    "run zoned_need --fit fit --until 1990",
    "run zoned_need --fit fit --draws 0",
    "run lockdown.yaml --model sir.mdl --fit fit",
    "forecast china --until 2010",
    "forecast china --forecaster nobody",
    "forecast china --event nonsense",
    "forecast odd.csv --until 2025",
    "backtest china --first-origin 1900",
    "brief Atlantis --run results",
    "explore nowhere",
    "simulate bad.mdl",
    "simulate odd.mdl",
    "simulate sir.mdl --set Nothing=3",
    "data check odd.csv",
    "data check twice.csv",
    "data check obs.csv --model sir.mdl",
    "list zoned_nead",
    "optimise --fit nowhere",
    "attribute zoned_need --fit nowhere",
    "ensemble sir.mdl --bound Nothing --draws 3",
    "doctor sir.mdl",
)
FAULTS = {
    "bad.yaml": "name: bad\npolicy:\n  budget: -3\n  mix: {networks: 2, skils: 0.5}\nassumptions: {alpah: 1}\n",
    "worse.yaml": "name: [worse\n",
    "bad.mdl": "A = B +\n\t~\t~\t|\nINITIAL TIME = 0~~|FINAL TIME = 1~~|TIME STEP = 1~~|SAVEPER=1~~|\n",
    "odd.mdl": "A = B * 2\n\t~\t~\t|\nINITIAL TIME = 0~~|FINAL TIME = 1~~|TIME STEP = 1~~|SAVEPER=1~~|\n",
    "odd.csv": "region,year,output_per_head\nA,2001,five\nA,2002,6\nB,2001,-3\n",
    "twice.csv": "region,year,output_per_head\nA,2001,5\nA,2001,6\nB,2001,3\nB,2002,3\n",
    "empty.csv": "",
}


def refusals() -> tuple[Step, ...]:
    """Every wrong command in both languages."""
    return tuple(
        Step(
            name=f"wrong.{lang}.{words.replace(' ', '_')}",
            arguments=(*words.split(), *(("--lang", "zh") if lang == "zh" else ())),
            files=FAULTS,
        )
        for words in WRONG
        for lang in ("en", "zh")
    )


_SIR = {"sir__mdl": EPIDEMIC, "obs__csv": epidemic()}
_PLACES = {"places__mdl": PLACES, "stocks__csv": stocks()}
QUICK: tuple[Step, ...] = (
    Step(
        name="engine",
        arguments=("sir.mdl", "places.mdl", "regional_digital", *map(str, sorted(SHARED.glob("*.mdl")))),
        files={"sir.mdl": EPIDEMIC, "places.mdl": PLACES},
        program=ENGINES,
    ),
    step("own.fit", "calibrate obs.csv --model sir.mdl --starts 2 --out sir --without profiles", **_SIR),
    step(
        "own.run",
        "run lockdown.yaml --model sir.mdl --fit sir --data obs.csv --draws 20 --out sir_run",
        lockdown__yaml=SCENARIO,
    ),
    step("own.forecast", "forecast obs.csv --model sir.mdl --until 45 --draws 50 --without past --out sir_ahead"),
    step("places.fit", "calibrate stocks.csv --model places.mdl --free Rate --starts 1 --out places", **_PLACES),
    step("fit", "calibrate china --starts 1 --without profiles,forecast --out fit"),
    step("run", "run zoned_need uniform_per_head --fit fit --draws 20 --until 2032 --out results"),
    step("panel", "forecast nation.csv --until 2024 --draws 100 --out nation", nation__csv=panel()),
    step("described", "list zoned_need --lang zh"),
)
FULL: tuple[Step, ...] = (
    step("own.past", "backtest obs.csv --model sir.mdl --out sir_past"),
    step("places.forecast", "forecast stocks.csv --model places.mdl --until 20 --draws 50 --out places_ahead"),
    step("forecast", "forecast china --until 2035 --draws 200 --out ahead"),
    step("backtest", "backtest china --first-origin 2015 --out past"),
    step("explore", "explore results --out page.html", said=False),
    step("brief", "brief Sichuan --run results --lang zh --out brief", said=False),
    step("attribute", "attribute zoned_need --fit fit --draws 8 --until 2030 --out parts"),
    step("evaluate", "evaluate fit --out judged", said=False),
    step("ensemble", "ensemble sir.mdl --bound Duration --draws 40 --outcome Infected --out ensemble.nc"),
    step("doctor", "doctor places.mdl"),
    *refusals(),
)

"""The models that are run, the parameters that vary and the series that are saved."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.paths import model_folder
from pysd_runner.model import load_model, region_keys

Array = NDArray[np.float64]

# Half width of the range parameters are drawn from, relative to their value in the file.
SPREAD = 0.1

DIGI_PARAMETERS = (
    *("investment east", "investment central", "investment west"),
    *("training effort east", "training effort central", "training effort west"),
    *("policy strength", "perception time", "training delay", "infra lifetime", "literacy lifetime", "sharing time"),
    *("privacy concern", "trust", "innovation rate", "spillover strength", "obsolescence"),
    *("tech elasticity", "infra elasticity", "literacy half saturation"),
)
DIGI_OUTCOMES = (
    *("Digital Infrastructure", "Digital Literacy", "Data Sharing", "Technology", "Output"),
    *("national output", "technology gap"),
)

WORLD3_PARAMETERS = (
    *("processing loss", "desired food ratio", "average life of agricultural inputs 1", "land yield factor 1"),
    *("average life of land normal", "urban and industrial land development time", "inherent land fertility"),
    *("food shortage perception delay", "subsistence food per capita", "average life of industrial capital 1"),
    *("industrial capital output ratio 1", "labor force participation fraction", "average life of service capital 1"),
    *("service capital output ratio 1", "industrial material toxicity index", "assimilation half life in 1970"),
    *("desired completed family size normal", "maximum total fertility normal", "life expectancy normal"),
    "resource use factor 1",
)
WORLD3_OUTCOMES = (
    *("population", "Arable Land", "Potentially Arable Land", "Urban and Industrial Land", "Land Fertility"),
    *("Industrial Capital", "Service Capital", "Persistent Pollution", "Nonrenewable Resources", "food"),
    *("food per capita", "industrial output", "industrial output per capita", "life expectancy"),
    *("persistent pollution index", "Delayed Labor Utilization Fraction"),
)

SHIPPED = "regional_digital"
SHIPPED_PARAMETERS = (
    *("Access Imitation Coefficient", "Digital Infrastructure Depreciation Rate", "Learning by Using Rate"),
    *("Learning with Application Rate", "Skill Obsolescence Rate", "Application Imitation Coefficient"),
    *("Application Obsolescence Rate", "Data Network Coefficient", "Governance Erosion Rate", "Capital Elasticity"),
    *("Digital Skill Productivity Premium", "Trend Growth of Output per Worker", "Application Output Effect"),
    *("Data Output Effect", "Digital Absorptive Catch Up Rate", "Skill Innovation Coefficient"),
    *("Structural Gap Persistence", "Momentum Decay Time", "Base Migration Rate", "Recognition Slope"),
)
SHIPPED_OUTCOMES = (
    *("Output", "Output per Capita", "Population", "Access Share", "Skill Share", "Application Share"),
    *("National Output", "Theil Index"),
)


@dataclass(frozen=True, slots=True)
class Subject:
    """A model with what is varied and what is saved.

    Parameters
    ----------
    name
        Short name.
    path
        The model file, the same for every engine.
    parameters
        Scalar parameters that vary, in order.
    base
        Their values in the file, shape (parameter,).
    outcomes
        Variables that are saved, in order.
    labels
        Subscripts of every saved series of each outcome, in C order; one empty tuple for a scalar.
    years
        Number of saved moments.
    """

    name: str
    path: Path
    parameters: tuple[str, ...]
    base: tuple[float, ...]
    outcomes: tuple[str, ...]
    labels: tuple[tuple[tuple[str, ...], ...], ...]
    years: int

    @property
    def series(self) -> int:
        """Number of saved series."""
        return sum(len(labels) for labels in self.labels)

    def draws(self, count: int, seed: int = 0) -> Array:
        """Parameter vectors within `SPREAD` of the values in the file, shape (draw, parameter)."""
        rng = np.random.default_rng(seed)
        factors = rng.uniform(1 - SPREAD, 1 + SPREAD, (count, len(self.parameters)))
        return np.ascontiguousarray(np.array(self.base) * factors)


def subject(name: str, path: Path, parameters: Sequence[str], outcomes: Sequence[str]) -> Subject:
    """Read what a benchmark must know about a model.

    Parameters
    ----------
    name
        Short name.
    path
        The model file.
    parameters, outcomes
        Names in any spelling.

    Returns
    -------
    Subject
        With values, labels and moments filled in.
    """
    from pysd_runner.simulation import simulate

    model = load_model(path)
    parameters, outcomes = [[model.find(item) for item in names] for names in (parameters, outcomes)]
    run = simulate(model, outcomes=[*parameters, *outcomes])
    labels = []
    for outcome in outcomes:
        ranges = [model.ranges[dim] for dim in model.variables[outcome].dims]
        places = np.ndindex(*(len(items) for items in ranges))
        labels.append(tuple(tuple(items[at] for items, at in zip(ranges, place, strict=True)) for place in places))
    base = tuple(float(run[item][0, 0, 0]) for item in parameters)
    return Subject(name, path, tuple(parameters), base, tuple(outcomes), tuple(labels), len(run.years))


def write_shipped(path: Path, regions: int, seed: int = 31) -> Path:
    """Write the shipped model with some regions that differ, and with a policy, so that every engine reads one file.

    Parameters
    ----------
    path
        File to write.
    regions
        Number of regions.
    seed
        Of their start values.

    Returns
    -------
    Path
        The file.
    """
    text = (model_folder(SHIPPED) / "model.mdl").read_text(encoding="utf-8")
    keys = ", ".join(region_keys(regions))
    text, found = re.subn(r"^Region:\n\t[^\n]*\n", f"Region:\n\t{keys}\n", text, count=1, flags=re.MULTILINE)
    if not found:
        raise ValueError("the shipped model has no range of regions of the expected form")
    rng = np.random.default_rng(seed)
    for name, draw in _REGIONAL.items():
        values = ", ".join(repr(round(float(value), 6)) for value in draw(rng, regions))
        text = _replaced(text, f"{name}[Region]", values)
    for name, value in {"Policy Budget Share": "0.003", "Policy Start Time": "2016"}.items():
        text = _replaced(text, name, value)
    path.write_text(text, encoding="utf-8")
    return path


_REGIONAL: dict[str, Callable[[np.random.Generator, int], Array]] = {
    "Initial Population": lambda rng, count: rng.lognormal(17, 0.6, count),
    "Initial Output per Capita": lambda rng, count: rng.lognormal(10.8, 0.4, count),
    "Initial Access Share": lambda rng, count: rng.uniform(0.35, 0.65, count),
    "Initial Skill Share": lambda rng, count: rng.uniform(0.1, 0.3, count),
    "Initial Application Share": lambda rng, count: rng.uniform(0.05, 0.2, count),
    "Initial Shared Data": lambda rng, count: rng.uniform(0.02, 0.2, count),
    "Initial Governance Integration": lambda rng, count: rng.uniform(0.1, 0.4, count),
    "Initial Platform Linkage": lambda rng, count: rng.uniform(0.05, 0.2, count),
    "Schooling Index": lambda rng, count: rng.uniform(0.8, 1.2, count),
    "Initial Capital Output Ratio": lambda rng, count: rng.uniform(2.5, 3.5, count),
    "Terrain Cost Factor": lambda rng, count: rng.uniform(1, 1.5, count),
}


def _replaced(text: str, name: str, value: str) -> str:
    """The model with another right-hand side for one constant."""
    pattern = rf"^{re.escape(name)}\s*=\s*\n\t[^\n]*\n"
    text, found = re.subn(pattern, f"{name}=\n\t{value}\n", text, count=1, flags=re.MULTILINE)
    if not found:
        raise ValueError(f"the shipped model has no constant {name!r} of the expected form")
    return text


MODELS = ("digi1", "digi31", "world3", SHIPPED)


def find_subject(name: str, *, yardsticks: Path, world3: Path | None, folder: Path) -> Subject:
    """One of the models by its name.

    Parameters
    ----------
    name
        One of `MODELS`.
    yardsticks
        Folder with digi1.mdl and digi31.mdl.
    world3
        World3-03 as a Vensim file, None if there is none.
    folder
        Where the shipped model may be written with 31 regions.

    Returns
    -------
    Subject
        Ready to run.

    Raises
    ------
    FileNotFoundError
        If the file is not there; the message says which option names it.
    """
    if name == SHIPPED:
        return subject(name, write_shipped(folder / "shipped31.mdl", 31), SHIPPED_PARAMETERS, SHIPPED_OUTCOMES)
    path = world3 if name == "world3" else yardsticks / f"{name}.mdl"
    if path is None or not path.is_file():
        option = "--world3" if name == "world3" else "--yardsticks"
        where = "no file was given" if path is None else f"there is no file {path}"
        raise FileNotFoundError(f"{name}: {where}; name it with {option}")
    if name == "world3":
        return subject(name, path, WORLD3_PARAMETERS, WORLD3_OUTCOMES)
    return subject(name, path, DIGI_PARAMETERS, DIGI_OUTCOMES)

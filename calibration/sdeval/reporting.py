"""Reporting guidelines of Rahmandad and Sterman: information that makes models and simulations reproducible."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from pysd_runner.core.errors import UnknownName, suggest

NOT_REPORTED = "not reported"

Part = Literal["model", "simulation", "optimisation"]
Level = Literal["minimum", "preferred"]


@dataclass(frozen=True, slots=True)
class Requirement:
    """One item that a report of simulation research should include.

    Attributes
    ----------
    key
        Stable identifier.
    part
        Part of the work: model, simulation or optimisation.
    level
        ``"minimum"`` if it is needed to reproduce the work, ``"preferred"`` if it helps to understand and assess it.
    text
        Description of the item, in our words.
    """

    key: str
    part: Part
    level: Level
    text: str


#: The requirements of the guidelines, in order.
REQUIREMENTS: tuple[Requirement, ...] = (
    Requirement("equations", "model", "minimum", "every equation or rule the model computes at each step"),
    Requirement("parameter_values", "model", "minimum", "the value of every parameter and every initial value"),
    Requirement("exogenous_inputs", "model", "minimum", "the numbers, functions or tables of every input from outside"),
    Requirement("units", "model", "preferred", "the unit of every variable and parameter"),
    Requirement("definitions", "model", "preferred", "what every variable means, and why it is formulated as it is"),
    Requirement("sources", "model", "preferred", "the source of every parameter, table and equation, in data or words"),
    Requirement("structure", "model", "preferred", "a diagram or list of stocks, flows and feedback loops"),
    Requirement("source_code", "model", "preferred", "the model itself, in a form that others can open and run"),
    Requirement("software", "simulation", "minimum", "the software, with its version, that ran the simulation"),
    Requirement("integration", "simulation", "minimum", "the method of integration and the step of time"),
    Requirement("horizon", "simulation", "minimum", "when the simulation starts and ends"),
    Requirement(
        "scenario_settings", "simulation", "minimum", "what is set otherwise than in the base, in each experiment"
    ),
    Requirement("iterations", "simulation", "minimum", "how many runs of each experiment, and over what they vary"),
    Requirement(
        "random_numbers", "simulation", "minimum", "distributions, correlations and time of noise of what is random"
    ),
    Requirement("processing", "simulation", "minimum", "how reported numbers come from the raw results"),
    Requirement("seeds", "simulation", "preferred", "the generator of random numbers and its seeds"),
    Requirement("uncertainty", "simulation", "preferred", "intervals of the results, and how they were got"),
    Requirement(
        "sensitivity", "simulation", "preferred", "how results change with assumptions, and with the step of time"
    ),
    Requirement("computing_cost", "simulation", "preferred", "time and machine it took"),
    Requirement("experiment_code", "simulation", "preferred", "the commands or files that make every reported result"),
    Requirement("optimiser", "optimisation", "minimum", "the software and the method of search"),
    Requirement(
        "objective", "optimisation", "minimum", "the function that is made large or small, with its data and weights"
    ),
    Requirement("search_space", "optimisation", "minimum", "the parameters that move, with bounds and constraints"),
    Requirement("optimum", "optimisation", "minimum", "the parameters found and the value of the objective there"),
    Requirement("optimiser_settings", "optimisation", "preferred", "settings of the method, starts and their seeds"),
    Requirement("stopping", "optimisation", "preferred", "when the search stops, and whether it did for that reason"),
    Requirement(
        "local_optima", "optimisation", "preferred", "how many searches there were, and how many ended at the best"
    ),
    Requirement(
        "estimate_uncertainty", "optimisation", "preferred", "intervals of the parameters found, and their method"
    ),
    Requirement("search_cost", "optimisation", "preferred", "runs of the model and time the search took"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportTables:
    """The tables of the guidelines.

    Attributes
    ----------
    model, simulation, optimisation
        One row per requirement: ``key``, ``level``, ``requirement``, ``reported``.
    """

    model: pd.DataFrame
    simulation: pd.DataFrame
    optimisation: pd.DataFrame


def report_tables(given: Mapping[str, object]) -> ReportTables:
    """Fill in the minimum and preferred requirements of the reporting guidelines.

    The requirements follow Rahmandad and Sterman, in our words and split into single items.

    Parameters
    ----------
    given
        Reported information by key: a sentence, a number, a file name. None or an empty text counts as not reported.

    Returns
    -------
    ReportTables
        The tables, with "not reported" for missing items. They show what was reported, not whether it is correct.

    Raises
    ------
    UnknownName
        If a key is not one of the requirements.

    References
    ----------
    Rahmandad, H. and Sterman, J. D. (2012), Reporting guidelines for simulation-based research in social sciences,
    System Dynamics Review 28(4), 396-411.

    Examples
    --------
    >>> tables = report_tables({"software": "gapsim 0.1.0", "integration": "Euler, step 0.25 years"})
    >>> tables.simulation["reported"].head(3).tolist()
    ['gapsim 0.1.0', 'Euler, step 0.25 years', 'not reported']
    """
    known = [item.key for item in REQUIREMENTS]
    for key in given:
        if key not in known:
            raise UnknownName(f"{key!r} is none of the requirements.{suggest(key, known)}")
    return ReportTables(
        model=_table("model", given), simulation=_table("simulation", given), optimisation=_table("optimisation", given)
    )


def _table(part: Part, given: Mapping[str, object]) -> pd.DataFrame:
    """Table of the requirements of one part and the information reported for each."""
    rows = [
        (item.key, item.level, item.text, _reported(given.get(item.key))) for item in REQUIREMENTS if item.part == part
    ]
    return pd.DataFrame(rows, columns=["key", "level", "requirement", "reported"])


def _reported(value: object) -> str:
    text = "" if value is None else str(value).strip()
    return text or NOT_REPORTED

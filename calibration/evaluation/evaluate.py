"""The complete evaluation of a model, section by section."""

import platform
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from typing import Any

import pandas as pd

from calibration.evaluation.fit import (
    fitted_pairs,
    gap_pairs,
    level_pairs,
    pattern_tests,
    point_fit_tests,
    residual_tests,
)
from calibration.evaluation.judgement import Evaluation, Judgement, Phrase, Section
from calibration.evaluation.numerics import numerical_tests
from calibration.evaluation.sensitivity import QUICK, Effort, ranking_tests, sensitivity_tests
from calibration.evaluation.structure import structure_tests
from calibration.evaluation.subject import Calibrated, Subject
from pysd_runner.checks import experiments_of
from pysd_runner.core.errors import InvalidInput

# Packages whose versions affect the results.
PACKAGES = ("gapsim", "numpy", "scipy", "pysd", "SALib")

# Progress callback: current task, number of finished steps, total number of steps.
Progress = Callable[[str, int, int], None]
KEY = "guidelines"

NOT_REPORTED = "not reported"

# Requirements of the reporting guidelines by part and level, in our words. Rahmandad, H. and Sterman, J. D. (2012),
# Reporting guidelines for simulation-based research in social sciences, System Dynamics Review 28(4), 396-411.
REQUIREMENTS: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "model": {
        "minimum": {
            "equations": "every equation or rule the model computes at each step",
            "parameter_values": "the value of every parameter and every initial value",
            "exogenous_inputs": "the numbers, functions or tables of every input from outside",
        },
        "preferred": {
            "units": "the unit of every variable and parameter",
            "definitions": "what every variable means, and why it is formulated as it is",
            "sources": "the source of every parameter, table and equation, in data or words",
            "structure": "a diagram or list of stocks, flows and feedback loops",
            "source_code": "the model itself, in a form that others can open and run",
        },
    },
    "simulation": {
        "minimum": {
            "software": "the software, with its version, that ran the simulation",
            "integration": "the method of integration and the step of time",
            "horizon": "when the simulation starts and ends",
            "scenario_settings": "what is set otherwise than in the base, in each experiment",
            "iterations": "how many runs of each experiment, and over what they vary",
            "random_numbers": "distributions, correlations and time of noise of what is random",
            "processing": "how reported numbers come from the raw results",
        },
        "preferred": {
            "seeds": "the generator of random numbers and its seeds",
            "uncertainty": "intervals of the results, and how they were got",
            "sensitivity": "how results change with assumptions, and with the step of time",
            "computing_cost": "time and machine it took",
            "experiment_code": "the commands or files that make every reported result",
        },
    },
    "optimisation": {
        "minimum": {
            "optimiser": "the software and the method of search",
            "objective": "the function that is made large or small, with its data and weights",
            "search_space": "the parameters that move, with bounds and constraints",
            "optimum": "the parameters found and the value of the objective there",
        },
        "preferred": {
            "optimiser_settings": "settings of the method, starts and their seeds",
            "stopping": "when the search stops, and whether it did for that reason",
            "local_optima": "how many searches there were, and how many ended at the best",
            "estimate_uncertainty": "intervals of the parameters found, and their method",
            "search_cost": "runs of the model and time the search took",
        },
    },
}


def evaluate(subject: Subject, *, seed: int = 0, quick: bool = False, progress: Progress | None = None) -> Evaluation:
    """Apply every test to a model.

    Parameters
    ----------
    subject
        A calibrated model, or a model alone, without the tests that need observations or declared parameters.
    seed
        Seed of designs and draws, a non-negative integer.
    quick
        Whether to use smaller designs, for a first look.
    progress
        Called with the current task, the number of finished steps and their total number.

    Returns
    -------
    Evaluation
        Every test with its verdict, and the tables they are based on.

    Raises
    ------
    InvalidInput
        If the seed is not a non-negative integer.
    UnsupportedFeature
        If the engine does not support the model.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise InvalidInput("seed must be a whole number from 0; found {found!r}", found=seed)
    effort = QUICK if quick else Effort()
    made = _provenance(subject, effort, seed, quick)
    sections = tuple(_sections(subject, effort, seed, _Steps(progress)))
    return Evaluation(sections=(*sections, guideline_tests(subject, made)), title=_title(subject), provenance=made)


class _Steps:
    """Counts finished steps and reports the progress."""

    TOTAL = 8

    def __init__(self, progress: Progress | None) -> None:
        self._progress, self._done = progress, 0

    def __call__(self, what: str) -> None:
        if self._progress is not None:
            self._progress(what, min(self._done, self.TOTAL), self.TOTAL)
        self._done += 1


def _sections(subject: Subject, effort: Effort, seed: int, tell: _Steps) -> Iterator[Section]:
    tell("comparing with what was observed")
    yield from _observed(subject)
    tell("structure: units, extremes, reality checks, loops")
    yield structure_tests(subject)
    tell("numerics: steps, methods, balances")
    yield numerical_tests(subject)
    yield sensitivity_tests(subject, effort, seed=seed, progress=tell)
    tell("ranking of policies")
    yield ranking_tests(subject, effort.draws, seed=seed)
    yield Section(key="forecasts", judgements=(Judgement.untested("back_test", "back_tests"),))


def _observed(subject: Subject) -> Iterator[Section]:
    """The sections that need observations."""
    if subject.calibrated is None:
        tests = {"fit": "efficiency", "residuals": "autocorrelation", "patterns": "pattern_trend"}
        for key, test in tests.items():
            yield Section(key=key, judgements=(Judgement.untested(test, "no_fit"),))
        return
    fitted = list(fitted_pairs(subject.calibrated.result))
    levels = list(level_pairs(subject.calibrated))
    gaps = list(gap_pairs({item.name: item for item in levels}))
    yield point_fit_tests(fitted, levels, gaps)
    yield residual_tests(fitted)
    yield pattern_tests(fitted, gaps)


def _title(subject: Subject) -> str:
    if subject.calibrated is None:
        return subject.model.name
    return f"{subject.model.name}, {subject.calibrated.panel.name}"


def _provenance(subject: Subject, effort: Effort, seed: int, quick: bool) -> dict[str, Any]:
    made = dict(subject.base.provenance)
    found: dict[str, Any] = {
        "model": subject.model.name,
        "model_sha256": subject.model.sha256,
        "run": {name: made[name] for name in ("start", "stop", "step", "save_every", "method", "engine")},
        "seed": seed,
        "quick": quick,
        "effort": {name: getattr(effort, name) for name in effort.__slots__},
        "versions": {"python": platform.python_version(), **{name: metadata.version(name) for name in PACKAGES}},
        "panel": None,
        "fit": None,
    }
    if subject.calibrated is not None:
        fitted = subject.calibrated.result.fitted
        found["panel"] = {"name": fitted.panel, "sha256": fitted.panel_sha256, "regions": len(fitted.regions)}
        found["fit"] = {
            "first_year": fitted.first_year,
            "last_year": fitted.last_year,
            "status": fitted.status,
            "settings": {key: value for key, value in fitted.provenance.items() if key != "errors"},
        }
    return found


def guideline_tests(subject: Subject, made: Mapping[str, Any]) -> Section:
    """Fill the tables of the reporting guidelines and check that the required minimum is reported."""
    given = {**_of_model(subject), **_of_runs(subject, made)}
    if subject.calibrated is not None:
        given |= _of_fit(subject.calibrated)
    parts = [name for name in REQUIREMENTS if name != "optimisation" or subject.calibrated is not None]
    tables = {name: requirement_table(name, given) for name in parts}
    judgements = [_judged(name, table) for name, table in tables.items()]
    if subject.calibrated is None:
        judgements.append(Judgement.untested("guideline", "no_fit", "optimisation"))
    return Section(key=KEY, judgements=tuple(judgements), tables=tables)


def requirement_table(part: str, given: Mapping[str, object]) -> pd.DataFrame:
    """Requirements of one part, and what was reported for each: a sentence, a number or a file name."""
    rows = [
        (key, level, text, str(given.get(key, "")).strip() or NOT_REPORTED)
        for level, texts in REQUIREMENTS[part].items()
        for key, text in texts.items()
    ]
    return pd.DataFrame(rows, columns=["key", "level", "requirement", "reported"])


def _judged(name: str, table: pd.DataFrame) -> Judgement:
    least = table[table["level"] == "minimum"]
    absent = least[least["reported"] == NOT_REPORTED]["key"].tolist()
    reported = int((table["reported"] != NOT_REPORTED).sum())
    note = Phrase("reported", {"reported": reported, "all": len(table)})
    return Judgement.of(
        "guideline",
        name,
        not absent,
        value=float(len(absent)),
        bound=0.0,
        note=Phrase("unreported", {"names": ", ".join(absent)}) if absent else note,
    )


def _of_model(subject: Subject) -> dict[str, object]:
    model = subject.model
    variables = [item for item in model.variables.values() if item.kind != "control"]
    of_all = f"of {len(variables)} variables"
    equations = sum(len(item.blocks) for item in variables)
    given = {
        "equations": f"{equations} equations {of_all} in {model.path.name}, sha256 {model.sha256}",
        "units": f"{sum(bool(item.unit.strip()) for item in variables)} {of_all} have one",
        "definitions": f"{sum(bool(item.doc.strip()) for item in variables)} {of_all} are described",
        "structure": _structure(subject),
        "source_code": f"{model.path.name}, opened by Vensim, PySD or gapsim",
    }
    spec = model.spec
    if spec is None:
        constants = sum(item.kind == "constant" for item in variables)
        return {
            **given,
            "parameter_values": f"{constants} constants and {len(subject.stocks)} starting values in {model.path.name}",
            "exogenous_inputs": f"in {model.path.name} and the data files it names",
        }
    cited = sum(bool(item.sources) for item in spec.parameters.values())
    judged = sum(item.judgement for item in spec.parameters.values())
    count = len(spec.parameters)
    return {
        **given,
        "parameter_values": f"{count} parameters in model.toml; the estimated ones in the table of parameters above",
        "exogenous_inputs": f"{len(spec.inputs)} inputs of every region, from the panel or as declared in model.toml",
        "sources": f"{cited} of {count} parameters cite a work; the value of {judged} is judgement, and says so",
    }


def _structure(subject: Subject) -> str:
    loops = [item.name for item in experiments_of(subject.model).loops]
    named = f"; loops that can be switched off: {', '.join(loops)}" if loops else ""
    return f"{len(subject.stocks)} stocks: {', '.join(subject.stocks)}{named}"


def _of_runs(subject: Subject, made: Mapping[str, Any]) -> dict[str, object]:
    run, versions, effort = made["run"], made["versions"], made["effort"]
    given: dict[str, object] = {
        "software": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "integration": f"{run['method']}, step {run['step']:g}; engine {run['engine']}",
        "horizon": f"{run['start']:g} to {run['stop']:g}, saved every {run['save_every']:g}",
        "scenario_settings": "every experiment by name in checks.toml, every policy in a scenario file of the model",
        "iterations": "one run each of base, experiments and loops",
        "random_numbers": "none within a run",
        "processing": "as the caption of each table says; errors are simulated less observed",
        "seeds": f"{made['seed']}, NumPy's default generator (PCG64)",
        "sensitivity": "half the step: table integration",
        "experiment_code": "gapsim evaluate",
    }
    if subject.calibrated is not None:
        given |= {
            "iterations": f"one run each of base, experiments and loops; {effort['trajectories']} trajectories of "
            f"Morris's design, {effort['draws']} draws for the ranking",
            "random_numbers": "parameters alone are drawn: from the fit (normal on the unbounded scale) or from their "
            "priors; no noise within a run",
            "uncertainty": "90 % intervals of parameters; 5th and 95th percentile of what policies close",
            "sensitivity": "tables modes, morris, ranking_flips; step of time: integration",
            "computing_cost": _of_fit(subject.calibrated)["search_cost"],
        }
    return given


def _of_fit(calibrated: Calibrated) -> dict[str, object]:
    result = calibrated.result
    fitted, settings = result.fitted, result.fitted.provenance
    moved = result.parameters
    bounds = "; ".join(f"{item.key} {item.lower_bound:g} to {item.upper_bound:g}" for item in moved)
    values = "; ".join(f"{item.key} {item.estimate:.4g}" for item in moved)
    observations = sum(item.observations for item in result.series)
    return {
        "optimiser": f"{settings.get('optimiser', 'least squares')}, SciPy {settings.get('scipy', '')}",
        "objective": f"half the sum of squared residuals of {observations} observations in {len(result.series)} series "
        f"and of the priors; errors: {'; '.join(item.words for item in result.series)}",
        "search_space": bounds,
        "optimum": f"{values}; objective {result.cost:.6g}",
        "optimiser_settings": f"{settings.get('starts')} searches, the first led by the data, "
        f"seed {settings.get('seed')}",
        "stopping": fitted.message,
        "local_optima": "; ".join(item.words for item in result.optima),
        "estimate_uncertainty": "90 % intervals from the curvature at the optimum (Laplace)",
        "search_cost": f"{sum(item.evaluations for item in result.searches)} evaluations of model and derivatives",
    }

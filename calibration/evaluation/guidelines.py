"""The tables of Rahmandad and Sterman, filled from what the program knows of the model, its runs and its fit."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from calibration.evaluation.judgement import Judgement, Section, Verdict
from calibration.evaluation.phrases import Phrase
from calibration.evaluation.subject import Calibrated, Subject
from calibration.sdeval import report_tables
from pysd_runner.checks import experiments_of

KEY = "guidelines"

NOT_REPORTED = "not reported"

PARTS = ("model", "simulation", "optimisation")


def guideline_tests(subject: Subject, made: Mapping[str, Any]) -> Section:
    """Fill the tables and look whether the minimum is reported."""
    given = {**_of_model(subject), **_of_runs(subject, made)}
    if subject.calibrated is not None:
        given |= _of_fit(subject.calibrated)
    found = report_tables(given)
    tables = {name: getattr(found, name) for name in PARTS if name != "optimisation" or subject.calibrated is not None}
    judgements = [_judged(name, table) for name, table in tables.items()]
    if subject.calibrated is None:
        judgements.append(
            Judgement(
                section=KEY,
                test="guideline",
                subject="optimisation",
                verdict=Verdict.NOT_TESTED,
                note=Phrase("no_fit"),
            )
        )
    return Section(key=KEY, judgements=tuple(judgements), tables=tables)


def _judged(name: str, table: pd.DataFrame) -> Judgement:
    least = table[table["level"] == "minimum"]
    absent = least[least["reported"] == NOT_REPORTED]["key"].tolist()
    reported = int((table["reported"] != NOT_REPORTED).sum())
    note = Phrase("reported", {"reported": reported, "all": len(table)})
    return Judgement(
        section=KEY,
        test="guideline",
        subject=name,
        verdict=Verdict.of(not absent),
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
        "sensitivity": "half the step and Runge and Kutta's method: table integration",
        "experiment_code": "gapsim evaluate",
    }
    if subject.calibrated is not None:
        given |= {
            "iterations": f"one run each of base, experiments and loops; {effort['trajectories']} trajectories of "
            f"Morris's design, {effort['samples']} base samples of Sobol's, {effort['draws']} draws for the ranking",
            "random_numbers": "parameters alone are drawn: from the fit (normal on the unbounded scale) or from their "
            "priors; no noise within a run",
            "uncertainty": "90 % intervals of parameters; 5th and 95th percentile of what policies close",
            "sensitivity": "tables elasticities, modes, morris, sobol, ranking_flips; step and method: integration",
            "computing_cost": f"the fit took {subject.calibrated.result.seconds:.0f} s",
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
        "search_cost": f"{sum(item.evaluations for item in result.searches)} evaluations, {result.seconds:.0f} s",
    }

"""Names and options of earlier versions, with their replacements."""

from pysd_runner.core.errors import Message

FORMER = {
    "gapsim.CalibrationProblem": "gapsim.Problem",
    "gapsim.FitResult": "gapsim.Fit",
    "pysd_runner.general": "pysd_runner.study",
    "pysd_runner.panel": "pysd_runner.data",
    "pysd_runner.regional": "pysd_runner.policy and pysd_runner.study",
    "pysd_runner.check_panel": "pysd_runner.check_data",
    "pysd_runner.load_panel": "pysd_runner.load_data; data.array(name) is what panel[name] was",
    "pysd_runner.load_projection": "pysd_runner.load_future",
    "pysd_runner.load_table": "pysd_runner.load_data; its `columns` are `roles`",
    "pysd_runner.data.Panel": "pysd_runner.data.Data; its `by_region` makes one of arrays",
    "pysd_runner.data.Problem": "pysd_runner.core.findings.Finding",
    "pysd_runner.data.Region": "pysd_runner.data.Entity",
    "pysd_runner.data.Table": "pysd_runner.data.Data",
    "pysd_runner.data.check_panel": "pysd_runner.data.check_data",
    "pysd_runner.data.check_table": "pysd_runner.data.check_data",
    "pysd_runner.data.load_panel": "pysd_runner.data.load_data; data.array(name) is what panel[name] was",
    "pysd_runner.data.load_table": "pysd_runner.data.load_data; its `columns` are `roles`",
    "pysd_runner.checks.DimensionProblem": "pysd_runner.checks.EquationProblem",
    "pysd_runner.checks.Obstacle": "pysd_runner.checks.EquationProblem",
    "pysd_runner.checks.Rule": "pysd_runner.checks.BehaviourRule",
    "pysd_runner.ensemble.Job": "pysd_runner.ensemble.EnsembleJob",
    "pysd_runner.policy.Knob": "pysd_runner.policy.DecisionVariable",
    "pysd_runner.policy.chosen_scenario": "space.scenario(study, point)",
    "pysd_runner.policy.class_space": "pysd_runner.policy.space_of",
    "pysd_runner.policy.lever_space": "pysd_runner.policy.space_of",
    "pysd_runner.policy.model_study": "pysd_runner.policy.study_of",
    "pysd_runner.policy.policy_values": "pysd_runner.policy.policy_of",
    "pysd_runner.policy.regional_study": "pysd_runner.policy.study_of",
    "pysd_runner.policy.space_scenario": "space.scenario(study, point)",
    "pysd_runner.policy.uniform_space": "pysd_runner.policy.space_of(study, scenario, by='lever')",
    "pysd_runner.scenarios.Problem": "pysd_runner.core.findings.Finding",
    "pysd_runner.spec.Lever": "pysd_runner.spec.DeclaredLever",
    "pysd_runner.spec.Outcome": "pysd_runner.spec.DeclaredOutcome",
    "calibration.CalibrationProblem": "calibration.Problem",
    "calibration.FitResult": "calibration.Fit",
    "calibration.optimisers.Objective": "calibration.optimisers.SumOfSquares",
    "calibration.optimisers.Optimum": "calibration.optimisers.Minimum",
    "calibration.optimisers.Outcome": "calibration.optimisers.SearchOutcome",
    "calibration.optimisers.Turned": "calibration.optimisers.Reparametrised",
    "calibration.sdeval.Loop": "calibration.sdeval.KnockOut",
    "calibration.sdeval.Theil": "calibration.sdeval.PointFit",
    "calibration.sdeval.behaviour_patterns": "calibration.sdeval.point_fit; um, us and uc split its error",
    "calibration.sdeval.ranking_sensitivity": "gapsim.project, whose Future compares policies on the same draws",
    "calibration.sdeval.theil": "calibration.sdeval.point_fit",
    "calibration.uncertainty.Direction": "calibration.uncertainty.PosteriorDirection",
    "calibration.uncertainty.Shape": "calibration.uncertainty.ProfileShape",
    "calibration.uncertainty.Verdict": "calibration.uncertainty.ParameterVerdict",
}
# Keywords of earlier versions.
ARGUMENTS = {
    "baseline": "forecast",
    "definitions": "observations",
    "errors": "observations",
    "first_year": "start",
    "last_year": "until",
    "measurements": "observations",
    "columns": "roles",
    "mapping": "roles",
}

_READING = Message("--reading FILE: `gapsim data check` takes it and writes the file")
# Commands.
COMMANDS = {
    "advise": Message("`gapsim run SCENARIO...`, which compares policies"),
    "describe": "`gapsim list NAME`",
    "schema": "`gapsim list schema`",
}
# Options of commands, where the command takes the new one.
OPTIONS: dict[str, str] = {
    **dict.fromkeys(("--map", "--unit", "--encoding", "--sheet", "--mapping", "--regions", "--national"), _READING),
    **dict.fromkeys(("--time", "--time-unit", "--entity", "--yuan-per-unit"), _READING),
    **dict.fromkeys(("--executor", "--threads"), "--workers"),
    **{f"--no-{name}": f"--without {name}" for name in ("forecast", "profiles", "evidence", "past")},
    "--open-loop": "--without forecast",
    "--unconstrained": "--without constraints",
    "--statistic": "--target",
    "--panel": "--data",
    "--checkpoint": "--store",
    **dict.fromkeys(("--start", "--until", "--first-year", "--last-year"), "--window FIRST:LAST"),
}

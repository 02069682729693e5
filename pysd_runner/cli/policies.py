"""From a panel, a fit and a forecast to the study that the policy commands share."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pysd_runner.cli.panels import PanelChoice
from pysd_runner.cli.projecting import MODEL, read_fit, settings_of
from pysd_runner.cli.session import Session
from pysd_runner.core.errors import InvalidInput, Message

if TYPE_CHECKING:  # these load numpy
    from pysd_runner.policy.study import Study
    from pysd_runner.scenarios import Scenario
    from pysd_runner.study.inputs import ProjectionInputs

SHIPPED_PANEL = "china"
# As `SearchDraws` says.
SEARCH_DRAWS = 200

Panel = Annotated[
    str | None, typer.Option("--panel", help="Panel file, or the name of a shipped panel [default: china].")
]
Fit = Annotated[
    Path | None, typer.Option("--fit", help="What `gapsim calibrate` wrote; without it every parameter has its prior.")
]
Out = Annotated[Path | None, typer.Option("--out", help="Folder for the results [default: a new one under results/].")]
OpenLoop = Annotated[
    bool, typer.Option("--open-loop", help="Follow the model alone instead of starting from a forecast.")
]
OutcomeName = Annotated[
    str | None,
    typer.Option(
        "--outcome",
        help="gap_closed, theil_closed, theil_between_closed, output_change or leader_change [default: gap_closed].",
    ),
]


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyJob:
    """What a policy command was asked for.

    Parameters
    ----------
    panel
        Panel file or name of a shipped panel; None for the shipped one.
    mapping
        Mapping file of the panel.
    regions
        Region file, or the name of a shipped panel.
    fit
        Folder or file of a fit; None for priors.
    settings
        ``until``, ``draws``, ``seed``, ``yuan_per_unit``; None stands for the default.
    is_open
        Whether the run without policy follows the model alone.
    """

    panel: str | None
    mapping: Path | None
    regions: str | None
    fit: Path | None
    settings: Mapping[str, Any]
    is_open: bool = False

    @property
    def choice(self) -> PanelChoice:
        """The panel."""
        return PanelChoice(source=self.panel or SHIPPED_PANEL, mapping=self.mapping, regions=self.regions)


def policy_inputs(session: Session, job: PolicyJob) -> "ProjectionInputs":
    """Draw what every policy starts from.

    Parameters
    ----------
    session
        Where progress and warnings go.
    job
        What was asked for.

    Returns
    -------
    ProjectionInputs
        With the forecast as its run without policy.
    """
    from pysd_runner.cli.baselines import baseline_of
    from pysd_runner.model import load_model
    from pysd_runner.study.inputs import inputs_of, last_origin

    fitted = None if job.fit is None else read_fit(job.fit)
    panel = job.choice.read(session, regions=() if fitted is None else fitted.regions)
    model = load_model(MODEL, regions=len(panel.regions))
    settings = settings_of(model, panel, fitted, job.settings, draws=SEARCH_DRAWS)
    seen = panel.subset(years=range(panel.years[0], last_origin(panel) + 1))
    folder = job.fit if job.fit is not None and job.fit.is_dir() else None
    baseline = None
    if not job.is_open and settings["until"] > seen.years[-1]:
        until, draws, seed = (settings[key] for key in ("until", "draws", "seed"))
        baseline = baseline_of(session, seen, fitted, folder, model=model, until=until, draws=draws, seed=seed)
    with session.stage("Drawing what every policy starts from"):
        found = inputs_of(model, seen, fitted, baseline=baseline, **settings)
    if fitted is None:
        session.warn(Message("No calibration was given: every parameter is drawn from its prior."))
    if baseline is None:
        session.warn("The run without policy is the path of the model, not a forecast.")
    return found


def policy_study(session: Session, inputs: "ProjectionInputs", outcome: str | None, lang: str) -> "Study":
    """The study of some inputs, with a known outcome and its notes as warnings.

    Parameters
    ----------
    session
        Where warnings go.
    inputs
        What every policy starts from.
    outcome
        Key of the outcome asked for; None for the first.
    lang
        Language of names.
    """
    from pysd_runner.policy.regions import regional_study

    study = regional_study(inputs, lang=lang)
    study.outcome(outcome or "")
    for text in study.notes:
        session.warn(text)
    return study


def spending(inputs: "ProjectionInputs", name: str) -> "Scenario":
    """A scenario that spends money.

    Parameters
    ----------
    inputs
        Model and regions.
    name
        Shipped name or file.

    Raises
    ------
    InvalidInput
        If it spends none.
    """
    from pysd_runner.scenarios import load_scenario

    found = load_scenario(name, model=inputs.model, regions=inputs.panel.regions)
    if not found.policy.spends:
        raise InvalidInput(
            "scenario {scenario!r} spends no money, so it has no effect; set policy.budget", scenario=found.name
        )
    return found

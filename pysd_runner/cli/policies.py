"""From a panel, a fit and a forecast to the study that the policy commands share."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from pysd_runner.cli.data_options import PanelChoice
from pysd_runner.cli.options import RunOptions, SearchDraws
from pysd_runner.cli.projecting import MODEL, read_fit, settings_of
from pysd_runner.cli.session import Session
from pysd_runner.core.errors import InvalidInput, Message

if TYPE_CHECKING:  # these load numpy
    from pysd_runner.policy.study import Study
    from pysd_runner.scenarios import Scenario
    from pysd_runner.study.inputs import ProjectionInputs

# As `SearchDraws` says.
SEARCH_DRAWS = 200


@dataclass(frozen=True, kw_only=True)
class PolicyOptions(RunOptions):
    """What is asked of a policy, and what it starts from."""

    outcome: Annotated[
        str | None,
        typer.Option(
            "--outcome",
            help="gap_closed, theil_closed, theil_between_closed, output_change or leader_change "
            "[default: gap_closed].",
        ),
    ] = None
    draws: SearchDraws = None


def policy_inputs(session: Session, asked: PolicyOptions, choice: PanelChoice) -> "ProjectionInputs":
    """Draw what every policy starts from.

    Parameters
    ----------
    session
        Where progress and warnings go.
    asked
        What was asked for.
    choice
        The panel.

    Returns
    -------
    ProjectionInputs
        With the forecast as its run without policy.
    """
    from pysd_runner.cli.projecting import baseline_of
    from pysd_runner.model import load_model
    from pysd_runner.study.inputs import inputs_of, last_origin

    fitted = None if asked.fit is None else read_fit(asked.fit)
    panel = choice.read(session, regions=() if fitted is None else fitted.regions)
    model = load_model(MODEL, regions=len(panel.regions))
    settings = settings_of(model, panel, fitted, asked.settings, draws=SEARCH_DRAWS)
    seen = panel.subset(times=range(panel.years[0], last_origin(panel) + 1))
    baseline = None
    if not asked.is_open and settings["until"] > seen.years[-1]:
        until, draws, seed = (settings[key] for key in ("until", "draws", "seed"))
        baseline = baseline_of(session, seen, fitted, asked.folder, model=model, until=until, draws=draws, seed=seed)
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
    from pysd_runner.policy.studies import study_of

    study = study_of(inputs, lang=lang)
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

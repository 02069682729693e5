"""A small study for the tests of policies: four provinces, six years, a few draws."""

from functools import cache

from pysd_runner import load_data, load_model
from pysd_runner.policy.studies import policy_of, study_of
from pysd_runner.scenarios import load_scenario
from pysd_runner.study.inputs import inputs_of
from tests.provinces import REGIONS

UNTIL, DRAWS = 2029, 8


@cache
def inputs():
    """What every policy starts from."""
    panel = load_data("china").subset(entities=REGIONS)
    model = load_model("regional_digital", regions=len(REGIONS))
    return inputs_of(model, panel, until=UNTIL, draws=DRAWS, seed=1)


@cache
def study():
    """The study."""
    return study_of(inputs())


@cache
def policy(name="zoned_need"):
    """Values of a shipped scenario."""
    return policy_of(inputs(), load_scenario(name, model=inputs().model))

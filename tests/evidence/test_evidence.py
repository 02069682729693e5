"""What the model implies for measured experiments, and posteriors that use it, against closed forms and a slow twin."""

from dataclasses import replace

import numpy as np
import pytest

from calibration import Problem, fit
from calibration.uncertainty import sample
from pysd_runner import load_data, load_model, simulate
from pysd_runner.core.errors import InvalidInput, InvalidModel, UnknownName
from pysd_runner.engine import TimePath
from pysd_runner.evidence import Beginning, beginning_of, experiments_of, in_state, terms_of, weigh
from pysd_runner.evidence.findings import AFTER, findings
from pysd_runner.scenarios import load_scenario
from pysd_runner.spec.evidence import EvidenceTerm, Raise
from pysd_runner.study.binding import RegionalModel
from pysd_runner.study.region_inputs import time_step
from pysd_runner.study.values import scenario_values

ORIGIN, UNTIL = 2024, 2040
MEASURED = EvidenceTerm(
    key="bonus",
    scenario={"changes": {"Bonus": 1}},
    outcome="Level",
    measure="difference",
    after=(1.0, 1.0),
    family="normal",
    centre=2.0,
    low=2.0 - 0.5 * 1.6448536269514722,
    high=2.0 + 0.5 * 1.6448536269514722,
)
FILE = """{UTF-8}
Level = INTEG(Rate, 0) ~ thing ~ |
Rate = Base + Effect * Bonus ~ thing/year ~ |
Base = 3 ~ thing/year ~ |
Effect = 1 ~ thing/year ~ |
Bonus = 0 ~ Dmnl ~ |
INITIAL TIME = 0 ~ year ~ |
FINAL TIME = 10 ~ year ~ |
TIME STEP = 1 ~ year ~ |
SAVEPER = 1 ~ year ~ |
"""
DECLARED = """
schema = 2
[parameters.Effect]
prior = { family = "normal", mean = 1.0, sd = 0.5 }
[parameters.Base]
prior = { family = "normal", mean = 3.0, sd = 1.0 }
[measurements.level]
outcome = "Level"
scale = "level"
sd = 1.0
errors = { family = "normal", memory = "independent", known = true }
[evidence.bonus]
scenario = { changes = { Bonus = 1 } }
outcome = "Level"
measure = "difference"
after = [1, 1]
family = "normal"
centre = 10.0
low = 5.887865932621319
high = 14.11213406737868
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A model whose effect is seen in an experiment alone: the effect of a bonus is one year of `Effect` for each year.

    The level is read one year after the data end, five years after the bonus began.
    """
    folder = tmp_path_factory.mktemp("own")
    (folder / "bonus.mdl").write_text(FILE, encoding="utf-8")
    (folder / "bonus.toml").write_text(DECLARED, encoding="utf-8")
    return load_model(folder / "bonus.mdl")


@pytest.fixture(scope="module")
def table():
    return load_data({"time": [0, 1, 2, 3, 4], "level": [0.0, 3.2, 5.9, 9.1, 12.0]})


def test_the_experiment_of_an_own_model_has_a_closed_form(own, table):
    problem = Problem(own, table, free=["Base", "Effect"], evidence=True)
    effects = np.array([0.5, 1.0, 2.5])
    implied = problem.experiments.implied({"Base": np.full(3, 3.0), "Effect": effects}, 3)
    np.testing.assert_allclose(implied["bonus"], 5 * effects, rtol=1e-12)


def test_search_normal_approximation_and_weights_give_the_conjugate_posterior(own, table):
    """Prior 1 (.5) and 5 x effect measured as 10 with an error of 2.5: posterior 1.5 with variance 1/8."""
    alone = fit(Problem(own, table, free=["Base", "Effect"]))
    found = fit(Problem(own, table, free=["Base", "Effect"], evidence=True))
    assert alone.parameter("Effect").estimate == pytest.approx(1.0, abs=1e-6)
    assert found.parameter("Effect").estimate == pytest.approx(1.5, abs=1e-5)
    assert found.parameter("Base").estimate == pytest.approx(alone.parameter("Base").estimate, abs=1e-5)
    place = found.fitted.keys.index("Effect")
    assert found.fitted.covariance[place][place] == pytest.approx(1 / 8, rel=1e-4)
    reweighted = weigh(own, None, alone.fitted)
    drawn = np.array(reweighted.fitted.draws)[:, reweighted.fitted.keys.index("Effect")]
    error = np.sqrt(1 / 8 / reweighted.effective)
    assert drawn.mean() == pytest.approx(1.5, abs=3 * error)
    assert drawn.std() == pytest.approx(np.sqrt(1 / 8), rel=0.1)


def test_a_draw_is_taken_as_often_as_its_weight_says_to_within_one(own, table):
    reweighted = weigh(own, None, fit(Problem(own, table, free=["Base", "Effect"])).fitted)
    before, after = reweighted.before.draws, reweighted.fitted.draws
    taken = np.array([after.count(row) for row in before])
    assert len(set(before)) == len(before) == taken.sum()
    assert np.abs(taken - len(after) * reweighted.weights).max() < 1


def test_draws_taken_by_weights_keep_their_densities(own, table):
    problem = Problem(own, table, free=["Base", "Effect"])
    found = fit(problem)
    reweighted = weigh(own, None, sample(problem, found, 1000, seed=0).attached(found))
    rows = dict(zip(found.fitted.keys, np.array(reweighted.fitted.draws).T, strict=True))
    known = reweighted.fitted.densities(rows)
    np.testing.assert_allclose(known["bonus"], -0.5 * ((rows["Effect"] - 2.0) / 0.5) ** 2, atol=1e-6)
    points = np.column_stack([rows[key] for key in problem.space.keys])
    np.testing.assert_allclose(known["likelihood"], problem.log_likelihood_batch(points), atol=1e-6)


def test_the_sampler_and_the_weights_agree(own, table):
    problem = Problem(own, table, free=["Base", "Effect"], evidence=True)
    drawn = sample(problem, fit(problem), 1000, seed=0).draws
    place = problem.space.keys.index("Effect")
    assert drawn[:, place].mean() == pytest.approx(1.5, abs=0.05)
    assert drawn[:, place].std() == pytest.approx(np.sqrt(1 / 8), rel=0.1)


def test_evidence_counts_once_and_needs_draws_that_agree(own, table):
    used = fit(Problem(own, table, free=["Base", "Effect"], evidence=True)).fitted
    with pytest.raises(InvalidInput, match="count once"):
        weigh(own, None, used)
    alone = fit(Problem(own, table, free=["Base", "Effect"])).fitted
    few = replace(alone, draws=((3.0, 1.0),) * 300 + ((3.0, 1.1),) * 300)
    with pytest.raises(InvalidInput, match="only 2 of 600 draws"):
        weigh(own, None, few)
    with pytest.raises(UnknownName, match="no evidence 'bonu'"):
        weigh(own, None, alone, ["bonu"])


def test_the_log_posterior_falls_by_half_the_squared_distance(own, table):
    with_it = Problem(own, table, free=["Base", "Effect"], evidence=True)
    without = with_it.with_experiments(None)
    z = with_it.space.sample(np.random.default_rng(0), 5)
    effect = with_it.space.to_values(z)["Effect"]
    lost = without.log_posterior_batch(z) - with_it.log_posterior_batch(z)
    np.testing.assert_allclose(lost, 0.5 * ((5 * effect - 10) / 2.5) ** 2, rtol=1e-9)
    assert with_it.digest() != without.digest()


@pytest.fixture(scope="module")
def places(panel, model):
    """The shipped model on four provinces, two parameter vectors, and all its experiments."""
    parameters = {"c_S": np.array([8000.0, 4000.0]), "th_U": np.array([0.05, 0.1])}
    experiments = experiments_of(model.spec.evidence.values(), in_state(model, panel, ORIGIN, first_year=2014))
    return parameters, experiments.implied(parameters, 2)


def twin(panel, model, parameters, scenario, outcomes, extra=None):
    """One run of one scenario, draw by draw."""
    bound = RegionalModel(model=model, panel=panel, parameters=parameters)
    values = bound.values(bound.start(ORIGIN, 2014))
    changed = scenario_values([scenario], model, panel.regions, values, (ORIGIN, UNTIL), step=time_step(model))
    run = simulate(
        model, {**values, **changed, **(extra or {})}, start=ORIGIN, stop=UNTIL, save_every=1, outcomes=outcomes
    )
    return {name: run[name][0, 0] for name in outcomes}


def test_ratios_of_the_shipped_terms_are_those_of_single_runs(panel, model, places):
    parameters, implied = places
    read, course = ["Output", "Policy Budget"], model.spec.evidence["training"].scenario
    for draw in range(2):
        one = {key: values[draw] for key, values in parameters.items()}
        none = twin(panel, model, one, load_scenario("baseline", model=model), read)
        mixed = twin(panel, model, one, load_scenario("uniform_mean_mix", model=model), read)
        trained = twin(panel, model, one, load_scenario({"name": "course", **course}, model=model), read)
        rate = 1.03 ** -np.arange(17)
        gain = (mixed["Output"].sum(0) - none["Output"].sum(0)) * rate
        paid = mixed["Policy Budget"] * rate
        assert implied["mean_mix"][draw] == pytest.approx(gain[1:].sum() / paid[1:].sum(), rel=1e-10)
        gain = trained["Output"].sum(0) - none["Output"].sum(0)
        assert implied["training"][draw] == pytest.approx(
            0.55 * gain[3:6].mean() / trained["Policy Budget"].sum(), rel=1e-10
        )
        assert np.count_nonzero(trained["Policy Budget"]) == 1


def test_a_raise_follows_the_path_without_policy_ten_points_higher(panel, model, places):
    parameters, implied = places
    baseline = load_scenario("baseline", model=model)
    for draw in range(2):
        one = {key: values[draw] for key, values in parameters.items()}
        none = twin(panel, model, one, baseline, ["Output", "Connected People", "Population"])
        own, people = none["Connected People"], none["Population"]
        raised = np.minimum(own + 0.1 * people, np.maximum(0.99 * people, own))
        path = TimePath(times=np.arange(ORIGIN, UNTIL + 1.0), values=raised.T[:, None, None], interpolate="linear")
        more = twin(panel, model, one, baseline, ["Output"], {"Connected People": path})
        dose = (raised - own).sum(0) / people.sum(0) / 0.1
        percent = 100 * (more["Output"].sum(0) / none["Output"].sum(0) - 1) / dose
        assert implied["access"][draw] == pytest.approx(percent[5], rel=1e-10)
        assert implied["access_later"][draw] == pytest.approx(percent[10], rel=1e-10)


def test_what_is_above_the_ceiling_of_a_raise_stays_where_it_is(tmp_path):
    """Of two places only the one below the ceiling is raised, and the effect is that of all its people."""
    text = """{UTF-8}
Place: Full, Half ~~|
Reached[Place] = 1, 0.5 ~ Dmnl ~|
People[Place] = 1, 1 ~ Dmnl ~|
Rate[Place] = 3 * Reached[Place] ~ thing/year ~|
Level[Place] = INTEG(Rate[Place], 0) ~ thing ~|
INITIAL TIME = 0 ~ year ~|
FINAL TIME = 10 ~ year ~|
TIME STEP = 1 ~ year ~|
SAVEPER = 1 ~ year ~|
"""
    (tmp_path / "reach.mdl").write_text(text, encoding="utf-8")
    model = load_model(tmp_path / "reach.mdl")
    term = replace(
        MEASURED, scenario="", raises=Raise(variable="Reached", of="People", by=0.1, most=0.9), after=(2.0, 2.0)
    )
    runs = experiments_of([term], Beginning(model=model, values=lambda given, _: given, start=0, last=0))
    # Two years of 3 for each tenth that is added, over the share of all people that this is: .1 of one in two.
    np.testing.assert_allclose(runs.implied({}, 1)["bonus"], 2 * 3 * 0.1 / (0.1 / 2 / 0.1))


def test_terms_of_the_shipped_model_are_read_and_shown_ones_are_not_used(model):
    assert [item.key for item in terms_of(model)] == ["mean_mix", "access", "training"]
    assert model.spec.evidence["training_later"].after == (10, 14)


def test_a_weighed_fit_of_regions_moves_towards_what_was_measured(panel, model):
    found = fit(Problem(model, panel, free=["c_S", "eta_S", "th_U"], start=2019), starts=1)
    reweighted = weigh(model, panel, found.fitted)
    implied = experiments_of(terms_of(model), beginning_of(model, panel, reweighted.fitted))
    rows = dict(zip(found.fitted.keys, np.array(reweighted.fitted.draws).T, strict=True))
    after, term = implied.implied(rows, len(reweighted.fitted.draws))["training"], model.spec.evidence["training"]
    assert abs(np.median(after) - term.centre) < abs(np.median(reweighted.implied["training"]) - term.centre)
    assert reweighted.fitted.provenance["evidence"]["terms"] == ["mean_mix", "access", "training"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("low = 11.0", "centre: must lie between low and high"),
        ("after = [1]", "after: expected the first and last year"),
        ('family = "gamma"', "family: expected one of normal, lognormal"),
        ('scenario = ""', "scenario: is missing"),
        ('family = "normal"\ndirect = ["E16"]', r"direct: expected some of the rows; found \['E16'\]"),
    ],
)
def test_a_term_that_makes_no_sense_is_refused_by_name(tmp_path, change, told):
    (tmp_path / "bonus.mdl").write_text(FILE, encoding="utf-8")
    key = change.split(" = ")[0]
    head, mark, term = DECLARED.partition("[evidence.bonus]")
    lines = [change if line.startswith(f"{key} = ") else line for line in term.splitlines()]
    text = head + mark + "\n".join(lines)
    (tmp_path / "bonus.toml").write_text(text, encoding="utf-8")
    with pytest.raises(InvalidModel, match=f'evidence\\["bonus"\\].{told}'):
        load_model(tmp_path / "bonus.mdl")


@pytest.mark.parametrize("family", ["normal", "lognormal"])
def test_ninety_per_cent_of_what_is_drawn_lies_in_the_interval(family):
    term = replace(MEASURED, family=family, centre=2.5, low=0.8, high=8.0)
    drawn = term.drawn(2.5, np.random.default_rng(0), 20_000)
    inside = np.mean(np.abs(term.residuals(drawn)) < 1.6448536)
    assert inside == pytest.approx(0.9, abs=0.01)
    assert np.isneginf(replace(MEASURED, family="lognormal", low=0.8, high=8.0).residuals(np.array([-1.0])))


def test_findings_of_an_own_model_before_and_after_the_evidence(own, table, monkeypatch):
    """Implied is five times the effect: prior 5 (2.5), posterior without the term the same, with it 7.5 (1.77)."""
    monkeypatch.setattr("pysd_runner.evidence.findings.PRIOR_DRAWS", 4000)
    fitted = fit(Problem(own, table, free=["Base", "Effect"])).fitted
    found = findings(own, None, fitted)
    reach = 1.645 * np.array([2.5, 2.5, 5 / np.sqrt(8)])
    for stage, centre, half in zip(("prior", "posterior", "weighted"), (5.0, 5.0, 7.5), reach, strict=True):
        assert found.stages[stage].interval("bonus") == pytest.approx((centre, centre - half, centre + half), abs=0.35)
    # The prior predictive has the standard deviation 2.5 sqrt(2), and the centre 10 lies 1.41 of them away.
    assert found.conflict("bonus") == pytest.approx(0.157, abs=0.03)
    with pytest.raises(InvalidInput, match="priors in its fit alone"):
        findings(own, None)


def test_training_money_is_followed_over_years(panel, model, monkeypatch):
    monkeypatch.setattr("pysd_runner.evidence.findings.PRIOR_DRAWS", 6)
    monkeypatch.setattr("pysd_runner.evidence.findings.FOLLOWED", 3)
    found = findings(model, panel)
    assert set(found.stages) == {"prior"}
    (lasting,) = found.lasting
    assert (np.diff(lasting.left, axis=1) < 0).all()
    assert set(lasting.gains) == {(), ("th_U",), ("c1",), ("th_U", "c1")}
    early = [AFTER.index(year) for year in (1, 2, 3)]
    own = found.stages["prior"].implied
    np.testing.assert_allclose(0.55 * lasting.gains[()][:, early].mean(axis=1), own["training"][:3])
    np.testing.assert_allclose(lasting.late_to_early[()], (own["training_later"] / own["training"])[:3])


@pytest.mark.parametrize("step", ["1", "0.25"])
def test_a_return_depends_neither_on_the_step_nor_on_other_terms(tmp_path, step):
    """A bonus of one year, the second after the data: it costs 2, and leaves the level higher by `Effect`."""
    text = FILE.replace("Bonus = 0", "Money = 2 * Bonus ~ yuan/year ~ |\nBonus = 0")
    text = text.replace("TIME STEP = 1 ", f"TIME STEP = {step} ").replace("SAVEPER = 1 ", f"SAVEPER = {step} ")
    term = DECLARED.partition("[evidence.bonus]")[2].replace('"difference"', '"return"') + 'money = "Money"\n'
    term = term.replace("{ Bonus = 1 }", "{ Bonus = { 0 = 0, 5 = 1, 6 = 0 } }").replace(
        "after = [1, 1]", "after = [2, 2]"
    )
    later = term.replace("after = [2, 2]", "after = [6, 6]").replace("centre = ", "use = false\ncentre = ")
    head = DECLARED.partition("[evidence.bonus]")[0]
    (tmp_path / "bonus.mdl").write_text(text, encoding="utf-8")
    (tmp_path / "bonus.toml").write_text(f"{head}[evidence.bonus]{term}[evidence.later]{later}", encoding="utf-8")
    model = load_model(tmp_path / "bonus.mdl")
    runs = experiments_of(
        model.spec.evidence.values(), Beginning(model=model, values=lambda given, _: given, start=0, last=4)
    )
    implied = runs.implied({"Effect": np.array([1.0, 3.0])}, 2)
    for key in ("bonus", "later"):
        np.testing.assert_allclose(implied[key], [1 / 2, 3 / 2], rtol=1e-9)

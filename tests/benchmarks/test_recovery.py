"""Parameters are recovered from panels simulated with known ones: a small version of the benchmark, and its tests."""

import json

import numpy as np
import pytest
from scipy.special import ndtr, ndtri
from scipy.stats import binom

from benchmarks.coverage import coverage, holm, judge, table
from benchmarks.recovery import Setting, main, recover, recovered, report, template
from benchmarks.simulated import simulated_panel

SMALL = Setting(regions=4, years=6, errors="known", draws=1000, steps=50)
PANELS = 12


@pytest.fixture(scope="module")
def panels():
    return recovered(SMALL, PANELS)


def test_truths_lie_where_the_posterior_says(panels):
    """Wide for twelve panels, and still too narrow for intervals half as wide as they should be."""
    assert not [item.problem for item in panels if item.problem]
    ranks = np.array([item.sampled for item in panels])
    # Parameters of one panel are nearly independent under the prior they were drawn from.
    low, high = binom.ppf([0.0005, 0.9995], ranks.size, 0.8) / ranks.size
    assert low < np.mean(np.abs(2 * ranks - 1) < 0.8) < high
    narrow = ndtr(2 * ndtri(np.clip(ranks, 1e-9, 1 - 1e-9)))
    assert np.mean(np.abs(2 * narrow - 1) < 0.8) < low
    # What the panel settles is found, not only covered.
    place = panels[0].keys.index("q_a")
    truth, found = (np.log([getattr(item, name)[place] for item in panels]) for name in ("truth", "estimate"))
    assert np.corrcoef(truth, found)[0, 1] > 0.9


def test_a_panel_is_the_same_whoever_makes_it(panels):
    again = recover(3, SMALL)
    assert (again.truth, again.sampled) == (panels[3].truth, panels[3].sampled)


def test_an_interrupted_run_goes_on(tmp_path, panels):
    kept = tmp_path / "kept.jsonl"
    first = recovered(SMALL, 2, kept=kept)
    lines = kept.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2
    damaged = json.loads(lines[0])
    damaged["panel"]["seconds"] = 1234.5
    kept.write_text("\n".join([json.dumps(damaged), lines[1]]) + "\n", encoding="utf-8")
    second = recovered(SMALL, 3, kept=kept)
    assert [item.number for item in second] == [0, 1, 2]
    assert second[0].seconds == 1234.5
    assert second[1] == first[1]
    assert second[2].sampled == panels[2].sampled


def test_the_command_prints_tables_and_writes_numbers(tmp_path, capsys):
    target = tmp_path / "numbers.json"
    arguments = ["--panels", "1", "--regions", "4", "--years", "6", "--errors", "estimated", "--processes", "1"]
    main([*arguments, "--steps", "100", "--json", str(target)])
    shown = capsys.readouterr().out
    assert "1 panels of 4 regions and 6 years" in shown
    assert "pooled coverage within 48-52 %, 78-82 %, 94-96 %" in shown
    record = json.loads(target.read_text(encoding="utf-8"))
    assert set(record["methods"]) == {"normal", "sampled"}
    assert record["panels"][0]["number"] == 0


def test_a_simulated_panel_without_errors_leaves_no_residuals():
    class Silent(np.random.Generator):
        def standard_normal(self, size=None, *_, **__):
            return np.zeros(size)

    from calibration.problem import CalibrationProblem

    model, start, keys = template(4, 6)
    truth = {"q_a": 0.5, "tau_m": 1.0, "lambda_s": 1.2}
    panel = simulated_panel(model, start, 6, truth, Silent(np.random.PCG64(0)))
    problem = CalibrationProblem(model, panel, first_year=2014, free=keys)
    central = dict(zip(problem.space.keys, problem.space.medians.tolist(), strict=True))
    known = {key: model.spec.parameters[key].value for key in keys}
    point = problem.space.to_vector(central | known | truth)
    for series, left in zip(problem.series, problem.raw_residuals(point), strict=True):
        # Two indicators of one share keep the distance they were observed with in the first year.
        start = left[:, :1] if series.measurement == "access" else 0.0
        assert np.nanmax(np.abs(left - start)) < 1e-9


def test_uniform_ranks_pass_and_wrong_ones_are_named():
    rng = np.random.default_rng(3)
    ranks = rng.uniform(size=(400, 5))
    keys = ["a", "b", "c", "d", "e"]
    assert judge(keys, ranks).holds
    narrow = ranks.copy()
    narrow[:, 1] = ndtr(1.5 * ndtri(ranks[:, 1]))
    found = judge(keys, narrow)
    assert {key for key, _ in found.wrong_coverage} == {"b"}
    assert found.wrong_ranks == ("b",)
    lines = table(found)
    assert any(line.startswith("b ") and "*" in line for line in lines)
    shifted = ranks.copy()
    shifted[:, 4] = ndtr(ndtri(ranks[:, 4]) + 0.5)
    assert judge(keys, shifted).wrong_ranks == ("e",)
    all_narrow = judge(keys, ndtr(1.2 * ndtri(ranks)))
    assert all_narrow.outside == (0.5, 0.8, 0.95)
    assert "FAILS at 50 %, 80 %, 95 %" in "\n".join(table(all_narrow))


def test_p_values_are_those_of_the_binomial_distribution():
    ranks = np.concatenate([np.full(30, 0.5), np.full(10, 0.01)])
    found = coverage("a", ranks)
    assert found.covered == {0.5: 0.75, 0.8: 0.75, 0.95: 0.75}
    # By hand: every count no likelier than 30 of 40 at one half.
    probabilities = binom.pmf(np.arange(41), 40, 0.5)
    exact = probabilities[probabilities <= probabilities[30] * (1 + 1e-7)].sum()
    assert found.binomial[0.5] == pytest.approx(exact, rel=1e-9)


def test_holm_steps_down():
    assert holm([0.01, 0.02, 0.03, 0.2]) == [True, False, False, False]
    assert holm([0.2, 0.001, 0.017, 0.02]) == [False, True, False, False]
    assert holm([0.001, 0.002, 0.003]) == [True, True, True]


def test_panels_that_fail_are_counted(panels):
    from dataclasses import replace

    lines, record = report(SMALL, [*panels, replace(panels[0], number=99, problem="SimulationFailed: not finite")])
    assert "13 panels" in lines[0]
    assert "1 could not be used" in lines[0]
    assert any("panel 99: SimulationFailed" in line for line in lines)
    assert record["methods"]["normal"]["rows"][0]["panels"] == PANELS

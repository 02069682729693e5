"""The benchmark of one posterior: its distances are those of the definition, and it prints what it promises."""

import numpy as np
import pytest

from benchmarks import posterior as module
from benchmarks.posterior import DEFINITIONS, far_from_history, fits, levels, main, misses
from calibration.uncertainty import fitted_point
from pysd_runner.model import load_model
from pysd_runner.panel import load_data


@pytest.fixture(scope="module")
def panel():
    whole = load_data("china")
    return whole.subset(entities=whole.codes[::7])


@pytest.fixture(scope="module")
def made(panel):
    return fits(load_model("regional_digital", regions=len(panel.regions)), panel, 1)


def test_three_calibrations_are_compared(made):
    assert [item.name for item in made] == [*DEFINITIONS, "first version"]
    assert [len(item.problem.space) for item in made] == [59, 59, 13]
    labels = [{series.measurement for series in item.problem.series} for item in made]
    assert labels[0] == labels[1] == labels[2] | {"skill_level"}
    # The higher the survey, the higher the level that is found.
    without, intermediate, basic = (item.level("National Skill Share", 2023) for item in (made[2], made[0], made[1]))
    assert without < intermediate < basic


def test_the_anchor_is_taken_out_of_the_likelihood(made):
    item = made[0]
    at = fitted_point(item.problem, item.result)
    whole = at.problem.log_likelihood_batch(at.point[None])[0]
    apart = at.problem.raw_residuals(at.point)[-1][0, at.problem.years.index(2023)]
    own = -0.5 * (apart / 0.04) ** 2 - np.log(0.04) - 0.5 * np.log(2 * np.pi)
    assert item.others == pytest.approx(whole - own, rel=1e-12)
    assert made[2].others == pytest.approx(
        fitted_point(made[2].problem, made[2].result).problem.log_likelihood_batch(
            fitted_point(made[2].problem, made[2].result).point[None]
        )[0]
    )


def test_distances_from_history_are_root_mean_squares(made):
    at = fitted_point(made[0].problem, made[0].result)
    z = np.stack([at.point, at.point + 0.3 * at.spread])
    every, access = misses(at.problem, z)
    for row in range(2):
        squares = [
            ((raw[item.used] / at.problem.noise[item.label].total_sd) ** 2).tolist()
            for item, raw in zip(at.problem.series, at.problem.raw_residuals(z[row]), strict=True)
        ]
        assert every[row] == pytest.approx(np.sqrt(np.mean(np.concatenate(squares))), rel=1e-9)
        simulated = levels(at.problem, z[row : row + 1], "National Access Share")[0, 1:]
        observed = [at.problem.panel.national["internet_penetration"][year] for year in at.problem.years[1:]]
        assert access[row] == pytest.approx(np.sqrt(np.mean((simulated - observed) ** 2)), rel=1e-9)


def test_draws_of_one_posterior_stay_nearer_to_history(made):
    former, joint = (far_from_history(made[0].problem, item, 200, 0)[1] for item in (made[2], made[0]))
    assert joint < former
    assert far_from_history(made[0].problem, made[0], 200, 0)[1] == joint


def test_the_command_prints_everything(monkeypatch, capsys, panel):
    monkeypatch.setattr(module, "load_data", lambda *_, **__: panel.subset(times=range(2014, 2025)))
    monkeypatch.setattr(module, "sample_at", lambda at, draws: _short(at, draws))
    assert main(["--starts", "1", "--draws", "40", "--sampler"]) == 0
    shown = capsys.readouterr().out
    for text in (
        *DEFINITIONS,
        "first version",
        "over that of thirteen",
        "all parameters together: ",
        "sampler: largest",
    ):
        assert text in shown


def _short(at, draws):
    from calibration.uncertainty import sample_at

    return sample_at(at, draws, steps=20)

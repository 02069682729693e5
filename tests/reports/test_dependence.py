"""What the answer depends on, in results of a model of one's own and of regions, in both languages."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pysd_runner.policy.dependence import dependence
from pysd_runner.reports.depends import carried_clause, dependence_parts
from pysd_runner.spec import Normal
from tests.study.models import SIR, infections, made

COUNT = 2000


@pytest.fixture(scope="module")
def found():
    """Two policies, one of which depends on the cost of a place in training; the other parameter decides nothing."""
    rng = np.random.default_rng(1)
    drawn = {"c_S": rng.normal(size=COUNT), "eta_S": rng.normal(size=COUNT)}
    effects = np.stack([2.0 - drawn["c_S"], np.full(COUNT, 1.9)], axis=1)
    priors = dict.fromkeys(drawn, Normal(0.0, 1.0))
    need = rng.uniform(size=COUNT) < 0.97
    densities = {"likelihood": -(drawn["c_S"] ** 2), "training": -(drawn["eta_S"] ** 2)}
    return dependence(["zoned_need", "other"], effects, drawn, priors, need=need, densities=densities, digit=0.1)


@pytest.mark.parametrize(
    ("lang", "moved"), [("en", "standard deviation of its prior higher"), ("zh", "高一个先验标准差")]
)
def test_the_section_names_the_parameter_that_carries_a_statement(projection, found, lang, moved):
    heading, statements, table, note = dependence_parts(projection, found, "the policy", lang)
    labels = [row[0] for row in table.rows]
    assert len(statements.items) == len(found.shares) == 3
    assert len(table.header) == len(table.rows[0]) == 6
    assert len(set(labels)) == 4  # two priors, the series and one measured effect
    clause = carried_clause(projection, found, "within", lang)
    assert labels[0] in clause
    assert moved in clause
    assert clause in statements.items[1]
    assert carried_clause(projection, found, "need", lang) == ""
    assert carried_clause(projection, None, "need", lang) == ""
    assert heading.text
    assert note.text


def test_what_knowing_is_worth_is_told_where_there_are_draws_for_it(projection, found):
    table = next(part for part in dependence_parts(projection, found, "it", "en") if hasattr(part, "rows"))
    worth = [row[-1] for row in table.rows]
    row = found.sources.loc["c_S"]
    assert worth[0] == f"{row['value']:.2g} ± {row['value_error']:.2g}"
    assert worth[1] == "none seen"
    few = replace(found, sources=found.sources.assign(value=np.nan))
    table = next(part for part in dependence_parts(projection, few, "it", "en") if hasattr(part, "rows"))
    assert table.rows[0][-1] == "needs 1,000 simulations"


def test_results_of_a_model_of_ones_own_have_the_table(tmp_path, monkeypatch, one_figure):
    from pysd_runner.cli import main

    monkeypatch.chdir(tmp_path)
    seen = infections(made(tmp_path, SIR, unit="day", stop=60)).by_time("infected")
    noisy = seen * np.exp(0.3 * np.random.default_rng(3).normal(size=len(seen)))
    noisy.iloc[:8].rename("infected").rename_axis("day").to_csv("obs.csv")
    (tmp_path / "mine.toml").write_text('schema = 2\n[outcomes.Infected]\nbetter = "lower"\n')
    (tmp_path / "distance.yaml").write_text('name: distance\nchanges: {"Contact Rate": "x0.97"}\n')
    (tmp_path / "treat.yaml").write_text('name: treat\nchanges: {"Duration": "x0.99"}\n')
    given = ["--model", "mine.mdl", "--out"]
    main(["calibrate", "obs.csv", "--starts", "1", "--without", "profiles", *given, "ofit"])
    main(["run", "distance.yaml", "treat.yaml", "--fit", "ofit", "--data", "obs.csv", "--draws", "400", *given, "res"])
    table = pd.read_csv("res/hangs_on.csv").set_index("source")
    assert set(table.index) <= {"Contact Rate", "Infectivity", "Duration", "Population", "Initial Infected"}
    assert table["effective"].gt(0).all()
    assert table[["within_low", "within_high"]].stack().between(0, 1).all()
    assert "## What the answer depends on" in (tmp_path / "res" / "summary.md").read_text("utf-8")

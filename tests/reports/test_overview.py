"""What the screen says equals what plain loops over the draws give."""

import dataclasses
import re

import numpy as np
import pytest
from scipy import stats

from pysd_runner.core.numbers import interval, written
from pysd_runner.policy.ranking import answer, quantile_error, tail_effective_size
from pysd_runner.reports.document import aligned
from pysd_runner.reports.evidence import declarations_of, evidence_lines, foreign_costs, implausible
from pysd_runner.reports.headline import any_of, headline_lines, label_of, odds, three_sentences, with_need
from pysd_runner.reports.results import (
    aim_table,
    best_lines,
    grouping_lines,
    how_made,
    level_table,
    overview,
    policy_table,
    split_table,
)
from pysd_runner.scenarios import load_scenario, with_comparisons
from pysd_runner.scenarios.crossing import distinct, two_by_two
from pysd_runner.study.projection import project
from pysd_runner.text import width


def national_gaps(projection, scenario, year):
    """Gap of the nation to the leading region, one number a draw, by a plain loop."""
    data = projection.data.sel(scenario=scenario, year=year)
    found = []
    for draw in range(data.sizes["draw"]):
        output = [float(value) for value in data["output"].isel(draw=draw)]
        people = [float(value) for value in data["population"].isel(draw=draw)]
        leader = max(y / p for y, p in zip(output, people, strict=True))
        found.append(1 - sum(output) / sum(people) / leader)
    return np.array(found)


def test_levels_are_those_of_a_plain_loop(projection):
    frame = level_table(projection).set_index(["scenario", "variable", "class"])
    start, end = (national_gaps(projection, "zoned_need", year) for year in (2024, 2028))
    row = frame.loc[("zoned_need", "national_gap", "")]
    assert row["start"] == pytest.approx(np.median(start), rel=1e-12)
    assert row["end_p50"] == pytest.approx(np.median(end), rel=1e-12)
    assert row["change_p95"] == pytest.approx(np.quantile(end - start, 0.95), rel=1e-12)
    assert row["probability_falls"] == np.mean(end < start)
    assert set(frame.index.get_level_values("variable")) == {"national_gap", "theil", "sigma", "class_gap"}


@pytest.fixture(scope="module")
def compared(model, panel, projection):
    first = load_scenario("zoned_need", model=model)
    cast = distinct(with_comparisons([first, *two_by_two(first, model=model)], model=model))
    settings = {"bounds": (2024, 2028), "draws": 5, "seed": 3}
    return answer(model, panel, cast, {"": None}, None, **settings)


def test_the_screen_shows_the_numbers_of_a_plain_loop(projection, compared):
    data = projection.data.isel(year=-1)
    closed = []
    start = projection.data.isel(year=0, scenario=0, draw=0)
    heads = [float(y / p) for y, p in zip(start["output"], start["population"], strict=True)]
    mean = float(start["output"].sum() / start["population"].sum())
    laggards = [place for place, head in enumerate(heads) if head < mean]
    for draw in range(5):
        gaps = []
        for scenario in ("baseline", "zoned_need"):
            here = data.sel(scenario=scenario).isel(draw=draw)
            output, people = here["output"].to_numpy(), here["population"].to_numpy()
            nation = np.log(output.sum() / people.sum())
            gaps.append(np.mean([nation - np.log(output[place] / people[place]) for place in laggards]))
        closed.append(100 * (gaps[0] - gaps[1]))
    low, middle, high = map(float, np.quantile(closed, [0.05, 0.5, 0.95]))
    shown = f"{written(middle, 1)} ({interval(low, high, 1)})"
    assert shown in {row[2] for row in policy_table(projection, compared, "en").rows}
    assert "not a forecast" in " ".join(projection.warnings)


def test_ends_are_rounded_to_their_monte_carlo_error(projection, compared):
    """With five draws the errors are large: the ends show no digit that another seed would change at once."""
    large = dataclasses.replace(compared.main, effects=10 * compared.main.effects)
    compared = dataclasses.replace(compared, comparisons={"": large})
    row = large.table().loc["zoned_need"]
    low, high = (row[f"gap_closed_{end}_error"] for end in ("p05", "p95"))
    assert max(low, high) > 0.1
    told = interval(row["gap_closed_p05"], row["gap_closed_p95"], 1, (low, high))
    assert told != interval(row["gap_closed_p05"], row["gap_closed_p95"], 1)
    assert any(f"({told})" in row[2] for row in policy_table(projection, compared, "en").rows)
    how = how_made(projection, compared, "en")
    assert f"have Monte Carlo errors of {written(low, 2)} and {written(high, 2)} (tail effective size 4)" in how
    assert how in " ".join(overview(projection, compared)).replace("  ", " ")


def test_tail_effective_sizes_are_those_of_theory():
    """For AR(1) walkers with memory r the share below a quantile is remembered as the bivariate normal says."""
    rng = np.random.default_rng(0)
    walkers, steps, memory = 400, 60, 0.7
    x = np.empty((walkers, steps))
    x[:, 0] = rng.normal(size=walkers)
    for step in range(1, steps):
        x[:, step] = memory * x[:, step - 1] + rng.normal(size=walkers) * np.sqrt(1 - memory**2)
    score = stats.norm.ppf(0.05)
    lags = [stats.multivariate_normal(cov=[[1, memory**k], [memory**k, 1]]).cdf([score, score]) for k in range(1, 30)]
    inflation = 1 + 2 * sum((both - 0.0025) / 0.0475 * (1 - k / steps) for k, both in enumerate(lags, 1))
    found = tail_effective_size(x.ravel(), np.repeat(np.arange(walkers), steps))
    assert found == pytest.approx(x.size / inflation, rel=0.15)
    # Draws that know nothing of each other count in full, and so do constant ones.
    assert tail_effective_size(x[:, 0], np.arange(walkers)) == pytest.approx(walkers, rel=0.01)
    assert tail_effective_size(np.ones(walkers), np.arange(walkers)) == walkers


def test_errors_of_quantiles_are_their_spread_over_repetitions():
    rng = np.random.default_rng(1)
    samples = np.exp(0.5 * rng.normal(size=(2000, 2500)))
    for level in (0.05, 0.95):
        found = np.mean([quantile_error(row, level, 2500.0) for row in samples[:200]])
        assert found == pytest.approx(np.quantile(samples, level, axis=1).std(), rel=0.08)


def test_a_fit_that_misses_its_anchor_is_told(projection, compared):
    missed = {"measurement": "skill_level", "year": 2023, "observed": 0.866, "fitted": 0.700}
    definitions = ("digital_skill_intermediate", "digital_skill_basic")
    found = dataclasses.replace(
        compared,
        comparisons=dict.fromkeys(definitions, compared.main),
        misses={"digital_skill_intermediate": (), "digital_skill_basic": (missed,)},
    )
    first = headline_lines(projection, found)[1]
    told = "The fit with basic digital skills misses the share of internet users with digital skills that it is tied to"
    assert first == f"{told}, 0.70 against 0.87 surveyed in 2023."
    assert "misses" not in headline_lines(projection, compared)[1]


def test_money_by_need_comes_first_unless_it_is_not_better(projection, compared):
    start = "Most robust: given by need rather than per head, the money of the mean mix does better by all 8 measures"
    assert headline_lines(projection, compared)[0].startswith(start)
    worse = compared.main.effects.copy(deep=True)
    worse["sigma_closed"].loc[{"scenario": "uniform_mean_mix_by_need"}] = -9.0
    found = dataclasses.replace(compared, comparisons={"": dataclasses.replace(compared.main, effects=worse)})
    assert not any("Most robust" in line for line in headline_lines(projection, found))


def test_it_says_how_many_policies_keep_the_constraints(projection, compared):
    limits = compared.main.limits.assign(
        keeps_constraints=False,
        keeps_region_change=True,
        keeps_output_change=True,
        keeps_leader_change=False,
        worse_off="110000",
        share_worse_off=0.6,
    )
    mean = limits.index == "uniform_mean_mix"

    def with_limits(**columns):
        main = dataclasses.replace(compared.main, limits=limits.assign(**columns))
        return dataclasses.replace(compared, comparisons={"": main})

    text = " ".join(headline_lines(projection, with_limits(keeps_with_tolerance=mean)))
    assert "Of 4 policies compared 0 keep the default constraints of `gapsim optimise`" in text
    assert "`gapsim optimise --start zoned_need` searches for one that keeps them." in text
    assert "most often worse off ends so in 60 to 60 % of the simulations (Beijing under 4 of them)." in text
    assert "Most often broken: that the leader is not held back on average (by 4)." in text
    assert "5 % of each region's own output tolerated, 1 would keep them." in text
    assert "Of these choose “Mean mix, per head”" in text
    every = with_limits(keeps_constraints=True)
    text = " ".join(headline_lines(projection, every))
    assert "Most often broken" not in text
    assert f"Of these choose {any_of(projection, every, every.main.chosen.members, 'en')}" in text
    few = " ".join(headline_lines(projection, with_limits(keeps_constraints=mean, keeps_with_tolerance=False)))
    assert "Of these choose" not in few
    assert "searches for one" not in few
    table = policy_table(projection, with_limits(keeps_constraints=mean), "en")
    place = table.header.index("constraints kept")
    assert {row[place] for row in table.rows if row[0] == "Mean mix, per head"} == {"yes"}


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_part_of_the_aim_has_its_columns_or_is_said_to_have_none(projection, compared, lang):
    table, spec = aim_table(projection, compared, lang), declarations_of(projection)
    effects = compared.main.effects
    keys = [key for aim in spec.aims.values() for key in aim.outcomes]
    assert len(table.header) == len(keys) + 2
    for key, title in zip(keys, table.header[1:], strict=False):
        item = spec.regional_outcomes.get(key)
        assert item is None or title.startswith(getattr(item, lang))
        values = effects[key].sel(scenario="zoned_need").to_numpy()
        row = next(row for row in table.rows if row[0] == label_of(projection, compared, "zoned_need", lang))
        if key != "gap_closed":
            assert written(float(np.median(values)), 1) in row[1 + keys.index(key)]
        improved = [
            all(float(effects[name].sel(scenario="zoned_need")[draw]) > 0 for name in keys) for draw in range(5)
        ]
        assert row[-1] == f"{100 * sum(improved) / 5:.0f} %"
    nothing = {"en": "(nothing in this model stands for it)", "zh": "（本模型中没有与之对应的量）"}[lang]
    assert table.caption.count(nothing) == 1
    assert getattr(spec.aims["comparative_advantage"], lang) + nothing.replace("(", " (") in table.caption
    assert all(getattr(aim, lang) in table.caption for aim in spec.aims.values())


def chosen_by_hand(values, own, delta):
    """Members of the set of one column, the largest mean first; every sum is a loop over draws."""
    count = len(next(iter(values.values())))

    def mean(column):
        return sum(column) / count

    def error(column):
        return (sum((value - mean(column)) ** 2 for value in column) / (count - 1) / count) ** 0.5

    finite = [name for name, column in values.items() if all(np.isfinite(column))]
    candidates = [name for name in finite if np.median(own[name]) >= 0]
    if not any(
        mean(values[name]) > 2 * error(values[name]) or sum(value > 0 for value in values[name]) >= 0.66 * count
        for name in candidates
    ):
        return []
    first = max(candidates, key=lambda name: mean(values[name]))
    delta = max(0.1 * mean(values[first]), 0.05) if delta is None else delta
    near = {}
    for name in candidates:
        lost = [one - other for one, other in zip(values[first], values[name], strict=True)]
        if mean(lost) <= delta + 2 * error(lost):
            near[name] = mean(values[name])
    return sorted(near, key=near.get, reverse=True)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("delta", [None, 3.0])
def test_the_best_by_each_outcome_are_those_of_the_rule_applied_by_hand(projection, compared, lang, delta, monkeypatch):
    spec = declarations_of(projection)
    keys = [key for aim in spec.aims.values() for key in aim.outcomes]
    keys += ["laggards_change", "benefit_cost_present"]
    names, rng = list(compared.main.scenarios), np.random.default_rng(4)
    drawn = compared.main.effects.isel(draw=np.arange(40) % 5).assign_coords(draw=np.arange(40))
    for key in keys:
        size = {"mobility_change": -5.0, "laggards_change": 2.0}.get(key, 4.0)
        drawn[key] = drawn[key] * 0 + size + rng.normal(size=(len(names), 1)) + rng.normal(size=(len(names), 40)) / 4
    # The best by services levels down, and one policy costs nothing, so that its output per money is not finite.
    worst = names[int(drawn["services_closed"].mean("draw").to_numpy().argmax())]
    drawn["laggards_change"].loc[{"scenario": worst}] = -1.0
    free = names[int(drawn["benefit_cost_present"].mean("draw").to_numpy().argmax())]
    drawn["benefit_cost_present"].loc[{"scenario": free, "draw": 7}] = np.inf
    monkeypatch.setattr("pysd_runner.reports.headline.MOST_NAMED", 2)
    counts = []
    for effects in (drawn, compared.main.effects):
        main = dataclasses.replace(compared.main, effects=effects, delta=delta)
        found = dataclasses.replace(compared, comparisons={"": main})
        lines = list(best_lines(projection, found, lang))
        assert len(lines) == len(keys) == 7
        for key, line in zip(keys, lines, strict=True):
            columns, own = (
                {name: effects[item].sel(scenario=name).to_numpy().tolist() for name in names}
                for item in (key, "laggards_change")
            )
            expected = chosen_by_hand(columns, own, delta if key == "gap_closed" else None)
            labels = [label_of(projection, found, name, lang) for name in expected]
            shown = re.findall("“([^”]*)”", line)
            assert shown == labels[: 1 if len(labels) > 2 else 2], key
            rest = {"en": f"or {len(expected) - 1} others", "zh": f"另外 {len(expected) - 1} 项"}[lang]
            assert (rest in line) == (len(expected) > 2)
            none = {"en": "none helps visibly", "zh": "没有一项有明显改善"}[lang]
            assert (none in line) == (not expected)
            item = spec.regional_outcomes.get(key)
            assert item is None or getattr(item, lang) in line
            counts.append(len(expected))
    assert set(counts) >= {0, 1, 2, 3}


@pytest.mark.parametrize(("lang", "words"), [("en", "South over North: "), ("zh", "南方人均产出在最后观测年比北方高")])
def test_the_south_and_the_north_have_a_sentence(compared, panel, lang, words):
    (line,) = grouping_lines(compared.main, lang)
    assert line.startswith(words)
    south = [dict(region.groupings)["north_south"] == "South" for region in panel.regions]
    heads = []
    for wanted in (True, False):
        own = [place for place, is_south in enumerate(south) if is_south == wanted]
        heads.append(sum(panel.array("output")[own, -1]) / sum(panel.array("population")[own, -1]))
    assert f"{100 * (heads[0] / heads[1] - 1):.0f}" in re.findall(r"[\d.]+", line)
    needs = [name for name, item in compared.main.scenarios.items() if item.policy.redistribution == 1]
    closed = compared.main.effects["north_south_gap_closed"].sel(scenario=needs).median("draw")
    assert interval(float(closed.min()), float(closed.max()), 1) in line
    others = [name for name in compared.main.scenarios if name not in needs]
    rest = {name: compared.main.scenarios[name] for name in others}
    (line,) = grouping_lines(dataclasses.replace(compared.main, scenarios=rest), lang)
    assert {"en": f"the {len(others)} policies compared", "zh": f"参与比较的 {len(others)} 项政策"}[lang] in line


def test_at_most_ten_sentences_in_both_languages(projection, compared):
    for lang in ("en", "zh"):
        lines = headline_lines(projection, compared, lang=lang)
        assert 4 <= len(lines) <= 10
        if lang == "zh":
            assert all("一" <= line[0] <= "鿿" for line in lines if line[0].isalpha())


def test_columns_line_up_in_both_languages(projection, compared):
    for lang in ("en", "zh"):
        table = policy_table(projection, compared, lang)
        lines = aligned([table.header, *table.rows])
        assert len({width(line) for line in lines}) == 1
        assert table.rows[0][0] in lines[1]


def test_the_split_sums_to_the_effect(projection, compared):
    main = compared.main
    values = {name: main.effects["gap_closed"].sel(scenario=name).to_numpy() for name in main.scenarios}
    table = split_table(projection, compared, "zoned_need", "en")
    header, rows = table.header, table.rows
    assert [row[0] for row in rows] == ["who gets the money", "what it is spent on", "interaction", "total"]
    who = values["uniform_mean_mix_by_need"] - values["uniform_mean_mix"]
    what = values["zoned_need_per_head"] - values["uniform_mean_mix"]
    both = values["zoned_need"] - values["uniform_mean_mix"]
    assert rows[0][1].startswith(written(float(np.median(who)), 2))
    assert rows[2][1].startswith(written(float(np.median(both - who - what)), 2))
    assert header[1] == "beyond the mean mix per head, %"


def test_what_is_implausible_is_said(projection, compared):
    spec = declarations_of(projection)
    narrow = {"output_change": dataclasses.replace(spec.plausible["output_change"], lower=-0.001, upper=0.0)}
    found = list(implausible(compared.main, dataclasses.replace(spec, plausible=narrow), "en"))
    assert len(found) == 1
    assert "national output against no policy" in found[0]
    wide = {"output_change": dataclasses.replace(spec.plausible["output_change"], lower=-99, upper=99)}
    (line,) = implausible(compared.main, dataclasses.replace(spec, plausible=wide), "en")
    assert "0 of 4 outside −99.0 … 99.0." in line


def test_one_draw_says_nothing_about_uncertainty(model, panel):
    single = project(model, panel, ["zoned_need"], until=2026, draws=1)
    first = load_scenario("zoned_need", model=model)
    cast = distinct(with_comparisons([first, *two_by_two(first, model=model)], model=model))
    found = answer(model, panel, cast, {"": None}, None, bounds=(2024, 2026), draws=1, seed=0)
    lines = overview(single, found)
    assert "One run at central values: it says nothing about uncertainty." in " ".join(lines)


def test_it_says_how_much_is_data(projection):
    text = " ".join(evidence_lines(projection))
    assert "the starting state of 2024 alone; no parameter was calibrated" in text
    spread = {"contraction": [0.9, 0.6, 0.1, 0.0, None], "panel": "china", "first_year": 2014, "last_year": 2024}
    fitted = dataclasses.replace(projection, provenance={**projection.provenance, "fitted": spread})
    text = evidence_lines(fitted)[0]
    assert text.startswith(
        "data: 5 uncertain parameters were calibrated together to Provinces of mainland China, 2014-2024"
    )
    assert "more than half of the prior variance from 2 of them" in text
    assert all(any("\u4e00" <= letter <= "\u9fff" for letter in line) for line in evidence_lines(fitted, lang="zh"))


@pytest.mark.parametrize(
    ("money", "rate", "converted", "told"),
    [
        ("Yuan/Year", 1.0, {}, ""),
        ("Euro/Year", 1.0, {}, "ONE Euro COUNTS AS ONE YUAN"),
        ("Euro/Year", 7.8, {}, "7.8 yuan for one Euro"),
        ("Yuan/Year", 1.0, {"yuan_per_unit": 7.8}, "7.8 yuan for one unit of the panel's money"),
        ("currency/Year", 1.0, {}, ""),  # Chinese provinces by their codes
    ],
)
def test_costs_of_another_country_are_said(projection, money, rate, converted, told):
    record = {**projection.provenance}
    record["settings"] = record["settings"] | {"yuan_per_unit": rate}
    record["panel"] = record["panel"] | converted
    heads = projection.data["output_per_head"].assign_attrs(units=money)
    data = projection.data.assign(output_per_head=heads)
    changed = dataclasses.replace(projection, data=data, provenance=record)
    assert told in foreign_costs(changed, "en")
    assert bool(foreign_costs(changed, "zh")) == bool(told)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_answer_is_three_plain_sentences_of_twenty_numbers(projection, compared, lang):
    found = three_sentences(projection, compared, lang=lang)
    text = " ".join(found)
    assert len(found) == 3
    assert len(re.findall(r"\d+(?:\.\d+)?", text)) <= 20
    assert not re.search(r"draw|point|log|median|抽样|对数|中位数", text)
    members = compared.main.chosen.members
    assert any_of(projection, compared, members, lang) in found[1]
    # The largest mean effect, and what a yuan buys.
    for key in ("gap_closed", "benefit_cost_present", "own_benefit_present"):
        values = compared.main.effects[key].sel(scenario=list(members)).mean("draw")
        assert written(float(values.max() if key == "gap_closed" else values.mean()), 1) in found[1]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_one_policy_is_the_best_and_several_are_not(projection, compared, lang):
    main = compared.main
    closed = main.effects["gap_closed"].copy(deep=True)
    closed.loc[{"scenario": "zoned_need"}] = 9.0
    ahead = dataclasses.replace(main, effects=main.effects.assign(gap_closed=closed))
    one = three_sentences(projection, dataclasses.replace(compared, comparisons={"": ahead}), lang=lang)[1]
    every = dataclasses.replace(main, delta=99.0)
    several = three_sentences(projection, dataclasses.replace(compared, comparisons={"": every}), lang=lang)[1]
    best, no_reason = {"en": ("the best of", "no reason here"), "zh": ("中最好的", "没有理由")}[lang]
    assert best in one
    assert no_reason not in one
    assert no_reason in several
    assert best not in several
    assert all(label_of(projection, compared, name, lang) in several for name in every.chosen.members)


def test_who_gets_the_money_stands_beside_every_mix():
    assert with_need("My mix", 1.0, "en") == "My mix, by need"
    assert with_need("My mix, by need", 1.0, "en") == "My mix, by need"
    assert with_need("我的组合", None, "zh") == "我的组合，按人均"
    assert with_need("My mix", 0.5, "en") == "My mix, more a head for poorer regions (exponent of need 0.5)"


def test_the_answer_of_one_simulation_is_not_sure(projection, compared):
    main = compared.main
    single = dataclasses.replace(main, effects=main.effects.isel(draw=[0]), cases={})
    found = three_sentences(projection, dataclasses.replace(compared, comparisons={"": single}))
    assert "simulations" not in found[1]
    assert found[2].startswith("So few simulations")


def test_an_effect_that_widens_the_gap_is_not_recommended(projection, compared):
    main = compared.main
    worse = dataclasses.replace(main, effects=main.effects.assign(gap_closed=-abs(main.effects["gap_closed"]) - 1))
    found = three_sentences(projection, dataclasses.replace(compared, comparisons={"": worse}))
    assert found[1].startswith("None of the 4 policies compared narrows it visibly")


@pytest.mark.parametrize(("share", "word"), [(1, "almost certain"), (0.5, "about as likely as not"), (0, "almost imp")])
def test_odds_have_words(share, word):
    assert odds(share, "en").startswith(word)

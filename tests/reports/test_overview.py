"""What the screen says equals what plain loops over the draws give."""

import dataclasses

import numpy as np
import pytest

from pysd_runner.errors import InvalidInput
from pysd_runner.reports.evidence import evidence_lines
from pysd_runner.reports.levels import level_table
from pysd_runner.reports.overview import overview, summarise, trailing_classes
from pysd_runner.reports.phrases import PHRASES, say


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


def test_the_screen_shows_the_numbers_of_a_plain_loop(projection):
    lines = overview(projection, summarise(projection))
    place = next(number for number, line in enumerate(lines) if line.startswith("Zoned and need-weighted"))
    closed = 100 * (national_gaps(projection, "baseline", 2028) - national_gaps(projection, "zoned_need", 2028))
    assert lines[place + 1].split()[0] == f"{np.median(closed):.2f}".replace("-", "−")
    low, high = np.quantile(closed, [0.05, 0.95])
    assert lines[place + 2].split()[0] == f"{low:.2f}…{high:.2f}".replace("-", "−")
    since = 100 * (national_gaps(projection, "baseline", 2024) - national_gaps(projection, "baseline", 2028))
    place = next(number for number, line in enumerate(lines) if line.startswith("No policy: change from 2024 to 2028"))
    assert lines[place + 1].split()[0] == f"{np.median(since):.2f}".replace("-", "−")


def test_columns_line_up_in_both_languages(projection):
    import unicodedata

    def width(text):
        return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)

    for lang in ("en", "zh"):
        lines = overview(projection, summarise(projection), lang=lang)
        medians = [line for line in lines if line.endswith(" %") and "…" not in line]
        assert len(medians) == 3
        assert len({width(line) for line in medians}) == 1


def test_the_leading_class_is_left_out(projection):
    assert trailing_classes(projection)
    assert "East" not in trailing_classes(projection)


def test_it_says_how_much_is_data(projection):
    text = " ".join(evidence_lines(projection))
    assert "the starting state of 2024 alone; no parameter was calibrated" in text
    spread = {"contraction": [0.9, 0.6, 0.1, 0.0, None], "panel": "china", "first_year": 2014, "last_year": 2024}
    fitted = dataclasses.replace(projection, provenance={**projection.provenance, "fitted": spread})
    text = evidence_lines(fitted)[0]
    assert text.startswith("data: 4 of ")
    assert "calibrated to china, 2014-2024; the panel took more than half of the prior variance from 2 of them" in text
    assert all(any("\u4e00" <= letter <= "\u9fff" for letter in line) for line in evidence_lines(fitted, lang="zh"))


def test_both_languages_say_the_same_things():
    import string

    english, chinese = PHRASES["en"], PHRASES["zh"]
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        blanks = {name for _, name, _, _ in string.Formatter().parse(text) if name}
        assert blanks == {name for _, name, _, _ in string.Formatter().parse(chinese[key]) if name}, key


def test_no_third_language():
    with pytest.raises(InvalidInput, match="fr"):
        say("gap", "fr")

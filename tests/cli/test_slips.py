"""Slips in files and options, as people make them: every message in Chinese has no English but names."""

import random
import re

from tests.english import latin

YEARS = ((region, year) for region in ("110000", "120000") for year in (2019, 2020, 2021))
PANEL = "region,year,output [yuan],population [persons]\n" + "".join(f"{one},{year},1e12,2e7\n" for one, year in YEARS)
MAPPING = """schema: 1
columns:
  GDP: output
units:
  output: 100 million yuan
regions: regions.csv
missing: ["-", "n/a"]
decimal: "."
drop: {region: [total]}
"""
SCENARIO = """schema: 1
name: mine
label: {en: Mine, zh: 自己}
policy:
  budget: 0.003
  start: 2026
  mix: {access: 0.5, skills: 0.5}
  targets: {classes: [west]}
assumptions:
  trend growth: 0.03
"""
MODEL = """{UTF-8}
stock = INTEG( inflow - outflow , 100 ) ~ person ~ a stock |
inflow = rate * stock * effect( stock / 100 ) ~ person/day ~ |
outflow = DELAY1( stock , 5 ) / 10 ~ person/day ~ |
rate = 0.1 ~ 1/day [0,1] ~ |
effect( (0,1),(1,1),(2,0.5) ) ~~|
age : young, old ~~|
people[age] = 10, 20 ~~|
total = SUM( people[age!] ) ~~|
share = IF THEN ELSE( Time > 5 , people[young] / total , MAX( 0 , rate ) ) ~~|
INITIAL TIME = 0 ~~|
FINAL TIME = 10 ~~|
TIME STEP = 1 ~~|
SAVEPER = TIME STEP ~~|
"""
TOML = """schema = 1
[parameters.rate]
en = "rate"
zh = "比率"
prior = {family = "normal", mean = 0.1, sd = 0.05}
source = "judgement"
"""
FILES = [
    ("data check panel.csv", "panel.csv", PANEL),
    ("data check whole.csv --mapping mapping.yaml", "mapping.yaml", MAPPING),
    ("list plan.yaml", "plan.yaml", SCENARIO),
    ("simulate wrong.mdl", "wrong.mdl", MODEL),
    ("list rate --model own.mdl", "own.toml", TOML),
]
OPTIONS = """run zoned_need --draws {} --fit x
run {}|run zoned --until {} --fit x|run zoned --seed {} --fit x|brief {}
brief Gansu --format {}|plot {}|calibrate china --starts {} --free x|calibrate {}|list {}|list schema --model {}
doctor {}|ensemble own.mdl --bound {}|ensemble own.mdl --design {}x|forecast china --event {}|explore {} --out x/y
forecast china --forecaster {}|backtest china --horizon {} --window 2024:|data check {}|advise {} --fit x|evaluate {}
run nosuch --without {}|run zoned --fit {}|simulate own.mdl --set {}|{} x
init whole.csv/{}""".replace("\n", "|").split("|")
WORDS = [
    "",
    "x",
    "-1",
    "1e9",
    "0,5",
    "[",
    "}",
    ":",
    '"',
    "null",
    "true",
    "=",
    "(",
    "~",
    "|",
    "nan",
    "2020-13",
    "SIN",
    "四穿",
]


def slipped(text, chance):
    """A text with one to three slips: something left out, put in, written twice or replaced."""
    for _ in range(chance.choice((1, 1, 2, 3))):
        lines, cut = text.splitlines(keepends=True), chance.randrange(len(text))
        line = chance.randrange(len(lines))
        start, end = chance.choice([word.span() for word in re.finditer(r"[\w.]+", text)])
        text = chance.choice(
            (
                text[:cut] + text[cut + 1 :],
                text[:cut] + chance.choice(WORDS) + text[cut:],
                "".join(lines[:line] + lines[line + 1 :]),
                "".join(lines[: line + 1] + lines[line:]),
                text[:start] + chance.choice(WORDS) + text[end:],
            )
        )
    return text


def test_500_slips_are_told_in_chinese(gapsim, tmp_path, monkeypatch):
    monkeypatch.setenv("GAPSIM_LANG", "zh")
    for name, text in (("whole.csv", PANEL), ("own.mdl", MODEL)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    chance, english, told = random.Random(34), {}, 0  # noqa: S311 - nothing secret
    for place in range(560):
        words, name, text = FILES[place % 7] if place % 7 < len(FILES) else (chance.choice(OPTIONS), "own.toml", TOML)
        text = slipped(text, chance) if place % 7 < len(FILES) else text
        (tmp_path / name).write_text(text, encoding="utf-8")
        given = [word.format(chance.choice(WORDS)) for word in words.split()] if "{}" in words else words.split()
        answer = gapsim(*given)
        assert answer.code in (0, 2), (given, text, answer.err)
        said = answer.err + answer.out * bool(answer.code)
        told += bool(answer.code)
        # What the file holds, and lists of names that may be given, are no English.
        known = {*re.findall("[A-Za-z]+", " ".join((text, PANEL, *given))), "china", "schema", "name"}
        left = latin(re.sub(r"\b[\w.]+(?:, [\w.]+)+\b|例如 [^；。]*", "", said)) - known
        if left:
            english[" ".join(given)] = (left, said)
    assert told >= 500
    assert not english

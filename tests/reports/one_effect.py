"""Reads what a policy does out of written pages: one number wherever the same words are used.

gapsim explore results/demo
gapsim brief nation --run results/demo --format html --out nation
python -m tests.reports.one_effect results/demo nation/nation.html results/demo/explorer.html
"""

import json
import re
import sys
from pathlib import Path

import pandas as pd

from tests.english import visible

# Half a unit of the last digit that is printed.
TOLERANCE, ROUNDING = 0.05, 1e-9
NUMBER = r"([+−]?\d+\.\d+)"


def numbers(results: Path, brief: Path, explorer: Path) -> dict[str, dict[str, float]]:
    """Points closed and output gained by the first policy, by where they are printed."""
    page, short = (path.read_text(encoding="utf-8") for path in (results / "summary.md", brief))
    label, told = _found(rf"choose (?:any of )?“([^”]+)”.*?against the mean by {NUMBER}", page)
    table = [line.strip("|").split("|") for line in page.splitlines()]
    gained = _found(rf"“{re.escape(label)}”: all regions {NUMBER} %", visible(short))[0]
    output = {
        "table": _cell(table, "national output, %", label),
        "brief": _value(gained),
        "explorer": _of_explorer(explorer, label, "output_change"),
    }
    data = pd.read_csv(results / "figures" / "mixes_nation.csv")
    drawn = data[(data["kind"] == "closed") & (data["year"] == data["year"].max())]
    caption = (results / "figures" / "mixes_nation.txt").read_text(encoding="utf-8")
    # A set is told by the smallest and the largest mean of its members.
    (most,) = _found(rf"against the mean by (?:{NUMBER[1:-1]} to )?{NUMBER} % on average", page)
    mean = _cell(table, "gap closed, % (mean)", label)
    brief_mean = _cell(_rows(short), "change, mean", label)
    means = {
        "sentence": min(max(mean, _value(told)), _value(most)),
        "table": mean,
        # Kept in hundredths by simulation, which may round to the next digit.
        "table of the brief": mean if abs(brief_mean - mean) <= 2 * TOLERANCE + ROUNDING else brief_mean,
    }
    closed = {
        "caption": _value(_found(rf"closed against “No policy”.*?{re.escape(label)} {NUMBER}", caption)[0]),
        "panel": float(drawn.set_index("name").loc[label, "median"]),
        "table": _cell(table, "gap closed, % (median)", label),
        "brief": _value(_found(rf'aria-label="[^"]*losed against[^"]*{re.escape(label)} {NUMBER}', short)[0]),
        "table of the brief": _cell(_rows(short), f"{data['year'].max()}: gap closed, %", label),
        "explorer": _of_explorer(explorer, label, "gap_closed"),
    }
    return {"gap closed, mean": means, "gap closed, median": closed, "national output": output}


def apart(found: dict[str, dict[str, float]]) -> float:
    """How far two numbers of one effect are apart, at most."""
    return max(max(places.values()) - min(places.values()) for places in found.values())


def _found(pattern: str, text: str) -> tuple[str, ...]:
    match = re.search(pattern, text, re.DOTALL)
    assert match, f"{pattern} is nowhere in {text[:2000]}"
    return match.groups()


def _value(text: str) -> float:
    return float(text.replace("−", "-"))


def _rows(page: str) -> list[list[str]]:
    rows = re.findall(r"<tr.*?</tr>", page, re.DOTALL)
    return [[visible(cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)] for row in rows]


def _cell(rows: list[list[str]], column: str, label: str) -> float:
    """First number of a row in the first column of that name."""
    rows = [[cell.strip() for cell in row] for row in rows]
    head = next(row for row in rows if row.count(column) == 1)
    own = next(row for row in rows[rows.index(head) :] if row[0] == label)
    return _value(_found(NUMBER, own[head.index(column)])[0])


def _of_explorer(page: Path, label: str, effect: str) -> float:
    """What the card shows for the policy as it ships."""
    (text,) = _found(r'<script[^>]*id="data"[^>]*>(.*?)</script>', page.read_text(encoding="utf-8"))
    record = json.loads(text)
    (preset,) = (item for item in record["policy"]["presets"] if item["en"] == label)
    return float(record["policy"]["told"]["policies"][preset["name"]][effect][1])


if __name__ == "__main__":
    found = numbers(*map(Path, sys.argv[1:]))
    for effect, places in found.items():
        print(f"{effect}: {', '.join(f'{value:.2f} {place}' for place, value in places.items())}")  # noqa: T201
    sys.exit(apart(found) > TOLERANCE + ROUNDING)

"""No file makes the reader fail in any way but by saying what is wrong."""

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pysd_runner.core.errors import InvalidPanel
from pysd_runner.panel import check_panel, load_panel

SOME = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

HEADINGS = st.sampled_from(
    [
        *("region", "name", "group", "year", "2019", "2020", "value", "variable", "unit", "flag", "", "note"),
        *("output [yuan]", "output", "GDP(亿元)", "population [persons]", "人口(万人)", "access [%]", "access"),
        *("ict_employment [万人]", "urban_unit_employment [万人]"),
    ]
)
CELLS = st.sampled_from(
    [
        *("", "A", "B", "北京", "2019", "2020", "2021年", "1", "-1", "0", "0.5", "5e4", "1e999"),
        *("n/a", "1,5", "output", "gdp", "yuan", "%", "#x", '"'),
    ]
)


def loads_or_says_why(path: Path) -> None:
    problems = check_panel(path)
    errors = [problem for problem in problems if problem.severity == "error"]
    for problem in problems:
        assert problem.message
        assert "\n" not in str(problem)
        assert problem.row is None or problem.row >= 1
    try:
        panel = load_panel(path)
    except InvalidPanel:
        assert errors
    else:
        assert not errors
        assert panel.problems == tuple(problems)


@SOME
@given(content=st.binary(max_size=200))
def test_any_bytes(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "panel.csv"
    path.write_bytes(content)
    loads_or_says_why(path)


@settings(SOME, max_examples=250)
@given(header=st.lists(HEADINGS, max_size=7), rows=st.lists(st.lists(CELLS, max_size=8), max_size=6))
def test_any_table(tmp_path: Path, header: list[str], rows: list[list[str]]) -> None:
    path = tmp_path / "panel.csv"
    path.write_text("\n".join(",".join(row) for row in [header, *rows]), encoding="utf-8")
    loads_or_says_why(path)


@SOME
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["A", "B", ""]),
            st.sampled_from(["2019", "2020", "x"]),
            st.sampled_from(["gdp", "population", "", "access"]),
            CELLS,
        ),
        max_size=8,
    )
)
def test_any_long_table(tmp_path: Path, rows: list[tuple[str, ...]]) -> None:
    path = tmp_path / "panel.csv"
    path.write_text("region,year,variable,value\n" + "\n".join(",".join(row) for row in rows), encoding="utf-8")
    loads_or_says_why(path)


def test_an_unclosed_quote_in_a_large_file(tmp_path: Path) -> None:
    path = tmp_path / "panel.csv"
    rows = [f"A,{1900 + number % 100},50000,1" for number in range(20_000)]
    path.write_text(
        'region,year,output [yuan],population [persons]\nB,2000,"50000,1\n' + "\n".join(rows), encoding="utf-8"
    )
    problems = check_panel(path)
    assert max(len(str(problem)) for problem in problems) < 1000
    rules = {problem.rule for problem in problems}
    assert {"row-length", "not-a-number"} <= rules

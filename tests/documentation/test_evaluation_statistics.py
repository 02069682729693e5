"""The example of the page on evaluation statistics runs, and its tables name what exists."""

import doctest
import re
from pathlib import Path

from calibration import sdeval

PAGE = Path(__file__).parents[2] / "docs" / "evaluation_statistics.md"


def test_the_example_runs() -> None:
    block = re.search(r"```pycon\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    example = doctest.DocTestParser().get_doctest(block[1], {}, PAGE.name, str(PAGE), 0)
    result = doctest.DocTestRunner().run(example)
    assert result.attempted > 8
    assert result.failed == 0


def test_every_number_and_function_of_the_tables_exists() -> None:
    known = {*sdeval.__all__, *sdeval.PointFit.__dataclass_fields__}
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert len(named) > 15
    assert named <= known

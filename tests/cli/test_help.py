"""Help: every command has one with an example, and the examples are real command lines."""

import os
import re
import shlex
import subprocess
import sys

import pytest

from tests.study.models import SIR, infections, made

COMMANDS = [
    "demo",
    "brief",
    "explore",
    "update",
    "init",
    "data check",
    "calibrate",
    "forecast",
    "run",
    "attribute",
    "optimise",
    "explain",
    "evidence",
    "plot",
    "evaluate",
    "backtest",
    "simulate",
    "ensemble",
    "study",
    "list",
    "doctor",
]
MOST = 10


def examples(text):
    _, _, after = text.partition("Example")
    return [line.strip() for line in after.splitlines() if line.strip().startswith("gapsim ")]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_an_example_of_itself(gapsim, name):
    answer = gapsim(*name.split(), "--help", code=0)
    assert answer.err == ""
    assert any(line.startswith(f"gapsim {name}") for line in examples(answer.out))
    for option in ("--json", "--quiet", "--debug"):
        assert option in answer.out


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_use_options_that_exist(gapsim, name):
    for line in examples(gapsim(*name.split(), "--help").out):
        words = shlex.split(line.partition(">")[0])[1:]
        known = gapsim(*(words[:2] if words[0] == "data" else words[:1]), "--help").out
        for option in (word for word in words if word.startswith("--")):
            assert option in known, line


def test_short_examples_run(gapsim, tmp_path):
    model = made(tmp_path, SIR, unit="day", stop=60)
    infections(model).by_time("infected").rename_axis("day").to_csv(tmp_path / "obs.csv")
    people, output = "population [10 thousand persons]", "output [100 million yuan]"
    for file, column in (("gdp.csv", output), ("population.csv", people)):
        rows = [f"{code},{year},1000" for code in ("110000", "120000") for year in (2019, 2020)]
        (tmp_path / file).write_text("\n".join((f"region,year,{column}", *rows)) + "\n", encoding="utf-8")
    for name in ("list", "init", "data check"):
        for line in examples(gapsim(*name.split(), "--help").out):
            words = shlex.split(line.partition(">")[0])[1:]
            if "mine.xlsx" not in words:
                answer = gapsim(*words, code=0)
                assert answer.out


def test_commands_stand_in_the_order_a_newcomer_meets_them(gapsim):
    first, *others = re.split(r"^\S.*:$", gapsim("--help").out.partition("Commands:\n")[2], flags=re.MULTILINE)
    listed = [re.findall(r"^  ([a-z]+) {2,}\S", part, re.MULTILINE) for part in (first, *others)]
    assert [name for names in listed for name in names] == [name.partition(" ")[0] for name in COMMANDS]
    assert len(listed[0]) <= MOST
    assert len(others) > 2


def test_the_program_alone_shows_its_help(gapsim):
    answer = gapsim(code=0)
    assert "Commands:" in answer.out


def test_version(gapsim):
    assert re.fullmatch(r"gapsim \d+\.\d+\.\d+(\.dev\d+)?\n", gapsim("--version").out)


def test_help_answers_in_under_0_4_s():
    """The best of five in processor time, because a machine may be busy with something else."""

    def spent():
        now = os.times()
        return now.children_user + now.children_system

    def seconds():
        start = spent()
        asked = "import sys; from pysd_runner.cli import main; sys.exit(main(['--help']))"
        subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True)
        return spent() - start

    assert min(seconds() for _ in range(5)) < 0.4


def test_nothing_heavy_is_imported_to_complete_a_word():
    asked = (
        "import sys; from pysd_runner.cli.run import shipped; shipped('zo'); "
        "print([name for name in ('numpy', 'pandas', 'pydantic', 'matplotlib') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True, text=True)
    assert "matplotlib" not in found.stdout

"""Options: how many a command has, which it shares with the program, and what became of those of earlier versions."""

import pytest
import typer

from pysd_runner.cli import command
from pysd_runner.cli.application import application
from pysd_runner.cli.data_options import names_of
from pysd_runner.core.former import OPTIONS
from tests.cli.test_help import COMMANDS

MOST, OF_A_SEARCH = 15, 17
OF_PROGRAM = ("--json", "--quiet", "--debug", "--lang")


def command_of(name):
    found = typer.main.get_command(application())
    for word in name.split():
        found = found.commands[word]
    return found


def options_of(name):
    return [item for item in command_of(name).params if item.param_type_name == "option" and item.name != "help"]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_few_options(name):
    shown = {item.opts[0] for item in options_of(name) if not item.hidden}
    assert len(shown - set(OF_PROGRAM)) <= (OF_A_SEARCH if name == "optimise" else MOST), sorted(shown)


@pytest.mark.parametrize("name", COMMANDS)
def test_options_that_take_several_names_may_be_repeated(name):
    """Of one that may not, the parser takes the last without a word."""
    lists = [item for item in options_of(name) if "commas" in (item.help or "") or item.metavar == "NAMES"]
    assert [item.opts[0] for item in lists if not item.multiple] == []


def test_names_given_one_by_one_are_those_given_at_once():
    assert names_of(["a", "b[x,y], c", "a"]) == names_of(["a,b[x,y],c"]) == ["a", "b[x,y]", "c"]


@pytest.mark.parametrize("name", COMMANDS)
def test_options_of_the_program_are_named_once_and_taken_everywhere(gapsim, name):
    hidden = {item.opts[0] for item in options_of(name) if item.hidden}
    assert hidden == set(OF_PROGRAM)
    text = gapsim(*name.split(), "--help").out
    assert command.OF_PROGRAM in " ".join(text.split())
    assert not any(line.strip().startswith(OF_PROGRAM) for line in text.splitlines())


def test_options_of_the_program_stand_before_a_command_too(gapsim):
    after = gapsim("list", "models", "--json", "--lang", "zh", code=0)
    assert gapsim("--json", "--lang", "zh", "list", "models", code=0) == after
    assert after.json["data"]
    assert "Traceback" in gapsim("--debug", "list", "nothing").err
    assert gapsim("--quiet", "simulate", "regional_digital", code=0).err == ""


def test_an_option_of_an_earlier_version_names_the_one_that_took_its_place(gapsim):
    known = {name: [option for item in options_of(name) for option in item.opts] for name in COMMANDS}
    for former, now in OPTIONS.items():
        option = now.partition(" ")[0]
        takers = [name for name in COMMANDS if option in known[name] and former not in known[name]]
        assert takers, former
        answer = gapsim(*takers[0].split(), former, "x", code=2)
        assert answer.err.startswith(f"error: {former} is now {now}\n")
    assert "No such option: --sheet" in gapsim("simulate", "--sheet", "x", code=2).err


def test_what_is_left_out_may_be_said_at_once_or_one_by_one(gapsim, small, tmp_path):
    run = ("run", "zoned_need", *small, "--draws", 2, "--until", 2026, "--quiet", "--out")
    gapsim(*run, "at_once", "--without", "forecast,evidence", code=0)
    gapsim(*run, "one_by_one", "--without", "evidence", "--without", "forecast", code=0)
    both = [(tmp_path / name / "projection.nc").read_bytes() for name in ("at_once", "one_by_one")]
    assert both[0] == both[1]
    assert "forcast cannot be left out; forecast, evidence can" in gapsim(*run, "x", "--without", "forcast", code=2).err

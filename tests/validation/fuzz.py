"""Feeds broken files to every reader: python -m tests.validation.fuzz --help.

A reader may accept a file or refuse it in a sentence. What counts as a finding: another exception, more than some
seconds, anything in a file that was executed, and something accepted that does not come back when written and read.
"""

import argparse
import json
import logging
import os
import random
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from pysd_runner.core.errors import GapsimError
from pysd_runner.core.paths import models_folder

# Longest time for one file, in seconds of processor time.
MOST_SECONDS = 5.0
CANARY = "canary"
TOKENS = (
    *(
        "",
        "0",
        "-1",
        "1e999",
        "1e308",
        "-1e308",
        "NaN",
        "inf",
        "1" * 400,
        "1" * 5000,
        "0x10",
        "1_000",
        "1,5",
        "2019",
        "９９",
    ),
    *("true", "null", "[]", "{}", '""', "'", '"', "`", ",", ";", ":", "|", "~", "\t", "\n", "\r\n", "\0", "\ufeff"),
    *(
        "北京",
        "é",
        "\u202e",
        "\ud7ff",
        "𝒳",
        "a" * 300,
        "=1+1",
        "#REF!",
        "-",
        "--",
        "---",
        "&a",
        "*a",
        "!!python/object:x",
    ),
    f"!!python/object/apply:os.system ['touch {CANARY}']",
    f"__import__('os').system('touch {CANARY}')",
    f"$(touch {CANARY})",
    *(
        "../../etc/passwd",
        "/dev/zero",
        "(((((((((",
        ")",
        "[",
        "]",
        "<",
        ">",
        "</",
        "&lt;",
        "<!ENTITY x 'y'>",
        "<![CDATA[",
    ),
)

MODEL = """{UTF-8}
Region: A, B ~~|
contact rate = 0.3 ~ 1/Day [0,1] ~ how often|
duration[Region] = 5, 7 ~ Day ~|
susceptible = INTEG(-infection, 999) ~ Person ~|
infected[Region] = INTEG(infection/2 - infected[Region]/duration[Region], 1) ~ Person ~|
infection = contact rate*susceptible*SUM(infected[Region!])/1000 ~ Person/Day ~|
effect = WITH LOOKUP(Time, ([(0,0)-(10,10)],(0,0),(5,2),(10,10))) ~ Dmnl ~|
late = DELAY FIXED(infection, 2, 0) ~ Person/Day ~|
INITIAL TIME = 0 ~~|
FINAL TIME = 4 ~~|
TIME STEP = 0.5 ~~|
SAVEPER = 1 ~~|
"""
XMILE = """<?xml version="1.0" encoding="utf-8"?>
<xmile version="1.0" xmlns="http://docs.oasis-open.org/xmile/ns/XMILE/v1.0">
<header><product version="1.0">x</product><vendor>y</vendor></header>
<sim_specs method="Euler" time_units="Day"><start>0</start><stop>4</stop><dt>0.5</dt></sim_specs>
<dimensions><dim name="Region"><elem name="A"/><elem name="B"/></dim></dimensions>
<model><variables>
<stock name="water"><eqn>10</eqn><outflow>leak</outflow><units>litre</units><non_negative/></stock>
<flow name="leak"><eqn>water * rate[A] + SUM(rate[*])</eqn></flow>
<aux name="rate"><dimensions><dim name="Region"/></dimensions><element subscript="A"><eqn>0.1</eqn></element>
<element subscript="B"><eqn>0.2</eqn></element></aux>
<aux name="effect"><eqn>TIME</eqn><gf><xscale min="0" max="4"/><ypts>0,1,2,3</ypts></gf></aux>
</variables></model></xmile>
"""
TABLE = "day,infected [Person],susceptible\n0,1,9\n1,2.5,\n2,4,7\n3,,6\n4,6,5\n"
PANEL = (
    "region,name,group,year,output [yuan],population [persons],access [%]\n"
    "A,甲,east,2019,5e9,10000,50\nA,甲,east,2020,5.2e9,10000,55\nB,乙,west,2019,4e9,10000,40\nB,乙,west,2020,4.1e9,10000,45\n"
)


def read_panel(path: Path) -> None:
    """A panel of regions."""
    from pysd_runner.panel import check_panel, load_panel

    problems = check_panel(path)
    panel = load_panel(path)
    if any(problem.severity == "error" for problem in problems) or tuple(problems) != panel.problems:
        raise AssertionError("check_panel and load_panel differ")


def read_table(path: Path) -> None:
    """A table of anything."""
    from pysd_runner.panel import load_table

    load_table(path)


def read_scenario(path: Path) -> None:
    """A scenario; what is accepted is saved and read again."""
    from pysd_runner.scenarios import Scenario, load_scenario

    found = load_scenario(path)
    if Scenario.from_dict(json.loads(json.dumps(found.to_dict()))) != found:
        raise AssertionError("the scenario does not come back")


def read_declarations(path: Path) -> None:
    """Declarations of a regional model."""
    from pysd_runner.spec import load_spec

    load_spec(path)


def read_own(path: Path) -> None:
    """Declarations of a model of one's own."""
    from pysd_runner.model import load_model

    beside = path.with_suffix(".mdl")
    beside.write_text(MODEL, encoding="utf-8")
    load_model(beside)


def read_fitted(path: Path) -> None:
    """What a fit found; what is accepted is saved and read again."""
    from pysd_runner.spec import load_fitted

    found = load_fitted(path)
    other = path.with_name("again.json")
    if repr(load_fitted(found.save(other))) != repr(found):
        raise AssertionError("the fit does not come back")


def read_recipe(path: Path) -> None:
    """The record of a stored ensemble."""
    from pysd_runner.ensemble.recipe import Recipe

    found = Recipe.read(path)
    path.write_text(found.text(), encoding="utf-8")
    if Recipe.read(path) != found:
        raise AssertionError("the recipe does not come back")


def read_model(path: Path) -> None:
    """A model file: read, checked and, where it is covered, run."""
    from pysd_runner.checks import check_dimensions, check_running
    from pysd_runner.engine import Budgets
    from pysd_runner.model import load_model
    from pysd_runner.simulation import simulate

    model = load_model(path, budgets=Budgets(elements=10_000))
    check_dimensions(model)
    if not check_running(model):
        simulate(model, engine="numpy", start=0, stop=2, step=0.5, save_every=1, throw=False)


Reader = Callable[[Path], None]
FORMATS: dict[str, tuple[str, Reader]] = {
    "panel": (".csv", read_panel),
    "table": (".csv", read_table),
    "scenario": (".yaml", read_scenario),
    "declarations": (".toml", read_declarations),
    "own": (".toml", read_own),
    "fitted": (".json", read_fitted),
    "recipe": (".json", read_recipe),
    "vensim": (".mdl", read_model),
    "xmile": (".xmile", read_model),
}


def seeds(kind: str) -> list[str]:
    """Sound files of a format, which are broken."""
    shipped = models_folder() / "regional_digital"
    if kind == "scenario":
        return [path.read_text(encoding="utf-8") for path in sorted(shipped.glob("scenarios/*.yaml"))]
    if kind == "declarations":
        return [(shipped / "model.toml").read_text(encoding="utf-8")]
    if kind == "fitted":
        from tests.spec.test_fitted import FITTED

        with tempfile.TemporaryDirectory() as folder:
            return [FITTED.save(Path(folder) / "fitted.json").read_text(encoding="utf-8")]
    if kind == "own":
        return [_own()]
    if kind == "recipe":
        return [_recipe()]
    return [{"panel": PANEL, "table": TABLE, "vensim": MODEL, "xmile": XMILE}[kind]]


def _own() -> str:
    """What ``gapsim init`` writes."""
    from pysd_runner.cli import main as gapsim

    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        Path("model.mdl").write_text(MODEL, encoding="utf-8")
        Path("table.csv").write_text(TABLE, encoding="utf-8")
        gapsim(["init", "--model", "model.mdl", "--data", "table.csv", "--quiet"])
        return Path("model.toml").read_text(encoding="utf-8")


def _recipe() -> str:
    from pysd_runner.ensemble import Draws, Statistics, ensemble_job
    from pysd_runner.model import load_model

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.mdl"
        path.write_text(MODEL, encoding="utf-8")
        draws = Draws(method="random", ranges={"contact rate": (0.1, 0.4)}, draws=100)
        job = ensemble_job(load_model(path), draws, store=Path(folder) / "store", keep=Statistics())
        return (job.store.path / "recipe.json").read_text(encoding="utf-8")


def broken(chance: random.Random, kind: str, texts: Sequence[str]) -> bytes:
    """A file with one to eight changes."""
    text = chance.choice(texts)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        text = _changed(chance, text, texts)
    content = text.encode(chance.choice(("utf-8",) * 8 + ("gb18030", "utf-16", "latin-1")), "replace")
    if chance.random() < 0.1 and content:
        place = chance.randrange(len(content))
        content = content[:place] + chance.randbytes(chance.randrange(4)) + content[place + chance.randrange(3) :]
    return content


def _changed(chance: random.Random, text: str, texts: Sequence[str]) -> str:
    """One change: of a few characters, of a line, of a number, or a piece of another file."""
    lines = text.split("\n")
    line = chance.randrange(len(lines))
    how = chance.randrange(8)
    if how == 0:
        lines[line] = chance.choice(TOKENS)
    elif how == 1:
        lines[line : line + 1] = [lines[line]] * chance.choice((0, 2, 2, 50))
    elif how == 2:
        other = chance.randrange(len(lines))
        lines[line], lines[other] = lines[other], lines[line]
    elif how == 3:
        piece = chance.choice(texts).split("\n")
        start = chance.randrange(len(piece))
        lines[line:line] = piece[start : start + chance.randrange(1, 6)]
    elif how == 4:
        words = lines[line].split(" ")
        words[chance.randrange(len(words))] = chance.choice(TOKENS)
        lines[line] = " ".join(words)
    else:
        here = lines[line]
        first = chance.randrange(len(here) + 1)
        lines[line] = here[:first] + chance.choice(TOKENS) + here[first + chance.choice((0, 0, 1, 2, 5)) :]
    return "\n".join(lines)


class TooLong(BaseException):
    """A reader took too long."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Stop what takes longer, in processor time."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooLong

    former = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, former)


def verdict(read: Reader, path: Path) -> str:
    """Accepted, refused, or what went wrong."""
    try:
        with limited(MOST_SECONDS), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read(path)
    except GapsimError as error:
        return "refused" if str(error).strip() else "finding: an empty message"
    except TooLong:
        return f"finding: more than {MOST_SECONDS:g} s"
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        place = traceback.extract_tb(error.__traceback__)[-1]
        return f"finding: {type(error).__name__} in {Path(place.filename).name}:{place.lineno}"
    finally:
        if Path(CANARY).exists():
            raise SystemExit(f"something in {path} was executed")
    return "accepted"


def run(kind: str, minutes: float, seed: int, keep: Path) -> Counter[str]:
    """Break files for so many minutes of processor time."""
    ending, read = FORMATS[kind]
    texts, found, number = seeds(kind), Counter[str](), 0
    until = time.process_time() + 60 * minutes
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        while time.process_time() < until:
            chance = random.Random(f"{seed} {kind} {number}")  # noqa: S311
            path = Path(folder) / f"file{ending}"
            path.write_bytes(broken(chance, kind, texts))
            said = verdict(read, path)
            if said.startswith("finding") and not found[said]:
                keep.mkdir(parents=True, exist_ok=True)
                (keep / f"{kind}-{seed}-{number}{ending}").write_bytes(path.read_bytes())
                sys.stdout.write(f"{kind}, number {number}: {said}\n")
            found[said] += 1
            number += 1
    return found


def main(given: Sequence[str] | None = None) -> None:
    """Print how many files each reader accepted and refused, and every finding."""
    parser = argparse.ArgumentParser(prog="python -m tests.validation.fuzz", description=__doc__)
    parser.add_argument("formats", nargs="*", choices=[[], *FORMATS], metavar="FORMAT", help=", ".join(FORMATS))
    parser.add_argument("--minutes", type=float, default=30.0, help="processor time for each format")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path("findings"), help="folder for files that were findings")
    asked = parser.parse_args(given)
    os.environ["GAPSIM_CACHE"] = "off"
    logging.disable()
    keep = asked.keep.resolve()
    is_sound = True
    for kind in asked.formats or FORMATS:
        found = run(kind, asked.minutes, asked.seed, keep)
        findings: dict[str, Any] = {said: count for said, count in found.items() if said.startswith("finding")}
        counts = f"{found['accepted']:,} accepted, {found['refused']:,} refused, {sum(findings.values())} findings"
        sys.stdout.write(f"{kind:<13}{sum(found.values()):>8,} files: {counts}\n")
        is_sound &= not findings
    sys.exit(0 if is_sound else 1)


if __name__ == "__main__":
    main()

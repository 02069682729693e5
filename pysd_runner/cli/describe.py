"""Commands ``gapsim list``, which shows what there is, and ``doctor``, which examines installation or model."""

import json
import platform
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pysd_runner.cli.command import BUG, command
from pysd_runner.cli.options import MODEL, AnyModel, Sets
from pysd_runner.cli.session import Session
from pysd_runner.core.errors import GapsimError, InvalidModel, Message
from pysd_runner.core.findings import Finding, Severity, listed
from pysd_runner.core.paths import models_folder

if TYPE_CHECKING:  # these load numpy
    from pysd_runner.checks import EquationProblem
    from pysd_runner.engine import Engine
    from pysd_runner.engine.ir import BoundSeries, Feature
    from pysd_runner.simulation import Run


# Kinds listed by default; the lists of other kinds are long and are printed on request.
DEFAULT_KINDS = ("models", "panels", "scenarios", "outcomes")


@command(
    "list",
    "gapsim list",
    "gapsim list parameters --lang zh",
    'gapsim list "Access Share"',
    "gapsim list schema > scenario.schema.json",
)
def show(
    session: Session,
    what: Annotated[
        str,
        typer.Argument(
            metavar="[KIND|NAME]",
            help="models, panels, scenarios, outcomes, levers, classes, parameters, inputs, measurements, variables or "
            "regions; the name of any of these, or a scenario file; or schema, the JSON Schema of scenario files.",
        ),
    ] = "",
    *,
    model: AnyModel = MODEL,
) -> None:
    """List what there is: scenarios, parameters, variables and others, each with its unit and meaning; or show one."""
    from pysd_runner.model import load_model
    from pysd_runner.reports.description import KINDS, catalogue, items_named, list_lines
    from pysd_runner.scenarios import scenario_schema

    loaded = load_model(model)
    if what == "schema":
        session.data = {"schema": scenario_schema(loaded)}
        session.say(json.dumps(session.data["schema"], indent=2, ensure_ascii=False))
        return
    if what and what not in KINDS:
        named = items_named(what, loaded, lang=session.lang)
        session.data = [item.to_dict() for item in named]
        for line in (line for item in named for line in item.lines(session.lang)):
            session.say(line)
        return
    every = {name: catalogue(name, loaded) for name in ([what] if what else KINDS)}
    # A kind without entries is listed only if it was requested by itself.
    found = {name: entries for name, entries in every.items() if what or (name in DEFAULT_KINDS and entries)}
    session.data = {
        name: [
            {"name": item.name, "unit": item.facts.get("unit", ""), "en": item.en, "zh": item.zh} for item in entries
        ]
        for name, entries in found.items()
    }
    for line in (line for name, entries in found.items() for line in list_lines(name, entries, session.lang)):
        session.say(line)
    if not what:
        others = "|".join(name for name, entries in every.items() if entries and name not in DEFAULT_KINDS)
        session.note(Message("More: `gapsim list {kinds}`, `gapsim list NAME`", kinds=others))


WIDTH = 20
# Maximum number of variables without a unit that are named.
NAMED = 8


@command("doctor", "gapsim doctor", "gapsim doctor my_model.mdl", "gapsim doctor --pysd")
def doctor(
    session: Session,
    model: Annotated[
        str | None, typer.Argument(metavar="[MODEL]", help="Vensim or XMILE file, or the name of a shipped model.")
    ] = None,
    *,
    sets: Sets = None,
    pysd: Annotated[
        bool,
        typer.Option("--pysd", help="Without MODEL: compare the engines with PySD too, which takes some seconds."),
    ] = False,
) -> int:
    """Examine the installation: versions, fonts for Chinese, writable folders, and the engines against each other.

    With a model: what that Vensim or XMILE file asks for and what is done with it, everything that stops it from
    running, and the units of every equation. Exit code 1 when the installation is broken, 2 when the model cannot run
    or its units do not fit.
    """
    if model is not None:
        return _examine_model(session, model, sets or ())

    found = []
    with session.stage(Message("Examining this installation")):
        for finding in examine_installation(pysd=pysd):
            found.append(finding)
            session.say(f"{finding.severity:<8}{finding.rule:<{WIDTH}}{session.said(finding.message)}")
    if not pysd:
        session.note(Message("`gapsim doctor --pysd` compares the engines with PySD too"))
    session.data = [{"subject": item.rule, "verdict": item.severity, "text": item.message} for item in found]
    return BUG if any(item.severity == "error" for item in found) else 0


def _examine_model(session: Session, name: str, sets: Sequence[Path]) -> int:
    from pysd_runner.checks import EquationProblem, check_dimensions, check_running
    from pysd_runner.engine import difference_of_methods
    from pysd_runner.model import load_model

    model = load_model(name, data=sets)
    obstacles = check_running(model)
    stopped = {item.variable for item in obstacles}
    problems = [item for item in check_dimensions(model) if item.is_failure or item.variable not in stopped]
    found = list(obstacles)
    if difference := difference_of_methods(model.ir):
        found.append(
            EquationProblem(kind="method", message=Message("{file}: {said}", file=model.path.name, said=difference))
        )
    slips = (Message("{file}: {slip}", file=model.path.name, slip=slip) for slip in model.ir.slips)
    found += [EquationProblem(kind="slip", message=slip) for slip in slips]
    for feature in (item for item in model.ir.features if item.warns):
        told = Message("{file}: {name}: {done}", file=model.path.name, name=feature.name, done=feature.done)
        found.append(EquationProblem(kind="not done", message=told))
    found += problems
    failures = sum(item.is_failure for item in found)
    entries = list(map(_entry, found))
    for done, names in _asked(model.ir.features).items():
        said = (session.said(name) + (f" ({count})" if count > 1 else "") for name, count in names)
        session.say(f"{'asks':<8}{session.said(done)}: {', '.join(said)}")
    for line in map(_bound, model.ir.series):
        session.say(f"{'data':<8}{session.said(line)}")
    bare = [item.variable for item in found if item.kind == "no unit given"]
    for entry in entries:
        if entry["kind"] != "no unit given" or len(bare) == 1:
            session.say(f"{entry['verdict']:<8}{session.said(entry['message'])}")
    if len(bare) > 1:
        shown = listed(bare, NAMED)
        session.say(
            Message("warning {count} variables have no unit, and fit any: {names}", count=len(bare), names=shown)
        )
    session.say(
        Message(
            "{count} variables: {failures} errors, {doubts} warnings",
            count=len(model.variables),
            failures=failures,
            doubts=len(found) - failures,
        )
    )
    if obstacles:
        session.say(Message("the model cannot run as it stands: {count} of the errors stop it", count=len(obstacles)))
    asked = [
        {"verdict": "asks", "kind": item.name, "message": f"{item.done} ({item.count})"} for item in model.ir.features
    ]
    bound = [{"verdict": "data", "kind": item.file, "message": _bound(item)} for item in model.ir.series]
    session.data = [*asked, *entries, *bound]
    return InvalidModel.exit_code if failures else 0


def _asked(features: Iterable["Feature"]) -> dict[str, list[tuple[str, int]]]:
    """Features that a model file uses, and how often, grouped by how they are treated."""
    found: dict[str, list[tuple[str, int]]] = {}
    for item in features:
        if not item.warns:
            found.setdefault(item.done, []).append((item.name, item.count))
    return found


def _bound(item: "BoundSeries") -> Message:
    """A series of a data set with its first and last point, in which a damaged file shows."""
    name = f"{item.variable}[{', '.join(item.elements)}]" if item.elements else item.variable
    (start, end), (first, last) = item.times, item.values
    return Message(
        "{file}: {name}: {count} points, {first:g} at {start:g} to {last:g} at {end:g}",
        file=item.file,
        name=name,
        count=item.count,
        first=first,
        start=start,
        last=last,
        end=end,
    )


def _entry(item: "EquationProblem") -> dict[str, str]:
    return {"verdict": "error" if item.is_failure else "warning", **asdict(item)}


# Maximum relative difference between engines that rounding can explain.
PARITY = 1e-10
# Model, regions and years of the self-test; small, because PySD needs about half a second for each simulated year.
TEST_MODEL, TEST_REGIONS, TEST_YEARS = "regional_digital", 2, 1


def examine_installation(*, pysd: bool = False) -> Iterator[Finding]:
    """Examine this installation, one finding after the other; with `pysd`, compare the engines with PySD too."""
    yield Finding("python", f"{platform.python_version()}, {platform.system()}", "ok")
    for name in ("gapsim", *_requirements()):
        yield _package(name)
    for subject, examine in _EXAMINATIONS.items():
        yield _examined(subject, examine)
    yield _examined("engines", lambda: _parity(pysd=pysd))


def _examined(subject: str, examine: Callable[[], tuple[Severity, str]]) -> Finding:
    """Run one check; an error in it becomes a finding, so that the other checks still run."""
    try:
        verdict, text = examine()
    except (GapsimError, OSError, ArithmeticError, ImportError) as error:
        verdict, text = "error", f"{type(error).__name__}: {error}"
    return Finding(subject, text, verdict)


def _requirements() -> list[str]:
    """Names of the packages that this package requires."""
    return [re.split(r"[^\w.-]", text)[0] for text in requires("gapsim") or () if "extra ==" not in text]


def _package(name: str) -> Finding:
    try:
        return Finding(name, version(name), "ok")
    except PackageNotFoundError:
        return Finding(name, Message("not installed; `python -m pip install {name}`", name=name))


def _shipped() -> tuple[Severity, str]:
    from pysd_runner.data import shipped_panels
    from pysd_runner.scenarios import shipped_scenarios

    panels, scenarios = shipped_panels(), shipped_scenarios(TEST_MODEL)
    return "ok", Message(
        "panels: {panels}, scenarios: {scenarios}, in {folder}",
        panels=len(panels),
        scenarios=len(scenarios),
        folder=str(models_folder()),
    )


def _fonts() -> tuple[Severity, str]:
    from pysd_runner.plots.style import BASE, families

    found = [name for name in families() if name != BASE]
    if found:
        return "ok", ", ".join(found)
    return "warning", Message(
        "no font for Chinese; labels of pictures fall back to English: `pip install 'gapsim[chinese]'` brings one"
    )


def _writable(folder: Path) -> Callable[[], tuple[Severity, str]]:
    def examine() -> tuple[Severity, str]:
        with tempfile.TemporaryFile(dir=folder):
            return "ok", str(folder)

    return examine


def _processor() -> tuple[Severity, str]:
    """CPU and vector width for which the compiled engine generates code on this machine."""
    from pysd_runner.core.errors import UnsupportedFeature
    from pysd_runner.engine import host

    try:
        found = host()
    except UnsupportedFeature as error:
        return "warning", Message("{error}; NumPy takes over, with the same numbers at a lower speed", error=error)
    return "ok", Message(
        "{cpu}, vectors of {count} numbers in double precision", cpu=found.cpu, count=found.vector_bytes // 8
    )


def _parity(*, pysd: bool) -> tuple[Severity, Message]:
    """Compare the engines of this machine, and PySD if asked, on a small run."""
    from pysd_runner.engine import chosen
    from pysd_runner.model import load_model
    from pysd_runner.simulation import simulate

    model = load_model(TEST_MODEL, regions=TEST_REGIONS)
    start = float(simulate(model, outcomes=["TIME STEP"]).years[0])
    engines: list[Engine] = list(dict.fromkeys(("numpy", chosen("auto"))))
    engines += ["pysd"] * pysd
    first, *runs = (simulate(model, start=start, stop=start + TEST_YEARS, engine=name) for name in engines)
    worst, where = max((_difference(run, first) for run in runs), default=(0.0, ""))
    said = Message(
        "{engines}: {count} variables, largest relative difference {worst:.1g}",
        engines=", ".join(engines),
        count=len(first.data),
        worst=worst,
    )
    if worst <= PARITY:
        return "ok", said
    return "error", Message(
        "{said}, in {variable!r}; results of this installation cannot be trusted: reinstall it",
        said=said,
        variable=where,
    )


def _difference(ours: "Run", theirs: "Run") -> tuple[float, str]:
    import numpy as np

    return max(
        (float((np.abs(ours[name] - values) / np.maximum(np.abs(values), 1e-2)).max(initial=0.0)), name)
        for name, values in theirs.data.items()
    )


_EXAMINATIONS: dict[str, Callable[[], tuple[Severity, str]]] = {
    "shipped files": _shipped,
    "fonts for Chinese": _fonts,
    "temporary folder": _writable(Path(tempfile.gettempdir())),
    "current folder": _writable(Path()),
    "compiled engine": _processor,
}

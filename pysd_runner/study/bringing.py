"""Find the files of a published study, and write one declarations file from them for a model of one's own."""

import csv
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PureWindowsPath

from pysd_runner.core.errors import InvalidInput, Message, UnsupportedFeature
from pysd_runner.core.types import frozen
from pysd_runner.engine import SUFFIXES, load_lowered
from pysd_runner.engine.ir import key
from pysd_runner.model import Model, facts_of
from pysd_runner.published.files import Free, StudyFile, Term, equations_of, read_file, read_report
from pysd_runner.published.lines import Target, text_of
from pysd_runner.published.runs import StudyRun, read_runs, settings_of

TABLES = (".tab", ".csv", ".dat")
# First four bytes of a data set of Vensim; other files of these endings are results of runs.
_SET, _SETS = bytes.fromhex("7ff71741"), (".vdf", ".vdfx")
_SCRIPTS = (".cmd", ".json", ".txt")
# Kinds of variables that no column observes.
_GIVEN = ("constant", "data", "lookup")
# Runs that are listed.
MOST_LISTED = 10
# Beyond this many files a folder is no study.
MOST_FILES = 20_000


@frozen
class Found:
    """Files of a study: its model, and all others by their kind."""

    model: Path
    files: tuple[Path, ...]
    runs: tuple[StudyRun, ...]
    settings: StudyRun | None  # of the model file, which count where no script describes a run

    def ending(self, *endings: str) -> list[Path]:
        """Files with one of some endings."""
        return [path for path in self.files if path.suffix.lower() in endings]

    def named(self, name: str) -> Path | None:
        """The file that a script means; the nearest to the model if several have its name."""
        last = PureWindowsPath(name).name.casefold()
        return next((path for path in self.files if path.name.casefold() == last), None)


def find_study(places: Sequence[Path]) -> Found:
    """Find the files of a study.

    Parameters
    ----------
    places
        The folder of a study or its model file, then further folders and files that belong to it.

    Returns
    -------
    Found
        Its files, those near the model first, and the runs that scripts describe.

    Raises
    ------
    InvalidInput
        If there is no model, or several; the message lists them.
    """
    first = places[0]
    if not first.exists():
        raise InvalidInput("{path}: there is no such file or folder", path=first)
    files = list(dict.fromkeys(_files([first.parent if first.is_file() else first, *places[1:]])))
    models = [first] if first.is_file() else [path for path in files if path.suffix.lower() in SUFFIXES]
    near = [path for path in models if path.parent == first]
    models = near if len(near) == 1 else models
    if not models:
        raise InvalidInput("{folder} has no model; expected a Vensim .mdl or an XMILE file", folder=first)
    if len(models) > 1:
        raise InvalidInput(
            "{folder} has {count} models; give the file of one: {names}",
            folder=first,
            count=len(models),
            names=", ".join(f"`{path}`" for path in models[:10]),
        )
    home = models[0].parent
    ordered = sorted(files, key=lambda path: (path.parent != home, len(path.parts), str(path)))
    runs = [run for path in ordered if path.suffix.lower() in _SCRIPTS for run in _runs(path)]
    own = [run for run in runs if PureWindowsPath(run.model).name.casefold() == models[0].name.casefold()]
    settings = settings_of(models[0]) if models[0].suffix.lower() == ".mdl" else None
    return Found(model=models[0], files=tuple(ordered), runs=tuple(own), settings=settings)


def _files(places: Iterable[Path]) -> Iterator[Path]:
    for place in places:
        several = [place] if place.is_file() else sorted(path for path in place.rglob("*") if path.is_file())
        if len(several) > MOST_FILES:
            raise InvalidInput(
                "{folder} has more than {most} files; give the folder of one study", folder=place, most=MOST_FILES
            )
        yield from several


def _runs(path: Path) -> tuple[StudyRun, ...]:
    try:
        return read_runs(path)
    except InvalidInput:
        return ()


@frozen
class Plan:
    """What belongs to the base run and to each scenario: files, each with where that is said."""

    base: StudyRun | None
    changes: tuple[tuple[Path | str, str], ...]  # a text where the file is missing
    scenarios: tuple[tuple[str, tuple[tuple[Path | str, str], ...]], ...]
    outs: tuple[StudyFile, ...]  # results of searches
    best: StudyFile | None  # that of the base run
    report: StudyFile | None  # on the base run


def plan_of(found: Found) -> Plan:
    """Which change files belong to which run, by the scripts.

    Without any, the settings of the model file describe the base run, and each other change file is a scenario.
    """
    outs = [read_file(path) for path in found.ending(".out")]
    searches = [run for run in found.runs if run.is_search]
    base = min(searches or found.runs, key=lambda run: _is_sampled(run, found), default=found.settings)
    mine = [item for item in outs if base is not None and _is_of(item.path.stem, base.name)]
    if not found.runs and not (base and base.changes):
        mine = outs
    elif base is not None and not base.is_search and not mine:
        # A run that repeats what a search found has its payoff.
        mine = [item for item in outs if base.changes and found.named(base.changes[-1]) == item.path]
    best = mine[0] if len(mine) == 1 else None
    changes = [] if base is None else [(found.named(name) or name, base.place_of(name)) for name in base.changes]
    if best is not None and best.path not in [path for path, _ in changes]:
        changes.append((best.path, str(best.payoff[1]) if best.payoff else best.path.name))
    scenarios = []
    for run in found.runs:
        if run is not base and not run.is_search:
            more = [name for name in run.changes if base is None or name not in base.changes]
            scenarios.append((run.name, tuple((found.named(name) or name, run.place_of(name)) for name in more)))
    if not found.runs:
        used = [path for path, _ in changes]
        scenarios = [(path.stem, ((path, path.name),)) for path in found.ending(".cin") if path not in used]
    report = found.named(f"{best.path.stem}.rep") if best is not None else None
    return Plan(
        base=base,
        changes=tuple(changes),
        scenarios=tuple(dict(scenarios).items()),
        outs=tuple(outs),
        best=best,
        report=read_report(report) if report is not None else None,
    )


def _is_sampled(run: StudyRun, found: Found) -> bool:
    """Whether a run samples, instead of searching for the best payoff."""
    path = found.named(run.search) if run.search else None
    return path is not None and any("=MCMC" in item.text.upper() for item in read_file(path).options)


def _is_of(stem: str, name: str) -> bool:
    """Whether results belong to a run by their name: the same, or that of a control file with ``_main_full``."""
    return bool(name) and stem.casefold() in (name.casefold(), f"{name}_main_full".casefold())


def plain_model(found: Found, plan: Plan) -> Model:
    """The model with the changes of the base run, whatever is declared beside it."""
    files = [path for path, _ in plan.changes if isinstance(path, Path)]
    equations = tuple(item for path in files for item in equations_of(path))
    # Constants and tables may be read from a data set by its name.
    sets = [path for path in found.ending(*_SETS) if _is_set(path)]
    made = load_lowered(found.model, {}, changes=equations, data=sets)
    if made.model is None:
        raise UnsupportedFeature(made.unassigned)
    return Model(name=found.model.stem, path=made.path, sha256=made.sha256, lowered=made.model)


@frozen
class Written:
    """Declarations of a study: their text, the files that belong to them, and what a reader has to be told."""

    text: str
    told: tuple[str, ...]


def write_study(found: Found, plan: Plan, model: Model, *, times: str = "time") -> Written:
    """Write the declarations of a study.

    Parameters
    ----------
    found, plan
        The files, and what belongs together.
    model
        The model, loaded without declarations.
    times
        Whether sums of the payoff over steps are multiplied by the time step, ``"time"``, or not, ``"step"``.
    """
    return _Writer(found, plan, model, times).written()


class _Writer:
    """Writes line by line; ``told`` collects sentences on what was left out."""

    def __init__(self, found: Found, plan: Plan, model: Model, times: str) -> None:
        self.found, self.plan, self.model, self.times = found, plan, model, times
        self.lines = [
            "# From `gapsim study`: read it and change it. Behind each line stands where it is from.",
            "schema = 2",
        ]
        self.told: list[str] = []
        self.values = {key(name): fact.value for name, fact in facts_of(model.ir).items()}
        self.home = found.model.parent

    def written(self) -> Written:
        base = self.plan.base
        self._study(base)
        self._scenarios()
        searches = self._chosen("search", ".voc")
        terms = self._one(self._chosen("payoff", ".vpd")) or self.plan.report
        searched = self._one(searches)
        self._parameters(searched)
        free = [item.target for item in searched.entries] if searched else []
        self._measurements([item for item in terms.entries if item.kind == "C"] if terms else [], free)
        if terms is None and self.found.model.suffix.lower() != ".mdl":
            self._columns()
        self._objective([item for item in terms.entries if item.kind == "P"] if terms else [])
        self._outcomes(self._chosen("saved", ".lst"))
        self._published(searched)
        return Written(text="\n".join(self.lines) + "\n", told=tuple(self.told))

    def _chosen(self, setting: str, ending: str) -> list[StudyFile]:
        """The file of an ending that the base run names, or else all."""
        base = self.plan.base
        name = getattr(base, setting) if base is not None else ""
        path = self.found.named(name) if name else None
        if base is not None and name and path is None:
            self._note(Message("not found: {file}, which {place} names", file=name, place=base.place_of(name)))
        return [read_file(item) for item in ([path] if path is not None else self.found.ending(ending))]

    def _one(self, files: Sequence[StudyFile]) -> StudyFile | None:
        """The first of several files; the others, and lines that are not understood, are told."""
        if not files:
            return None
        self.told += files[0].doubts
        for item in files[1:]:
            self._note(Message("not used: {file}", file=_relative(item.path, self.home)))
        return files[0]

    def _note(self, said: str) -> None:
        self.lines.append(f"# {said}")
        self.told.append(said)

    def _head(self, head: str) -> None:
        self.lines += ["", head]

    def _list(self, name: str, files: Iterable[tuple[Path | str, str]]) -> None:
        self.lines.append(f"{name} = [")
        for file, place in files:
            if isinstance(file, str):
                self._note(Message("not found: {file}, which {place} names", file=file, place=place))
            else:
                self.lines.append(f"  {_quoted(_relative(file, self.home))},  # {place}")
        self.lines.append("]")

    def _study(self, base: StudyRun | None) -> None:
        self._head("[study]")
        of_kind = {path: _is_set(path) for path in self.found.ending(*_SETS)}
        for path in [path for path, is_set in of_kind.items() if not is_set][:MOST_LISTED]:
            self.lines.append(f"# {_relative(path, self.home)}: a run, not read")
        stems = {path.stem.casefold(): path for path, is_set in reversed(of_kind.items()) if is_set}
        loose = [(path, path.name) for path in (*reversed(stems.values()), *self.found.ending(".dat"))]
        named: list[tuple[Path | str, str]] = []
        if base is not None:
            named += [(self.found.named(name) or name, base.place_of(name)) for name in base.sets]
        if not any(isinstance(path, Path) for path, _ in named):
            named += loose
        if named:
            self._list("sets", named)
        if self.plan.changes:
            self._list("changes", self.plan.changes)
        for item in base.values if base else ():
            self._note(Message("{place}: not read: {text}", place=item.place, text=item.text))
        for other in self.plan.outs:
            if other is not self.plan.best and other.payoff:
                name = _relative(other.path, self.home)
                self.lines.append(f"# {name}: another result of a search, payoff {other.payoff[0]:g}")

    def _scenarios(self) -> None:
        for name, files in self.plan.scenarios:
            self._head(f"[scenarios.{_quoted(name)}]")
            self._list("changes", files)
            series = [
                path for path in self.found.ending(*TABLES) if path.stem == name or path.stem.endswith(f"_final_{name}")
            ]
            if series:
                self._list("published", [(path, path.name) for path in series[:1]])

    def _parameters(self, search: StudyFile | None) -> None:
        for item in search.entries if search else ():
            names = self._elements(item.target, item.place)
            lower, upper = (self._number(bound) for bound in (item.lower, item.upper))
            for name in names:
                self._parameter(name, item, lower, upper)

    def _number(self, given: float | Target | str | None) -> float | None:
        """A number, or the value of the constant that is named instead."""
        if given is None or isinstance(given, float):
            return given
        return self.values.get(key(str(given)))

    def _parameter(self, name: str, item: Free, lower: float | None, upper: float | None) -> None:
        value = self._number(name)
        if value is None:
            self._note(Message("{place}: {name} is no constant of the model", place=item.place, name=name))
            return
        self._head(f"[parameters.{_quoted(name)}]  # {item.place}")
        if (lower is not None and value < lower) or (upper is not None and value > upper):
            self._note(
                Message(
                    "{place}: {name} is {value:g} in the runs of the authors, outside of its bounds, which are widened",
                    place=item.place,
                    name=name,
                    value=value,
                )
            )
        for end, number, wider in (("lower", lower, min), ("upper", upper, max)):
            if number is not None:
                self.lines.append(f"{end} = {wider(number, value)!r}")
        if lower is not None and upper is not None:
            self.lines.append(f"bounds_from = {_quoted(item.place.file)}")
        if item.start is not None:
            self.lines.append(f"# {item.place}: start {item.start!r}")
            if (lower is not None and item.start < lower) or (upper is not None and item.start > upper):
                self._note(
                    Message(
                        "{place}: the start of {name}, {start:g}, lies outside of its bounds",
                        place=item.place,
                        name=name,
                        start=item.start,
                    )
                )

    def _elements(self, target: Target, place: object) -> list[str]:
        """Names of the elements that a name with ranges or elements stands for."""
        try:
            variable = self.model.find(target.name)
            return elements_of(self.model, variable, target.subscripts)
        except InvalidInput as error:
            self._note(Message("{place}: {said}", place=place, said=str(error)))
            return []

    def _measurements(self, terms: Sequence[Term], free: Sequence[Target]) -> None:
        for item in terms:
            self._head(f"[measurements.{_quoted(str(item.data))}]  # {item.place}")
            self.lines.append(f"outcome = {_quoted(str(item.variable))}")
            self.lines.append(f'scale = "{"log" if "L" in item.letters else "level"}"')
            self.lines.append('errors = { family = "normal", memory = "independent" }')
            weight = None if item.weight in free else self._number(item.weight)
            if weight:
                self.lines.append(f"sd = {1 / abs(weight)!r}  # 1 / {item.weight}")
            else:
                self._note(
                    Message(
                        "{place}: the weight {weight} is estimated as one standard deviation",
                        place=item.place,
                        weight=item.weight,
                    )
                )

    def _columns(self) -> None:
        """Columns beside an XMILE file, which has no payoff, observe the variables that are called like them."""
        known = {key(name): name for name, found in self.model.variables.items() if found.kind not in _GIVEN}
        for path in self.found.ending(".csv"):
            file, left = _relative(path, self.home), []
            for name in _header(path):
                variable = known.pop(key(name), None)
                if variable is None:
                    left.append(name)
                    continue
                self._head(f"[measurements.{_quoted(name)}]  # {file}:1, --data {file}")
                self.lines += [f"column = {_quoted(name)}", f"outcome = {_quoted(variable)}"]
            if left:
                self._note(
                    Message(
                        "{file}: columns that are not called like a variable: {names}; what one of them observes is "
                        "written as `[measurements.NAME]` with `column` and `outcome`",
                        file=file,
                        names=", ".join(left[:MOST_LISTED]),
                    )
                )

    def _objective(self, terms: Sequence[Term]) -> None:
        if not terms:
            return
        self._head("[objective]")
        self.lines.append("terms = [")
        for item in terms:
            weight = repr(item.weight) if isinstance(item.weight, float) else _quoted(str(item.weight))
            for name in self._whole(item):
                self.lines.append(
                    f'  {{ variable = {_quoted(name)}, weight = {weight}, at = "{item.at}" }},  # {item.place}'
                )
        self.lines += ["]", f'times = "{self.times}"']

    def _whole(self, item: Term) -> list[str]:
        """The variable itself if all its elements count, or else each element."""
        names = self._elements(item.variable, item.place)
        if not names:
            return []
        variable = self.model.find(item.variable.name)
        return [variable] if len(names) == len(elements_of(self.model, variable, ())) else names

    def _outcomes(self, lists: Sequence[StudyFile]) -> None:
        seen: set[str] = set()
        for item in (entry for file in lists[:1] for entry in file.entries):
            try:
                name = self.model.find(item.target.name)
            except InvalidInput:
                self._note(Message("{place}: the model has no {name!r}", place=item.place, name=item.target.name))
                continue
            if name not in seen and self.model.variables[name].kind != "lookup":
                seen.add(name)
                self._head(f"[outcomes.{_quoted(name)}]  # {item.place}")

    def _published(self, search: StudyFile | None) -> None:
        best, stems = self.plan.best, []
        if best is not None:
            stems = [best.path.stem]
        elif self.plan.base is not None:
            stems = [self.plan.base.name]
        series = [path for path in self.found.ending(*TABLES) if path.stem in stems]
        if best is None and not series and search is None:
            return
        self._head("[published]")
        payoffs = [file.payoff for file in (self.plan.report, best) if file is not None and file.payoff]
        if payoffs:
            self.lines.append(f"payoff = {payoffs[0][0]!r}  # {payoffs[0][1]}")
        if series:
            self._list("series", [(path, path.name) for path in series[:1]])
        if search is not None and search.options:
            self._head("[published.search]  # as text: how the authors searched")
            options = {item.text[1:].partition("=")[0]: item for item in search.options}
            for name, item in options.items():
                self.lines.append(f"{_quoted(name)} = {_quoted(item.text.partition('=')[2])}  # {item.place}")


def elements_of(model: Model, variable: str, subscripts: Sequence[str]) -> list[str]:
    """Names of the elements of a variable that subscripts, elements or ranges, select; all of them without any."""
    from itertools import product

    dims = model.ir.variables[variable].dims
    if not dims:
        return [variable]
    if subscripts and len(subscripts) != len(dims):
        raise InvalidInput(
            "{name!r} has {count} subscripts; {asked} are given", name=variable, count=len(dims), asked=len(subscripts)
        )
    ranges = {key(name): items for name, items in model.ir.ranges.items()}
    chosen = []
    for label, dim in zip(subscripts or dims, dims, strict=True):
        items = {key(item): item for item in model.ir.ranges[dim]}
        wanted = [key(label)] if key(label) in items else [key(item) for item in ranges.get(key(label), ())]
        if not wanted or not set(wanted) <= set(items):
            raise InvalidInput("{name!r}: {dim} has no element or range {label!r}", name=variable, dim=dim, label=label)
        chosen.append([items[item] for item in wanted])
    return [f"{variable}[{', '.join(labels)}]" for labels in product(*chosen)]


def _header(path: Path) -> list[str]:
    """Names in the first line of a table."""
    line = next(iter(text_of(path).splitlines()), "")
    return [
        name.strip() for name in next(csv.reader([line], delimiter=max(",;\t", key=line.count)), []) if name.strip()
    ]


def _is_set(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_SET)) == _SET


def _relative(path: Path, home: Path) -> str:
    return Path(os.path.relpath(path, home)).as_posix()


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)

"""Feedback loops of a run and their shares in its change, by the method Loops that Matter."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import field
from heapq import nlargest
from itertools import count, islice, pairwise
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from pysd_runner.core.calendar import PLAIN, Calendar
from pysd_runner.core.errors import NOTHING, InvalidInput, UnknownName
from pysd_runner.core.numbers import percent
from pysd_runner.core.types import Array, Texts, frozen
from pysd_runner.data.names import Entity
from pysd_runner.data.regions import RegionBook
from pysd_runner.engine.ir import key
from pysd_runner.export.files import Tabled
from pysd_runner.model import Model
from pysd_runner.simulation.run import located
from pysd_runner.simulation.task import spelled
from pysd_runner.spec.declarations import DeclaredLoop
from pysd_runner.study.arguments import HasProblem, loaded, parameters_of, subject_of
from pysd_runner.study.inputs import ProjectionInputs, inputs_of
from pysd_runner.study.links import Links, Node, link_scores
from pysd_runner.text import translate

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from pysd_runner.plots import ReportFigure

Cycle = tuple[Node, ...]
Find = Literal["all", "strongest", "named"]

# Maximum number of loops that are enumerated: if all are listed, and in addition to those of the strongest paths.
MOST, COUNTED = 400_000, 10_000
# Reasons why links have no score.
REASONS = {
    "random": "loops.random",
    "memory": "loops.memory",
    "pipe": "loops.pipe",
    "not_finite": "loops.not_finite",
}
# Loops that a result lists, and variables of a path that a label shows.
LISTED, SHOWN = 200, 6


@frozen(repr=False)
class Loops(Tabled):
    """Feedback loops and their shares in the change of the stocks they pass through.

    Parameters
    ----------
    relative
        Relative scores, dimensions (loop, time): the score of a loop divided by the sum of the magnitudes of all that
        were counted in its partition; positive for reinforcing loops, negative for balancing ones, missing where
        nothing changes.
    paths
        Variables of each loop in the order of its links; several paths where a loop has several.
    share_held
        Share of the listed loops in the sum of magnitudes, dimensions (partition, time), for each partition that they
        lie in; missing where nothing changes.
    counted
        Number of loops counted.
    longest
        Number of links up to which every loop was counted, besides those of the strongest paths; None for all loops.
    partitions
        Variables that lie on loops with each other, largest set first; loops are listed in this order, those with the
        largest shares first.
    left_out
        Variables with links that have no score, with the reasons.
    of
        Variable that all loops pass through; empty for all loops of the model.
    labels
        Declarations of the loops that have a name.
    calendar
        Dates of the times of the run.
    """

    relative: "xr.DataArray"
    paths: Mapping[str, tuple[tuple[str, ...], ...]]
    share_held: "xr.DataArray"
    counted: int
    longest: int | None
    partitions: tuple[tuple[str, ...], ...]
    left_out: Mapping[str, tuple[str, ...]]
    of: str = ""
    labels: Mapping[str, DeclaredLoop] = field(default_factory=dict)
    calendar: Calendar = PLAIN

    def __repr__(self) -> str:
        return f"<Loops: {len(self.paths)} listed of {self.counted} counted, {percent(self.held)} % held>"

    @property
    def held(self) -> float:
        """Mean over time of the share of the listed loops in the first partition."""
        return float(self.share_held[0].mean()) if self.paths else 0.0

    def table(self, periods: int = 3) -> "pd.DataFrame":
        """Mean share of each loop over the run and in periods of equal length, without times at which nothing changes.

        Parameters
        ----------
        periods
            Number of periods.

        Returns
        -------
        pandas.DataFrame
            One row per loop: ``share``, the mean magnitude; one column for each period, the mean of the relative score;
            and ``path``.
        """
        wide: Any = self.relative.to_pandas()
        found: pd.DataFrame = wide.abs().mean(axis=1).to_frame("share")
        for part in np.array_split(wide.columns.to_numpy(), max(1, periods)):
            if part.size:
                ends = [self.calendar.said(moment) for moment in (part[0], part[-1])]
                found[("–" if "-" in "".join(ends) else "-").join(ends)] = wide[part].mean(axis=1)
        found["path"] = [" | ".join(map(" > ".join, ways)) for ways in self.paths.values()]
        return found

    def sentence(self, lang: str = "en") -> str:
        """State which loop has the largest share in the change, in which period, and the share of all listed loops."""
        if not self.paths:
            return self.caveat(lang)
        table = self.table()
        first = str(table.index[0])
        beside = self.relative["partition"] == self.relative["partition"][0]
        shares = table[beside.to_numpy()].drop(columns=["share", "path"]).abs().dropna(axis=1, how="all")
        leading = ", ".join(f"{period}: {name}" for period, name in shares.idxmax().items())
        told = translate(
            "loops.sentence",
            lang,
            loop=self.label(first, lang),
            of=self.of or translate("loops.connected", lang),
            share=percent(float(table["share"].iloc[0])),
            leading=leading,
        )
        return f"{told} {self.caveat(lang)}"

    def caveat(self, lang: str = "en") -> str:
        """State the share of the listed loops in all counted ones, and the variables that were left out."""
        how = "loops.every" if self.longest is None else "loops.some"
        if not self.paths:
            how = "loops.unnamed" if self.counted else "loops.off" if self.of else "loops.none"
        told = translate(
            how,
            lang,
            listed=len(self.paths),
            counted=self.counted,
            longest=self.longest,
            held=percent(self.held),
            of=self.of,
        )
        names = ", ".join(
            f"{name} ({', '.join(translate(REASONS[why], lang) for why in dict.fromkeys(own))})"
            for name, own in self.left_out.items()
        )
        return " ".join([told, translate("loops.left_out", lang, names=names)]) if names else told

    def label(self, name: str, lang: str = "en") -> str:
        """A loop with its label, or some variables of its path, among them those that other loops do not have."""
        return f"{name} ({getattr(self.labels.get(name), lang, '') or self._shortened()[name]})"

    def _shortened(self) -> dict[str, str]:
        """Abbreviated path of each loop, unique to it: its first and last variables, or those that distinguish it."""
        paths = {name: ways[0] for name, ways in self.paths.items()}
        plain = {name: _cut(path, range(SHOWN - 2)) for name, path in paths.items()}
        found = {}
        for name, path in paths.items():
            alike = [other for own, other in paths.items() if own != name and plain[own] == plain[name]]
            shared = [(sum(variable in other for other in alike), place) for place, variable in enumerate(path)]
            rarest = [place for _, place in sorted(shared[1:-1])]
            found[name] = _cut(path, {0, *rarest[: SHOWN - 3]}) if alike else plain[name]
        texts = Counter(found.values())
        return {name: text if texts[text] == 1 else " > ".join(paths[name]) for name, text in found.items()}

    def plot(self, *, most: int = 8, lang: str = "en") -> "ReportFigure":
        """Draw the relative scores of the largest loops over time as stacked areas.

        Parameters
        ----------
        most
            Number of loops drawn.
        lang
            Language of the labels, ``"en"`` or ``"zh"``.

        Returns
        -------
        ReportFigure
            The figure.
        """
        from pysd_runner.plots.policies import plot_loops
        from pysd_runner.plots.style import figure_of, usable_language

        wide: Any = self.relative[:most].T.fillna(0).to_pandas()
        wide.index = self.calendar.shown(wide.index)

        def drawn(lang: str) -> "ReportFigure":
            lang = usable_language(lang)
            title = translate("loops.title" if self.of else "loops.titles", lang, of=self.of)
            told = {"title": title, "subtitle": translate("loops.subtitle", lang), "caption": self.caveat(lang)}
            names = {name: self.label(name, lang) for name in wide.columns}
            return plot_loops(wide, labels=names, told=told, sentence=self.sentence(lang), lang=lang)

        return figure_of(drawn)(lang)


def _cut(path: Sequence[str], places: Collection[int]) -> str:
    """A path of at most `SHOWN` variables in full, else its variables at some positions and the last, with ellipses."""
    kept = [place for place in range(len(path)) if len(path) <= SHOWN or place in places or place == len(path) - 1]
    gaps = ("… > " if place - before > 1 else "" for before, place in pairwise([0, *kept]))
    return " > ".join(f"{gap}{path[place]}" for gap, place in zip(gaps, kept, strict=True))


class Graph:
    """The links of a run, and the loops they make."""

    def __init__(self, links: Links, through: Iterable[Node]) -> None:
        import networkx as nx  # takes half a second

        self.links, self.scores, self.graph = links, links.scores, nx.DiGraph(list(links.scores))
        parts = nx.strongly_connected_components(self.graph)
        self.parts = sorted((sorted(part) for part in parts if len(part) > 1 or (*part, *part) in self.scores), key=len)
        self.parts.reverse()
        self.part = {node: place for place, part in enumerate(self.parts) for node in part}
        self.through = {node for node in through if node in self.part}
        self.starts = self.through or {node for node in links.stocks if node in self.part}

    def kept(self, loops: Iterable[Sequence[Node]]) -> set[Cycle]:
        """Loops through the requested variable, starting from it; without one, all loops, from their first stock."""
        found = set()
        for loop in loops:
            if not self.through or self.through.intersection(loop):
                first = loop.index(min(self.starts.intersection(loop) or loop))
                found.add((*loop[first:], *loop[:first]))
        return found

    def every(self, most: int, longest: int | None = None) -> set[Cycle] | None:
        """All loops, or those up to a number of links; None if there are too many."""
        from networkx import simple_cycles

        found = list(islice(simple_cycles(self.graph, length_bound=longest), most + 1))
        return None if len(found) > most else self.kept(found)

    def counted(self) -> tuple[set[Cycle], int | None]:
        """All loops where they can be counted, else those up to the longest length for which they can."""
        found = self.every(COUNTED)
        if found is not None:
            return found, None
        longest, found = 2, set()
        while (more := self.every(COUNTED, longest + 4)) is not None:
            longest, found = longest + 4, more
        return found, longest

    def strongest(self) -> set[Cycle]:
        """Loops along the strongest path from each start to itself at each step (Eberlein and Schoenberg 2020)."""
        found: list[list[Node]] = []
        inner = [link for link in self.scores if self.part.get(link[0], -1) == self.part.get(link[1])]
        for sizes in np.abs([self.scores[link] for link in inner]).T.tolist():
            out: dict[Node, list[tuple[float, Node]]] = {}
            for size, (first, last) in sorted(zip(sizes, inner, strict=True), reverse=True):
                if size:
                    out.setdefault(first, []).append((size, last))
            for start in self.starts:
                best: dict[Node, float] = {}
                path, ways, reached = [start], [iter(out.get(start, ()))], [1.0]
                while path:
                    size, node = next(ways[-1], (0.0, None))
                    size *= reached[-1]
                    if node is None:
                        del path[-1], ways[-1], reached[-1]
                    elif node == start:
                        found.append([*path])
                    elif node not in path and size > best.get(node, 0.0):
                        best[node] = size
                        path, ways, reached = [*path, node], [*ways, iter(out.get(node, ()))], [*reached, size]
        return self.kept(found)

    def along(self, names: Iterable[str]) -> set[Cycle]:
        """Loops through some variables in the given order, whichever of their elements they pass."""
        paths: list[Cycle] = [()]
        for either in ({key(name) for name in names.split("|")} for names in names):
            on = ((path, node) for path in paths for node in (self.graph[path[-1]] if path else self.part))
            paths = [(*path, node) for path, node in on if key(node[0]) in either]
        return self.kept(path for path in paths if (path[-1], path[0]) in self.scores)

    def score(self, loop: Cycle) -> Array:
        """Score of a loop over time: the product of those of its links."""
        return np.asarray(np.prod([self.scores[link] for link in zip(loop, (*loop[1:], loop[0]), strict=True)], axis=0))

    def sizes(self, loops: Iterable[Cycle]) -> Array:
        """Sums of the magnitudes of the scores of some loops, by partition and time."""
        found = np.zeros((len(self.parts), self.links.times.size))
        for loop in sorted(loops):
            found[self.part[loop[0]]] += np.abs(self.score(loop))
        return found

    def alike(self, loops: Iterable[Cycle], named: Mapping[str, Iterable[Cycle]]) -> dict[Any, list[Cycle]]:
        """Loops grouped by name, or by their stocks and variables, whichever elements of other variables they pass."""
        names = {loop: name for name, own in named.items() for loop in own}
        found: dict[Any, list[Cycle]] = {}
        for loop in sorted(loops):
            same = tuple(node if node in self.starts else node[0] for node in loop)
            found.setdefault(names.get(loop, same), []).append(loop)
        return found

    def shares(self, groups: Mapping[Any, Collection[Cycle]], counted: Collection[Cycle], **more: Any) -> Loops:
        """The groups of loops with the largest shares, and these shares in all counted loops."""
        import xarray as xr

        times = self.links.times
        total = self.sizes(counted)
        scale = np.where(total > 0, total, np.inf)
        parts = {name: [self.part[loop[0]] for loop in own] for name, own in groups.items()}
        share = {
            name: np.where(
                total[parts[name]].any(axis=0),
                sum(self.score(loop) / scale[self.part[loop[0]]] for loop in own),
                np.nan,
            )
            for name, own in groups.items()
            if total[parts[name]].any()
        }
        largest = nlargest(LISTED, share, key=lambda name: np.nanmean(np.abs(share[name])))
        largest.sort(key=lambda name: min(parts[name]))
        listed = {loop for name in largest for loop in groups[name]}
        paths: dict[str, tuple[tuple[str, ...], ...]] = {}
        labels = more.get("labels", {})
        for name in largest:
            falls, rises = (share[name] < 0).any(), (share[name] > 0).any()
            letter = "U" if falls and rises else "B" if falls else "R"
            letter = letter.lower() if labels else letter  # a name that no declaration can have
            free = (item for number in count(1) if (item := f"{letter}{number}") not in {*labels, *paths})
            own = name if isinstance(name, str) else next(free)
            paths[own] = tuple(dict.fromkeys(tuple(map(self.links.label, loop)) for loop in sorted(groups[name])))
        places = sorted({self.part[loop[0]] for loop in listed})
        relative = np.reshape([share[name] for name in largest], (len(largest), times.size))
        coords = {"loop": list(paths), "time": times, "partition": ("loop", [min(parts[name]) for name in largest])}
        found = np.where(total > 0, self.sizes(listed) / scale, np.nan)[places]
        return Loops(
            relative=xr.DataArray(relative, coords, ("loop", "time")),
            paths=paths,
            share_held=xr.DataArray(found, {"partition": places, "time": times}, ("partition", "time")),
            partitions=tuple(tuple(map(self.links.label, part)) for part in self.parts),
            left_out=self.links.left_out,
            counted=len(counted),
            **more,
        )


def loops(
    model: Model | ProjectionInputs | HasProblem,
    values: Mapping[str, Any] | None = None,
    *,
    focus: Texts = NOTHING,
    of: str = "",
    find: Find = "all",
) -> Loops:
    """Feedback loops of a run, and the share of each in its change over time.

    Link scores are those of Schoenberg, Davidsen and Eberlein (2020), with the links into stocks of Schoenberg, Hayward
    and Eberlein (2023). Delays and smooths are merged into the variables that use them.

    Parameters
    ----------
    model
        A model, a fit, whose estimates are used, or the inputs of a projection with one draw (`inputs_of`).
    values
        As for `simulate`, with a single scenario and draw.
    focus
        The only element that is kept of some ranges, by the name of the range: ``{"Region": "Gansu"}``. What other
        elements do then comes in from outside. Regions of a projection go by code or name.
    of
        A variable, or one element of it: only loops through it are counted. Empty for all loops.
    find
        ``"all"``: every loop. ``"strongest"``: the loops along the strongest paths from each stock at each step, where
        there are too many to count. ``"named"``: the loops that the declarations of the model name.

    Returns
    -------
    Loops
        The loops with the largest shares, at most 200 of them, and the part of all they hold. With Runge-Kutta's method
        scores are those from step to step.

    Raises
    ------
    InvalidInput
        If there are more than 400,000 loops and `find` is ``"all"``, or the values make several runs.
    UnknownName
        If there is no such variable, range, element or way to find loops.

    References
    ----------
    Schoenberg, W., Davidsen, P., and Eberlein, R. (2020). Understanding model behavior using the Loops that Matter
    method. System Dynamics Review 36(2), 158-190.

    Schoenberg, W., Hayward, J., and Eberlein, R. (2023). Improving Loops that Matter. System Dynamics Review 39(2),
    140-151.

    Eberlein, R., and Schoenberg, W. (2020). Finding the Loops that Matter. International System Dynamics Conference.
    """
    if find not in get_args(Find):
        raise UnknownName("loops are found as {known}; {find!r} is none of them", known=get_args(Find), find=find)
    if not isinstance(model, Model | ProjectionInputs):
        known, data, _, fit = subject_of(model, None, {}, None)
        model = inputs_of(*loaded(known, data), parameters_of(fit, 1), draws=1)
    settings: dict[str, float] = {}
    calendar = PLAIN
    regions: Sequence[Entity] = ()
    if isinstance(model, ProjectionInputs):
        settings = {"start": model.bounds[0], "stop": model.bounds[1], "step": model.step}
        values = {**model.common.values, **(values or {})}
        calendar = model.calendar
        regions = model.regions
        model = model.run_model
    places = dict(_place(model, regions, name, str(item)) for name, item in focus.items())
    links = link_scores(model, values, places, **settings)
    variable, position = located(model, of) if of else ("", None)
    cells = () if not of else links.kept(variable) if position is None else [position]
    graph, longest = Graph(links, [(variable, cell) for cell in cells]), None
    if of and not graph.through:
        return graph.shares({}, (), longest=None, of=of, calendar=calendar)
    declared = model.declarations.loops
    named = {name: graph.along(item.path) for name, item in declared.items()}
    groups: Mapping[Any, Collection[Cycle]] = named
    if find == "all":
        counted = graph.every(MOST)
        if counted is None:
            raise InvalidInput(
                "there are more than {most} loops; take find='strongest', focus= or of=", most=f"{MOST:,}"
            )
        groups = graph.alike(counted, named)
    else:
        strong, (counted, longest) = graph.strongest(), graph.counted()
        counted |= strong.union(*named.values())
        groups = named if find == "named" else graph.alike(strong, named)
    return graph.shares(groups, counted, longest=longest, of=of, labels=declared, calendar=calendar)


def _place(model: Model, regions: Sequence[Entity], name: str, item: str) -> tuple[str, int]:
    """Name of a range and position of an element in it, from their names in any case or the label of a region."""
    dim = spelled(name, model.ranges) or ""
    book = {model.design.ranges.region: RegionBook(regions)}.get(dim, RegionBook(()))
    labelled = book.find(item)
    if labelled is not None:
        return dim, list(regions).index(labelled)
    element = spelled(item, model.ranges.get(dim, ()))
    if element is None:
        raise UnknownName(
            "{model} has no element {item!r} of a range {name!r}.{near}",
            model=model.name,
            item=item,
            name=name,
            near=RegionBook(regions).suggestion(item),
        )
    return dim, model.ranges[dim].index(element)

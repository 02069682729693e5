"""Scores of the links between variables: the contribution of each input to the change of an equation in a run.

As defined by Schoenberg, Davidsen and Eberlein (2020), with the links into stocks of Schoenberg, Hayward and Eberlein
(2023): a stock is the sum of its flows, so what counts is the change of its net flow. Equations are evaluated on the
saved run, with time in the place of the draws.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.types import Array, Arrays, Record
from pysd_runner.engine import equation_of
from pysd_runner.engine.ir import TIME_STEP, Block, ModelIr, draws_numbers, references, shown
from pysd_runner.model import Model
from pysd_runner.simulation.run import simulate

Node = tuple[str, tuple[int, ...]]  # a variable and the position of one of its elements

# Largest change, relative to the value, that is taken for a rounding error.
ROUNDING = 1e-13
# Kinds of variables whose value is the result of their equation, and those that store another value.
CARRIED, KEPT = ("auxiliary", "stock"), ("memory", "pipe")


@dataclass(slots=True)
class Links:
    """Scores of the links of a run, by pair of cells, at all steps but the first."""

    model: ModelIr
    times: Array
    focus: Mapping[str, int]
    scores: dict[tuple[Node, Node], Array] = field(default_factory=dict)
    stocks: set[Node] = field(default_factory=set)
    left_out: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def label(self, node: Node) -> str:
        """Name of a node, without the elements that all nodes share."""
        ir, (name, cell) = self.model, node
        pairs = zip(ir.variables[name].dims, cell, strict=True)
        inner = ", ".join(ir.ranges[dim][place] for dim, place in pairs if dim not in self.focus)
        return f"{shown(name)}[{inner}]" if inner else shown(name)

    def kept(self, name: str) -> Iterator[tuple[int, ...]]:
        """Cells of a variable that belong to the elements in focus."""
        dims = self.model.variables[name].dims
        return product(
            *([self.focus[dim]] if dim in self.focus else range(len(self.model.ranges[dim])) for dim in dims)
        )

    def score(self, name: str, block: Block, run: Arrays, years: Array, moving: Iterable[str]) -> None:
        """Score the links into the cells of one block."""
        shape = self.model.shape(self.model.variables[name].dims)
        places = [item.places(length) for item, length in zip(block.index, shape, strict=True)]
        wide = self.model.shape(block.axes)
        kept = set(self.kept(name))
        targets = [(place, cell) for place, cell in enumerate(product(*places)) if cell in kept]
        compute, needed = equation_of(self.model, block), references(block.expression)
        old, new = ({item: run[item][:, part] for item in needed} for part in (slice(-1), slice(1, None)))

        def at(values: Arrays, moments: Array) -> Array:
            return np.broadcast_to(compute(values, moments[None]), (1, moments.size, *wide)).reshape(moments.size, -1)

        before = at(old, years[:-1])
        change = moved(at(new, years[1:]) - before, before)
        for source in sorted(needed & set(moving)):
            for cell in self.kept(source):
                where: Any = (slice(None), slice(None), *cell)
                mixed = old[source].copy()
                mixed[where] = new[source][where]
                own = moved(new[source][where] - old[source][where], old[source][where])[0]
                if not own.any():
                    continue
                part = moved(at({**old, source: mixed}, years[:-1]) - before, before)
                for place, target in targets:
                    with np.errstate(all="ignore"):
                        score = np.abs(part[:, place] / change[:, place]) * np.sign(part[:, place] * own)
                    score[~np.isfinite(score)] = 0  # where nothing changed
                    if score.any():
                        self.scores[(source, cell), (name, target)] = score

    def merge(self) -> None:
        """Replace generated variables, such as the levels of a delay, by links between the variables around them.

        Of several paths through it the one of the largest magnitude counts at each time (Schoenberg and Eberlein 2020).
        """
        hidden = {node for link in self.scores for node in link if self.model.variables[node[0]].hidden}
        for node in sorted(hidden):
            into = {link[0]: self.scores.pop(link) for link in list(self.scores) if link[1] == node}
            out = {link[1]: self.scores.pop(link) for link in list(self.scores) if link[0] == node}
            into.pop(node, None)
            for (first, one), (last, two) in product(into.items(), out.items()):
                if first != last or first not in hidden:
                    both, other = one * two, self.scores.get((first, last), 0.0)
                    self.scores[first, last] = np.where(np.abs(both) > np.abs(other), both, other)
            if node in self.stocks:
                self.stocks |= {*out}
        self.scores = {link: score for link, score in self.scores.items() if score.any()}


def moved(change: Array, before: Array) -> Array:
    """Changes, with 0 for those that may be rounding errors."""
    return np.where(np.abs(change) > ROUNDING * np.abs(before), change, 0.0)


def link_scores(model: Model, values: Record | None, focus: Mapping[str, int], **settings: Any) -> Links:
    """Scores of all links between cells that change in a run; delays and smooths are merged into their users."""
    variables = model.ir.variables
    given = model.by_variable(values or {})
    names = [name for name, item in variables.items() if item.blocks and not item.unassigned and item.kind != "lookup"]
    settings = {"engine": "numpy", **settings}
    step = simulate(model, values, outcomes=[TIME_STEP], **settings).provenance["step"]
    run = simulate(model, values, outcomes=names, throw=False, **{**settings, "save_every": step})
    if run.failed.size != 1:
        raise InvalidInput("loops are those of one run; these values make {count}", count=run.failed.size)
    series = {name: np.moveaxis(run[name][0, 0], -1, 0)[None] for name in names}
    links = Links(model.ir, run.years[1:], focus)
    finite = [name for name in names if np.isfinite(series[name]).all()]
    links.left_out |= dict.fromkeys(map(shown, sorted({*names} - {*finite})), ("not_finite",))
    moving = [name for name in finite if (series[name] != series[name][:, :1]).any()]
    for name in moving:
        item = variables[name]
        is_random = any(draws_numbers(block.expression) for block in item.blocks)
        if item.kind in KEPT or is_random:
            links.left_out[shown(name)] = (*links.left_out.get(shown(name), ()), "random" if is_random else item.kind)
        elif item.kind in CARRIED and name not in given:
            if item.kind == "stock":
                links.stocks |= {(name, cell) for cell in links.kept(name)}
            for block in item.blocks:
                links.score(name, block, series, run.years, moving)
    links.merge()
    return links

"""Conveyors and queues of an XMILE file: stocks that determine the flows they are connected to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pysd_runner.engine.errors import InvalidModel
from pysd_runner.engine.frontend.syntax import (
    Call,
    Conveyor,
    DefinedVariable,
    Equation,
    Inflow,
    Leak,
    Name,
    Node,
    Numeral,
    OperatorCall,
    Stock,
    Text,
)
from pysd_runner.engine.frontend.xmile.document import child, fault_at, name_of, place_of, text_of
from pysd_runner.engine.frontend.xmile.variables import dimensions_of, flows_of, read_expression
from pysd_runner.engine.ir import key

_OTHERWISE = ("beginning", "even")


def with_containers(
    items: Iterable[Any], variables: Sequence[DefinedVariable], defined: frozenset[str]
) -> list[DefinedVariable]:
    """Set the equations of conveyors, and of the flows that conveyors and queues determine."""
    known = {key(name_of(item)): item for item in items}
    if not any(_is_conveyor(item) or _is_queue(item) for item in known.values()):
        return list(variables)
    return _Containers(known, variables, defined).connected()


def _is_conveyor(item: Any) -> bool:
    return item.tag == "stock" and next(item.iter("conveyor"), None) is not None


def _is_queue(item: Any) -> bool:
    return item.tag == "stock" and child(item, "queue") is not None


class _Containers:
    """Builder of the equations of conveyors, and of the flows that conveyors and queues determine."""

    def __init__(self, items: Mapping[str, Any], variables: Sequence[DefinedVariable], defined: frozenset[str]) -> None:
        self.items, self.defined = items, defined
        self.variables = {key(item.name): item for item in variables}
        # In file order, which determines the order of hidden variables and which error is reported first.
        self.belts = tuple(name for name, item in items.items() if _is_conveyor(item))
        self.queues = tuple(name for name, item in items.items() if _is_queue(item))
        self.to = {key(flow): name for name, item in items.items() for flow in _flows(item, "inflow")}
        self.leaks = {name for name, item in items.items() if child(item, "leak") is not None}

    def connected(self) -> list[DefinedVariable]:
        more: list[DefinedVariable] = []
        for name in self.belts:
            more += self._belt(name)
        for name in self.queues:
            self._queue(name)
        return [*self.variables.values(), *more]

    # Conveyors

    def _belt(self, name: str) -> list[DefinedVariable]:
        item, variable = self.items[name], self.variables[name]
        options = next(item.iter("conveyor"))
        self._check(item, options)
        leaks = [flow for flow in _flows(item, "outflow") if key(flow) in self.leaks]
        exits = [flow for flow in _flows(item, "outflow") if key(flow) not in self.leaks]
        if len(exits) != 1:
            raise fault_at(item, f"a conveyor has one outflow that is no leak; {len(exits)} are given")
        start, more = self._initial(variable)
        length = self._expression(options, "len")
        if length is None:
            raise fault_at(options, "a conveyor needs its transit time, <len>")
        belt = Conveyor(
            length=length,
            initial=start,
            inflows=tuple(self._inflow(flow) for flow in _flows(item, "inflow")),
            leaks=tuple(self._leak(flow) for flow in leaks),
            capacity=self._expression(options, "capacity"),
            limit=self._expression(options, "in_limit"),
            arrest=self._expression(options, "arrest"),
            exponential=_is_true(options, "exponential_leak"),
            discrete=_is_true(options, "discrete"),
        )
        dims = dimensions_of(item)
        place = variable.equations[0].place
        text = f"{variable.name} = conveyor of {' '.join(text_of(child(options, 'len')).split())}"
        equation = Equation(subscripts=tuple(dims), expression=belt, text=text, place=place)
        self.variables[name] = replace(variable, equations=(equation,))
        self._drive(exits[0], variable.name, "")
        for flow in (*leaks, *(inflow.flow for inflow in belt.inflows if inflow.request is not None)):
            self._drive(flow, variable.name, f"flow {flow}")
        return more

    def _check(self, item: Any, options: Any) -> None:
        for flag in ("batch_integrity", "force_leak_fraction"):
            if _is_true(options, flag):
                raise fault_at(
                    options, f'a conveyor with {flag}="{options.get(flag)}" is not covered; set it to "false"'
                )
        for flow in _flows(item, "inflow"):
            found = self.items.get(key(flow))
            where = "beginning" if found is None else found.get("isee.spreadflow", "beginning")
            if found is not None and child(found, "multiplier") is not None:
                raise fault_at(found, "a flow with a <multiplier> that enters a conveyor is not covered")
            # Only a leak has a place at its source; other flows enter at the beginning then.
            if where not in _OTHERWISE and (where != "source" or key(flow) in self.leaks):
                message = f'a flow onto a conveyor with isee:spreadflow="{where}" is not covered'
                raise fault_at(found, f'{message}; set it to "beginning" or "even"')
        if child(options, "arrest") is not None and any(
            self.to.get(key(flow)) in self.belts for flow in _flows(item, "outflow")
        ):
            raise fault_at(options, "a conveyor that can stop in front of another one is not covered")

    def _initial(self, variable: DefinedVariable) -> tuple[Node, list[DefinedVariable]]:
        """Initial value of a conveyor; if elements have their own, an added variable holds these."""
        equations = variable.equations
        starts = [item.expression.initial for item in equations if isinstance(item.expression, Stock)]
        if len(starts) < len(equations):
            raise InvalidModel("variable {name!r}: a conveyor needs an initial value", name=variable.name)
        if len(equations) == 1:
            return starts[0], []
        name = f"{variable.name} at start"
        parts = tuple(replace(item, expression=start) for item, start in zip(equations, starts, strict=True))
        return Name(name), [DefinedVariable(name=name, equations=parts, unit=variable.unit)]

    def _defined(self, flow: str) -> tuple[Any, DefinedVariable]:
        item, variable = self.items.get(key(flow)), self.variables.get(key(flow))
        if item is None or variable is None:
            raise InvalidModel("the flow {flow!r} of a conveyor is not defined", flow=flow)
        return item, variable

    def _inflow(self, flow: str) -> Inflow:
        item, variable = self._defined(flow)
        even = item.get("isee.spreadflow") == "even"
        if self._source(flow) is not None:
            return Inflow(variable.name, None, even)
        if len(variable.equations) != 1:
            name = f"{variable.name} asked for"
            self.variables[key(name)] = replace(variable, name=name)
            dims = tuple(dimensions_of(item))
            first = variable.equations[0]
            self.variables[key(flow)] = replace(
                variable, equations=(replace(first, subscripts=dims, expression=Name(name)),)
            )
            variable = self.variables[key(flow)]
        request = variable.equations[0].expression
        if request is None:
            raise InvalidModel("the flow {flow!r} onto a conveyor has no equation", flow=flow)
        return Inflow(variable.name, request, even)

    def _source(self, flow: str) -> str | None:
        """The conveyor or queue of which a flow is an outflow, None for other flows."""
        for name in (*self.belts, *self.queues):
            if key(flow) in {key(item) for item in _flows(self.items[name], "outflow")}:
                return name
        return None

    def _leak(self, flow: str) -> Leak:
        item = self.items[key(flow)]
        if child(item, "leak_integers") is not None:
            raise fault_at(item, "a leak of whole units is not covered")
        own = self._expression(item, "leak")
        fraction = own if own is not None else self._expression(item, "eqn")
        start, end = (float(item.get(name, default)) for name, default in (("leak_start", "0"), ("leak_end", "1")))
        return Leak(name_of(item), fraction or Numeral(0.0), start, end)

    def _drive(self, flow: str, belt: str, part: str) -> None:
        item, variable = self._defined(flow)
        equation = Equation(
            subscripts=tuple(dimensions_of(item)),
            expression=Call("conveyor part", (Name(belt), Text(part))),
            text=f"{variable.name} = flow of the conveyor {belt}",
            place=place_of(item),
        )
        self.variables[key(flow)] = replace(variable, equations=(equation,))

    # Queues

    def _queue(self, name: str) -> None:
        """Set the outflows of a queue: into a stock all that waits, into a conveyor what the conveyor admits."""
        item, variable = self.items[name], self.variables[name]
        inflows = [Call("max", (Name(flow), Numeral(0.0))) for flow in _flows(item, "inflow")]
        there = OperatorCall(("/",), (Name(variable.name), Name("dt")))
        waiting: Node = OperatorCall(("+",) * len(inflows), (there, *inflows)) if inflows else there
        for place, flow in enumerate(_flows(item, "outflow")):
            target = self.to.get(key(flow))
            taken = waiting
            if target in self.belts:
                self._check_batches(item, target, place)
                taken = Call("min", (waiting, Call("conveyor part", (Name(self.variables[target].name), Text("room")))))
            elif place and child(self.items[key(flow)], "overflow") is not None and not self._blocked(item):
                taken = Numeral(0.0)
            self._give(flow, taken, variable.name)
            waiting = OperatorCall(("-",), (waiting, Name(flow)))

    def _blocked(self, item: Any) -> bool:
        """Whether the first outflow of a queue enters a conveyor, which may limit it."""
        return self.to.get(key(_flows(item, "outflow")[0])) in self.belts

    def _check_batches(self, item: Any, target: str, place: int) -> None:
        options = next(self.items[target].iter("conveyor"))
        overflows = [child(self.items[key(flow)], "overflow") is not None for flow in _flows(item, "outflow")]
        empty = text_of(child(item, "eqn")) in ("0", "0.0") if child(item, "eqn") is not None else False
        if place or (options.get("one_at_a_time", "true").lower() != "false" and not (any(overflows) and empty)):
            raise fault_at(
                item, 'a queue whose batches enter a conveyor one at a time is not covered; set one_at_a_time="false"'
            )

    def _give(self, flow: str, node: Node, queue: str) -> None:
        variable = self.variables[key(flow)]
        first = variable.equations[0]
        text = f"{variable.name} = flow of the queue {queue}"
        self.variables[key(flow)] = replace(variable, equations=(replace(first, expression=node, text=text),))

    def _expression(self, item: Any, tag: str) -> Node | None:
        found = child(item, tag)
        if found is None or not text_of(found):
            return None
        return read_expression(found.text, place_of(found), self.defined)


def _flows(item: Any, tag: str) -> list[str]:
    return [flow.name for flow in flows_of(item, tag)]


def _is_true(item: Any, name: str) -> bool:
    return item.get(name, "false").lower() in ("true", "1")

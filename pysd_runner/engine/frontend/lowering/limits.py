"""Keep non-negative stocks from falling below zero by limiting their outflows, so that material is conserved.

By the XMILE 1.0 specification (sections 4.2 and 4.8.4), an outflow is at most the stock divided by the time step, minus
the outflows before it in the order of the file; what flows in during a step can leave in the next. In files that Stella
wrote the inflows of the step are added, except one that depends at the same moment on the outflow it would limit.
Inflows that are negative are limited to what the outflows leave. A flow that drains several stocks is limited by each
of them.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from pysd_runner.engine.errors import Message
from pysd_runner.engine.ir import (
    HIDDEN,
    STATEFUL,
    Block,
    Expression,
    Index,
    Number,
    Operation,
    OutflowRule,
    Reference,
    Table,
    Variable,
    children,
    operation,
    reached,
    references,
    time_step,
    with_children,
)
from pysd_runner.engine.kinds import frozen

OUT, IN = -1, 1

# Term of the net flow of a stock: sign and name of a flow.
Term = tuple[int, str]


@frozen
class _Share:
    """Upper limit of a flow: the content of a stock plus its available inflows, minus flows with a higher priority."""

    stock: str
    before: tuple[Term, ...]
    entering: tuple[str, ...] = ()


def is_non_negative(variable: Variable) -> bool:
    """Whether a variable is a stock that stays at or above zero."""
    return variable.kind == "stock" and any(block.non_negative for block in variable.blocks)


def with_limits(variables: Mapping[str, Variable], label: str, rule: OutflowRule) -> dict[str, Variable]:
    """Limit the flows of non-negative stocks."""
    found = dict(variables)
    limited = [item for item in variables.values() if is_non_negative(item)]
    shares: dict[Term, list[_Share]] = defaultdict(list)
    for stock in limited:
        takers = [term for term in _terms(stock) if term[0] == OUT]
        takers += [term for term in _terms(stock) if term[0] == IN and not _is_positive(variables.get(term[1]))]
        if reason := _obstacle(stock, takers, variables):
            for name in (stock.name, *(flow for _, flow in takers if flow)):
                found[name] = replace(variables[name], unassigned=f"{label}: {reason}")
        else:
            for place, taker in enumerate(takers):
                shares[taker].append(_Share(stock.name, tuple(takers[:place])))
                found |= _unlimited(found[taker[1]], {flow for _, flow in takers[place + 1 :]}, variables)
    if rule == "same step":
        shares = _with_inflows(shares, found)
    for name in dict.fromkeys(flow for _, flow in shares):
        found |= {item.name: item for item in _limited(found[name], shares)}
    return found


def _with_inflows(
    shares: Mapping[Term, Sequence[_Share]], variables: Mapping[str, Variable]
) -> dict[Term, list[_Share]]:
    """Add inflows of a stock to the limits of its outflows, unless this creates an algebraic loop."""
    needs: dict[str, set[str]] = {}
    for name, item in variables.items():
        is_now = item.kind not in (*STATEFUL, "initial")
        needs[name] = {ref for block in item.blocks for ref in references(block.expression)} if is_now else set()
    for way, flow in shares:
        if way == IN:
            needs[_asked(flow)] = needs.pop(flow)
            needs[flow] = {_asked(flow)}
    for (way, flow), limits in shares.items():
        for share in limits:
            needs[_limited_name(way, flow, shares)] |= {_taken(term, shares) for term in share.before}
    found: dict[Term, list[_Share]] = {}
    for (way, flow), limits in shares.items():
        own = needs[_limited_name(way, flow, shares)]
        for share in limits:
            entering = []
            for name in _inflows(variables[share.stock], flow, variables):
                counted = _taken((OUT, name), shares)
                if _limited_name(way, flow, shares) not in reached([counted], needs):
                    own.add(counted)
                    entering.append(name)
            found.setdefault((way, flow), []).append(replace(share, entering=tuple(entering)))
    return found


def _inflows(stock: Variable, flow: str, variables: Mapping[str, Variable]) -> list[str]:
    """Other flows that enter every element of a stock."""
    each = [{name for way, name in _signed(block.expression, IN) if way == IN} for block in stock.blocks]
    return [
        name
        for way, name in _terms(stock)
        if way == IN and name != flow and all(name in names for names in each) and variables[name].dims == stock.dims
    ]


def _limited_name(way: int, flow: str, shares: Mapping[Term, Sequence[_Share]]) -> str:
    """The variable that a limit applies to."""
    return flow if way == IN else _taken((OUT, flow), shares)


def _taken(term: Term, shares: Mapping[Term, Sequence[_Share]]) -> str:
    """The variable that contains a flow before it is limited as a negative inflow."""
    way, flow = term
    return _asked(flow) if way == OUT and (IN, flow) in shares else flow


def _unlimited(flow: Variable, later: set[str], variables: Mapping[str, Variable]) -> dict[str, Variable]:
    """Rewrite a flow to use the unlimited values, added as hidden variables, of flows that are limited after it."""
    names = {
        name: f"{name}{HIDDEN}asked for"
        for block in flow.blocks
        for name in sorted(references(block.expression) & later)
    }

    def asking(part: Expression) -> Expression:
        if isinstance(part, Reference):
            return replace(part, variable=names.get(part.variable, part.variable))
        return with_children(part, [asking(inner) for inner in children(part)])

    blocks = tuple(replace(block, expression=asking(block.expression)) for block in flow.blocks)
    asked = {name: replace(variables[own], name=name, kind="auxiliary", hidden=True) for own, name in names.items()}
    return {flow.name: replace(flow, blocks=blocks) if names else flow, **asked}


def _terms(stock: Variable) -> list[Term]:
    """Signed flows of a stock, in the order of the file."""
    flows = [term for block in stock.blocks for term in _signed(block.expression, IN)]
    return list(dict.fromkeys(flows))


def _signed(expression: Expression, sign: int) -> Iterator[Term]:
    """Signed terms of a net flow; the name is empty for a term that is not a variable."""
    if isinstance(expression, Operation) and expression.name in ("add", "subtract", "negative"):
        signs = {"add": (sign, sign), "subtract": (sign, -sign), "negative": (-sign,)}[expression.name]
        for one, part in zip(signs, expression.arguments, strict=True):
            yield from _signed(part, one)
    elif expression != Number(0.0):
        yield sign, expression.variable if isinstance(expression, Reference) else ""


def _is_positive(flow: Variable | None) -> bool:
    """Whether a flow's own equations are never negative: numbers from zero on, or a maximum with zero."""
    return flow is not None and all(_at_least_zero(block.expression) for block in flow.blocks)


def _at_least_zero(expression: Expression) -> bool:
    if isinstance(expression, Operation):
        return expression.name == "max" and Number(0.0) in expression.arguments
    values = expression.values if isinstance(expression, Table) else (getattr(expression, "value", -1.0),)
    return min(values) >= 0


def _obstacle(stock: Variable, takers: Sequence[Term], variables: Mapping[str, Variable]) -> str:
    """Reason why the flows of a stock cannot be limited; empty if they can."""
    for _, flow in takers:
        if not flow:
            fault = Message("one of its flows is no variable; give it a name")
        elif variables[flow].dims != stock.dims or variables[flow].kind not in ("auxiliary", "constant"):
            fault = Message("{flow!r} is no flow over the same dimensions; write one", flow=flow)
        else:
            continue
        return Message(
            "stock {stock!r} is non-negative, but its flows cannot be limited: {fault}", stock=stock.name, fault=fault
        )
    return ""


def _limited(flow: Variable, shares: Mapping[Term, Sequence[_Share]]) -> Iterator[Variable]:
    """Limit a flow; where it enters a stock, a hidden variable keeps the unlimited flow."""
    least, most = shares.get((IN, flow.name), ()), shares.get((OUT, flow.name), ())
    blocks = flow.blocks
    for share in most:
        blocks = tuple(_bounded(block, "min", _left(share, block.index, shares), share.stock) for block in blocks)
    if least:
        name = _asked(flow.name)
        yield replace(flow, name=name, kind="auxiliary", blocks=blocks, hidden=True)
        blocks = tuple(replace(block, expression=Reference(name, block.index)) for block in blocks)
    for share in least:
        blocks = tuple(_bounded(block, "max", -_left(share, block.index, shares), share.stock) for block in blocks)
    yield replace(flow, kind="auxiliary", blocks=blocks)


def _asked(flow: str) -> str:
    return f"{flow}{HIDDEN}before it enters"


def _bounded(block: Block, function: str, bound: Expression, stock: str) -> Block:
    """Apply a bound to a block, but not to its initial value, which is computed before the stock has a value."""
    text = f"{block.text}, limited so that {stock!r} stays non-negative"
    return replace(block, expression=operation(function, block.expression, bound), initial=block.at_start, text=text)


def _left(share: _Share, index: tuple[Index, ...], shares: Mapping[Term, Sequence[_Share]]) -> Expression:
    """The stock divided by the time step, plus inflows, minus outflows with a higher priority; at least zero."""
    left: Expression = Reference(share.stock, index) / time_step()
    for name in share.entering:
        left = left + operation("max", Reference(_taken((OUT, name), shares), index), 0.0)
    for way, flow in share.before:
        value: Expression = Reference(_taken((way, flow), shares), index)
        taken = value if way == OUT else -value
        left = left - operation("max", taken, 0.0)
    return operation("max", left, 0.0)

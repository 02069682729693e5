"""Compares what two readers of a model file make of it, up to the order and the numbers of hidden variables."""

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from pysd_runner.engine.ir import Block, ModelIr, Reference, Variable
from pysd_runner.engine.names import HIDDEN, key


def differences(first: ModelIr, second: ModelIr) -> list[str]:
    """Variables that two readings of a file disagree about.

    Parameters
    ----------
    first, second
        What it was lowered to.

    Returns
    -------
    list of str
        Their names, in the order of the first, then those it does not have.
    """
    ours, theirs = _plain(first), _plain(second)
    return [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]


def _plain(model: ModelIr) -> dict[str, str]:
    variables = {_key(item.name): item for item in model.variables.values()}
    return {name: _shown(item, variables, ()) for name, item in variables.items() if not item.hidden}


def _key(name: str) -> str:
    return re.sub(r"\\n", " ", key(name)).replace('"', "")


def _shown(variable: Variable, variables: Mapping[str, Variable], path: tuple[str, ...]) -> str:
    """A variable as a text, with hidden ones written out where they are referred to."""
    if variable.uncovered:
        return "not covered"
    blocks = [_text(_nameless(block), variables, (*path, variable.name)) for block in variable.blocks]
    return f"{variable.kind} over {[_key(dim) for dim in variable.dims]}: {blocks}"


def _nameless(block: Block) -> Block:
    return replace(block, text="")


def _text(node: Any, variables: Mapping[str, Variable], path: tuple[str, ...]) -> str:
    if isinstance(node, Reference):
        name = _key(node.variable)
        index = _text(node.index, variables, path)
        if name not in variables or not variables[name].hidden:
            return f"{name}{index}"
        inner = "itself" if node.variable in path else _shown(variables[name], variables, path)
        return f"({inner}){index}"
    if isinstance(node, tuple):
        return f"({', '.join(_text(item, variables, path) for item in node)})"
    if is_dataclass(node) and not isinstance(node, type):
        parts = (f"{item.name}={_text(getattr(node, item.name), variables, path)}" for item in fields(node))
        return f"{type(node).__name__}({', '.join(parts)})"
    return _key(node.split(HIDDEN)[0]) if isinstance(node, str) else repr(node)

"""Behaviour rules of a model: what must hold in every run, read from the ``checks.toml`` beside it."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast, get_args

from pysd_runner.core.errors import InvalidModel
from pysd_runner.model import Model
from pysd_runner.spec.tables import Table

SCHEMA = 1
EVERYTHING = "*"
RULES_FILE = "checks.toml"

# Sections of the file that other readers read.
RULE, EXPERIMENTS = "rule", ("extreme", "reality", "loop", "balance")

Kind = Literal["finite", "non_negative", "at_most", "ordered", "sums_to", "conserved"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One thing that must hold in every run.

    Parameters
    ----------
    name
        What the rule is called, unique in its file.
    kind
        ``finite``: no value is NaN or infinite; ``non_negative``: none is below zero; ``at_most``: none is above
        `bound`; ``ordered``: each variable is at most the next; ``sums_to``: the sum over the subscript range `over`
        is `value`; ``conserved``: the sum over all elements does not change over time.
    variables
        Names of the variables; ``"*"`` stands for every saved one.
    tolerance
        Allowed departure; relative to the largest magnitude of the variable where that is above one.
    bound
        For ``at_most``.
    over
        For ``sums_to``, a subscript range.
    value
        For ``sums_to``.
    when
        The rule is applied only where these variables have these values.
    en, zh
        The rule in words.
    """

    name: str
    kind: Kind
    variables: tuple[str, ...]
    tolerance: float = 0.0
    bound: float | None = None
    over: str = ""
    value: float | None = None
    when: Mapping[str, float] = field(default_factory=dict)
    en: str = ""
    zh: str = ""


def load_rules(path: str | Path) -> tuple[Rule, ...]:
    """Read the behaviour rules of a model.

    Parameters
    ----------
    path
        A ``checks.toml``, schema 1.

    Returns
    -------
    tuple of Rule
        In the order of the file.

    Raises
    ------
    InvalidModel
        If the file is missing, is not TOML, has another schema, an unknown or missing key or a wrong value. The message
        carries the path inside the file.
    """
    path = Path(path)
    root = declared_tables(path)
    rules = [_rule(table) for table in root.entries(RULE)]
    if not rules:
        root.fail("rule", "is missing; a rule is a table that starts with [[rule]]")
    names = [rule.name for rule in rules]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise InvalidModel(f"{path.name}: two rules are called {repeated!r}; give each its own name")
    return tuple(rules)


def rules_of(model: Model) -> tuple[Rule, ...]:
    """Behaviour rules that stand beside a model file.

    Parameters
    ----------
    model
        What `load_model` returned.

    Returns
    -------
    tuple of Rule
        From ``<name of the file>.checks.toml`` or else ``checks.toml`` in its folder; empty when there is neither.

    Raises
    ------
    InvalidModel
        If the file is not usable.
    """
    found = rules_file(model)
    return () if found is None else load_rules(found)


def rules_file(model: Model) -> Path | None:
    """File that holds the rules and experiments of a model."""
    folder = model.path.parent
    candidates = (folder / f"{model.path.stem}.{RULES_FILE}", folder / RULES_FILE)
    return next((path for path in candidates if path.is_file()), None)


def declared_tables(path: str | Path) -> Table:
    """Open a ``checks.toml`` and check its schema and the names of its sections."""
    path = Path(path)
    root = Table(_parse(path), f"{path.name}: ")
    schema = root.number("schema")
    if schema != SCHEMA:
        root.fail("schema", f"this version reads schema {SCHEMA}, found {schema:g}")
    for section in (RULE, *EXPERIMENTS):
        _ = list(root.entries(section))
    root.finish()
    return root


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidModel(f"{path}: the behaviour rules cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # TOML, its encoding, or a whole number of thousands of digits
        raise InvalidModel(f"{path.name}: not valid TOML: {error}") from error


def _rule(table: Table) -> Rule:
    kind = cast("Kind", table.word("kind", KINDS))
    rule = Rule(
        name=table.text("name"),
        kind=kind,
        variables=_variables(table, kind),
        tolerance=_tolerance(table),
        bound=table.number("bound") if kind == "at_most" else None,
        over=table.text("over") if kind == "sums_to" else "",
        value=table.number("value") if kind == "sums_to" else None,
        when=table.numbers("when"),
        en=table.text("en", ""),
        zh=table.text("zh", ""),
    )
    table.finish()
    return rule


def _variables(table: Table, kind: Kind) -> tuple[str, ...]:
    names = table.texts("variables")
    if not names:
        table.fail("variables", 'expected at least one variable, or ["*"] for all')
    if kind == "ordered" and len(names) < 2:
        table.fail("variables", "expected two or more variables, the smallest first")
    if EVERYTHING in names and len(names) > 1:
        table.fail("variables", '"*" stands for every variable; expected it alone')
    if EVERYTHING in names and kind == "sums_to":
        table.fail("variables", "expected names; not every variable has the subscript range of `over`")
    return names


def _tolerance(table: Table) -> float:
    tolerance = table.number("tolerance", 0.0)
    if tolerance < 0:
        table.fail("tolerance", f"must not be negative, found {tolerance:g}")
    return tolerance

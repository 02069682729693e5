"""How tags and attributes of XMILE are handled: read, noted, or refused by name if a number may depend on them."""

from collections import Counter
from dataclasses import replace
from typing import Any

from pysd_runner.engine.errors import InvalidModel, Message, joined
from pysd_runner.engine.frontend.syntax import ABOUT, DRAWN, FORMATTED, OUTPUT, PROGRAM, READ
from pysd_runner.engine.frontend.xmile.document import fault_at, is_by_stella, place_of, spelled
from pysd_runner.engine.ir import Feature

VENDOR = Message("of the program that wrote the file; not read here")

ASIDE = Message("beside what defines numbers; not read here")

IMPORT = Message("values that the program reads from a file before a run; give them to do the same")

# Non-negative stocks, in files of Stella and in others.
_AS_STELLA = Message("honoured as Stella does: what flows in during a step leaves in the same")
_AS_SPECIFIED = Message("honoured as specified: what flows in during a step leaves in the next, in Stella in the same")

_KINDS = "aux flow stock gf module group"
_POINTS = "xscale xpts ypts"
_PARTS = "eqn init_eqn gf non_negative conveyor queue inflow outflow leak leak_integers multiplier overflow units range"
_VARIABLE = f"{_PARTS} dimensions element", "name leak_start leak_end isee.spreadflow"

# Tag -> the tags inside it, and its attributes, that are read. A string, such as an equation, has no tags inside it
# (""); a blank stands for a tag that is not a string, in which others may be noted.
_READ = {
    "xmile": ("model macro dimensions sim_specs behavior header data", ""),
    "header": ("options smile includes", ""),
    **dict.fromkeys(("options", "smile"), ("uses_arrays", "")),
    "uses_arrays": ("", "invalid_index_value"),
    "data": ("", ""),
    "model": (f"variables behavior sim_specs {_KINDS}", "name"),
    "macro": ("variables parm eqn sim_specs", "name"),
    "variables": (_KINDS, ""),
    "behavior": ("non_negative flow stock", ""),
    **dict.fromkeys(("aux", "flow", "stock"), _VARIABLE),
    "gf": (f"{_POINTS} units dimensions element", "name type discrete"),
    "element": (f"{_PARTS} {_POINTS}", "subscript"),
    "module": ("connect dimensions", "name model_name"),
    "connect": (" ", "to from"),
    "group": ("entity var", "name"),
    **dict.fromkeys(("entity", "var", "elem"), (" ", "name")),
    "dimensions": ("dim", ""),
    "dim": ("elem isee.maps_to simlin.maps_to", "name size"),
    "conveyor": (
        "len capacity in_limit sample arrest",
        "discrete batch_integrity one_at_a_time exponential_leak force_leak_fraction",
    ),
    "sim_specs": ("start stop dt run savestep method", "method time_units isee.save_interval"),
    "dt": ("", "reciprocal"),
    "run": (" ", "by"),
    "parm": ("", "default"),
    "non_negative": ("", "value"),
    **dict.fromkeys(("xscale", "range"), (" ", "min max")),
    **dict.fromkeys(("xpts", "ypts"), ("", "sep")),
}

# Tags in which no number is defined, unless they hold an equation.
_LENIENT = frozenset({"xmile", "header", "options", "smile", "uses_arrays", "data", "model", "group", "entity", "var"})

# Names of tags and attributes without influence on numbers, wherever they stand.
_NOTES = {
    **dict.fromkeys(("doc", "model_units", "namespace", "access", "autoexport", "resource", "time_units"), ABOUT),
    **dict.fromkeys(("ai_state", "flow_concept", "isee.autocreated", "isee.derived_units", "isee.unplaced"), ABOUT),
    **dict.fromkeys(("label", "isee.label", "isee.display_name", "isee.summing", "isee.delay_aux"), ABOUT),
    **dict.fromkeys(("display", "isee.display", "view", "views", "interface", "style"), DRAWN),
    **dict.fromkeys(("format", "scale", "yscale", "auto_fit", "default_format"), FORMATTED),
    **dict.fromkeys(("pause", "event_poster", "simulation_delay", "restore_on_start"), PROGRAM),
    "mathml": Message("its equation in another notation"),
    "connect2": Message("the same as `<connect>`"),
    "export": OUTPUT,
    "import": IMPORT,
    "isee.controls": Message("controls of the program that stand in for equations; give their values to do the same"),
}

# Supported values of attributes.
_COVERED = {("run", "by"): ("", "all"), ("uses_arrays", "invalid_index_value"): ("", "0")}

UNKNOWN = "is not known here, and the numbers may depend on it; remove it if they do not"


def features(root: Any) -> list[Feature]:
    """Tags and attributes of a file, with how each is handled and how often it occurs."""
    found: Counter[Feature] = Counter()
    faults: dict[str, list[Any]] = {}
    _walk(root, found, faults)
    # Non-negative stocks follow the program that wrote the file.
    stocks = _AS_STELLA if is_by_stella(root) else _AS_SPECIFIED
    found = Counter(
        {replace(item, done=stocks) if item.name == "<non_negative>" else item: count for item, count in found.items()}
    )
    if faults:
        raise _refusal(faults)
    return [replace(feature, count=count) for feature, count in found.items()]


def _walk(item: Any, found: Counter[Feature], faults: dict[str, list[Any]]) -> None:
    tag = f"<{spelled(item.tag)}>"
    if reason := _not_covered(item):
        faults.setdefault(f"{tag} {reason}", []).append(item)
        return
    found[Feature(tag, READ)] += 1
    read, attributes = (names.split() for names in _READ.get(item.tag, ("", "")))
    for name, value in item.attrib.items():
        done = READ if name in attributes else _note(name, item.tag, ())
        if not done:
            faults.setdefault(f'the attribute {spelled(name)}="{value}" of {tag} {UNKNOWN}', []).append(item)
        found[Feature(f"{tag[:-1]} {spelled(name)}>", done, warns=_matters(name, done, item))] += 1
    for part in item:
        if part.tag in read:
            _walk(part, found, faults)
            continue
        done = _note(part.tag, item.tag, part)
        if not done:
            faults.setdefault(f"<{spelled(part.tag)}> in {tag} {UNKNOWN}", []).append(part)
        found[Feature(f"<{spelled(part.tag)}>", done, warns=_matters(part.tag, done, part))] += 1


def _note(name: str, where: str, part: Any) -> str:
    """Note on how an ignored tag or attribute is handled; empty if ignoring it could change results."""
    if part != () and where not in _LENIENT and not _READ.get(where, ("", ""))[0]:
        return ""  # inside a string, such as an equation
    aside = VENDOR if "." in name else ASIDE if where in _LENIENT and not _equations(part) else ""
    return _NOTES.get(name, aside)


def _equations(part: Any) -> bool:
    return bool(len(part)) and next(part.iter("eqn"), None) is not None


def _matters(name: str, done: str, item: Any) -> bool:
    """Whether results may differ from those of the program that wrote the file, because the item is ignored."""
    if done == VENDOR:
        return any(parent.tag in _KINDS.split() for parent in (item, *item.iterancestors()))
    if name == "event_poster":
        return any(event.get("sim_action") == "stop" for event in item.iter("event"))
    return name == "isee.controls" or (done == IMPORT and item.get("enabled") != "false")


def _not_covered(item: Any) -> str:
    if item.tag == "includes":
        return Message("is not covered: other files are not read; put what they hold into this one")
    if item.tag == "sim_specs" and item.getparent().tag != "xmile":
        return Message(
            "is not covered: a module or a macro with steps of its own; let it run with the steps of the whole model"
        )
    for (tag, name), values in _COVERED.items():
        if item.tag == tag and item.get(name, "").lower() not in values:
            return Message(
                '{name}="{found}" is not covered; expected {name}="{expected}"',
                name=name,
                found=item.get(name),
                expected=values[1],
            )
    return ""


def _refusal(faults: dict[str, list[Any]]) -> InvalidModel:
    """One error for all refused tags and attributes, each with its first position in the file."""
    (said, (first, *_)), *others = faults.items()
    if not others:
        return fault_at(first, said)
    told = [Message("{where}: {said}", where=place_of(items[0]).at(0), said=what) for what, items in faults.items()]
    return InvalidModel("{faults}", faults=joined(told, "; "))

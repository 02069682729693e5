"""Known XMILE tags and attributes, by their parent tag; others raise an error that names them.

The note of a tag is `READ` if results depend on the tag; otherwise it says why they do not.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pysd_runner.engine.errors import InvalidModel
from pysd_runner.engine.frontend.syntax import ABOUT, DRAWN, OUTPUT, PROGRAM, READ, SHOWN, STUDY
from pysd_runner.engine.frontend.xmile.document import fault_at, spelled
from pysd_runner.engine.ir import Feature


@dataclass(frozen=True, slots=True)
class Known:
    """Rules for one tag."""

    note: str = READ  # how it is handled
    attributes: Mapping[str, str] = field(default_factory=dict)  # its attributes, and how each is handled
    parts: "Mapping[str, Known] | None" = field(default_factory=dict)  # tags inside it
    harmless: Mapping[str, Collection[str]] = field(default_factory=dict)
    refused: str = ""  # why it is not supported; empty if it is
    others: str = ""  # how unlisted tags inside it are handled; empty if they are not allowed
    warns: bool = False  # whether results may differ from those of the program that wrote the file


def _apart(note: str) -> Known:
    """A tag whose content is ignored."""
    return Known(note, {}, None)


def _named(*names: str, note: str = READ) -> dict[str, str]:
    return dict.fromkeys(names, note)


_NUMBERS = Known(attributes=_named("sep"))
_DIMENSIONS = Known(parts={"dim": Known(attributes=_named("name"))})
_POINTS = {
    "xscale": Known(attributes=_named("min", "max")),
    "yscale": Known(SHOWN, _named("min", "max", note=SHOWN)),
    "xpts": _NUMBERS,
    "ypts": _NUMBERS,
}
_TABLE = Known(
    attributes=_named("name", "type", "discrete"),
    parts={
        **_POINTS,
        "units": Known(),
        "doc": _apart(ABOUT),
        "dimensions": _DIMENSIONS,
        "element": Known(attributes=_named("subscript"), parts=_POINTS),
    },
)
_CONVEYOR = Known(
    attributes=_named("discrete", "batch_integrity", "one_at_a_time", "exponential_leak", "force_leak_fraction"),
    parts={name: Known() for name in ("len", "capacity", "in_limit", "sample", "arrest")},
)
_EVENTS = Known(
    attributes=_named("min", "max", note=SHOWN),
    parts={
        "threshold": Known(
            attributes=_named("direction", "value", "repeat", "interval", note=SHOWN),
            parts={"event": Known(SHOWN, parts=None, harmless={"sim_action": ("", "pause", "message", "none")})},
        )
    },
)
_VARIABLE_ATTRIBUTES = {
    **_named("name"),
    **_named("access", "autoexport", note="which other models see it; modules see every variable here"),
    **_named("isee.autocreated", "isee.derived_units", "ai_state", "flow_concept", "isee.unplaced", note=ABOUT),
}
_FLOW_ATTRIBUTES = _named("leak_start", "leak_end", "isee.spreadflow")
_ELEMENT_PARTS = {
    "eqn": Known(),
    "init_eqn": Known(),
    "gf": _TABLE,
    "non_negative": Known(attributes=_named("value")),
    "conveyor": _CONVEYOR,
    "queue": Known(),
    "inflow": Known(),
    "outflow": Known(),
    "leak": Known(),
    "leak_integers": Known(),
    "multiplier": Known(),
    "overflow": Known(),
    "isee.distrib_eq": Known(),
    "doc": _apart(ABOUT),
    "units": Known(),
    "isee.summing": Known("says that it adds up; what it adds stands in its equation"),
    "isee.delay_aux": Known("says that it has a memory; which one stands in its equation"),
    "event_poster": _EVENTS,
    "mathml": Known("its equation in another notation"),
    "range": Known(attributes=_named("min", "max", "auto_fit")),
    "scale": Known(SHOWN, _named("min", "max", "auto", "group", note=SHOWN)),
    "format": Known(SHOWN, _named("precision", "scale_by", "display_as", "delimit_000s", note=SHOWN)),
}
_VARIABLE = Known(
    attributes=_VARIABLE_ATTRIBUTES | _FLOW_ATTRIBUTES,
    parts={
        **_ELEMENT_PARTS,
        "dimensions": _DIMENSIONS,
        "element": Known(attributes=_named("subscript"), parts=_ELEMENT_PARTS),
        # In drafts of the standard, a variable contains its position in the diagram.
        "display": _apart(DRAWN),
        "isee.display": _apart(DRAWN),
    },
)
_MODULE = Known(
    attributes={
        **_named("name", "model_name"),
        **_named("isee.label", "access", "autoexport", note=ABOUT),
        "resource": "where its model was; it stands in the file",
    },
    parts={
        "connect": Known(attributes=_named("to", "from")),
        "connect2": Known("the same as <connect>", _named("to", "from")),
        "doc": _apart(ABOUT),
        "units": Known(ABOUT),
        "display": _apart(DRAWN),
    },
)
_GROUP = Known(
    attributes={**_named("name"), **_named("run", "owner", note="which part the program runs; all of it is run here")},
    parts={
        "entity": Known(attributes=_named("name", "run")),
        "doc": _apart(ABOUT),
        "var": Known(attributes=_named("name")),
    },
)
_IN_MODEL = {
    **dict.fromkeys(("aux", "flow", "stock"), _VARIABLE),
    "gf": _TABLE,
    "module": _MODULE,
    "group": _GROUP,
    "isee.dependencies": _apart("which variable depends on which; the equations say it"),
}
_BEHAVIOUR_PART = Known(parts={"non_negative": Known(attributes=_named("value"))})
_BEHAVIOUR = Known(
    parts={"non_negative": Known(attributes=_named("value")), "flow": _BEHAVIOUR_PART, "stock": _BEHAVIOUR_PART}
)
_VARIABLES = Known(parts=_IN_MODEL)
_SIM_SPECS = Known(
    attributes={
        **_named("method", "time_units", "isee.save_interval"),
        **_named("isee.sim_duration", "isee.simulation_delay", "isee.restore_on_start", "pause", note=PROGRAM),
        **_named("isee.run_prefix", "isee.pause_after_rates", "isee.ignore_module_errors", note=PROGRAM),
        **_named("isee.analyze_mode", "isee.strict_units", note=PROGRAM),
        **_named("isee.loop_scores", "isee.loop_exhaustive_allowed", "isee.ltm_tag", note=STUDY),
        "isee.instantaneous_flows": "whether flows are shown at a moment or averaged; they are of the moment here",
    },
    parts={
        "start": Known(),
        "stop": Known(),
        "dt": Known(attributes=_named("reciprocal")),
        "run": Known(attributes=_named("by"), harmless={"by": ("", "all")}),
        "savestep": Known(),
        "time_units": Known(ABOUT),
        "method": Known(),
    },
)
_OWN_CLOCK = Known(refused="a module or a macro with steps of its own; let it run with the steps of the whole model")
_MODEL = Known(
    attributes={
        **_named("name"),
        **_named("isee.label", "password", note=ABOUT),
        "run": "which part the program runs; all of it is run here",
    },
    parts={
        "variables": _VARIABLES,
        "sim_specs": _OWN_CLOCK,
        "behavior": _BEHAVIOUR,
        "doc": _apart(ABOUT),
        "views": _apart(DRAWN),
        "isee.extra_collection_variables": _apart(STUDY),
        # In drafts of the standard, variables are direct children of the model.
        **_IN_MODEL,
        "display": _apart(DRAWN),
        "interface": _apart(DRAWN),
        "isee.display": _apart(DRAWN),
    },
)
_MACRO = Known(
    attributes={**_named("name"), **_named("namespace", note=ABOUT)},
    parts={
        "parm": Known(attributes=_named("default")),
        "eqn": Known(),
        "variables": _VARIABLES,
        "format": Known(SHOWN),
        "doc": _apart(ABOUT),
        "views": _apart(DRAWN),
        "view": _apart(DRAWN),
        "sim_specs": _OWN_CLOCK,
    },
)
_DATA = Known(
    parts={
        "export": _apart(OUTPUT),
        "import": Known("values that are read from a file, switched off", parts=None, harmless={"enabled": ("false",)}),
    }
)
_USES = (
    *("uses_conveyor", "uses_conveyors", "uses_queue", "uses_queues", "uses_submodels", "uses_macros"),
    *("uses_event_posters", "has_model_view", "has_model_views", "uses_outputs", "uses_inputs", "uses_annotation"),
    "uses_annotations",
)
_RANGES = Known(
    parts={
        "dim": Known(
            attributes=_named("name", "size"),
            parts={
                "elem": Known(attributes=_named("name")),
                "isee.maps_to": Known(),
                "simlin.maps_to": Known(),
                "doc": _apart(ABOUT),
            },
        )
    }
)

_ARRAYS = Known(
    attributes=_named("maximum_dimensions", "max_dimensions", "invalid_index_value"),
    harmless={"invalid_index_value": ("", "0")},
)
_OPTIONS = Known(
    ABOUT,
    _named("namespace", "version", "uses_arrays", *_USES, note=ABOUT),
    {"uses_arrays": _ARRAYS, **{name: _apart(ABOUT) for name in _USES}},
)
_HEADER = Known(
    ABOUT,
    parts={
        "options": _OPTIONS,
        "smile": _OPTIONS,
        "includes": Known(refused="other files are not read; put what they hold into this one"),
    },
    others=ABOUT,
)

XMILE = Known(
    attributes=_named("version", "level", note=ABOUT),
    parts={
        "header": _HEADER,
        "sim_specs": _SIM_SPECS,
        "model_units": _apart("names of units; they stand with the variables"),
        "dimensions": _RANGES,
        "behavior": _BEHAVIOUR,
        "model": _MODEL,
        "macro": _MACRO,
        "data": _DATA,
        "style": _apart(DRAWN),
        "default_format": _apart(SHOWN),
        "ai_information": _apart(ABOUT),
        **{
            f"isee.{name}": _apart(PROGRAM)
            for name in ("prefs", "multiplayer_settings", "equation_prefs", "time_formats", "number_format_extenders")
        },
        **{
            f"isee.{name}": _apart(STUDY)
            for name in ("sensi_specs", "sensi_specs_list", "optimizations", "data_manager")
        },
        **{f"isee.{name}": _apart(STUDY) for name in ("optimization_specs", "payoffs", "calibrations")},
        "isee.controls": Known(
            "controls of the program that stand in for equations; give their values to do the same",
            parts=None,
            warns=True,
        ),
    },
)


def features(root: Any) -> list[Feature]:
    """Tags and attributes of a file, with how each is handled and how often it occurs."""
    found: Counter[Feature] = Counter()
    _walk(root, XMILE, found)
    return [replace(feature, count=count) for feature, count in found.items()]


def _walk(item: Any, known: Known, found: Counter[Feature]) -> None:
    tag = spelled(item.tag)
    if known.refused:
        raise fault_at(item, f"<{tag}> is not covered: {known.refused}")
    found[Feature(f"<{tag}>", known.note, warns=known.warns)] += 1
    for name, values in known.harmless.items():
        if item.get(name, "").lower() not in values:
            asked = f'{name}="{item.get(name)}"' if name in item.attrib else f"without {name}"
            expected = " or ".join(f'{name}="{value}"' for value in values if value)
            raise fault_at(item, f"<{tag}> {asked} is not covered; expected {expected}")
    if known.parts is None:
        return
    for name in item.attrib:
        if name not in known.attributes:
            raise _unknown(item, f'the attribute {spelled(name)}="{item.get(name)}" of <{tag}>')
        found[Feature(f"<{tag} {spelled(name)}>", known.attributes[name])] += 1
    for part in item:
        if part.tag not in known.parts and not known.others:
            raise _unknown(part, f"<{spelled(part.tag)}> in <{tag}>")
        _walk(part, known.parts.get(part.tag) or _apart(known.others), found)


def _unknown(item: Any, what: str) -> InvalidModel:
    return fault_at(item, f"{what} is not known here, and the numbers may depend on it; remove it if they do not")

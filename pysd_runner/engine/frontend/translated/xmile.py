"""Reads an XMILE file with PySD's translator; nothing of the file is executed, and no other file is opened for it."""

import re
import warnings
from pathlib import Path
from typing import Any

from pysd_runner.engine.errors import InvalidModel
from pysd_runner.engine.frontend.translated.translation import (
    Reading,
    explained,
    keep_brackets,
    read_literals_only,
    without_comments,
)
from pysd_runner.engine.frontend.translated.wildcards import name_wildcards, read_array_functions
from pysd_runner.engine.frontend.translated.xmile_meaning import (
    make_elements,
    read_own_parts,
    refuse_unknown,
    settle_tables,
    share_equations,
    spread_behavior,
)
from pysd_runner.engine.frontend.xmile.specs import integration

VARIABLES = ("aux", "flow", "stock")

# What is wrong with many files of one editor, and harmless: a prefix that is never declared.
HARMLESS = frozenset({"NS_ERR_UNDEFINED_NAMESPACE"})

# A document type declaration may name other files and blow up text; no XMILE file needs one.
# The group is atomic: each comment ends where it first can, or many of them would be tried in every combination.
_DOCTYPE = re.compile(rb"(?>\s|\xef\xbb\xbf|\xff\xfe|\xfe\xff|<\?.*?\?>|<!--.*?-->)*+<!DOCTYPE", re.DOTALL)

_NO_DOCTYPE = "the file holds a document type declaration, which may name other files; remove <!DOCTYPE ...>"

# The end tag of a variable was forgotten; the tags around it then seem to be wrong too.
_UNCLOSED = re.compile(
    rf"Opening and ending tag mismatch: ({'|'.join(VARIABLES)}|variables|model) line \d+ and (variables|model|xmile)\Z"
)


def read_xmile(path: Path) -> Reading:
    """Read an XMILE file."""
    from pysd.translators.structures.abstract_model import AbstractModel
    from pysd.translators.xmile import xmile_element
    from pysd.translators.xmile.xmile_section import Section

    read_literals_only(xmile_element)
    keep_brackets(xmile_element)
    read_own_parts(xmile_element)
    _mend_functions(xmile_element)
    root = _root(path.read_bytes())
    refuse_unknown(root)
    _drop_comments(root)
    _check_parts(root)
    make_elements(root)
    spread_behavior(root)
    share_equations(root)
    settle_tables(root)
    name_wildcards(root)
    read_array_functions(xmile_element, root)
    section = Section("__main__", path.with_suffix(".py"), "main", [], [], root, root.nsmap[None], False, None)
    with warnings.catch_warnings():
        # NumPy warns when it stops reading the points of a table in the middle.
        warnings.filterwarnings("error", message="string or file could not be read to its end")
        explained("this file", lambda: section.parse(parse_all=False))
        for item in section.components:
            explained(f"variable {item.name!r}", lambda item=item: item.parse(section.behaviors))  # type: ignore[misc]
    abstract = AbstractModel(original_path=path, sections=(explained("this file", section.get_abstract_section),))
    return Reading(abstract, integration(_method(root)))


def _method(root: Any) -> str:
    found: list[str] = root.xpath("ns:sim_specs/@method", namespaces={"ns": root.nsmap[None]})
    return found[0] if found else ""


def _root(data: bytes) -> Any:
    """The document, refused unless it is whole and stands for itself."""
    from lxml import etree

    if _DOCTYPE.match(data.replace(b"\0", b"")):
        raise InvalidModel(_NO_DOCTYPE)
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True, recover=True
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise InvalidModel(f"this is no XML document: {error.msg}") from error
    unclosed = _harmless(parser.error_log, whole=data.rstrip().endswith(b"</xmile>"))
    if root is None or etree.QName(root).localname != "xmile" or None not in root.nsmap:
        raise InvalidModel('this is no XMILE document; expected <xmile xmlns="...">')
    if root.getroottree().docinfo.internalDTD is not None:
        raise InvalidModel(_NO_DOCTYPE)
    if unclosed:
        _separate(root)
    return root


def _harmless(faults: Any, *, whole: bool) -> bool:
    """Whether the end tag of a variable is missing; any other fault that may hide something is refused."""
    unclosed = False
    for fault in faults:
        if whole and _UNCLOSED.match(fault.message):
            unclosed = True
        elif fault.level_name != "WARNING" and fault.type_name not in HARMLESS:
            raise InvalidModel(f"line {fault.line} is no well-formed XML: {fault.message.strip()}; is the file whole?")
    return unclosed


def _separate(root: Any) -> None:
    """Put variables that stand inside one whose end tag is missing after it."""
    tags = {f"{{{root.nsmap[None]}}}{name}" for name in VARIABLES}
    for item in reversed(list(root.iter(*tags))):
        outer = [parent for parent in item.iterancestors() if parent.tag in tags]
        if outer:
            outer[-1].addnext(item)


def _drop_comments(root: Any) -> None:
    """Take comments out of equations, unless nothing else is in one."""
    for item in root.xpath("//ns:eqn", namespaces={"ns": root.nsmap[None]}):
        text = without_comments(item.text or "")
        item.text = text if text.strip() else item.text


def _mend_functions(module: Any) -> None:
    """Make ``LOOKUP(table, x)`` a call of the table, for which PySD 3.14.3 sees points, and DELAYN one of Stella's."""
    from pysd.translators.structures.abstract_expressions import CallStructure, DelayStructure, LookupsStructure

    def lookup(*arguments: Any, **points: Any) -> Any:
        return CallStructure(arguments[0], tuple(arguments[1:])) if arguments else LookupsStructure(**points)

    module.structures["lookup"] = lookup
    module.structures["delayn"] = {
        3: lambda value, time, order: DelayStructure(value, time, value, order),
        4: lambda value, time, order, start: DelayStructure(value, time, start, order),
    }


def _check_parts(root: Any) -> None:
    """Refuse what the translator would answer with an error that says nothing."""
    names = {"ns": root.nsmap[None]}
    if not root.xpath("ns:sim_specs[ns:start and ns:stop and ns:dt]", namespaces=names):
        raise InvalidModel("there is no <sim_specs> with <start>, <stop> and <dt>")
    for kind in (*(f"ns:model/ns:variables/ns:{name}" for name in (*VARIABLES, "gf")), "ns:dimensions//ns:*"):
        for item in root.xpath(kind, namespaces=names):
            if not item.get("name", "").strip():
                raise InvalidModel(f"line {item.sourceline}: <{item.tag.rpartition('}')[2]}> has no name")
    for item in root.xpath("ns:model/ns:variables/ns:*/descendant-or-self::ns:*", namespaces=names):
        if (
            item.tag.endswith(("}eqn", "}init_eqn", "}inflow", "}outflow", "}xpts", "}ypts"))
            and not (item.text or "").strip()
        ):
            raise InvalidModel(f"line {item.sourceline}: <{item.tag.rpartition('}')[2]}> is empty")

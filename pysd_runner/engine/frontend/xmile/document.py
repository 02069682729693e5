"""Parse the XML document of an XMILE file safely, check that it is complete, and shorten the names of its tags."""

import re
from collections.abc import Iterator, Sequence
from html import unescape
from typing import Any

from pysd_runner.engine.errors import InvalidModel, Message
from pysd_runner.engine.frontend.syntax import SourcePlace, fault
from pysd_runner.engine.ir import Drawn, tidy

VARIABLES = ("aux", "flow", "stock")
# Elements that must follow all variables in a model.
_BEHIND = ("views",)

# Namespaces of the standard and of its drafts, whose tags get no prefix.
STANDARD = frozenset({"http://docs.oasis-open.org/xmile/ns/XMILE/v1.0", "http://www.systemdynamics.org/XMILE"})
ISEE = re.compile(r"https?://(?:www\.)?iseesystems\.com/XMILE", re.IGNORECASE)

# Frequent but harmless XML errors: an undeclared namespace prefix, two hyphens in a comment.
HARMLESS = frozenset({"NS_ERR_UNDEFINED_NAMESPACE", "ERR_HYPHEN_IN_COMMENT"})

# Tags of the interface, and errors that Stella writes into them: no blank between attributes, bytes that are not text.
_INTERFACE = ("<isee:animation", "<table ", "<graph ")
_SLOPPY = frozenset({"ERR_SPACE_REQUIRED", "ERR_GT_REQUIRED", "ERR_INVALID_ENCODING"})

_ESCAPED = re.compile(r"\\([nrt\"'\\])")
_SPACES = {"n": " ", "r": " ", "t": " "}

# A document type declaration may include other files and expand entities without limit; no XMILE file needs one.
# The group is atomic to prevent catastrophic backtracking over many comments.
_DOCTYPE = re.compile(rb"(?>\s|\xef\xbb\xbf|\xff\xfe|\xfe\xff|<\?.*?\?>|<!--.*?-->)*+<!DOCTYPE", re.DOTALL)

_NO_DOCTYPE = Message("the file holds a document type declaration, which may name other files; remove <!DOCTYPE ...>")

# Parser error for a variable without an end tag, after which the enclosing tags seem to be mismatched as well.
_UNCLOSED = re.compile(
    rf"Opening and ending tag mismatch: ({'|'.join(VARIABLES)}|variables|model) line \d+ and (variables|model|xmile)\Z"
)


def read_document(data: bytes) -> Any:
    """Parse a file and return its root element; raise an error unless the file is complete and self-contained."""
    from lxml import etree

    if _DOCTYPE.match(data.replace(b"\0", b"")):
        raise InvalidModel(_NO_DOCTYPE)
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True, recover=True
    )
    lines = data.decode(errors="replace").splitlines()
    parser.set_element_class_lookup(
        etree.ElementDefaultClassLookup(element=type("Item", (etree.ElementBase,), {"lines": lines}))
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise InvalidModel("this is no XML document: {reason}", reason=error.msg) from error
    unclosed = _harmless(parser.error_log, lines, whole=data.rstrip().endswith(b"</xmile>"))
    if root is None or etree.QName(root).localname != "xmile" or None not in root.nsmap:
        raise InvalidModel('this is no XMILE document; expected <xmile xmlns="...">')
    if root.getroottree().docinfo.internalDTD is not None:
        raise InvalidModel(_NO_DOCTYPE)
    _shorten(root)
    if unclosed:
        _separate(root)
    return root


def _harmless(faults: Any, lines: Sequence[str], *, whole: bool) -> bool:
    """Whether the end tag of a variable is missing; raise other errors unless they are harmless."""
    unclosed = False
    for found in faults:
        if whole and _UNCLOSED.match(found.message):
            unclosed = True
        elif found.type_name in _SLOPPY and "".join(lines[found.line - 1 : found.line]).lstrip().startswith(_INTERFACE):
            continue
        elif found.level_name != "WARNING" and found.type_name not in HARMLESS:
            raise InvalidModel(
                "line {line} is no well-formed XML: {message}; is the file whole?",
                line=found.line,
                message=found.message.strip(),
            )
    return unclosed


def _shorten(root: Any) -> None:
    own = root.nsmap[None]
    for item in root.iter():
        item.tag = _short(item.tag, own)
        for name in [name for name in item.attrib if "{" in name or ":" in name]:
            item.attrib[_short(name, own)] = item.attrib.pop(name)


def _short(name: str, own: str) -> str:
    namespace, brace, local = name.rpartition("}")
    namespace = namespace.removeprefix("{")
    if not brace or namespace == own or namespace in STANDARD:
        # An undeclared prefix remains part of the name, and lxml does not accept a colon in a new name.
        return local.replace(":", ".")
    words = ["vendor", *re.findall(r"[^\W\d]\w*", namespace)]
    return f"{'isee' if ISEE.fullmatch(namespace) else words[-1]}.{local}"


def _separate(root: Any) -> None:
    """Move elements out of a variable whose end tag is missing, to after it or after all variables."""
    for item in reversed(list(root.iter(*VARIABLES, *_BEHIND))):
        outer = [parent for parent in item.iterancestors() if parent.tag in VARIABLES]
        if outer:
            (outer[-1].getparent() if item.tag in _BEHIND else outer[-1]).addnext(item)


def spelled(tag: str) -> str:
    """A tag or attribute as the file spells it.

    >>> spelled("isee.prefs")
    'isee:prefs'
    """
    return tag.replace(".", ":", 1)


def place_of(item: Any) -> SourcePlace:
    """Position of the text of an element, or of the element if it has no text."""
    text, line = item.text or "", item.sourceline or 1
    row = unescape(item.lines[line - 1]) if line <= len(item.lines) else ""
    first = text.partition("\n")[0]
    if text.strip():
        before = row.rfind(">") if not first.strip() else row.find(f">{first}")
        return SourcePlace(line, before + 2, text)
    return SourcePlace(line, max(row.find(f"<{item.tag}"), 0) + 1, text)


def fault_at(item: Any, message: str) -> InvalidModel:
    """Error that states the position of an element."""
    return fault(place_of(item), 0, message)


def text_of(item: Any) -> str:
    """Text of an element, without surrounding whitespace."""
    return (item.text or "").strip()


def plain_name(text: str) -> str:
    """A name without quotes, and with spaces in place of escaped line breaks.

    >>> plain_name('"Odd, name"')
    'Odd, name'
    """
    bare = text.strip()
    if len(bare) > 1 and bare[0] == bare[-1] == '"':
        bare = bare[1:-1]
    return tidy(_ESCAPED.sub(lambda found: _SPACES.get(found[1], found[1]), bare))


def name_of(item: Any) -> str:
    """Name of an element, empty if it has none."""
    return plain_name(item.get("name", ""))


def children(item: Any, *tags: str) -> Iterator[Any]:
    """Direct children of an element that have one of the tags."""
    return (part for part in item if part.tag in tags)


def child(item: Any, tag: str) -> Any:
    """First direct child of an element with a tag, None if there is none."""
    return next(children(item, tag), None)


def is_by_stella(root: Any) -> bool:
    """Whether the header of a file says that Stella wrote it, or iThink, its sister."""
    header = child(root, "header")
    told = () if header is None else (text_of(item).casefold() for item in children(header, "vendor", "product"))
    return any(name in text for text in told for name in ("isee systems", "stella", "ithink"))


def drawn_in(model: Any, prefix: str) -> Iterator[Drawn]:
    """Positions of the variables of one model in its diagrams."""
    for views in children(model, "views"):
        for number, view in enumerate(children(views, "view"), 1):
            name = name_of(view) or str(number)
            for item in view.iter("stock", "flow", "aux", "gf", "alias"):
                drawn = _drawn(item, f"{prefix}{name}", prefix)
                if drawn is not None:
                    yield drawn


def _drawn(item: Any, view: str, prefix: str) -> Drawn | None:
    of = child(item, "of")
    name = name_of(item) if of is None else plain_name(text_of(of))
    try:
        return Drawn(f"{prefix}{name}", view, float(item.get("x")), float(item.get("y")), is_copy=item.tag == "alias")
    except (TypeError, ValueError):
        return None

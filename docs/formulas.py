"""Writes formulas as MathML when the site is built: browsers draw it by themselves, so that pages need no network."""

from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)


def written(node: Any, *, as_block: bool = False) -> str:
    """A formula as MathML; one that cannot be translated is a warning, and stands there as it was written."""
    text = node.astext()
    try:
        return str(tex2mathml(text, as_block=as_block))
    except MathError as error:
        LOGGER.warning("formula %r: %s", text, error, location=node)
        return f"<code>{text}</code>"


def inline(writer: Any, node: Any) -> None:
    """Write a formula within a line."""
    writer.body.append(written(node))
    raise nodes.SkipNode


def block(writer: Any, node: Any) -> None:
    """Write a formula on lines of its own; a wide one scrolls."""
    writer.body.append(f'<div class="formula" tabindex="0">{written(node, as_block=True)}</div>\n')
    raise nodes.SkipNode


def setup(app: Any) -> None:
    """Add the writer, under the name that `html_math_renderer` chooses."""
    app.add_html_math_renderer("mathml", (inline, None), (block, None))

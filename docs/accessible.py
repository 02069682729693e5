"""What the theme leaves out for readers who use a keyboard or a screen reader."""

import re
from typing import Any

# What scrolls sideways takes the focus; a caption of the navigation says on which level it stands.
MISSING = {
    "<pre>": '<pre tabindex="0">',
    '<div class="table-wrapper': '<div tabindex="0" class="table-wrapper',
    'class="caption" role="heading"': 'class="caption" role="heading" aria-level="2"',
}
# The gallery hides the words of the links that lie over its pictures.
THUMBNAIL = re.compile(r'(<a class="reference internal" href="plot_[^"]+")(><span class="doc">)([^<]+)')


def complete(_app: Any, pagename: str, _template: str, context: dict[str, Any], _doctree: Any) -> None:
    """Add it to a page before it is written."""
    for part in ("body", "furo_navigation_tree"):
        for old, new in MISSING.items():
            context[part] = context.get(part, "").replace(old, new)
    context["body"] = THUMBNAIL.sub(r'\1 aria-label="\3"\2\3', context["body"])
    if pagename.startswith("zh/"):
        context["language"] = "zh-CN"


def setup(app: Any) -> None:
    """Connect; after the theme has made its navigation."""
    app.connect("html-page-context", complete, priority=900)

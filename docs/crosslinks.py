"""Links names in signatures and docstrings to their pages, here and on the sites of the libraries that are used."""

import logging
from typing import Any

SHORT = {"np.": "numpy.", "pd.": "pandas.", "xr.": "xarray."}
OURS = ("pysd_runner.", "calibration.")


def expand(app: Any, env: Any, node: Any, content: Any) -> Any:
    """Lead a name to the page it stands on, which need not be that of the module it is defined in."""
    target = node.get("reftarget", "")
    for short, whole in SHORT.items():
        if target.startswith(short):
            node["reftarget"] = target.replace(short, whole, 1)
    if node.get("refdomain") != "py" or ("." in target and not target.startswith(OURS)):
        return None
    name, domain = target.rpartition(".")[2], env.domains["py"]
    kinds = {key: entry.objtype for key, entry in domain.objects.items() if key.rpartition(".")[2] == name}
    found = [key for key, kind in kinds.items() if kind in ("class", "exception", "function")]
    if len(found) != 1:
        return None
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", found[0], node, content)


def without_network(record: logging.LogRecord) -> bool:
    """Whether a record is worth a warning: a site that cannot be reached only takes the links to it away."""
    return "failed to reach any of the inventories" not in str(record.msg)


def setup(app: Any) -> None:
    """Connect; before the links to other sites are looked up."""
    logging.getLogger("sphinx.sphinx.ext.intersphinx").addFilter(without_network)
    app.connect("missing-reference", expand, priority=100)

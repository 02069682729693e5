"""What an XMILE file says and PySD's translator passes over: done here, or refused by name."""

from typing import Any

from pysd_runner.engine.ir import Integration, Method

# Methods of the specification that others stand in for, as it allows.
_STAND_INS = ("rk2", "rk45")


def integration_of(root: Any) -> Integration:
    """How a file wants its stocks integrated: the first method of its list that is known here.

    Parameters
    ----------
    root
        The document.

    Returns
    -------
    Integration
        Euler's method if it names none.
    """
    text = _find(root, "ns:sim_specs")[0].get("method", "")
    names = [part.strip().lower() for part in text.split(",") if part.strip()] or ["euler"]
    known: dict[str, Method] = {"euler": "euler", "rk4": "rk4"}
    method = next((known[name] for name in names if name in known), None)
    if method is None and set(names) & set(_STAND_INS):
        method = "rk4"
    return Integration(method, "" if method == names[0] else f"method {text[:40]!r}")


def _find(root: Any, path: str) -> list[Any]:
    found: list[Any] = root.xpath(path, namespaces={"ns": root.nsmap[None]})
    return found

"""Small XMILE files for tests, from their variables."""

from pathlib import Path

from pysd_runner.model import Model, load_model

XMILE = """<?xml version="1.0" encoding="utf-8"?>
<xmile version="1.0" xmlns="http://docs.oasis-open.org/xmile/ns/XMILE/v1.0">
<header><name>small</name><vendor>{vendor}</vendor><product version="1">test</product></header>
<sim_specs{method}><start>0</start><stop>{stop}</stop><dt>{step}</dt></sim_specs>
{before}<model>{inside}<variables>
{variables}
</variables></model></xmile>
"""

# Two dimensions, one of them by its size alone.
DIMENSIONS = """<dimensions><dim name="D"><elem name="a"/><elem name="b"/></dim><dim name="N" size="3"/></dimensions>"""
OVER_D = '<dimensions><dim name="D"/></dimensions>'
OVER_N = '<dimensions><dim name="N"/></dimensions>'


def write_xmile(
    folder: Path,
    variables: str,
    *,
    method: str = "",
    before: str = DIMENSIONS,
    inside: str = "",
    stop=4,
    step=1,
    vendor: str = "test",
) -> Path:
    """Write variables with what a file needs besides, and give its path."""
    path = folder / "model.xmile"
    asked = f' method="{method}"' if method else ""
    text = XMILE.format(
        method=asked, before=before, inside=inside, variables=variables, stop=stop, step=step, vendor=vendor
    )
    path.write_text(text, encoding="utf-8")
    return path


def load_xmile(folder: Path, variables: str, **more) -> Model:
    """Write variables as `write_xmile` does, and load the file."""
    return load_model(write_xmile(folder, variables, **more))


def stock(name: str, initial: object, inflows=(), outflows=(), more: str = "") -> str:
    """A stock with its flows in order."""
    ends = "".join(f"<inflow>{item}</inflow>" for item in inflows)
    ends += "".join(f"<outflow>{item}</outflow>" for item in outflows)
    return f'<stock name="{name}">{more}<eqn>{initial}</eqn>{ends}</stock>\n'


def flow(name: str, equation: object, more: str = "") -> str:
    """A flow."""
    return f'<flow name="{name}">{more}<eqn>{equation}</eqn></flow>\n'


def aux(name: str, equation: object, more: str = "") -> str:
    """An auxiliary."""
    return f'<aux name="{name}">{more}<eqn>{equation}</eqn></aux>\n'

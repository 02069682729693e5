"""`gapsim --help` answers at once. Counted in modules imported, because time depends on the day."""

import json
import subprocess
import sys

HEAVY = ("pandas", "xarray", "pysd", "matplotlib", "scipy", "pydantic", "h5netcdf", "numpy", "rich", "SALib")

ASKED = """
import json, sys
from pysd_runner.cli import main
code = main(["--help"])
print(json.dumps({"code": code, "modules": sorted({name.partition(".")[0] for name in sys.modules})}), file=sys.stderr)
"""


def test_help_imports_nothing_heavy() -> None:
    answer = subprocess.run([sys.executable, "-c", ASKED], capture_output=True, text=True, check=True)
    report = json.loads(answer.stderr.splitlines()[-1])
    assert report["code"] == 0
    assert "Usage: gapsim" in answer.stdout
    assert [name for name in HEAVY if name in report["modules"]] == []

"""What an import of the package brings along; looked at in a new interpreter."""

import json
import subprocess
import sys

ASKED = """
import json, sys
from calibration import sdeval
for name in sdeval.__all__:
    getattr(sdeval, name)
print(json.dumps(sorted(sys.modules)))
"""


def test_the_package_brings_no_model_no_pictures_and_no_sampler() -> None:
    answer = subprocess.run([sys.executable, "-c", ASKED], capture_output=True, text=True, check=True)
    modules = json.loads(answer.stdout)
    unwanted = (
        "pysd",
        "SALib",
        "matplotlib",
        "scipy.stats",
        "pysd_runner.engine.task",
        "pysd_runner.engine.frontend",
        "pysd_runner.spec",
        "pysd_runner.panel",
    )
    assert "calibration.sdeval.sensitivity" in modules
    assert [name for name in unwanted if name in modules] == []

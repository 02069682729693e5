"""How many functions of the project a warm fit and a warm projection enter: ``python -m benchmarks.walks``.

Each is called twice and the second call is counted, so that imports, compiled models and caches are left out.
"""

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType

from calibration import CalibrationProblem, fit
from pysd_runner import load_data, load_model, project

ROOT = Path(__file__).parents[1]
ROOMS = (f"{ROOT / 'calibration'}/", f"{ROOT / 'pysd_runner'}/")
NO_FUNCTIONS = ("<module>", "<listcomp>", "<genexpr>", "<dictcomp>", "<setcomp>", "<lambda>")


def entered(call: Callable[[], object]) -> set[CodeType]:
    """The functions of the project that a second call enters, in threads of this process."""
    call()
    found: set[CodeType] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            found.add(frame.f_code)

    sys.setprofile(note)
    threading.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return {code for code in found if code.co_filename.startswith(ROOMS) and code.co_name not in NO_FUNCTIONS}


def main() -> None:
    """Prints functions and modules entered."""
    data = load_data("china")
    model = load_model("regional_digital", regions=len(data.regions))
    for name, call in {
        "load": lambda: load_data("china"),
        "fit": lambda: fit(CalibrationProblem(model, data), starts=1, seed=0),
        "projection": lambda: project(model, data, "zoned_need", until=2030, draws=2, seed=0),
    }.items():
        codes = entered(call)
        print(f"{name}: {len(codes)} functions of {len({code.co_filename for code in codes})} modules")


if __name__ == "__main__":
    main()

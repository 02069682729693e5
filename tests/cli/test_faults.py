"""Signals, full disks and folders that cannot be written: one sentence, a conventional code, nothing half written."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from calibration import Fit
from pysd_runner.ensemble import load_job
from tests.engine.small_models import write_model

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits work differently there")

PROGRAM = """
import resource, sys, time
from pysd_runner.cli import main
from pysd_runner.ensemble import job
from calibration.optimisers import searches

def slowed(work):
    def slow(*given):
        time.sleep(float(sys.argv[1]))
        return work(*given)
    return slow

if __name__ == "__main__":
    job.BlockStore.write = slowed(job.BlockStore.write)
    searches.LeastSquares.minimise = slowed(searches.LeastSquares.minimise)
    if limit := int(sys.argv[2]):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    sys.exit(main(sys.argv[3:]))
"""


def begun(folder, arguments, *, slow=0.0, limit=0):
    (folder / "program").mkdir(exist_ok=True)
    program = folder / "program" / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    (folder / "here").mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, str(program), str(slow), str(limit), *map(str, arguments)],
        cwd=folder / "here",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Python leaves half of a cached module where files may not grow.
        env={
            **os.environ,
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
    )


def signalled(process, seen, kind):
    """Send a signal a moment after a text appears on standard error; what was said, and the code."""
    said = ""
    for line in process.stderr:
        said += line
        if seen in line:
            time.sleep(0.3)
            process.send_signal(kind)
            break
    said += process.communicate(timeout=60)[1]
    return process.returncode, said


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    equations = "rate = 0.1 ~ 1/Year [0,0.3] ~|\nwealth = INTEG(rate*wealth, 10) ~ Euro ~|"
    return write_model(tmp_path_factory.mktemp("model"), equations, final=200, step=0.125, saveper=0.125)


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_an_ensemble_that_is_asked_to_end_keeps_its_blocks(kind, model, tmp_path):
    arguments = ["ensemble", model, "--bound", "rate", "--design", "random", "--draws", 40_000, "--workers", 1]
    arguments += ["--store", "runs"]
    process = begun(tmp_path, arguments, slow=0.3)
    code, said = signalled(process, "Running", kind)
    assert code == 128 + kind, said
    assert "Traceback" not in said
    assert "Interrupted." in said
    assert "blocks are kept in runs; the same command goes on." in said
    assert names(tmp_path / "here") == {"runs"}
    job = load_job(tmp_path / "here" / "runs")
    assert not job.complete
    for number in range(job.store.recipe.blocks):
        if job.store.has(number):
            assert job.store.sound(number) is not None


@pytest.mark.parametrize(("kind", "workers"), [(signal.SIGINT, []), (signal.SIGTERM, ["--workers", "2"])])
def test_a_calibration_that_is_asked_to_end_goes_on_from_its_store(
    kind, workers, small_panel, fit, tmp_path, gapsim, no_pictures
):
    common = ["calibrate", small_panel, "--starts", 1, "--without", "forecast"]
    process = begun(tmp_path, [*common, "--out", "fit", "--store", "kept", *workers], slow=0.1)
    code, said = signalled(process, "profiling", kind)
    assert code == 128 + kind, said
    assert "Traceback" not in said
    assert said.rstrip().endswith("Finished parts are kept in kept; the same command goes on from there.")
    assert names(tmp_path / "here") == {"kept"}
    kept = tmp_path / "here" / "kept"
    assert {"settled.npz", "start-0.npz"} <= names(kept)
    assert all(not name.startswith(".") for name in names(kept) | names(kept / "profiles"))
    answer = gapsim(*common, "--out", tmp_path / "fit", "--store", kept)
    assert "estimating the errors" not in answer.err
    assert Fit.load(tmp_path / "fit").fitted.estimates == Fit.load(fit).fitted.estimates
    other = gapsim(*common, "--out", tmp_path / "other", "--store", kept, "--seed", 1, code=2)
    assert "belongs to another calibration" in other.err


ENSEMBLE = ["ensemble", "MODEL", "--bound", "rate", "--draws", 64]
CALIBRATE = ["calibrate", "PANEL", "--starts", 1, "--without", "profiles,forecast"]
RUN = [
    "run",
    "zoned_need",
    "--data",
    "PANEL",
    "--draws",
    2,
    "--until",
    2026,
    "--without",
    "forecast",
]
BACKTEST = ["backtest", "PANEL", "--forecaster", "damped_drift", "--workers", 1]


def written(arguments, model, panel):
    real = {"MODEL": model, "PANEL": panel}
    return [real.get(item, item) for item in arguments]


@pytest.mark.parametrize(
    ("arguments", "limit", "left"),
    [
        ([*RUN, "--out", "out"], 20_000, set()),
        ([*CALIBRATE, "--out", "out"], 5_000, set()),
        ([*CALIBRATE, "--out", "out", "--store", "kept"], 500, {"kept"}),
        ([*BACKTEST, "--out", "out.csv"], 100, set()),
        ([*BACKTEST, "--store", "kept"], 500, {"kept"}),
        ([*ENSEMBLE, "--out", "out.nc"], 10_000, set()),
        ([*ENSEMBLE, "--store", "kept"], 300, set()),
        ([*ENSEMBLE, "--store", "kept"], 20_000, {"kept"}),
    ],
    ids=lambda given: "-".join(map(str, given[:1] + given[-2:-1])) if isinstance(given, list) else None,
)
def test_a_full_disk_is_said_in_a_sentence(arguments, limit, left, model, small_panel, tmp_path):
    """Files may not grow beyond a limit, which fails where a full disk does: when they are written."""
    process = begun(tmp_path, written(arguments, model, small_panel), limit=limit)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 2, said
    assert "File too large" in said
    assert "bug" not in said
    assert "Traceback" not in said
    assert names(tmp_path / "here") == left
    hidden = [path for path in tmp_path.rglob(".*") if path.suffix in (".part", ".old")]
    assert hidden == []


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="there is no folder that nobody can write")
@pytest.mark.parametrize(
    ("arguments", "out"),
    [
        (RUN, "out"),
        (CALIBRATE, "out"),
        (BACKTEST, "out.csv"),
        (ENSEMBLE, "out.nc"),
        (["demo"], "out"),
        (["optimise", "--data", "PANEL"], "out"),
        (["evaluate"], "out"),
    ],
    ids=lambda given: given[0] if isinstance(given, list) else None,
)
def test_a_folder_that_cannot_be_written_is_refused_before_the_work(arguments, out, model, small_panel, gapsim):
    began = time.process_time()
    answer = gapsim(*written(arguments, model, small_panel), "--out", f"/proc/gapsim/{out}", code=2)
    assert f"/proc/gapsim/{out} cannot be written: /proc: " in answer.err
    assert time.process_time() - began < 20
    for stage in ("Calibrating", "Projecting", "Running", "Forecasting", "Optimising"):
        assert stage not in answer.err


# What no machine can do, and what is told of it.
IMPOSSIBLE = {
    "--until 99999": "until is 99999; expected at most 50 years after the last one of the panel, 2024",
    "--until 1000000000": "until is 1000000000; expected at most 50 years",
    "--draws 1000000000": "GB of memory, the machine has",
}
LIMITED = """
import re, resource, sys, time
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
from pysd_runner.cli import main
codes = {main([*sys.argv[1:], *option.split(), "--out", "out"]) for option in OPTIONS}
peak = re.search("VmHWM: *([0-9]+) kB", open("/proc/self/status").read().replace(chr(9), " "))
print(*codes, peak[1], time.process_time())
"""


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="the peak of memory is read there")
@pytest.mark.parametrize("command", [("run", "zoned_need"), ("demo",), ("optimise",), ("attribute", "zoned_need")])
def test_what_no_machine_can_do_is_refused_before_any_work(tmp_path, command):
    done = subprocess.run(
        [sys.executable, "-c", f"OPTIONS = {list(IMPOSSIBLE)}{LIMITED}", *command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    code, peak, seconds = map(float, done.stdout.split())
    assert code == 2
    assert done.stderr.count("error: ") == len(IMPOSSIBLE)
    for line, told in zip(done.stderr.split("error: ")[1:], IMPOSSIBLE.values(), strict=True):
        assert told in line
    assert peak < 200_000
    # It takes one and a half seconds, and some more where many work beside it.
    assert seconds < 4
    assert not list(tmp_path.iterdir())

"""Processes of a back-test: a script without a guard gets one message, and Ctrl-C ends them without a word."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from calibration.forecasting.backtest import processes
from pysd_runner.core.errors import InvalidInput

PLACES = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
STARTING = "from calibration.forecasting.backtest import processes\n"
UNGUARDED = STARTING + "with processes(2) as executor:\n    print('begun')\n"
WAITING = (
    STARTING + "import time\n"
    "if __name__ == '__main__':\n"
    "    print('starting', flush=True)\n"
    "    with processes(1) as executor:\n"
    "        print('begun', flush=True)\n"
    "        executor.submit(time.sleep, 60).result()\n"
)


def test_a_script_without_a_guard_gets_one_message(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(UNGUARDED, encoding="utf-8")
    found = subprocess.run(
        [sys.executable, script], env=PLACES, capture_output=True, text=True, check=False, timeout=60
    )
    assert found.returncode == 1
    assert found.stdout == ""
    assert found.stderr.count("Traceback") == 1
    assert 'put the call of `backtest` under `if __name__ == "__main__":`' in found.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals work differently there")
@pytest.mark.parametrize("seen", ["starting", "begun"])
def test_ctrl_c_ends_processes_at_once_and_without_a_word(tmp_path: Path, seen: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(WAITING, encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, script],
        env=PLACES,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as running:
        assert running.stdout is not None
        while running.stdout.readline().strip() != seen:
            pass
        time.sleep(0.05)
        os.killpg(running.pid, signal.SIGINT)
        said = running.communicate(timeout=30)[1]
    assert said.count("Traceback") == 1
    assert said.rstrip().endswith("KeyboardInterrupt")


def test_a_process_that_ends_early_is_told_of() -> None:
    with pytest.raises(InvalidInput, match="ended early"), processes(1) as executor:
        executor.submit(os._exit, 1).result()

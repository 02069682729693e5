"""Work comes out the same wherever it is done; a script without a guard gets one message, Ctrl-C ends at once."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Executor, Future
from pathlib import Path

import pytest
import scipy.linalg  # noqa: F401 - brings a library of its own, which is limited too
from threadpoolctl import threadpool_info, threadpool_limits

from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.parallel import Pool, WorkerLost, one_thread, open_pool
from pysd_runner.engine.validation import cores

PLACES = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
STARTING = "from pysd_runner.core.parallel import processes\n"
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
    assert 'put the call under `if __name__ == "__main__":`' in found.stderr


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
    with pytest.raises(WorkerLost, match="ended early"), open_pool("processes", 1) as pool:
        list(pool.finished(os._exit, [1]))


def square(number: int) -> tuple[int, int]:
    return number**2, cores()


class Backwards(Executor):
    """Does what it is given last first, in this thread."""

    def __init__(self) -> None:
        self.waiting: list = []

    def submit(self, work, /, *given, **named):
        future: Future = Future()
        self.waiting.append((future, work, given, named))
        if len(self.waiting) == 5:
            for one, what, values, more in reversed(self.waiting):
                one.set_result(what(*values, **more))
            self.waiting.clear()
        return future


@pytest.mark.parametrize("executor", ["threads", "processes", Backwards()], ids=["threads", "processes", "backwards"])
def test_results_have_the_order_of_their_items_and_each_worker_takes_one_core(executor: str | Executor) -> None:
    with open_pool(executor, 2) as pool:
        assert list(pool.in_order(square, range(20))) == [(number**2, 1) for number in range(20)]
        assert sorted(pool.finished(square, [])) == []
        assert sorted((place, result[0]) for place, result in pool.finished(square, range(5))) == [
            (number, number**2) for number in range(5)
        ]


def test_results_that_wait_are_bounded_and_nothing_begins_after_the_last_was_taken() -> None:
    begun: list[int] = []
    with open_pool("threads", 3) as pool:
        found = pool.in_order(lambda number: begun.append(number) or number, range(1000))
        assert [next(found) for _ in range(5)] == [0, 1, 2, 3, 4]  # type: ignore[call-overload]
        found.close()  # type: ignore[attr-defined]
        assert len(begun) <= 5 + pool.limit


def test_a_failure_goes_through_and_what_waits_never_begins() -> None:
    done: list[int] = []

    def work(number: int) -> None:
        done.append(number)
        if number == 3:
            raise InvalidInput("three")

    with pytest.raises(InvalidInput, match="three"), open_pool("threads", 2) as pool:
        list(pool.finished(work, range(1000)))
    assert len(done) < 20


def test_no_more_workers_than_items_and_none_for_this_thread() -> None:
    with open_pool("threads", 8, items=1) as pool:
        assert pool.executor is None
    with open_pool(None) as pool:
        assert list(pool.in_order(square, [2])) == [(4, cores())]


def test_what_is_no_executor_is_said() -> None:
    for wrong in ("fast", 3, "tcp://10.0.0.5:8786"):
        with pytest.raises(InvalidInput, match="executor: expected"), open_pool(wrong):  # type: ignore[arg-type]
            pass


class OneByOne(Executor):
    """Finishes its oldest item only when a fourth one comes, or when it is told that there are no more."""

    def __init__(self) -> None:
        self.waiting: list = []

    def submit(self, work, /, *given, **named):
        future: Future = Future()
        self.waiting.append((future, work(*given, **named)))
        if len(self.waiting) >= 4:
            self.finish()
        return future

    def finish(self) -> None:
        future, found = self.waiting.pop(0)
        future.set_result(found)


def test_no_more_items_are_under_way_than_the_pool_allows() -> None:
    executor = OneByOne()
    taken: list[int] = []

    def items():
        for number in range(40):
            taken.append(number)
            yield number
        while executor.waiting:
            executor.finish()

    ahead = [len(taken) - done for done, _ in enumerate(Pool(executor, 4).finished(square, items()))]
    assert len(ahead) == 40
    assert max(ahead) == 4


def threads() -> list[int]:
    return [item["num_threads"] for item in threadpool_info() if item["user_api"] == "blas"]


@one_thread
def inside(value: int, *, more: int = 0) -> tuple[list[int], int]:
    """Say how many threads there are."""
    return threads(), value + more


def test_a_function_runs_on_one_thread_and_leaves_the_others_as_they_were() -> None:
    with threadpool_limits(limits=2, user_api="blas"):
        before = threads()
        assert before
        assert set(before) == {2}
        found, total = inside(3, more=4)
        assert found == [1] * len(before)
        assert total == 7
        assert threads() == before

"""Linear algebra on one thread while a function runs, and on as many as before afterwards."""

import pytest
import scipy.linalg  # noqa: F401 - brings a library of its own, which is limited too
from threadpoolctl import threadpool_info, threadpool_limits

from pysd_runner.core.parallel import one_thread


def threads() -> list[int]:
    return [item["num_threads"] for item in threadpool_info() if item["user_api"] == "blas"]


@one_thread
def inside(value: int, *, more: int = 0) -> tuple[list[int], int]:
    """Say how many threads there are."""
    return threads(), value + more


@one_thread
def failing() -> None:
    """Stop half-way."""
    raise ValueError("half-way")


def test_a_function_runs_on_one_thread_and_leaves_the_others_as_they_were() -> None:
    with threadpool_limits(limits=2, user_api="blas"):
        before = threads()
        assert before
        assert set(before) == {2}
        found, total = inside(3, more=4)
        assert found == [1] * len(before)
        assert total == 7
        assert threads() == before


def test_threads_come_back_after_an_error() -> None:
    with threadpool_limits(limits=2, user_api="blas"):
        before = threads()
        with pytest.raises(ValueError, match="half-way"):
            failing()
        assert threads() == before


def test_the_function_keeps_its_name_and_documentation() -> None:
    assert inside.__name__ == "inside"
    assert inside.__doc__ == "Say how many threads there are."

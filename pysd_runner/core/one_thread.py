"""Keeps the linear algebra of small matrices on one thread."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def one_thread(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function with its matrix decompositions on one thread."""
    # Matrices of some sixty rows gain nothing from a second thread, and lose a great deal where another process keeps
    # it busy. Workers have one thread as well, and with more a product can differ in its last bit.

    @wraps(function)
    def limited(*args: P.args, **kwargs: P.kwargs) -> R:
        # Loaded first: limits reach only the libraries that are there, and SciPy brings one of its own.
        import scipy.linalg  # noqa: F401
        from threadpoolctl import threadpool_limits

        with threadpool_limits(limits=1, user_api="blas"):
            return function(*args, **kwargs)

    return limited

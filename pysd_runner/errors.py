"""Former place of `pysd_runner.core.errors`."""

from pysd_runner.core.errors import *  # noqa: F403

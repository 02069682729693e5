"""Former place of `pysd_runner.core.counts`."""

from pysd_runner.core.counts import *  # noqa: F403

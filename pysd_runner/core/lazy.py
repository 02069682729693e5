"""What a package exports, imported when it is first used."""

from pysd_runner.engine.lazy import lazy_exports

__all__ = ["lazy_exports"]

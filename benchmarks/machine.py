"""What the numbers were measured on."""

import os
import platform
import re
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("gapsim", "numpy", "scipy", "llvmlite", "pysd", "xarray", "pandas", "pysimlin")

# Bits of a vector by the flag that tells of it, widest first.
WIDTHS = (("avx512f", 512), ("avx2", 256), ("asimd", 128), ("sse2", 128))


def machine() -> dict[str, Any]:
    """Processor, vector width, cores, load, system and date."""
    text = _read("/proc/cpuinfo")
    flags = processor_flags()
    width = next((bits for flag, bits in WIDTHS if flag in flags), 0)
    return {
        "processor": _field(text, "model name") or platform.processor() or platform.machine(),
        "architecture": platform.machine(),
        "family_model": f"{_field(text, 'cpu family')}/{_field(text, 'model')}",
        "vector_bits": width,
        "avx512": "avx512f" in flags,
        "cores": os.cpu_count(),
        "load": list(os.getloadavg()) if hasattr(os, "getloadavg") else [],
        "system": platform.platform(),
        "date": datetime.now(UTC).date().isoformat(),
    }


def processor_flags() -> set[str]:
    """What the system says the processor can do."""
    return set(_field(_read("/proc/cpuinfo"), "flags|Features").split())


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that matter."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _field(text: str, name: str) -> str:
    found = re.search(rf"^(?:{name})[ \t]*:[ \t]*(.*)$", text, re.MULTILINE)
    return found.group(1).strip() if found else ""

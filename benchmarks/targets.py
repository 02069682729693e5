"""The ratios this project wants to reach, on a processor with AVX-512 where none is named, by (engine, model)."""

_DIGI = ("digi1", "digi31")
_ALL = (*_DIGI, "world3", "regional_digital")

ENSEMBLE: dict[tuple[str, str], float] = {
    **{("PySD as released", model): 100_000 for model in _ALL},
    **{("PySD, lookups patched", model): 10_000 for model in _ALL},
    **{("pysimlin", model): 100 for model in _DIGI},
    ("pysimlin", "world3"): 65,
    ("hand C -O3", "digi31"): 4,
    ("hand C -O3 -ffast-math", "digi31"): 2,
}

SINGLE: dict[tuple[str, str], float] = {
    **{("PySD as released", model): 20_000 for model in ("digi31", "world3")},
    **{("PySD, lookups patched", model): 1_000 for model in ("digi31", "world3")},
    ("pysimlin", "digi31"): 50,
    ("hand C -O3", "digi31"): 2,
}

# By engine of ours and kind of run.
AVX512 = {("llvm", "ensemble"): ENSEMBLE, ("llvm", "single"): SINGLE}
AVX2 = {
    ("llvm", "ensemble"): {("hand C -O3", "digi31"): 3.0, ("hand C -O3 -ffast-math", "digi31"): 2.1},
    ("llvm", "single"): {("hand C -O3", "digi1"): 0.55},
}
PROCESSORS = {"native": AVX512} | dict.fromkeys(["x86-64-v3", "haswell", "znver2", "znver3"], AVX2)


def goal(processor: str, ours: str, kind: str, engine: str, model: str) -> float | None:
    """The ratio of another engine to one of ours that is to be reached in code for a processor; None where none is."""
    return PROCESSORS.get(processor, {}).get((ours, kind), {}).get((engine, model))


THREADS = 1.8
JACOBIAN_IN_SINGLE_RUNS = 6.0
FIT_SECONDS = 0.050
CALIBRATION_SECONDS = 60.0
WARM_START_SECONDS = 0.3
COMPILE_SECONDS = 1.0
CALLS_SECONDS = 2.0
CHAIN_SECONDS = {1_000: 1.0, 10_000: 20.0}
MOMENTS = 1.05
QUANTILES = 1.5

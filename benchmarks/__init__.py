"""Speed of the engine, measured side by side with other engines; only ratios are quoted."""

import os

# One core unless stated; it must be said before NumPy is loaded.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

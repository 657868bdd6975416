"""The device: a bundle and a camera over a conveyor belt become sorted items."""

import os

# Before numpy is loaded: its sums here are small, and the idle threads of its library spin. Without
# them the whole line takes half of the processor time (`benchmarks/belt.py`).
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

__version__ = "0.1.0"

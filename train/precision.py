"""The number format to train in."""

from pathlib import Path
from typing import Literal

import keras
import tensorflow as tf

Precision = Literal["auto", "float32", "bfloat16", "float16"]
CPU_FLAGS = Path("/proc/cpuinfo")


def choose_policy(precision: Precision) -> str:
    """Keras' dtype policy for a precision: float32, mixed_bfloat16 or mixed_float16.

    "auto" is 16 bits where they are fast: float16 on a GPU (with XLA, see `uses_xla`), bfloat16 on
    a CPU that multiplies it in hardware. Weights stay float32 in each of them.
    """
    if precision == "auto":
        flags = CPU_FLAGS.read_text() if CPU_FLAGS.exists() else ""
        if on_gpu():
            precision = "float16"
        elif "avx512_bf16" in flags or "amx_bf16" in flags:
            precision = "bfloat16"
        else:
            precision = "float32"
    return precision if precision == "float32" else f"mixed_{precision}"


def on_gpu() -> bool:
    """Whether TensorFlow found a GPU; XLA is used there, and not on a CPU, where it is slower."""
    return bool(tf.config.list_physical_devices("GPU"))


def set_policy(policy: str, seed: int) -> None:
    """Let layers that are made from now on compute in `policy`, the same way each time."""
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    keras.config.set_dtype_policy(policy)

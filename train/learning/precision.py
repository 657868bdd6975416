"""The number format to train in."""

import os
from pathlib import Path

import keras
import tensorflow as tf

from train.learning.recipe import Precision

CPU_FLAGS = Path("/proc/cpuinfo")
XLA_DETERMINISTIC = "--xla_gpu_deterministic_ops=true"


def choose_policy(precision: Precision) -> str:
    """Keras' dtype policy for a precision: float32, mixed_bfloat16 or mixed_float16.

    "auto" is 16 bits where they are fast: float16 on a GPU (with XLA, see `set_policy`), bfloat16
    on a CPU that multiplies it in hardware. Weights stay float32 in each of them.
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
    """Whether TensorFlow found a GPU."""
    return bool(tf.config.list_physical_devices("GPU"))


def set_policy(policy: str, seed: int) -> None:
    """Let layers that are made from now on compute in `policy`, the same way each time.

    Keras compiles with XLA on a GPU (not on a CPU, where that is slower), unless TensorFlow's own
    operations are set to be deterministic; XLA has a switch of its own for that.
    """
    keras.utils.set_random_seed(seed)
    if on_gpu():
        given = os.environ.get("XLA_FLAGS", "")
        if XLA_DETERMINISTIC not in given:
            os.environ["XLA_FLAGS"] = f"{given} {XLA_DETERMINISTIC}".strip()
    else:
        tf.config.experimental.enable_op_determinism()
    keras.config.set_dtype_policy(policy)

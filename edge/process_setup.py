"""What a program sets for its process before it imports numpy or TensorFlow.

The packages themselves change nothing in the process that imports them: the entry points call this.
"""

import os


def limit_threads() -> None:
    """Keep numpy's library to one thread; call it before numpy is imported.

    The line's sums are small, and the idle threads of OpenBLAS spin: without them the whole line
    takes half of the processor time (`benchmarks/belt.py`). What the user has set stays.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def silence_tensorflow() -> None:
    """Keep TensorFlow's start-up lines off the terminal; call it before TensorFlow is imported.

    What the user has set stays.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("GLOG_minloglevel", "3")
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")

"""The TFLite runtime, whether it agrees with numpy, and which one computes here, and why."""

import re
from collections.abc import Callable, Mapping

from edge.doctor.check import BoardCheck, failure, ok, warning
from edge.errors import EwasteError, one_line
from edge.inference.backend import package_versions
from edge.runtimes.choice import Choice, Why, in_words

LITERT, TFLITE, NUMPY = "ai-edge-litert", "tflite-runtime", "numpy"
INSTALL = "pip install ai-edge-litert"
NAME, CHOSEN = "runtime", "chosen runtime"
SELECT = "stop the line, and type: ewaste-edge select-runtime"


def installed_versions() -> dict[str, str]:
    """The versions of the runtimes and of numpy, as far as they are installed."""
    return package_versions((LITERT, TFLITE, NUMPY))


def runtime(versions: Mapping[str, str], load: Callable[[], object]) -> BoardCheck:
    """Whether there is a runtime, one that loads with this numpy.

    Args:
        versions: of ai-edge-litert, tflite-runtime and numpy, as far as they are installed.
        load: loads the runtime that the line would take.
    """
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    if TFLITE in versions and LITERT not in versions and _major(versions.get(NUMPY, "")) >= 2:
        return failure(
            NAME,
            f"{listed}: tflite-runtime is built for numpy 1 and dies under numpy 2",
            f"pip install 'numpy<2', or better: {INSTALL}",
        )
    try:
        load()
    except EwasteError as error:
        return failure(NAME, str(error).partition(";")[0], INSTALL)
    # Native code that does not fit the machine raises what it likes.
    except Exception as error:
        reason = one_line(f"{type(error).__name__}: {error}", 200)
        return failure(
            NAME, f"{listed}: cannot be loaded ({reason})", f"{INSTALL} --force-reinstall"
        )
    return ok(NAME, listed or "loaded; its version is not known")


def chosen(choice: Choice, default: str) -> BoardCheck:
    """What computes the model here, and why.

    Args:
        choice: it.
        default: name of the runtime that is taken by default.
    """
    if choice.why is Why.BROKEN:
        return warning(CHOSEN, f"{choice.problem}; {in_words(choice, default)}", SELECT)
    if choice.why in (Why.MEASURED, Why.NOT_MEASURED):
        return ok(CHOSEN, in_words(choice, default))
    return warning(CHOSEN, in_words(choice, default), SELECT)


def _major(version: str) -> int:
    found = re.match(r"\d{1,6}", version)
    return int(found[0]) if found else 0

"""Which runtime computes a model, and opening the model with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

from edge.errors import EwasteError
from edge.inference.predictor import Predictor

LITERT, TFLITE, OPENVINO = "ai_edge_litert", "tflite_runtime", "openvino"
RUNTIMES: Mapping[str, str] = {
    LITERT: "ai-edge-litert",
    TFLITE: "tflite-runtime",
    OPENVINO: "openvino",
}
"""Name of a runtime, which is also that of its module -> the package that brings it."""
TFLITE_RUNTIMES = (LITERT, TFLITE)
"""Those of which the first that is installed is taken where none is named."""


@dataclass(frozen=True)
class Delegate:
    """An external delegate of TFLite: a library that computes a part of the model elsewhere.

    Attributes:
        path: of the library.
        options: names and values, as the library knows them.
    """

    path: Path
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Backend:
    """What computes a model.

    Attributes:
        runtime: one of `RUNTIMES`; None: the first of `TFLITE_RUNTIMES` that is installed.
        delegate: what it hands a part of the model to; None: nothing.
    """

    runtime: str | None = None
    delegate: Delegate | None = None

    @property
    def is_plain(self) -> bool:
        """Whether it is a TFLite runtime alone."""
        return self.delegate is None and self.runtime in (None, *TFLITE_RUNTIMES)


DEFAULT_BACKEND = Backend()


def installed_runtimes() -> list[str]:
    """The runtimes that are installed; whether they can be loaded is not tried."""
    return [name for name in RUNTIMES if util.find_spec(name) is not None]


def package_versions(packages: Sequence[str]) -> dict[str, str]:
    """The versions of packages, as far as they are installed."""
    found = {}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except (metadata.PackageNotFoundError, ValueError, TypeError):
            continue
    return found


def open_predictor(content: bytes, threads: int, backend: Backend = DEFAULT_BACKEND) -> Predictor:
    """Load a model with a runtime.

    Args:
        content: of the model file.
        threads: of one inference.
        backend: the runtime, and its delegate.

    Raises:
        BadInput: the model is none of ours.
        Refused: the delegate is missing, cannot be loaded, or computes nothing of the model.
        EwasteError: the runtime is not installed.
        Exception: what the native code makes of a model that it cannot load.
    """
    if backend.runtime == OPENVINO:
        from edge.inference.openvino import OpenVinoPredictor

        if backend.delegate is not None:
            raise EwasteError("OpenVINO takes no TFLite delegate; remove [classifier] delegate")
        return OpenVinoPredictor(content, threads)
    from edge.inference.tflite import TflitePredictor

    return TflitePredictor(content, threads, backend)

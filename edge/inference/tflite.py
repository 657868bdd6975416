"""TFLite runtimes, LiteRT and tflite-runtime, with or without an external delegate."""

import importlib
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from edge.errors import BadInput, EwasteError, Refused, one_line
from edge.inference.backend import DEFAULT_BACKEND, TFLITE_RUNTIMES, Backend, Delegate
from edge.inference.graph import heavy_share, read_operations
from edge.inference.predictor import Tensor

SIGNATURE = "serving_default"
REMEDY = "mend it, or remove [classifier] delegate"


def load_runtime(name: str | None = None) -> ModuleType:
    """Import a TFLite runtime; without a name the first that is installed, LiteRT before the other.

    Raises:
        EwasteError: it is not installed.
    """
    for each in TFLITE_RUNTIMES if name is None else (name,):
        try:
            return importlib.import_module(f"{each}.interpreter")
        except ModuleNotFoundError:
            continue
    if name is None:
        raise EwasteError("no TFLite runtime is installed; run: pip install ai-edge-litert")
    raise EwasteError(
        f"{name}, which was chosen, is not installed; type: ewaste-edge select-runtime"
    )


def open_interpreter(content: bytes, threads: int, *, delegates: bool = True) -> Any:
    """An interpreter of the first runtime for a model, with its tensors allocated.

    Args:
        content: of the model file.
        threads: of one inference.
        delegates: whether the runtime may hand the model to XNNPACK, as it does by itself.

    Raises:
        EwasteError: no runtime is installed.
        Exception: what the native code makes of a model that it cannot load.
    """
    runtime = load_runtime()
    given = {}
    if not delegates:
        kind = runtime.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        given["experimental_op_resolver_type"] = kind
    interpreter = runtime.Interpreter(model_content=content, num_threads=threads, **given)
    interpreter.allocate_tensors()
    return interpreter


class TflitePredictor:
    """A model in a TFLite runtime. Not safe to share between threads.

    Attributes:
        runtime: its name.
        input: what it takes.
        outputs: what it gives, by the names of its signature.
        tensor_names: the names in the graph of what it gives, by those of its signature.
    """

    def __init__(self, content: bytes, threads: int, backend: Backend = DEFAULT_BACKEND) -> None:
        """Load a model; the arguments and errors are those of `open_predictor`."""
        runtime = load_runtime(backend.runtime)
        self.runtime = runtime.__name__.partition(".")[0]
        self._interpreter = _interpreter(runtime, content, threads, backend.delegate)
        runner = self._interpreter.get_signature_runner(SIGNATURE)
        inputs, outputs = runner.get_input_details(), runner.get_output_details()
        if len(inputs) != 1:
            raise BadInput("expected one input and the outputs logits and embedding")
        (given,) = inputs.values()
        self._place = given["index"]
        self._places = {name: details["index"] for name, details in outputs.items()}
        if {self._place, *self._places.values()} - _own_places(self._interpreter):
            raise BadInput("its signature is not that of its first graph")
        self.input = _tensor(given)
        self.outputs: Mapping[str, Tensor] = {
            name: _tensor(details) for name, details in outputs.items()
        }
        self.tensor_names = {name: str(details["name"]) for name, details in outputs.items()}

    def run(self, batch: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Compute the outputs `names`, each without its batch, as the model stores them."""
        # Not by the runner of the signature: it reads every output, the map included.
        self._interpreter.set_tensor(self._place, batch)
        self._interpreter.invoke()
        return {name: self._interpreter.get_tensor(self._places[name])[0] for name in names}


def _interpreter(
    runtime: ModuleType, content: bytes, threads: int, delegate: Delegate | None
) -> Any:
    """An interpreter with its tensors allocated, part of the model handed to the delegate."""
    if delegate is None:
        interpreter = runtime.Interpreter(model_content=content, num_threads=threads)
    else:
        loaded = _load_delegate(runtime, delegate)
        interpreter = runtime.Interpreter(
            model_content=content, num_threads=threads, experimental_delegates=[loaded]
        )
        # Before the tensors are allocated: then XNNPACK takes what is left, as a delegate too.
        check_taken(interpreter, delegate)
    interpreter.allocate_tensors()
    return interpreter


def _load_delegate(runtime: ModuleType, delegate: Delegate) -> Any:
    path = delegate.path
    if not path.is_file():  # else the system would look for a library of this name elsewhere
        raise Refused(f"{path}: no such delegate; {REMEDY}")
    try:
        return runtime.load_delegate(str(path.absolute()), dict(delegate.options))
    # A library that cannot be loaded is an OSError, one that is no delegate an AttributeError, and
    # one that finds no hardware a ValueError.
    except Exception as error:
        reason = one_line(error, 200) or type(error).__name__
        raise Refused(f"{path}: the delegate cannot be loaded ({reason}); {REMEDY}") from None


def check_taken(interpreter: Any, delegate: Delegate) -> None:
    """See that a delegate computes some of the model; it may leave all to the CPU without a word.

    A runtime that does not tell (`edge.inference.graph.read_operations`) is believed.

    Raises:
        Refused: it has taken none of the heavy operations.
    """
    operations = read_operations(interpreter)
    if operations is None:
        return
    taken, all_heavy = heavy_share(operations)
    if not taken:
        raise Refused(
            f"{delegate.path}: the delegate takes none of the {all_heavy} heavy operations of the "
            f"model: the CPU would compute it all; {REMEDY}"
        )


def _own_places(interpreter: Any) -> set[int]:
    """The inputs and outputs of the first graph, which `invoke` runs."""
    details = (*interpreter.get_input_details(), *interpreter.get_output_details())
    return {each["index"] for each in details}


def _tensor(details: Mapping[str, Any]) -> Tensor:
    scale, zero_point = details["quantization"]
    return Tensor(
        shape=tuple(map(int, details["shape"])),
        kind=np.dtype(details["dtype"]).name,
        scale=scale,
        zero_point=zero_point,
        is_dynamic=any(int(side) < 0 for side in details.get("shape_signature", ())),
    )

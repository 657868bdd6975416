"""Add "TFLite metadata" to a .tflite file, for Android Studio, MediaPipe and other tools.

The metadata are a flatbuffer of schema "M001" (metadata_schema.fbs of
github.com/tensorflow/tflite-support, Apache-2.0) in the model under the name TFLITE_METADATA. The
labels are in a zip archive appended to the model, which model loaders ignore. No package of this
project ships generated classes for that schema, so its fields are written by number.
"""

import io
import zipfile
from collections.abc import Callable, Sequence

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

from convert.tflite.flatbuffer import name_of, read_model, write_model
from edge.bundle.manifest import LABELS, labels_text
from edge.inference.activation import ACTIVATION_MAP
from edge.inference.preprocess import INPUT_OFFSET

NAME = "TFLITE_METADATA"
IDENTIFIER = b"M001"
PARSER_VERSION = "1.0.0"
RGB, IMAGE_PROPERTIES, NORMALIZATION, AXIS_LABELS = 1, 2, 1, 2
"""Values of the schema's enumerations ColorSpaceType, ContentProperties, ProcessUnitOptions and
AssociatedFileType."""
# These texts are part of the model: another wording changes its bytes.
DESCRIPTIONS = {
    "logits": "One number for each label; softmax makes them probabilities.",
    "embedding": "The globally pooled features before the last layer.",
    ACTIVATION_MAP: "What each place of the picture says for each label.",
}


def add_metadata(content: bytes, labels: Sequence[str]) -> bytes:
    """Add the labels, the description of input and outputs, and the normalization to a model.

    Args:
        content: a .tflite file with the signature outputs `logits` and `embedding`, and maybe
            `activation_map`.
        labels: the class names, in the order of the logits.

    Returns:
        The new .tflite file.
    """
    model = read_model(content)
    (graph,) = model.subgraphs
    (signature,) = model.signatureDefs
    names = {mapped.tensorIndex: name_of(mapped) for mapped in signature.outputs}
    size = int(graph.tensors[graph.inputs[0]].shape[1])
    buffer = schema.BufferT()
    buffer.data = _Table.pack(
        lambda table: _describe(table, size, [names[i] for i in graph.outputs])
    )
    model.buffers.append(buffer)
    entry = schema.MetadataT()
    entry.name, entry.buffer = NAME, len(model.buffers) - 1
    model.metadata = [*(model.metadata or ()), entry]
    return _append_file(write_model(model), LABELS, labels_text(labels))


def _describe(table: "_Table", size: int, outputs: Sequence[str]) -> int:
    """Write the root table, `ModelMetadata`."""
    graph = table.write(
        {
            2: table.vector([_describe_input(table, size)]),
            3: table.vector([_describe_output(table, name) for name in outputs]),
        }
    )
    return table.write(
        {
            0: table.text("ewaste-edge"),
            1: table.text("Names the electronic waste in a picture."),
            3: table.vector([graph]),
            7: table.text(PARSER_VERSION),
        }
    )


def _describe_input(table: "_Table", size: int) -> int:
    """Write a `TensorMetadata`: an RGB image, normalized by (x - mean) / std."""
    extent = table.write({}, numbers={0: size, 1: size})
    image = table.write({1: extent}, bytes_={0: RGB})
    content = table.write({1: image}, bytes_={0: IMAGE_PROPERTIES})
    options = table.write({0: table.floats([INPUT_OFFSET]), 1: table.floats([1.0])})
    normalization = table.write({1: options}, bytes_={0: NORMALIZATION})
    return table.write(
        {
            0: table.text("image"),
            1: table.text("RGB, padded to a square by repeating its border, then resized."),
            3: content,
            4: table.vector([normalization]),
            5: table.write({0: table.floats([255.0]), 1: table.floats([0.0])}),
        }
    )


def _describe_output(table: "_Table", name: str) -> int:
    """Write a `TensorMetadata`; that of the logits names the file of the labels."""
    described = {0: table.text(name), 1: table.text(DESCRIPTIONS[name])}
    if name == "logits":
        labels = table.write(
            {0: table.text(LABELS), 1: table.text("The classes.")}, bytes_={2: AXIS_LABELS}
        )
        described[6] = table.vector([labels])
    return table.write(described)


class _Table:
    """Writes flatbuffer tables, innermost first; fields are given by their number in the schema."""

    def __init__(self) -> None:
        self._builder = flatbuffers.Builder(1024)

    @classmethod
    def pack(cls, describe: "Callable[[_Table], int]") -> bytes:
        table = cls()
        table._builder.Finish(describe(table), file_identifier=IDENTIFIER)
        return bytes(table._builder.Output())

    def text(self, value: str) -> int:
        return self._builder.CreateString(value)

    def vector(self, tables: Sequence[int]) -> int:
        self._builder.StartVector(4, len(tables), 4)
        for table in reversed(tables):
            self._builder.PrependUOffsetTRelative(table)
        return self._builder.EndVector()

    def floats(self, values: Sequence[float]) -> int:
        self._builder.StartVector(4, len(values), 4)
        for value in reversed(values):
            self._builder.PrependFloat32(value)
        return self._builder.EndVector()

    def write(
        self,
        offsets: dict[int, int],
        bytes_: dict[int, int] | None = None,
        numbers: dict[int, int] | None = None,
    ) -> int:
        fields = [*offsets, *(bytes_ or ()), *(numbers or ())]
        self._builder.StartObject(max(fields) + 1)
        for field, offset in offsets.items():
            self._builder.PrependUOffsetTRelativeSlot(field, offset, 0)
        for field, value in (bytes_ or {}).items():
            self._builder.PrependUint8Slot(field, value, 0)
        for field, value in (numbers or {}).items():
            self._builder.PrependUint32Slot(field, value, 0)
        return self._builder.EndObject()


def _append_file(model: bytes, name: str, content: bytes) -> bytes:
    packed = io.BytesIO(model)
    with zipfile.ZipFile(packed, "a") as archive:
        # A fixed time, so that the same model gives the same bytes.
        archive.writestr(zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0)), content)
    return packed.getvalue()

"""The variants of a bundle's model that are compared: its own, and those in other files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.bundle.bundle import Bundle
from edge.bundle.manifest import MODEL


@dataclass(frozen=True)
class Variant:
    """A model of a bundle.

    Attributes:
        name: such as `int8`.
        path: of its .tflite file.
    """

    name: str
    path: Path


def variants_of(bundle: Bundle, models: Sequence[Path]) -> list[Variant]:
    """The bundle's own variant first, then others of the same model, named by their files."""
    own = "mixed" if bundle.manifest.float_layers else "int8"
    return [Variant(own, bundle.path / MODEL), *(Variant(path.stem, path) for path in models)]

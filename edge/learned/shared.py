"""Classes that one board of a fleet was taught, for another one: one signed file.

The file is the generation as it was signed there. Who takes it knows the key of that board, and
teaches itself the classes anew from the crops in it: its own guard decides, on its own golden
inputs and its own reviewed items. The calibration of a site stays where it was measured.
"""

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edge.arrays import open_zip, read_member
from edge.bundle.bundle import sha256
from edge.bundle.signature import check_signature
from edge.errors import BadInput, Refused, one_line
from edge.files import read_bounded, write_whole
from edge.labels import find_label
from edge.learned.crops import Crop, Reviewed, unpack_crops
from edge.learned.device_key import CONTEXT
from edge.learned.manifest import ADAPTER, CROPS, MANIFEST, LearnedManifest, parse_learned
from edge.learned.store import MOST_FILE_BYTES, SIGNATURE, Generation
from edge.learned.teaching import Base, NewClass, Taught, teach
from edge.photos.reading import decode_photo

FILES = (MANIFEST, SIGNATURE, ADAPTER, CROPS)
MOST_BYTES = sum(MOST_FILE_BYTES.values())
BEGINNING = b"PK\x03\x04"


@dataclass(frozen=True)
class Taken:
    """The next generation of a board that takes classes from another one.

    Attributes:
        taught: it, not yet in any store.
        labels: the classes that it takes.
        known: those of the file that it was taught already.
    """

    taught: Taught
    labels: tuple[str, ...]
    known: tuple[str, ...]


def share(generation: Generation, path: Path) -> None:
    """Write the classes of a generation to one file for other boards.

    Args:
        generation: it, loaded with its crops.
        path: the file; one that is there is replaced if it is of the same kind, or empty.

    Raises:
        BadInput: no class is taught, or something else is there.
        OSError: it cannot be written.
    """
    if not generation.manifest.classes:
        raise BadInput(f"{generation.path}: no class is taught, so there is nothing to share")
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise BadInput(f"{path}: is no plain file; name another one")
    if path.exists() and path.stat().st_size:
        with path.open("rb") as file:
            if file.read(len(BEGINNING)) != BEGINNING:
                raise BadInput(f"{path}: holds something else; name another file or delete it")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name in FILES:
            # The same generation gives the same file.
            archive.writestr(zipfile.ZipInfo(name), generation.contents[name])
    write_whole(path, packed.getvalue())


def read_shared(path: Path, trusted: Sequence[str]) -> Generation:
    """Read a file of `share`, and see that a trusted board signed it.

    Args:
        path: the file.
        trusted: public keys of boards.

    Raises:
        BadInput: it cannot be read, or no board is trusted.
        Refused: it is malformed or altered, or no trusted board signed it.
    """
    if not trusted:
        raise BadInput(
            f"{path}: no board is trusted; add the key of the one that made it (there: ewaste-edge "
            "learned key) to keys in [learning]"
        )
    try:
        with open_zip(read_bounded(path, MOST_BYTES)) as archive:
            if set(archive.namelist()) != set(FILES):
                raise ValueError("other files than learned share writes")
            contents = {name: read_member(archive, name, MOST_FILE_BYTES[name]) for name in FILES}
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, KeyError) as error:
        raise Refused(f"{path}: {one_line(error)}; share it again") from None
    sealed = contents[MANIFEST]
    check_signature(path, sealed, contents[SIGNATURE], trusted, context=CONTEXT)
    manifest = parse_learned(path, sealed)
    for name, digest in manifest.files.items():
        if sha256(contents[name]) != digest:
            raise Refused(f"{path}: {name} was altered; share it again")
    if not manifest.classes:
        raise Refused(f"{path}: no class is taught in it")
    return Generation(0, path, manifest, sha256(sealed), contents)


def take_shared(
    shared: Generation, base: Base, reviewed: Sequence[Reviewed], now: float, by: str
) -> Taken:
    """Teach a board the classes of another one that it does not know, each judged by its own guard.

    Args:
        shared: of the other board.
        base: what is in use here.
        reviewed: reviewed items of this board, to ask again.
        now: unix seconds.
        by: who takes them.

    Raises:
        BadInput: all of them were taught here already.
        Refused: it was taught beside another bundle, or the guard refuses a class.
    """
    if shared.manifest.base != base.bundle.digest:
        raise Refused(
            f"{shared.path}: was taught beside the bundle {shared.manifest.base_name}, not beside "
            f"{base.bundle.manifest.name}; a class belongs to one bundle"
        )
    own = () if base.generation is None else base.generation.manifest.labels
    pairs = list(zip(shared.manifest.classes, unpack_crops(shared), strict=True))
    known = tuple(each.label for each, _ in pairs if find_label(each.label, own) is not None)
    taught: Taught | None = None
    for each, jpegs in pairs:
        if each.label in known:
            continue
        crops = [
            Crop(source.name, source.is_item, jpeg, decode_photo(jpeg, ("JPEG",)))
            for source, jpeg in zip(each.crops, jpegs, strict=True)
        ]
        new = NewClass(each.label, each.bin, each.hazard, crops, by)
        taught = teach(new, base, reviewed, now)
        base = replace(base, generation=_between(taught.manifest, taught.contents, shared.path))
    if taught is None:
        raise BadInput(f"{shared.path}: {', '.join(known)} were taught here already")
    labels = tuple(each.label for each, _ in pairs if each.label not in known)
    return Taken(taught, labels, known)


def _between(manifest: LearnedManifest, contents: Mapping[str, bytes], path: Path) -> Generation:
    """What was taught so far, which no store has yet."""
    sealed = manifest.as_json
    return Generation(0, path, manifest, sha256(sealed), contents)

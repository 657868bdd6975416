"""The crops of taught classes as a dataset, in which they become classes of the next training."""

from pathlib import Path

from edge.learned.crops import unpack_crops
from edge.learned.manifest import MANIFEST
from edge.learned.store import Generation
from edge.photos.class_folders import CLASS_FOLDERS, class_folders_text, folder_name
from edge.records.export import filled_folder


def export_learned(generation: Generation, folder: Path) -> int:
    """Write crops as `folder/CLASS/*.jpg`, which train/fine_tune.py takes as --data.

    `learned.json` beside them says where each came from: it is named by its digest.

    Args:
        generation: it, loaded with its crops.
        folder: folder to write; it must be new or empty.

    Returns:
        How many pictures were written.

    Raises:
        BadInput: the folder holds something.
        Refused: the crops are malformed.
        EwasteError: it cannot be written; nothing is left behind.
    """
    written, folders = 0, dict[str, str]()
    crops = unpack_crops(generation)
    with filled_folder(folder) as staged:
        for each, jpegs in zip(generation.manifest.classes, crops, strict=True):
            name = folder_name(each.label, folders)
            folders[name] = each.label
            (staged / name).mkdir()
            for source, jpeg in zip(each.crops, jpegs, strict=True):
                (staged / name / f"{source.sha256[:32]}.jpg").write_bytes(jpeg)
                written += 1
        (staged / MANIFEST).write_bytes(generation.contents[MANIFEST])
        if text := class_folders_text(folders):
            (staged / CLASS_FOLDERS).write_text(text, encoding="utf-8")
    return written

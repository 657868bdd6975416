from hypothesis import given, settings
from hypothesis import strategies as st

from edge.photos.class_folders import LONGEST, folder_name, read_class_folders

LABELS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=300)


@settings(max_examples=300, deadline=None)
@given(st.lists(LABELS, min_size=1, max_size=8, unique=True))
def test_any_labels_have_safe_folders_of_their_own(labels):
    taken: dict[str, str] = {}
    for label in labels:
        name = folder_name(label, taken)
        assert (
            name.isprintable()
            and not set(name) & set('/\\<>:"|?*')
            and len(name.encode()) <= LONGEST
        )
        assert name[0] not in ".=+-@' " and name[-1] not in ". "
        assert name.casefold() not in {other.casefold() for other in taken}
        taken[name] = label
        assert folder_name(label, taken) == name


def test_most_labels_are_their_own_folder(tmp_path):
    for label in (
        "Battery",
        "Washing Machine",
        "K\u00e9ram",
        "\u96fb\u6c60",
        "Mouse [/usb]".replace("/", ""),
    ):
        assert folder_name(label, {}) == label
    assert folder_name("CD/DVD", {}) == "CD%2FDVD"
    assert read_class_folders(tmp_path) == {}

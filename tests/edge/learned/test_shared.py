"""Taught classes from board to board: signed, of the same bundle, and judged by the own guard."""

import shutil
import zipfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from edge.config import Config, decision_rules, proved_bundle
from edge.errors import BadInput, Refused
from edge.learned.crops import crops_in
from edge.learned.device_key import own_public_key
from edge.learned.shared import read_shared, share, take_shared
from edge.learned.store import Generation, LearnedStep, add_generation, current_generation
from edge.learned.teaching import Base, NewClass, teach
from tests.support.bundles import reseal
from tests.support.striped import write_striped

NOW = 1_800_000_000.0


@pytest.fixture(scope="module")
def base(tiny_bundle) -> Base:
    config = Config.model_validate({"classifier": {"bundle": tiny_bundle}})
    bundle, classifier = proved_bundle(config)
    return Base(bundle, classifier, None, partial(decision_rules, config, bundle))


@pytest.fixture(scope="module")
def there(base, tmp_path_factory) -> Path:
    """The store of another board, which was taught a class."""
    folder = tmp_path_factory.mktemp("there")
    crops, _ = crops_in(write_striped(folder / "ribbons"))
    taught = teach(NewClass("Dotted toy", None, False, crops, "ben"), base, [], NOW)
    store = folder / "state" / "learned"
    add_generation(store, taught.manifest, taught.contents, LearnedStep("taught", "ben", "", NOW))
    return store


@pytest.fixture
def file(there, tmp_path) -> Path:
    found = current_generation(there, with_crops=True)
    assert found is not None
    share(found, tmp_path / "toy.learned")
    return tmp_path / "toy.learned"


def test_a_board_takes_what_another_was_taught_and_signs_it_itself(base, there, file, tmp_path):
    shared = read_shared(file, [own_public_key(there)])
    taken = take_shared(shared, base, [], NOW, "anna")
    assert (taken.labels, taken.known) == (("Dotted toy",), ())
    store = tmp_path / "state" / "learned"
    made = add_generation(store, taken.taught.manifest, taken.taught.contents, LearnedStep("took"))
    (own,), (other,) = made.manifest.classes, shared.manifest.classes
    assert own.by == "anna" and own.crops == other.crops and own.figures.recall >= 0.75
    assert own_public_key(store) != own_public_key(there)
    current = current_generation(store, with_crops=True)
    with pytest.raises(BadInput, match="Dotted toy were taught here already"):
        take_shared(shared, replace(base, generation=current), [], NOW, "anna")
    share(current, file)
    assert read_shared(file, [own_public_key(store)]).digest == made.digest


def test_who_is_not_trusted_teaches_nothing(there, file, tmp_path):
    with pytest.raises(BadInput, match="no board is trusted"):
        read_shared(file, [])
    other = tmp_path / "other" / "learned"
    found = current_generation(there, with_crops=True)
    assert found is not None
    add_generation(other, found.manifest, found.contents, LearnedStep("x"))
    with pytest.raises(Refused, match="signed by an untrusted key"):
        read_shared(file, [own_public_key(other)])


@pytest.mark.parametrize("name", ["learned.json", "learned.sig", "adapter.npz", "crops.npz"])
def test_what_was_altered_is_refused(there, file, name):
    with zipfile.ZipFile(file) as archive:
        contents = {each: archive.read(each) for each in archive.namelist()}
    middle = len(contents[name]) // 2
    flipped = bytes([contents[name][middle] ^ 1])
    contents[name] = contents[name][:middle] + flipped + contents[name][middle + 1 :]
    with zipfile.ZipFile(file, "w") as archive:
        for each, content in contents.items():
            archive.writestr(each, content)
    with pytest.raises(Refused):
        read_shared(file, [own_public_key(there)])


def test_a_file_that_is_none_is_one_line(there, file, tmp_path):
    key = own_public_key(there)
    for content in (b"", b"PK", file.read_bytes()[:-100], b"\0" * 1000):
        (tmp_path / "odd").write_bytes(content)
        with pytest.raises(Refused) as refused:
            read_shared(tmp_path / "odd", [key])
        assert "\n" not in str(refused.value)
    with pytest.raises(BadInput):
        read_shared(tmp_path, [key])
    found = current_generation(there, with_crops=True)
    assert found is not None
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(BadInput, match="holds something else"):
        share(found, tmp_path / "mine.txt")


def test_a_class_of_another_bundle_is_refused(base, there, file, tiny_bundle, tmp_path):
    other = Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))
    reseal(other, name="another")
    config = Config.model_validate({"classifier": {"bundle": other}})
    bundle, classifier = proved_bundle(config)
    elsewhere = replace(base, bundle=bundle, classifier=classifier)
    shared: Generation = read_shared(file, [own_public_key(there)])
    with pytest.raises(Refused, match="a class belongs to one bundle"):
        take_shared(shared, elsewhere, [], NOW, "anna")

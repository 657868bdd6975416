"""The SBOM as a document: deterministic, plain names, and what each component states."""

import json
import re
from dataclasses import replace
from datetime import datetime, timezone
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bundle.bundle import load_bundle, sha256
from edge.cli import app
from edge.errors import BadInput, EwasteError, Refused
from edge.sbom.document import Contents, Platform, document
from edge.sbom.installed import part_of
from edge.sbom.part import Part
from edge.sbom.sources import of_lock, time_of

TINY = Path(__file__).parents[2] / "data/tiny-bundle"
LOCKS = Path(__file__).parents[3] / "edge/deploy/locks"
AT = datetime(2026, 11, 30, 12, tzinfo=timezone.utc)
CONTENTS = Contents(
    program=Part("ewaste-edge", "0.1.0", "Apache-2.0"),
    parts=(Part("Zope.Interface", "7.0+local", "MIT", True, "pip"), Part("absl-py", "2.1")),
    bundle=load_bundle(TINY),
    platform=Platform("debian", "12", "3.11.2"),
    properties={"source": "installed", "machine": "aarch64"},
)


def test_the_same_parts_in_any_order_give_the_same_document() -> None:
    turned = replace(CONTENTS, parts=CONTENTS.parts[::-1])
    made, other = document(CONTENTS, AT), document(turned, AT)
    assert json.dumps(made) == json.dumps(other)
    newer = document(replace(CONTENTS, parts=CONTENTS.parts[:1]), AT)
    assert newer["serialNumber"] != made["serialNumber"]


def test_each_component_is_named_as_databases_name_it() -> None:
    made = document(CONTENTS, AT)
    program, listed = made["metadata"]["component"], made["components"]
    assert program["type"] == "application" and program["purl"] == "pkg:pypi/ewaste-edge@0.1.0"
    assert [each["name"] for each in listed][:2] == ["absl-py", "Zope.Interface"]
    assert listed[1]["purl"] == "pkg:pypi/zope-interface@7.0%2Blocal"
    assert listed[1]["licenses"] == [{"expression": "MIT"}]
    assert "licenses" not in listed[0] and "hashes" not in listed[0]
    model = next(each for each in listed if each["type"] == "machine-learning-model")
    digest = sha256((TINY / "manifest.json").read_bytes())
    assert model["hashes"] == [{"alg": "SHA-256", "content": digest}]
    weights = next(each for each in model["components"] if each["name"] == "model.tflite")
    assert weights["hashes"][0]["content"] == sha256((TINY / "model.tflite").read_bytes())


@given(name=st.text(min_size=1, max_size=20), version=st.text(min_size=1, max_size=20))
def test_a_package_url_holds_no_letter_that_means_something(name: str, version: str) -> None:
    try:
        purl = Part(name, version).purl
    except UnicodeEncodeError:  # lone surrogates: no metadata in UTF-8 hold them
        return
    assert re.fullmatch(r"pkg:pypi/[A-Za-z0-9_.~%-]*@[A-Za-z0-9_.~%-]+", purl)


def distribution(folder: Path, metadata: str, **files: str) -> PathDistribution:
    folder.mkdir()
    (folder / "METADATA").write_text(metadata)
    for name, content in files.items():
        (folder / name).write_text(content)
    return PathDistribution(folder)


@pytest.mark.parametrize(
    ("stated", "license_", "is_expression"),
    [
        ("License-Expression: MIT OR Apache-2.0\nLicense: MIT", "MIT OR Apache-2.0", True),
        ("License: x\nClassifier: License :: OSI Approved :: BSD License", "BSD License", False),
        ("Classifier: License :: OSI Approved", "", False),
        ("License: Apache 2.0", "Apache 2.0", False),
        ("License: UNKNOWN", "", False),
        ("License: The whole\n        text of one", "", False),
        ("", "", False),
    ],
)
def test_a_license_is_as_it_is_stated_best(tmp_path, stated, license_, is_expression) -> None:
    text = f"Metadata-Version: 2.4\nName: some_part\nVersion: 1.0\n{stated}\n"
    part = part_of(distribution(tmp_path / "some_part-1.0.dist-info", text))
    assert part is not None
    assert (part.key, part.license, part.is_expression) == ("some-part", license_, is_expression)


def test_the_digest_of_what_is_installed_leaves_out_bytecode(tmp_path) -> None:
    text, row = "Name: part\nVersion: 1.0\n", "part.py,sha256=abc,3\n"
    other = "part-1.0.dist-info/RECORD,,\n__pycache__/part.pyc,,\n"
    made = [
        part_of(distribution(tmp_path / str(number), text, RECORD=record, INSTALLER="pip\n"))
        for number, record in enumerate((row, other + row, row.replace("abc", "abd"), other))
    ]
    digests = [part.content_sha256 for part in made if part is not None]
    assert digests[0] == digests[1] != digests[2] and digests[3] == ""
    assert made[0] is not None and made[0].installer == "pip"


def test_metadata_that_are_no_text_are_named(tmp_path) -> None:
    broken = distribution(tmp_path / "part-1.0.dist-info", "")
    assert part_of(broken) is None
    (tmp_path / "part-1.0.dist-info/METADATA").write_bytes(b"Name: p\xff\nVersion: 1\n")
    with pytest.raises(EwasteError, match="cannot be read"):
        part_of(broken)


def test_a_release_lists_its_lock_file(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1764504000")
    texts = []
    for name in ("a.json", "b.json"):
        given = ["sbom", "--lock", str(LOCKS / "python3.13.txt"), "--out", str(tmp_path / name)]
        app(given, standalone_mode=False)
        texts.append((tmp_path / name).read_bytes())
    assert texts[0] == texts[1]
    made = json.loads(texts[0])
    assert made["metadata"]["timestamp"] == "2025-11-30T12:00:00+00:00"
    listed = {each["name"]: each for each in made["components"]}
    pins = re.findall(r"^([a-z0-9-]+)==", (LOCKS / "python3.13.txt").read_text(), re.M)
    assert {each["name"] for each in made["components"] if "purl" in each} == set(pins)
    assert listed["numpy"]["version"] == "2.2.4"
    assert listed["numpy"]["externalReferences"][0]["hashes"][0]["alg"] == "SHA-256"
    app(["sbom", "--lock", str(LOCKS / "python3.13.txt")], standalone_mode=False)
    assert capsys.readouterr().out.encode() == texts[0]


def test_what_cannot_be_listed_is_named(tmp_path) -> None:
    lock = tmp_path / "lock.txt"
    for text, named in (("numpy>=2\n", "no exact version"), ("", "empty"), ("\0", "UTF-16")):
        lock.write_text(text)
        with pytest.raises(BadInput, match=named):
            of_lock(lock)
    with pytest.raises(BadInput, match="cannot be read"):
        of_lock(tmp_path / "gone")
    for epoch in ("", "-1", "1e9", "9" * 12, "soon"):
        with pytest.raises(BadInput, match="SOURCE_DATE_EPOCH"):
            time_of({"SOURCE_DATE_EPOCH": epoch})
    with pytest.raises(BadInput, match="leave out"):
        app(["sbom", "--lock", str(lock), "--state", str(tmp_path)], standalone_mode=False)
    damaged = tmp_path / "state/bundles/current"
    damaged.mkdir(parents=True)
    for path in TINY.iterdir():
        (damaged / path.name).write_bytes(path.read_bytes())
    (damaged / "model.tflite").write_bytes(b"another")
    with pytest.raises(Refused, match=r"model\.tflite"):
        app(["sbom", "--state", str(tmp_path / "state")], standalone_mode=False)

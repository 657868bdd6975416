"""The real bundle of a tiny model, whole and damaged in every way."""

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.bundle import bundle
from edge.bundle.bundle import (
    Bundle,
    load_bundle,
    open_classifier,
    sha256,
    write_bundle,
)
from edge.bundle.golden import verify_golden
from edge.bundle.manifest import (
    FILES,
    OodRule,
    parse_manifest,
)
from edge.bundle.sizes import SizeDistribution
from edge.errors import BadInput, EwasteError, Refused
from edge.inference.ood import OodDetector, pack_detector
from tests.support.bundles import PLAIN_CONTENTS, plain_manifest, reseal

ROOT = Path(__file__).parents[3]


@pytest.fixture
def copy(tiny_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))


def test_a_whole_bundle_is_loaded_and_proved(tiny_bundle: Path) -> None:
    loaded = load_bundle(tiny_bundle)
    assert loaded.labels == loaded.manifest.labels
    assert loaded.digest == sha256((tiny_bundle / "manifest.json").read_bytes())
    check = verify_golden(loaded, open_classifier(loaded, threads=1))
    assert (check.inputs, check.largest_difference) == (32, 0)


@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(Refused, match=name) as refused:
        load_bundle(copy)
    assert refused.value.exit_code == 3


@pytest.mark.parametrize("name", FILES)
def test_one_altered_byte_is_refused(copy: Path, name: str) -> None:
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(Refused, match=rf"{name}: altered"):
        load_bundle(copy)


def test_other_labels_than_the_manifests_are_refused(copy: Path) -> None:
    (copy / "labels.txt").write_text("Battery\nMouse\nPCB\nWashing Machine\n")
    reseal(copy)
    with pytest.raises(Refused, match=r"labels\.txt: other labels"):
        load_bundle(copy)


def test_a_bundle_without_a_passed_parity_is_refused(copy: Path) -> None:
    parity = json.loads((copy / "manifest.json").read_text())["parity"]
    reseal(copy, parity=parity | {"passed": False})
    with pytest.raises(Refused, match="did not pass parity"):
        load_bundle(copy)


def test_a_manifest_of_a_later_format_is_refused(copy: Path) -> None:
    reseal(copy, format=3)
    with pytest.raises(Refused, match=r"manifest\.json: format"):
        load_bundle(copy)


def test_a_model_of_another_size_than_the_manifests_is_refused(copy: Path) -> None:
    contract = json.loads((copy / "manifest.json").read_text())["input"]
    reseal(copy, input=contract | {"size": 96})
    with pytest.raises(Refused, match="96"):
        open_classifier(load_bundle(copy))


def test_what_is_no_bundle_at_all_is_bad_input(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent", Path(__file__)):
        with pytest.raises(BadInput, match="not a bundle"):
            load_bundle(path)


def test_golden_outputs_may_be_one_step_off_but_not_two(copy: Path) -> None:
    for steps in (1, 2):
        with np.load(copy / "golden.npz") as arrays:
            golden = dict(arrays)
        embedding = golden["embedding"].astype(int)
        embedding[0, 0] += 1 if embedding[0, 0] < 100 else -1
        golden["embedding"] = embedding.astype(np.int8)
        np.savez(copy / "golden.npz", **golden)
        reseal(copy)
        loaded = load_bundle(copy)
        if steps == 1:
            assert verify_golden(loaded, open_classifier(loaded)).largest_difference == 1
        else:
            with pytest.raises(Refused, match="2 steps off"):
                verify_golden(loaded, open_classifier(loaded))


def test_the_golden_file_of_another_model_is_refused(copy: Path) -> None:
    with np.load(copy / "golden.npz") as arrays:
        golden = dict(arrays)
    shifted = {**golden, "logits": np.roll(golden["logits"], 1, axis=1)}
    other_size = {**golden, "inputs": golden["inputs"][:, :-1]}
    other_width = {**golden, "embedding": golden["embedding"][:, :-1]}
    for content in (shifted, other_size, other_width, {"inputs": golden["inputs"]}):
        np.savez(copy / "golden.npz", **content)
        reseal(copy)
        loaded = load_bundle(copy)
        with pytest.raises(Refused, match=r"golden\.npz"):
            verify_golden(loaded, open_classifier(loaded))
    (copy / "golden.npz").write_bytes(b"PK\x03\x04 and no more")
    reseal(copy)
    with pytest.raises(Refused, match="not a golden file"):
        verify_golden(load_bundle(copy), open_classifier(load_bundle(copy)))


def test_another_top_answer_is_refused_even_within_the_tolerance(tmp_path: Path) -> None:
    golden = {
        "inputs": np.zeros((1, 4, 4, 3), np.uint8),
        "logits": np.array([[10, 11]], np.int8),
        "embedding": np.zeros((1, 5), np.int8),
    }
    packed = io.BytesIO()
    np.savez(packed, **golden)
    answer = {"logits": np.array([11, 10], np.int8), "embedding": np.zeros(5, np.int8)}
    made_up = {"size": 4, "runtime": "ai_edge_litert", "delegate": None}
    classifier = SimpleNamespace(**made_up, run=lambda pixels, names: answer)
    manifest = plain_manifest()
    with pytest.raises(Refused, match="1 of 1 golden inputs get another label"):
        verify_golden(
            Bundle(tmp_path, manifest, manifest.labels, "", {"golden.npz": packed.getvalue()}),
            classifier,
        )


@pytest.mark.parametrize(
    "labels", [("Mouse",), ("Mouse", "Mouse"), ("Mouse", ""), ("Mouse", "two\nlines")]
)
def test_labels_that_a_text_file_cannot_hold_are_invalid(labels: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="labels"):
        plain_manifest(labels=labels, hazards=())


RULE = OodRule(score="neighbors", threshold=0.7)


def with_detector(out: Path, content: bytes) -> Bundle:
    changes = {"unknown": RULE, "thresholds": {"Mouse": 0.7}, "hazard_thresholds": {"Battery": 0.1}}
    return write_bundle(out, plain_manifest(**changes), {**PLAIN_CONTENTS, "unknown.npz": content})


def test_a_bundle_carries_its_unknown_detector_and_levels(tmp_path: Path) -> None:
    detector = OodDetector(RULE, {"projection": np.eye(5), "references": np.eye(3, 5)})
    loaded = with_detector(tmp_path / "out", pack_detector(detector))
    assert set(loaded.manifest.files) == {*FILES, "unknown.npz"}
    opened = loaded.detector
    np.testing.assert_allclose(opened.arrays["references"], detector.arrays["references"])
    assert opened.rule == RULE
    assert loaded.manifest.hazard_thresholds == {"Battery": 0.1}


def test_the_detector_is_required_and_proved_like_the_other_files(tmp_path: Path) -> None:
    path = with_detector(tmp_path / "out", b"data").path
    with pytest.raises(Refused, match=r"unknown\.npz: not the data of a detector"):
        _ = load_bundle(path).detector
    (path / "unknown.npz").write_bytes(b"other")
    with pytest.raises(Refused, match=r"unknown\.npz: altered"):
        load_bundle(path)
    (path / "unknown.npz").unlink()
    with pytest.raises(Refused, match=r"unknown\.npz: missing"):
        load_bundle(path)


def test_a_bundle_from_before_there_were_levels_loads_without_them(plain_bundle: Bundle) -> None:
    manifest = json.loads((plain_bundle.path / "manifest.json").read_text())
    for key in ("thresholds", "hazard_thresholds", "unknown"):
        del manifest[key]
    (plain_bundle.path / "manifest.json").write_text(json.dumps(manifest))
    loaded = load_bundle(plain_bundle.path)
    assert loaded.detector is None and loaded.manifest.thresholds == {}


@pytest.mark.parametrize(
    "wrong", [{"thresholds": {"Phone": 0.5}}, {"hazard_thresholds": {"Mouse": 0.5}}]
)
def test_levels_of_what_is_no_label_or_no_hazard_are_invalid(wrong: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        plain_manifest(**wrong)


@pytest.fixture(scope="module")
def plain_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    out = tmp_path_factory.mktemp("plain") / "out"
    return write_bundle(out, plain_manifest(), PLAIN_CONTENTS)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


def test_a_wrong_manifest_is_reported_in_one_line_whatever_its_keys(plain_bundle: Bundle) -> None:
    wrong = {**plain_bundle.manifest.model_dump(mode="json"), "bins": {"a\nb": None}}
    with pytest.raises(Refused, match=r"^manifest\.json: bins\.a b: Input should be"):
        parse_manifest(Path("manifest.json"), json.dumps(wrong).encode())


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_no_manifest_whatever_ends_in_a_traceback(
    plain_bundle: Bundle, data: st.DataObject
) -> None:
    path, good = plain_bundle.path, plain_bundle.manifest.model_dump(mode="json")
    key = data.draw(st.sampled_from(sorted(good)))
    content = data.draw(
        st.binary(max_size=40)
        | JSON.map(lambda value: json.dumps(value).encode())
        | JSON.map(lambda value: json.dumps({**good, key: value}).encode())
        | st.just(json.dumps({name: good[name] for name in good if name != key}).encode())
    )
    (path / "manifest.json").write_bytes(content)
    try:
        loaded = load_bundle(path)
    except EwasteError as error:
        assert isinstance(error, Refused) and "\n" not in str(error)
        assert "manifest.json" in str(error) or "labels.txt" in str(error)
    else:
        assert loaded.labels == ("Battery", "Mouse") and loaded.manifest.parity.passed


def test_a_folder_that_is_no_bundle_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "mine.jpg").write_bytes(b"mine")
    with pytest.raises(BadInput, match="is no bundle"):
        write_bundle(tmp_path / "photos", plain_manifest(), PLAIN_CONTENTS)
    assert [entry.name for entry in (tmp_path / "photos").iterdir()] == ["mine.jpg"]


def test_a_bundle_that_would_be_refused_is_not_written(tmp_path: Path) -> None:
    without_card = {name: PLAIN_CONTENTS[name] for name in ("model.tflite", "golden.npz")}
    with pytest.raises(Refused, match=r"model_card\.md"):
        write_bundle(tmp_path / "out", plain_manifest(), without_card)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_ends_in_one_line_and_leaves_the_old_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    old = write_bundle(out, plain_manifest(), PLAIN_CONTENTS)

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bundle, "write_whole", full)
    with pytest.raises(EwasteError, match="No space left"):
        write_bundle(out, plain_manifest(name="new"), PLAIN_CONTENTS)
    assert load_bundle(out).digest == old.digest
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


# Kills the writer before its first effect on the file system, then before its second, and so on,
# and prints what is found each time: the name of the bundle, or "none"; then what is found after a
# write that fails, and after one that succeeds.
KILLED = """
import os, pathlib, shutil, signal, sys
from edge.bundle import bundle
from edge.errors import BadInput, Refused
from tests.support.bundles import PLAIN_CONTENTS, plain_manifest

folder, replacing = pathlib.Path(sys.argv[1]), sys.argv[2] == "True"
left = None

def hook(event, arguments):
    global left
    if left is not None and event in ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir"):
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

def write(name, contents=PLAIN_CONTENTS):
    return bundle.write_bundle(folder / "out", plain_manifest(name=name), contents)

def found():
    try:
        return bundle.load_bundle(folder / "out").manifest.name
    except BadInput:
        return "none"

sys.addaudithook(hook)
ended, moment = -1, 0
while ended:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    if replacing:
        write("old")
    child = os.fork()
    if not child:
        left = moment
        write("new")
        os._exit(0)
    ended = os.waitpid(child, 0)[1]
    killed = found()
    try:
        write("bad", {})
    except Refused:
        failed = found()
    write("next")
    print(killed, failed, found(), *sorted(entry.name for entry in folder.iterdir()))
    moment += 1
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and kill -9")
@pytest.mark.parametrize("replacing", [False, True])
def test_killed_at_any_moment_a_bundle_is_whole_or_not_there(
    tmp_path: Path, replacing: bool
) -> None:
    script = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "folder"), str(replacing)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert script.returncode == 0, script.stderr
    states = [line.split() for line in script.stdout.splitlines()]
    assert len(states) > 10
    assert [state[2:] for state in states] == [["next", "out"]] * len(states)
    before = "old" if replacing else "none"
    found = [state[0] for state in states]
    assert (found[0], found[-1]) == (before, "new")
    # Between its two renames a replacement leaves the name free for a moment.
    assert set(found) <= {before, "none", "new"}
    assert not replacing or found.count("none") <= 1
    assert not replacing or {state[1] for state in states} == {"old", "new"}


TELEVISION = {"median_mm": 640.0, "spread": 0.17}


def test_a_bundle_carries_the_sizes_of_its_classes_and_without_any_has_no_such_key(
    tmp_path: Path,
) -> None:
    plain = write_bundle(tmp_path / "plain", plain_manifest(), PLAIN_CONTENTS)
    assert b'"sizes"' not in (plain.path / "manifest.json").read_bytes()
    assert load_bundle(plain.path).manifest.sizes == {}
    sized = plain_manifest(sizes={"Mouse": SizeDistribution.model_validate(TELEVISION)})
    write_bundle(tmp_path / "sized", sized, PLAIN_CONTENTS)
    assert load_bundle(tmp_path / "sized").manifest.sizes["Mouse"].median_mm == 640.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"Nobody": TELEVISION},
        {"Mouse": {**TELEVISION, "median_mm": 0}},
        {"Mouse": {**TELEVISION, "median_mm": -640}},
        {"Mouse": {**TELEVISION, "median_mm": 1e400}},
        {"Mouse": {**TELEVISION, "median_mm": float("nan")}},
        {"Mouse": {**TELEVISION, "median_mm": "640"}},
        {"Mouse": {**TELEVISION, "median_mm": True}},
        {"Mouse": {**TELEVISION, "spread": 0}},
        {"Mouse": {**TELEVISION, "spread": 1e9}},
        {"Mouse": {**TELEVISION, "color": "red"}},
        {"Mouse": {"median_mm": 640}},
        {"Mouse": None},
        [],
    ],
)
def test_hostile_sizes_in_a_manifest_are_refused_in_one_line(plain_bundle: Bundle, wrong) -> None:
    read = {**plain_bundle.manifest.model_dump(mode="json"), "sizes": wrong}
    with pytest.raises(Refused, match="manifest.json") as refused:
        parse_manifest(Path("manifest.json"), json.dumps(read).encode())
    assert "\n" not in str(refused.value)

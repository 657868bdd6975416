"""Bundles that lie, break or attack: refused in one line, soon, and with bounded memory."""

import io
import json
import os
import random
import resource
import shutil
import signal
import stat
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edge.bundle.bundle import MOST_FILE_BYTES, load_bundle, read_bundle, sha256
from edge.bundle.golden import pack_golden, verify_preprocessing
from edge.bundle.manifest import FILES
from edge.bundle.verify import verify
from edge.errors import BadInput, EwasteError, Refused
from edge.inference.classifier import Classifier
from edge.inference.ood import OodDetector, OodRule, pack_detector, unpack_detector
from tests.support.bright import bright_bundle
from tests.support.odd_models import ODD_MAPS, OTHER_FORMS, odd_model

ROOT = Path(__file__).parents[2]
SECONDS, MEGABYTES = 10, 1000
"""What a refusal may take, of processor time: a busy machine is no fault of ours."""


@pytest.fixture
def copy(tiny_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))


def sealed(bundle: Path, **changes: object) -> None:
    """Change the manifest and make all digests right again, as a careful forger would."""
    manifest = json.loads((bundle / "manifest.json").read_text()) | changes
    names = [*FILES, "unknown.npz"] if manifest.get("unknown") else FILES
    manifest["files"] = {name: sha256((bundle / name).read_bytes()) for name in names}
    (bundle / "manifest.json").write_text(json.dumps(manifest))


def refusal(bundle: Path) -> tuple[str, str]:
    """The check that refused and its one line; bounded in time."""
    started = os.times()
    found = verify(bundle, threads=1)
    with pytest.raises(Refused) as refused:
        found.require()
    ended = os.times()
    assert sum(ended[:4]) - sum(started[:4]) < SECONDS
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 1200
    return found.checks[-1].name, str(refused.value)


# In a process of its own: what is started from a large one counts as equally large.
MEASURED = """
import resource, subprocess, sys
code = subprocess.run([sys.executable, "-m", "edge.cli", *sys.argv[1:]], stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(code.returncode, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
"""


def ewaste(*arguments: object) -> tuple[int, str, float]:
    """Run the command; its exit code, stderr, and peak memory in MB, its children's too."""
    command = [sys.executable, "-c", MEASURED, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    code, seconds, megabytes = map(float, done.stdout.split())
    assert seconds < SECONDS
    return int(code), done.stderr, megabytes


def put_fifo(path: Path) -> None:
    os.mkfifo(path)


def put_folder(path: Path) -> None:
    path.mkdir()


def put_loop(path: Path) -> None:
    path.symlink_to(path.name)


def put_zeros(path: Path) -> None:
    path.symlink_to("/dev/zero")


def put_memory(path: Path) -> None:
    path.symlink_to("/proc/self/mem")


def put_sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(MOST_FILE_BYTES[path.name] + 1)


@pytest.mark.parametrize("name", [*FILES, "unknown.npz", "manifest.json", "manifest.sig"])
@pytest.mark.parametrize("put", [put_fifo, put_folder, put_loop, put_zeros, put_memory, put_sparse])
def test_what_is_no_plain_file_never_holds_us_up(
    copy: Path, name: str, put: Callable[[Path], None]
) -> None:
    detector = OodDetector(RULE, {"projection": np.eye(96), "references": np.eye(4, 96)})
    (copy / "unknown.npz").write_bytes(pack_detector(detector))
    sealed(copy, unknown=RULE.model_dump())
    load_bundle(copy)
    (copy / name).unlink(missing_ok=True)
    put(copy / name)
    started = time.process_time()
    with pytest.raises(Refused, match=name) as refused:
        load_bundle(copy)
    assert time.process_time() - started < 2 and "\n" not in str(refused.value)


def test_a_whole_bundle_of_pipes_is_refused_too(tmp_path: Path) -> None:
    for name in (*FILES, "manifest.json"):
        os.mkfifo(tmp_path / name)
    with pytest.raises(Refused, match=r"manifest\.json: no regular file"):
        read_bundle(tmp_path)


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


MANIFESTS: dict[str, Callable[[str], str]] = {
    "a thousand million as temperature": lambda text: swap(text, "temperature", "1e9"),
    "next to no temperature": lambda text: swap(text, "temperature", "5e-324"),
    "no temperature": lambda text: swap(text, "temperature", "0"),
    "infinite temperature": lambda text: swap(text, "temperature", "1e999"),
    "a temperature that is no number": lambda text: swap(text, "temperature", "NaN"),
    "a threshold over 1": lambda text: swap(text, "threshold", "1.5"),
    "a threshold under 0": lambda text: swap(text, "threshold", "-0.1"),
    "a threshold of 1e999": lambda text: swap(text, "threshold", "1e999"),
    "a threshold of text": lambda text: swap(text, "threshold", '"0.5"'),
    "a number of 100,000 digits": lambda text: swap(text, "format", "1" * 100_000),
    "an endless exponent": lambda text: swap(text, "threshold", "1e" + "9" * 10_000),
    "brackets 100,000 deep": lambda text: swap(text, "labels", nested(100_000)),
    "objects 5,000 deep": lambda text: swap(text, "bins", '{"a":' * 5000 + "1" + "}" * 5000),
    "a key twice": lambda text: text.replace("{", '{"name": "another", ', 1),
    "a digest twice": lambda text: text.replace('"files": {', '"files": {"labels.txt": "", ', 1),
    "a picture of no size": lambda text: swap(text, "size", "0"),
    "a picture of any size": lambda text: swap(text, "size", "1000000000"),
    "images beyond counting": lambda text: swap(text, "images", "1" + "0" * 30),
    "escapes in its name": lambda text: swap(text, "name", '"\\u001b[2J\\u0007"'),
    "a name of a megabyte": lambda text: swap(text, "name", '"' + "x" * 1_000_000 + '"'),
    "a million labels": lambda text: swap(text, "labels", json.dumps([*map(str, range(99_999))])),
    "a key of 100,000 letters": lambda text: text.replace("{", '{"' + "k" * 100_000 + '": 1, ', 1),
    "a key with escapes": lambda text: text.replace("{", '{"\\u001b[31m\\nred": 1, ', 1),
    "a surrogate as label": lambda text: text.replace('"PCB"', '"\\ud800"'),
    "nothing": lambda text: "",
    "no JSON": lambda text: text[:-5],
    "another encoding": lambda text: "\ufeff" + text,
    "zeros": lambda text: "\0" * 1000,
}


def swap(text: str, key: str, value: str) -> str:
    """The manifest with another value, as text, for the first key of this name."""
    manifest = json.loads(text)
    mark = "@@@"

    def replaced(part: object) -> bool:
        if isinstance(part, dict):
            if key in part:
                part[key] = mark
                return True
            return any(replaced(each) for each in part.values())
        return False

    assert replaced(manifest)
    return json.dumps(manifest).replace(json.dumps(mark), value)


@pytest.mark.parametrize("change", MANIFESTS.values(), ids=MANIFESTS)
def test_an_absurd_manifest_is_refused_in_one_line(
    copy: Path, change: Callable[[str], str]
) -> None:
    path = copy / "manifest.json"
    path.write_text(change(path.read_text()))
    with pytest.raises(Refused, match=r"manifest\.json") as refused:
        load_bundle(copy)
    assert str(refused.value).isprintable() and len(str(refused.value)) < 1000


def test_a_manifest_of_100_megabytes_is_refused_unread(copy: Path) -> None:
    with (copy / "manifest.json").open("wb") as file:
        file.truncate(100 * 2**20)
    code, output, megabytes = ewaste("verify", copy)
    assert code == 3 and output.count("\n") == 1 and "manifest.json" in output
    assert megabytes < 200


RULE = OodRule(score="neighbors", threshold=0.1)


def test_a_detector_that_does_not_fit_the_model_is_refused_before_the_first_item(
    copy: Path,
) -> None:
    arrays = {"projection": np.eye(100, 8), "references": np.eye(5, 8)}
    (copy / "unknown.npz").write_bytes(pack_detector(OodDetector(RULE, arrays)))
    sealed(copy, unknown=RULE.model_dump())
    name, line = refusal(copy)
    assert name == "golden outputs" and "unknown.npz: does not fit the model" in line


def test_a_detector_whose_likeness_is_no_number_is_refused(copy: Path) -> None:
    # Each value is one, but not what they add up to.
    arrays = {"projection": np.full((96, 8), 3e38), "references": np.full((5, 8), 3e38)}
    packed = io.BytesIO()
    np.savez(packed, **{name: array.astype(np.float32) for name, array in arrays.items()})
    (copy / "unknown.npz").write_bytes(packed.getvalue())
    sealed(copy, unknown=RULE.model_dump())
    name, line = refusal(copy)
    assert name == "golden outputs" and "no numbers" in line


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"touching.center": np.zeros(100), "touching.direction": np.zeros(100)}, "another model"),
        ({"touching.center": np.full(96, 1e300)}, "not a rule for touching items"),
        ({"touching.direction": np.full(96, 3e38, np.float32)}, "not a rule for touching items"),
        ({"touching.weights": np.array([1.0, 0.0, -1e4, 1e4])}, "not a rule for touching items"),
        ({"touching.weights": np.array([1.0, 1.0, 0.0, -1.0])}, "not a rule for touching items"),
    ],
)
def test_a_touching_rule_that_would_never_or_always_hold_is_refused(
    copy: Path, changes: dict[str, np.ndarray], reason: str
) -> None:
    arrays = {
        "projection": np.eye(96, 8),
        "references": np.eye(5, 8),
        "touching.center": np.zeros(96),
        "touching.direction": np.ones(96),
        "touching.weights": np.array([1.0, 1.0, 0.0, 2.0]),
    }
    packed = io.BytesIO()
    np.savez(packed, **{**arrays, **changes})
    (copy / "unknown.npz").write_bytes(packed.getvalue())
    sealed(copy, unknown=RULE.model_dump())
    if reason:
        name, line = refusal(copy)
        assert name == "golden outputs" and "unknown.npz" in line and reason in line
    else:
        assert verify(copy, threads=1).ok


def put_model(bundle: Path, content: bytes) -> None:
    (bundle / "model.tflite").write_bytes(content)
    sealed(bundle)


def test_a_broken_model_is_refused(copy: Path) -> None:
    honest = (copy / "model.tflite").read_bytes()
    third = len(honest) // 3
    for what, content in {
        "half": honest[: len(honest) // 2],
        "zeros within": honest[:third] + bytes(2000) + honest[third + 2000 :],
        "noise": b"\x1c\0\0\0TFL3" + random.Random(3).randbytes(20_000),
        "nothing": b"",
    }.items():
        put_model(copy, content)
        name, line = refusal(copy)
        assert name in ("model", "golden outputs") and "model.tflite" in line, what


def test_an_endless_model_is_ended(copy: Path, injected: Callable[..., None]) -> None:
    put_model(copy, odd_model("endless"))
    code, output, megabytes = ewaste("verify", copy)
    assert code == 3 and output.count("\n") == 1 and megabytes < MEGABYTES
    assert "model.tflite: takes too long to run" in output
    injected("bundle: its model never ends", f"refused within {SECONDS} s of processor time")


def test_an_enormous_model_takes_a_gigabyte_at_most(
    copy: Path, injected: Callable[..., None]
) -> None:
    put_model(copy, odd_model("enormous"))
    code, output, megabytes = ewaste("verify", copy)
    assert code == 3 and output.count("\n") == 1 and "'model'" in output
    assert megabytes < MEGABYTES
    injected("bundle: its model takes 14 GB", f"refused, {megabytes:.0f} MB taken")


def test_a_model_whose_golden_answers_are_no_numbers_is_refused(copy: Path) -> None:
    put_model(copy, odd_model("numberless"))
    labels = load_bundle(copy).labels
    classifier = Classifier(copy / "model.tflite", labels, threads=1)
    (copy / "golden.npz").write_bytes(pack_golden(classifier, np.zeros((2, 48, 48, 3), np.uint8)))
    sealed(copy)
    name, line = refusal(copy)
    assert name == "golden outputs" and "model.tflite" in line


@pytest.mark.parametrize("what", ODD_MAPS)
def test_a_model_with_another_activation_map_is_refused(copy: Path, what: str) -> None:
    put_model(copy, odd_model(what))
    name, line = refusal(copy)
    assert name == "model" and "model.tflite: gives activation_map of (1, " in line


def test_an_activation_map_of_no_numbers_is_refused(copy: Path) -> None:
    put_model(copy, odd_model("a numberless map"))
    labels = load_bundle(copy).labels
    classifier = Classifier(copy / "model.tflite", labels, threads=1)
    inputs = np.zeros((2, 48, 48, 3), np.uint8)
    (copy / "golden.npz").write_bytes(pack_golden(classifier, inputs, with_map=True))
    sealed(copy, activation_map={"height": 5, "width": 5, "correlation": 1.0})
    name, line = refusal(copy)
    assert name == "golden outputs" and "model.tflite" in line


@pytest.mark.parametrize(
    ("declared", "check", "words"),
    [
        ({"height": 8, "width": 9, "correlation": 1.0}, "model", "8 x 8, but the manifest says"),
        ({"height": 65, "width": 8, "correlation": 1.0}, "schema", "less than or equal to 64"),
        ({"height": 8, "width": 8, "correlation": 2.0}, "schema", "less than or equal to 1"),
        ({"height": 8, "width": 8}, "schema", "activation_map.correlation: Field required"),
        ({"height": 8, "width": 8, "correlation": 1.0, "more": 1}, "schema", "more"),
        ("everywhere", "schema", "activation_map"),
    ],
)
def test_a_manifest_that_lies_about_the_activation_map_is_refused(
    tmp_path: Path, declared: object, check: str, words: str
) -> None:
    bundle = bright_bundle(tmp_path / "bright").path
    assert verify(bundle, threads=1).ok
    sealed(bundle, activation_map=declared)
    name, line = refusal(bundle)
    assert name == check and words in line


def test_an_activation_map_is_held_to_the_golden_one(tmp_path: Path) -> None:
    bundle = bright_bundle(tmp_path / "bright").path
    with np.load(bundle / "golden.npz") as arrays:
        golden = dict(arrays)
    changed = {**golden, "activation_map": golden["activation_map"][:, ::-1]}
    missing = {name: array for name, array in golden.items() if name != "activation_map"}
    for content, words in ((changed, "steps off"), (missing, "no activation_map")):
        np.savez(bundle / "golden.npz", **content)
        sealed(bundle)
        name, line = refusal(bundle)
        assert name in ("preprocessing", "golden outputs") and words in line


def test_a_declared_map_that_the_model_lacks_is_refused(copy: Path) -> None:
    sealed(copy, activation_map={"height": 5, "width": 5, "correlation": 1.0})
    name, line = refusal(copy)
    assert name == "model" and "gives an activation map of 0 x 0" in line


@pytest.mark.slow
def test_a_model_of_another_form_is_refused(copy: Path) -> None:
    for what in OTHER_FORMS:
        put_model(copy, odd_model(what))
        name, line = refusal(copy)
        assert name == "model" and "model.tflite" in line, what


def test_a_golden_bomb_is_refused_within_memory(copy: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("inputs.npy", bytes(300 << 20))
    (copy / "golden.npz").write_bytes(packed.getvalue())
    sealed(copy)
    code, output, megabytes = ewaste("verify", copy)
    assert code == 3 and output.count("\n") == 1 and "golden.npz: not a golden file" in output
    assert megabytes < MEGABYTES


def test_labels_hidden_in_the_model_are_read_within_bounds(copy: Path) -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("labels.txt", bytes(300 << 20))
    model = (copy / "model.tflite").read_bytes()
    (copy / "model.tflite").write_bytes(model + bomb.getvalue())
    sealed(copy)
    name, line = refusal(copy)
    assert name == "model" and "its labels cannot be read" in line


def test_a_frame_of_any_shape_is_refused(copy: Path) -> None:
    with np.load(copy / "golden.npz") as arrays:
        golden = dict(arrays)
    for frame in (
        np.zeros((1, 300_000, 3), np.uint8),
        np.zeros((40, 40), np.uint8),
        np.zeros((40, 40, 4), np.uint8),
        np.zeros((0, 40, 3), np.uint8),
        np.zeros((40, 40, 3), np.float32),
    ):
        np.savez(copy / "golden.npz", **{**golden, "frame": frame})
        sealed(copy)
        with pytest.raises(Refused, match="a frame of another model"):
            verify_preprocessing(load_bundle(copy))


def test_a_process_that_cannot_be_started_is_one_line(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed(copy, name="never tried before")
    monkeypatch.setattr("edge.bundle.trial_process.sys.executable", "/no/such/python")
    with pytest.raises(EwasteError, match="no process can be started") as failed:
        verify(copy, threads=1)
    assert failed.value.exit_code == 1


# Fuzzing, bounded in time and seeded.


def mutated(rng: random.Random, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 5, 30))):
        at = rng.randrange(len(changed))
        how = rng.randrange(4)
        if how == 0:
            changed[at] = rng.randrange(256)
        elif how == 1:
            changed[at] ^= 1 << rng.randrange(8)
        elif how == 2:
            del changed[at : at + rng.randrange(1, 20)]
        else:
            changed[at:at] = changed[at : at + rng.randrange(1, 20)]
        if not changed:
            return b""
    return bytes(changed)


def rounds(seconds: float, most: int) -> Iterator[random.Random]:
    """Seeded rounds for so long."""
    rng, end = random.Random(16), time.monotonic() + seconds
    for number in range(most):
        if number > 3 and time.monotonic() > end:
            return
        yield rng


def test_any_bytes_as_manifest_are_a_bundle_or_a_refusal(copy: Path) -> None:
    path = copy / "manifest.json"
    good = path.read_bytes()
    for rng in rounds(3, 4000):
        path.write_bytes(mutated(rng, good))
        try:
            loaded = load_bundle(copy)
        except (Refused, BadInput) as error:
            assert str(error).isprintable() and len(str(error)) < 1200
        else:
            assert loaded.manifest.parity.holds and loaded.manifest.temperature >= 0.01


def test_any_bytes_as_detector_are_one_or_a_refusal() -> None:
    good = {
        "neighbors": pack_detector(
            OodDetector(RULE, {"projection": np.eye(96, 8), "references": np.eye(5, 8)})
        ),
        "mahalanobis": pack_detector(
            OodDetector(
                OodRule(score="mahalanobis", threshold=-1),
                {"projection": np.eye(96, 8), "centers": np.eye(4, 8)},
            )
        ),
        "energy": pack_detector(
            OodDetector(OodRule(score="energy", threshold=1), {"temperature": np.float32(1)})
        ),
    }
    for rng in rounds(3, 20_000):
        kind = rng.choice(sorted(good))
        try:
            detector = unpack_detector(
                mutated(rng, good[kind]), OodRule(score=kind, threshold=0), 4
            )
        except BadInput as error:
            assert str(error).isprintable()
        else:
            assert all(np.isfinite(array).all() for array in detector.arrays.values())


def test_any_bytes_as_model_are_run_or_refused(copy: Path) -> None:
    path = copy / "model.tflite"
    good = path.read_bytes()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for rng in rounds(6, 10):
        # What is not weights lies at both ends.
        head = rng.random() < 0.5
        part = good[:6000] if head else good[-12_000:]
        changed = mutated(rng, part)
        path.write_bytes(changed + good[6000:] if head else good[:-12_000] + changed)
        sealed(copy)
        found = verify(copy, threads=1)
        assert found.ok or found.checks[-1].message.isprintable()
        assert [check.passed for check in found.checks[:-1]] == [True] * (len(found.checks) - 1)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300 * 1024


def test_the_limits_leave_room_for_the_shipped_bundle() -> None:
    from edge.bundle.bundle import DEFAULT_BUNDLE

    for name, most in MOST_FILE_BYTES.items():
        if (DEFAULT_BUNDLE / name).exists():
            found = (DEFAULT_BUNDLE / name).stat()
            assert stat.S_ISREG(found.st_mode) and found.st_size * 4 < most


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_a_stop_while_a_bundle_is_tried_is_no_refusal(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C, hang-up and a service manager's SIGTERM reach all processes of a line."""
    sealed(copy, name="stopped while tried")
    start = subprocess.Popen

    def started(*arguments: object, **options: object) -> subprocess.Popen:
        child = start(*arguments, **options)
        ignored = "0"
        while not int(ignored, 16) >> (signal.SIGTERM - 1) & 1:  # it has just begun
            time.sleep(0.01)
            status = Path(f"/proc/{child.pid}/status").read_text()
            (ignored,) = [line.split()[1] for line in status.splitlines() if "SigIgn" in line]
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            child.send_signal(number)
        return child

    monkeypatch.setattr("edge.bundle.trial_process.subprocess.Popen", started)
    found = verify(copy, threads=1)
    assert found.ok, found.checks[-1]

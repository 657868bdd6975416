"""Every check of a bundle, each failing by itself and naming itself; signatures; installing."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge.bundle.bundle import load_bundle, sha256
from edge.bundle.install import CURRENT, Allowed, current_number, install, roll_back
from edge.bundle.manifest import manifest_schema
from edge.bundle.sandbox import TRIED_INPUTS, run_apart, try_apart
from edge.bundle.signature import check_key, make_key, public_key, read_key
from edge.bundle.verify import Verification, verify
from edge.config import Config, name_notes
from edge.errors import BadInput, EwasteError, Refused
from tests.support.bundles import reseal, sign_bundle

ROOT = Path(__file__).parents[3]
ALL = [
    *("schema", "digests", "signature", "parity"),
    *("model", "preprocessing", "golden outputs", "speed"),
]


@pytest.fixture
def copy(tiny_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))


@pytest.fixture
def key(tmp_path: Path) -> Path:
    make_key(tmp_path / "line.key")
    return tmp_path / "line.key"


def failing(found: Verification) -> tuple[str, str]:
    """The name of the check that failed, the last one made, and the line that refuses."""
    assert [check.name for check in found.checks] == ALL[: len(found.checks)]
    assert [check.passed for check in found.checks[:-1]] == [True] * (len(found.checks) - 1)
    with pytest.raises(Refused) as refused:
        found.require()
    assert refused.value.exit_code == 3 and "\n" not in str(refused.value)
    assert repr(found.checks[-1].name) in str(refused.value)
    return found.checks[-1].name, str(refused.value)


def test_a_whole_bundle_passes_every_check(copy: Path, key: Path) -> None:
    trusted = sign_bundle(copy, key)
    found = verify(copy, [trusted], threads=1, slowest_ms=60_000)
    assert found.ok and [check.name for check in found.checks] == ALL
    bundle, classifier = found.require()
    assert bundle.path == copy and classifier.labels == bundle.labels
    assert trusted in found.checks[2].message and "0 steps off" in found.checks[6].message


def test_a_trial_before_the_proof_runs_the_first_golden_inputs_only(copy: Path) -> None:
    with np.load(copy / "golden.npz") as arrays:
        golden = dict(arrays)
    assert len(golden["logits"]) > TRIED_INPUTS
    golden["logits"][-1] = golden["logits"][-1, ::-1]
    np.savez(copy / "golden.npz", **golden)
    reseal(copy)
    bundle = load_bundle(copy)
    assert try_apart(bundle) == []
    assert failing(verify(copy, threads=1))[0] == "golden outputs"
    assert [passed for _, passed, _ in run_apart(bundle)] == [True, True, False]


def test_each_check_refuses_by_its_name(copy: Path, tmp_path: Path) -> None:
    def damaged(change) -> tuple[str, str]:
        bundle = Path(shutil.copytree(copy, tmp_path / "damaged", dirs_exist_ok=True))
        change(bundle)
        return failing(verify(bundle, threads=1))

    def unparity(bundle: Path) -> None:
        parity = json.loads((bundle / "manifest.json").read_text())["parity"]
        lost = {"images": 16, "right_float": 16, "right_quantized": 13}
        reseal(bundle, parity=parity | {"classes": {"PCB": lost}})

    def other_model(bundle: Path) -> None:
        (bundle / "model.tflite").write_bytes(b"TFL3" * 100)
        reseal(bundle)

    def other_golden(bundle: Path) -> None:
        with np.load(bundle / "golden.npz") as arrays:
            golden = dict(arrays)
        golden["embedding"] = np.roll(golden["embedding"], 1, axis=1)
        np.savez(bundle / "golden.npz", **golden)
        reseal(bundle)

    assert damaged(lambda bundle: reseal(bundle, format=7))[0] == "schema"
    name, line = damaged(lambda bundle: (bundle / "golden.npz").write_bytes(b""))
    assert name == "digests" and "golden.npz" in line
    assert damaged(unparity)[0] == "parity"

    def other_order(bundle: Path) -> None:
        labels = json.loads((bundle / "manifest.json").read_text())["labels"][::-1]
        (bundle / "labels.txt").write_text("".join(f"{label}\n" for label in labels))
        reseal(bundle, labels=labels)

    assert damaged(other_model)[0] == "model"
    name, line = damaged(other_order)
    assert name == "model" and "other labels" in line
    assert damaged(other_golden)[0] == "golden outputs"


def test_another_way_from_frame_to_input_is_refused(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge.bundle import golden
    from edge.inference import preprocess

    def nearest(image: np.ndarray, size: int) -> np.ndarray:
        return cv2.resize(image, (size, size), interpolation=cv2.INTER_NEAREST)

    def bgr(image: np.ndarray, size: int) -> np.ndarray:
        return preprocess.model_input(image, size)[:, :, ::-1]

    for wrong in (nearest, bgr):
        monkeypatch.setattr(golden, "model_input", wrong)
        name, line = failing(verify(copy, threads=1))
        assert name == "preprocessing" and "resized or colored otherwise" in line


def test_a_model_slower_than_allowed_is_refused(copy: Path) -> None:
    name, line = failing(verify(copy, threads=1, slowest_ms=0))
    assert name == "speed" and "at most 0 allowed" in line


def test_what_is_no_bundle_at_all_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not a bundle"):
        verify(tmp_path)


def test_trusted_keys_make_a_signature_necessary(copy: Path, key: Path, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other.key")
    name, line = failing(verify(copy, [other]))
    assert name == "signature" and "missing" in line

    mine = sign_bundle(copy, key)
    assert verify(copy, [other, mine], threads=1).ok
    name, line = failing(verify(copy, [other]))
    assert name == "signature" and f"untrusted key ({mine})" in line

    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps(manifest))  # the same, written differently
    name, line = failing(verify(copy, [mine]))
    assert name == "signature" and "not of this manifest" in line


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"no key at all", b"KEY", b"KEY !!!"])
def test_what_is_no_signature_is_refused(copy: Path, key: Path, content: bytes) -> None:
    mine = public_key(read_key(key))
    (copy / "manifest.sig").write_bytes(content.replace(b"KEY", mine.encode()))
    assert failing(verify(copy, [mine]))[0] == "signature"


def test_keys_are_never_overwritten_nor_open_to_others(key: Path, tmp_path: Path) -> None:
    assert key.stat().st_mode & 0o077 == 0
    public = key.with_name("line.key.pub").read_text().strip()
    assert check_key(public) == public == public_key(read_key(key))
    with pytest.raises(BadInput, match="never overwritten"):
        make_key(key)
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8")
    for wrong in ("absent", "photo.jpg", "line.key.pub"):
        with pytest.raises(BadInput):
            read_key(tmp_path / wrong)


@pytest.mark.parametrize("text", ["", "ed25519:", "ed25519:AAAA", "rsa:AAAA", "ed25519:*"])
def test_what_is_no_public_key_is_not_trusted(text: str) -> None:
    with pytest.raises(ValueError, match="no public key"):
        Config.model_validate({"trust": {"keys": [text]}})


def test_the_published_schema_is_current() -> None:
    published = (ROOT / "edge/bundle/manifest.schema.json").read_text()
    assert published == manifest_schema(), (
        "run: ewaste-edge schema > edge/bundle/manifest.schema.json"
    )


def other_bundle(bundle: Path, folder: Path) -> Path:
    """The same model under another name, hence another bundle."""
    other = Path(shutil.copytree(bundle, folder))
    reseal(other, name=folder.name)
    return other


def names(store: Path) -> dict[str, str]:
    """What lies in a store: the name of each bundle, by its number."""
    return {
        entry.name: json.loads((entry / "manifest.json").read_text())["name"]
        for entry in store.iterdir()
        if entry.is_dir() and not entry.is_symlink()
    }


def test_installing_keeps_the_one_before_and_rolling_back_returns_to_it(
    copy: Path, tmp_path: Path
) -> None:
    store = tmp_path / "bundles"
    second, third, fourth = (
        other_bundle(copy, tmp_path / name) for name in ("second", "third", "fourth")
    )
    install(copy, store, threads=1)
    assert (store / CURRENT).resolve() == store / "1"
    with pytest.raises(BadInput, match="no earlier bundle"):
        roll_back(store)
    install(second, store, threads=1)
    installed = install(third, store, threads=1)
    assert installed.manifest.name == "third" and current_number(store) == 3
    assert names(store) == {"2": "second", "3": "third"}
    assert roll_back(store, threads=1).manifest.name == "second" and current_number(store) == 2
    install(fourth, store, threads=1)
    assert names(store) == {"2": "second", "3": "fourth"} and current_number(store) == 3


def test_a_refused_bundle_leaves_the_one_in_use(copy: Path, key: Path, tmp_path: Path) -> None:
    store, mine = tmp_path / "bundles", sign_bundle(copy, key)
    install(copy, store, [mine], threads=1)
    unsigned = other_bundle(copy, tmp_path / "unsigned")
    with pytest.raises(Refused, match="'signature'"):
        install(unsigned, store, [mine])
    assert current_number(store) == 1 and len(names(store)) == 1
    assert verify(store / CURRENT, [mine], threads=1).ok


def test_a_line_runs_what_is_installed_unless_another_is_named(copy: Path, tmp_path: Path) -> None:
    config = Config.model_validate({"state": tmp_path})
    assert config.bundle == config.classifier.bundle
    install(copy, config.bundles, threads=1)
    assert config.bundle == tmp_path / "bundles" / CURRENT
    named = Config.model_validate({"state": tmp_path, "classifier": {"bundle": copy}})
    assert named.bundle == copy


# Installs again and again, and is killed before its first effect on the file system, its second...
KILLED = """
import os, pathlib, shutil, signal, sys
from edge.bundle import install, verify
from edge.bundle.bundle import load_bundle

store, new = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
old = pathlib.Path(shutil.copytree(store, store.with_name("old"), symlinks=True))
left = None

def hook(event, arguments):
    global left
    if left is not None and event in ("open", "os.rename", "os.mkdir", "os.symlink", "os.remove"):
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

sys.addaudithook(hook)
# Verification itself is tested elsewhere, and writes nothing.
class Proved:
    def __init__(self, path, *rest, **by):
        self.path = path
    def require(self):
        return load_bundle(self.path), None
install.verify = Proved
ended, moment = -1, 0
while ended:
    shutil.rmtree(store)
    shutil.copytree(old, store, symlinks=True)
    child = os.fork()
    if not child:
        left = moment
        install.install(new, store)
        os._exit(0)
    ended = os.waitpid(child, 0)[1]
    killed = load_bundle(store / "current").manifest.name
    install.install(new, store)
    after = load_bundle(store / "current").manifest.name
    print(killed, after, *sorted(entry.name for entry in store.iterdir()))
    moment += 1
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and kill -9")
def test_killed_at_any_moment_an_install_leaves_a_whole_bundle_in_use(
    copy: Path, tmp_path: Path
) -> None:
    assert signal.SIGKILL
    store = tmp_path / "bundles"
    install(copy, store, threads=1)
    new = other_bundle(copy, tmp_path / "new")
    script = subprocess.run(
        [sys.executable, "-c", KILLED, str(store), str(new)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert script.returncode == 0, script.stderr
    states = [line.split() for line in script.stdout.splitlines()]
    killed = [state[0] for state in states]
    assert len(states) > 10 and set(killed) == {"tiny-bundle", "new"}
    assert killed == sorted(killed, key=["tiny-bundle", "new"].index)
    assert {state[1] for state in states} == {"new"}
    assert all(len(state) == 6 and "current" in state for state in states)


def test_the_commands_as_they_are_typed(copy: Path, tmp_path: Path) -> None:
    def ewaste(*arguments: object) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "edge.cli", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)

    made = ewaste("keygen", "--out", tmp_path / "line.key")
    assert made.returncode == 0, made.stderr
    config = tmp_path / "line.toml"
    config.write_text(f'state = "{tmp_path}"\n' + made.stdout.split("\n", 1)[1])
    refused = ewaste("verify", copy, "--config", config, "--json")
    assert refused.returncode == 3 and "'signature'" in refused.stderr
    answer = json.loads(refused.stdout)
    assert answer["ok"] is False and answer["checks"]["digests"]["passed"] is True
    assert answer["checks"]["signature"]["passed"] is False
    sign_bundle(copy, tmp_path / "line.key")
    for command in (("install", copy), ("install", copy), ("rollback",), ("verify",)):
        done = ewaste(*command, "--config", config)
        assert done.returncode == 0, done.stderr
    assert f"{tmp_path / 'bundles' / 'current'}: proved, digest" in done.stdout
    digest = sha256((copy / "manifest.json").read_bytes())
    assert digest[:16] in done.stdout


def dated(bundle: Path, folder: Path, created: str) -> Path:
    other = Path(shutil.copytree(bundle, folder))
    reseal(other, name=folder.name, created=created)
    return other


def test_an_older_bundle_is_refused_unless_forced(copy: Path, key: Path, tmp_path: Path) -> None:
    """An old one is whole and signed, and may have the fault that the new one mended."""
    store = tmp_path / "bundles"
    new = dated(copy, tmp_path / "new", "2026-06-01T12:00:00Z")
    old = dated(copy, tmp_path / "old", "2026-06-01T11:59:59Z")
    # The same moment, written in another zone, is not older.
    again = dated(copy, tmp_path / "again", "2026-06-01T14:00:00+02:00")
    keys = [sign_bundle(each, key) for each in (new, old, again)][:1]
    install(old, store, keys, threads=1)
    install(new, store, keys, threads=1)
    with pytest.raises(Refused, match=r"old: converted 2026-06-01 11:59:59.*--older") as refused:
        install(old, store, keys, threads=1)
    assert "\n" not in str(refused.value)
    assert names(store) == {"1": "old", "2": "new"} and current_number(store) == 2
    install(again, store, keys, threads=1)
    assert install(old, store, keys, threads=1, allowed=Allowed(older=True)).manifest.name == "old"
    assert roll_back(store, keys, threads=1).manifest.name == "again"
    # What is in use and cannot be read is no reason to keep it.
    (store / CURRENT / "manifest.json").write_text("{")
    assert install(old, store, keys, threads=1).manifest.name == "old"


def test_with_nothing_installed_there_is_nothing_to_go_back_to(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "edge.cli", "rollback", "--state", tmp_path / "never"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "nothing is installed" in done.stderr and not (tmp_path / "never").exists()
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    for store in (tmp_path / "empty", tmp_path / "file"):
        with pytest.raises(BadInput, match="nothing is installed"):
            roll_back(store)


def test_a_link_that_leads_nowhere_is_no_reason_to_run_another_model(
    copy: Path, tmp_path: Path
) -> None:
    config = Config.model_validate({"state": tmp_path})
    install(copy, config.bundles, threads=1)
    shutil.rmtree(config.bundles / "1")
    assert config.bundle == config.bundles / CURRENT
    with pytest.raises(BadInput, match=r"bundles/current: points to 1, which is not there") as bad:
        verify(config.bundle)
    assert "\n" not in str(bad.value)
    with pytest.raises(BadInput, match="no earlier bundle"):
        roll_back(config.bundles)
    assert install(copy, config.bundles, threads=1).path == config.bundles / "2"
    assert verify(config.bundle, threads=1).ok


def test_two_installs_at_once_are_one_after_the_other_or_refused(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge.bundle import install as installing

    store, second = tmp_path / "bundles", other_bundle(copy, tmp_path / "second")
    placing = installing.place

    def interrupted(*arguments: Any, **options: Any) -> None:
        monkeypatch.setattr(installing, "place", placing)
        for at_once in (
            lambda: install(second, store, threads=1),
            lambda: roll_back(store) if current_number(store) else install(second, store),
        ):
            with pytest.raises(EwasteError, match="another install is at work"):
                at_once()
        placing(*arguments, **options)

    monkeypatch.setattr(installing, "place", interrupted)
    install(copy, store, threads=1)
    assert names(store) == {"1": "tiny-bundle"}
    install(second, store, threads=1)
    assert names(store) == {"1": "tiny-bundle", "2": "second"}


def test_what_lies_in_wait_under_a_temporary_name_is_never_written_through(
    copy: Path, tmp_path: Path
) -> None:
    store, precious = tmp_path / "bundles", tmp_path / "precious"
    store.mkdir()
    precious.mkdir()
    (precious / "photo.jpg").write_bytes(b"mine")
    for name in (".current.new", ".1.new", f".1.{'0' * 16}.new", f".current.{'0' * 16}.new"):
        (store / name).symlink_to(precious)
    install(copy, store, threads=1)
    assert [entry.name for entry in precious.iterdir()] == ["photo.jpg"]
    assert (store / CURRENT).resolve() == store / "1"


def test_a_device_asks_for_its_hazards_and_a_gate(copy: Path) -> None:
    def asked(**trust: object) -> Verification:
        config = Config.model_validate({"trust": trust})
        return verify(copy, threads=1, demands=config.trust.demands)

    assert asked(require_hazards=["Battery"], minimum_agreement=0.9).ok
    found = asked(require_hazards=["Battery", "PCB", "Lamp"])
    assert [check.name for check in found.checks] == [*ALL[:4], "demands"] and not found.ok
    assert "PCB, Lamp must be a hazard here" in found.checks[-1].message
    # A bundle that reached all, but was asked for little, is no proof either.
    parity = json.loads((copy / "manifest.json").read_text())["parity"]
    lax = parity | {"gate": parity["gate"] | {"agreement": 0.5}}
    reseal(copy, parity=lax)
    found = asked(minimum_agreement=0.99)
    assert not found.ok and "50.00%" in found.checks[-1].message
    with pytest.raises(Refused, match="'demands'"):
        found.require()
    for wrong in ({"minimum_agreement": 1.5}, {"minimum_agreement": float("nan")}):
        with pytest.raises(ValueError, match="minimum_agreement"):
            asked(**wrong)


def test_a_line_is_warned_of_labels_that_are_nearly_its_own(copy: Path) -> None:
    labels = ["battery", "Keyboard", "PCBs", "Washing Machine"]
    bundle = load_bundle(copy)
    parameters = {"labels": labels, "hazards": (), "thresholds": {}, "hazard_thresholds": {}}
    manifest = bundle.manifest.model_copy(update={**parameters, "bins": {}})
    strange = replace(bundle, manifest=manifest, labels=tuple(labels))
    notes = name_notes(Config(), strange)
    assert any("battery: by the name a hazard" in note for note in notes)
    assert any("hazardous takes Battery, but the class is called battery" in n for n in notes)
    assert any("boards takes PCB, but the class is called PCBs" in note for note in notes)
    assert all("\n" not in note and note.startswith("warning: ") for note in notes)
    assert name_notes(Config(), bundle) == []


def test_classify_accepts_what_trust_accepts(copy: Path, key: Path, tmp_path: Path) -> None:
    config, photo = tmp_path / "line.toml", tmp_path / "photo.png"
    cv2.imwrite(str(photo), np.full((60, 60, 3), 90, np.uint8))
    config.write_text(f'[trust]\nkeys = ["{public_key(read_key(key))}"]\n')
    command = [sys.executable, "-m", "edge.cli", "classify", photo, "--bundle", copy]
    refused, done = (
        subprocess.run([*command, *more], capture_output=True, text=True, cwd=ROOT, check=False)
        for more in (("--config", config), ())
    )
    assert refused.returncode == 3 and "'signature'" in refused.stderr and not refused.stdout
    assert done.returncode == 0, done.stderr

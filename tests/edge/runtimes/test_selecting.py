"""Choosing a runtime on a board: by golden outputs first, then by time, and keeping the choice."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bundle.bundle import load_bundle
from edge.config import Config, chosen_runtime, proved_bundle
from edge.errors import Refused
from edge.inference.backend import LITERT, OPENVINO, TFLITE, Backend, Delegate
from edge.inference.tflite import load_runtime
from edge.runtimes import choice as choices
from edge.runtimes.choice import Why, choose, in_words
from edge.runtimes.kept import CHOICE_NAME, BrokenChoice, read_choice, write_choice
from edge.runtimes.machine import this_machine
from edge.runtimes.selecting import keep, select
from edge.runtimes.trial import Candidate, RuntimeTrial, candidates, quickest, time_in_turn

HAS_LITERT = load_runtime().__name__.startswith(LITERT)
OTHER = f"""
import os
from {LITERT}.interpreter import *
from {LITERT}.interpreter import Interpreter as Right

class Interpreter(Right):
    def get_tensor(self, *place):
        DEVIATION
"""
"""Another runtime, made of LiteRT."""


def other_runtime(monkeypatch: pytest.MonkeyPatch, folder: Path, deviation: str) -> None:
    """Install a `tflite_runtime`, here and for child processes, that deviates in its answers."""
    if not HAS_LITERT:
        pytest.skip("the other runtime is made of LiteRT, which is not installed")
    package = folder / "site" / TFLITE
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "interpreter.py").write_text(OTHER.replace("DEVIATION", deviation))
    for name in [each for each in sys.modules if each.partition(".")[0] == TFLITE]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(package.parent))
    path = os.pathsep.join(filter(None, (str(package.parent), os.environ.get("PYTHONPATH"))))
    monkeypatch.setenv("PYTHONPATH", path)


@pytest.fixture(autouse=True)
def no_leftover(monkeypatch: pytest.MonkeyPatch):
    yield
    for name in [each for each in sys.modules if each.partition(".")[0] == TFLITE]:
        sys.modules.pop(name)


def selected(tiny_bundle: Path, clock=None):
    ticks = iter(range(10**9))
    bundle = load_bundle(tiny_bundle)
    given_clock = clock or (lambda: next(ticks) / 1000)
    return bundle, select(bundle, threads=None, delegate=None, clock=given_clock)


@pytest.mark.parametrize(
    ("deviation", "reason"),
    [
        ("return super().get_tensor(*place) ^ 64", "its outputs are up to"),
        ("os.abort()", "brought down the runtime"),
    ],
)
def test_a_runtime_that_answers_otherwise_is_refused_by_name(
    monkeypatch, tiny_bundle, tmp_path, deviation, reason
):
    other_runtime(monkeypatch, tmp_path, deviation)
    bundle, found = selected(tiny_bundle)
    refused = {trial.candidate.backend.runtime for trial in found.trials if trial.refused}
    assert TFLITE in refused and LITERT not in refused
    (line, *_) = [
        trial.refused for trial in found.trials if trial.candidate.backend.runtime == TFLITE
    ]
    assert reason in line and "\n" not in line
    kept = keep(found, bundle, tmp_path / CHOICE_NAME, now=1.8e9)
    assert kept.runtime == LITERT and 1 <= kept.threads <= this_machine().cores
    assert any(each.runtime == TFLITE and each.refused for each in kept.trials)


def test_what_was_chosen_holds_for_this_bundle_machine_and_versions_alone(
    monkeypatch, tiny_bundle, tmp_path
):
    bundle, found = selected(tiny_bundle)
    path = tmp_path / "state" / CHOICE_NAME
    kept = keep(found, bundle, path, now=1.8e9)
    assert read_choice(path) == kept

    def why(digest: str = bundle.digest, threads: int | None = None) -> Why:
        found = choose(path, digest, threads, None)
        assert (found.backend == Backend(kept.runtime)) == (found.why is Why.MEASURED)
        return found.why

    assert why() is Why.MEASURED
    assert "ms an inference" in in_words(choose(path, bundle.digest, None, None), LITERT)
    assert why(digest="0" * 64) is Why.OTHER_BUNDLE
    assert why(threads=kept.threads) is Why.MEASURED
    assert why(threads=kept.threads + 1) is Why.OTHER_THREADS
    explicit = choose(path, bundle.digest, kept.threads + 1, None)
    assert explicit.threads == kept.threads + 1, "what the configuration says wins"
    more = kept.machine.model_copy(update={"cores": kept.machine.cores + 1})
    write_choice(path, kept.model_copy(update={"machine": more}))
    assert why() is Why.OTHER_MACHINE
    newer = dict.fromkeys(kept.versions, "9.9.9")
    write_choice(path, kept.model_copy(update={"versions": newer}))
    assert why() is Why.OTHER_VERSIONS
    path.unlink()
    assert why() is Why.NOT_MEASURED


def broken_files(kept: dict) -> dict[str, bytes]:
    """Content of a file of the choice that must not be used."""

    def changed(**changes: object) -> bytes:
        return json.dumps(kept | changes).encode()

    return {
        "empty": b"",
        "torn": json.dumps(kept).encode()[:-20],
        "no object": b"[]",
        "not UTF-8": b"\xff\xfe{}",
        "huge": b" " * 2**20,
        "deep": b"[" * 50_000,
        "another runtime": changed(runtime="os; rm -rf"),
        "many threads": changed(threads=10**9),
        "no number": json.dumps(kept | {"measured_at": float("nan")}).encode(),
        "one more key": changed(command="reboot"),
        "what was not tried": changed(threads=64),
        "what was refused": changed(
            trials=[each | {"refused": "wrong"} for each in kept["trials"]]
        ),
    }


def test_a_broken_choice_is_one_logged_line_and_the_default(tiny_bundle, tmp_path, logged):
    bundle, found = selected(tiny_bundle)
    path = tmp_path / CHOICE_NAME
    keep(found, bundle, path, now=1.8e9)
    files = broken_files(json.loads(path.read_text()))
    for name, content in files.items():
        path.write_bytes(content)
        with pytest.raises(BrokenChoice, match=CHOICE_NAME):
            read_choice(path)
        assert choose(path, bundle.digest, None, None).why is Why.BROKEN, name
    path.unlink()
    os.mkfifo(path)  # reading it would never end
    config = Config.model_validate({"classifier": {"bundle": tiny_bundle}, "state": tmp_path})
    logged.clear()
    proved, classifier = proved_bundle(config)
    assert proved.digest == bundle.digest and classifier.runtime in (LITERT, TFLITE)
    (line,) = [each for each in logged if CHOICE_NAME in each]
    assert "select-runtime" in line and "\n" not in line


@given(content=st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_no_content_of_the_file_is_more_than_broken(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("state") / CHOICE_NAME
    path.write_bytes(content)
    assert choose(path, "0" * 64, None, None).why is Why.BROKEN


def test_a_chosen_runtime_that_turned_wrong_is_given_up_for_the_default(
    monkeypatch, tiny_bundle, tmp_path, logged
):
    other_runtime(monkeypatch, tmp_path, "return super().get_tensor(*place)")
    bundle, found = selected(tiny_bundle)
    right = [each for each in found.trials if each.candidate.backend.runtime == TFLITE]
    keep(replace(found, chosen=right[0]), bundle, tmp_path / CHOICE_NAME, now=1.8e9)
    config = Config.model_validate({"classifier": {"bundle": tiny_bundle}, "state": tmp_path})
    assert proved_bundle(config)[1].runtime == TFLITE, "the line takes what was chosen"
    module = tmp_path / "site" / TFLITE / "interpreter.py"
    module.write_text(OTHER.replace("DEVIATION", "return super().get_tensor(*place) ^ 64"))
    sys.modules.pop(f"{TFLITE}.interpreter")
    (module.parent / "__pycache__" / "x").parent.mkdir(exist_ok=True)
    for compiled in (module.parent / "__pycache__").iterdir():
        compiled.unlink()
    logged.clear()
    assert proved_bundle(config)[1].runtime == LITERT
    assert len([line for line in logged if TFLITE in line and "golden outputs" in line]) == 1


def test_rounds_take_turns_and_each_begins_with_another():
    now, order = [0.0], []

    def opener(name: str, takes_s: float):
        def infer() -> None:
            now[0] += takes_s

        def opened():
            order.append(name)
            return infer

        return opened

    quick, slow = time_in_turn([opener("a", 0.01), opener("b", 0.7)], lambda: now[0])
    assert order == ["a", "b", "b", "a"] * 2 + ["a", "b"]
    assert len(quick) == 50 and quick == pytest.approx([10.0] * 50)
    assert len(slow) == 10, "a slow one is measured for a second a round"


def test_the_quickest_is_chosen_and_of_equals_the_one_of_fewest_threads():
    def trial(
        threads: int, median_ms: float | None, delegate: Delegate | None = None
    ) -> RuntimeTrial:
        candidate = Candidate(Backend(LITERT, delegate), threads)
        return RuntimeTrial(candidate, "" if median_ms else "refused", median_ms=median_ms)

    board = Delegate(Path("/lib/board.so"))
    one, two, three = trial(1, 22.0), trial(2, 12.1), trial(3, 12.0)
    other, refused = trial(1, 30.0, board), trial(4, None)
    assert quickest([one, two, three, other, refused], None) is two
    assert quickest([one, trial(3, 9.0)], None).candidate.threads == 3
    assert quickest([one, two, other], board) is other, "a delegate that is configured is used"
    assert quickest([refused], None) is None
    tried = candidates([LITERT, OPENVINO], 8, None, board)
    assert {each.threads for each in tried} == {1, 2, 3, 4}
    assert {each.backend for each in tried} == {
        *(Backend(LITERT), Backend(OPENVINO), Backend(LITERT, board))
    }
    assert [each.threads for each in candidates([LITERT], 1, 6, None)] == [6]


def test_the_command_measures_keeps_and_tells(tiny_bundle, tmp_path):
    state, config = tmp_path / "state", tmp_path / "line.toml"
    config.write_text(f'state = "{state}"\n[classifier]\nbundle = "{tiny_bundle}"\n')

    def ewaste(*arguments: object) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "edge.cli", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=240)

    done = ewaste("select-runtime", "--config", config, "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    (chosen,) = [each for each in answer["trials"] if each["chosen"]]
    assert chosen["p95_ms"] >= chosen["median_ms"] > 0 and chosen["steps_off"] <= 8
    checks = json.loads(ewaste("verify", "--config", config, "--json").stdout)["checks"]
    threads = chosen["threads"]
    assert checks["model"]["message"] == f"{chosen['runtime']}, 48 px, {threads} threads"
    found = chosen_runtime(Config(), tiny_bundle)
    assert found.why is not Why.MEASURED, "another state folder knows nothing of it"


def test_a_choice_of_nothing_leaves_the_one_before(monkeypatch, tiny_bundle, tmp_path):
    bundle, found = selected(tiny_bundle)
    path = tmp_path / CHOICE_NAME
    keep(found, bundle, path, now=1.8e9)
    before = path.read_bytes()
    refused = RuntimeTrial(found.trials[0].candidate, "too far off")
    with pytest.raises(Refused, match="too far off"):
        keep(replace(found, trials=(refused,), chosen=None), bundle, path, now=1.9e9)
    assert path.read_bytes() == before
    monkeypatch.setattr(choices, "versions_here", lambda delegate: {})
    assert choose(path, bundle.digest, None, None).why is Why.OTHER_VERSIONS

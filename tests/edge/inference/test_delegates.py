"""External delegates: one that is right computes, any other is refused by its name in one line."""

from pathlib import Path

import pytest

from edge.bundle.install import CURRENT, install
from edge.bundle.verify import verify
from edge.config import Config, proved_bundle
from edge.errors import BadInput, Refused
from edge.inference.backend import Backend, Delegate
from tests.support.delegates import compiled


def with_delegate(path: Path, *options: tuple[str, str]) -> Backend:
    return Backend(None, Delegate(path, options))


def test_a_delegate_that_is_right_computes(tiny_bundle: Path, tmp_path: Path) -> None:
    found = verify(tiny_bundle, threads=1, backend=with_delegate(compiled(tmp_path, "HONEST")))
    checks = {check.name: check.message for check in found.checks}
    assert found.ok and "with honest.so" in checks["model"], found.checks
    assert "steps off" in checks["golden outputs"]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("WRONG", "steps off"),
        ("IDLE", "takes none of the"),
        ("ABORTS", "brought down the runtime that tried it (signal 6)"),
        ("BARREN", "cannot be loaded"),
        ("NAMELESS", "cannot be loaded"),
        ("missing", "no such delegate"),
        ("text", "cannot be loaded"),
    ],
)
def test_any_other_is_refused_by_its_name(
    tiny_bundle: Path, tmp_path: Path, kind: str, reason: str
) -> None:
    path = tmp_path / f"{kind}.so"
    if kind == "text":
        path.write_text("no library")
    elif kind != "missing":
        path = compiled(tmp_path, kind)
    config = Config.model_validate(
        {
            "classifier": {"bundle": tiny_bundle, "delegate": path, "threads": 1},
            "state": tmp_path / "state",
        }
    )
    with pytest.raises(Refused) as refused:
        proved_bundle(config)
    line = str(refused.value)
    assert str(path) in line and reason in line and "\n" not in line
    assert "[classifier] delegate" in line


def test_its_options_reach_it(tiny_bundle: Path, tmp_path: Path) -> None:
    by = with_delegate(compiled(tmp_path, "BARREN"), ("device", "no device of this name"))
    found = verify(tiny_bundle, threads=1, backend=by)
    assert "no device of this name" in found.checks[-1].message
    with pytest.raises(ValueError, match="delegate_options needs a delegate"):
        Config.model_validate({"classifier": {"delegate_options": {"device": "0"}}})


def test_nothing_is_installed_that_it_computes_wrong(tiny_bundle: Path, tmp_path: Path) -> None:
    store, by = tmp_path / "bundles", with_delegate(compiled(tmp_path, "WRONG"))
    with pytest.raises((Refused, BadInput), match=r"wrong\.so"):
        install(tiny_bundle, store, threads=1, backend=by)
    assert not (store / CURRENT).exists()

"""All checks of a board, within 20 seconds."""

import platform
import struct
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import edge
from edge.board import board_health, read_release
from edge.bundle.bundle import read_bundle
from edge.cameras.device import Kind, kind_of
from edge.config import Config, chosen_runtime, readable_secrets
from edge.doctor import card, gates, model, rights, service, thermal, wall_clock
from edge.doctor.bounded import Task, run_bounded
from edge.doctor.camera import HANGING_CAMERA, camera
from edge.doctor.check import BoardCheck, CheckState, warning
from edge.doctor.disk import disk
from edge.doctor.runtime import INSTALL, chosen, installed_versions, runtime
from edge.doctor.system import architecture, operating_system, python
from edge.doctor.updates import update_source
from edge.errors import EwasteError
from edge.folder_lock import is_locked
from edge.inference.tflite import load_runtime
from edge.readers import line_user
from edge.records.store import RECORDS_NAME
from edge.status import read_status

QUICK_S, DRIVER_S, BUNDLE_S, MODEL_S = 4.0, 8.0, 9.0, 7.0
"""Time limits, s. All but the last run at the same time: together 16, and 20 with the start."""
SLOW_PROOF = "type: ewaste-edge verify, which has more time"
HANGS = "look at what the kernel says: dmesg | tail; if a disk hangs, start the machine anew"


def examine(config: Config, path: Path | None, *, user: int) -> list[BoardCheck]:
    """Make all checks of this board, in the order that they are shown in.

    Args:
        config: of the line.
        path: the file that it was read from; None: there is none.
        user: the effective user id that they are made as.

    Raises:
        EwasteError: no process can be started.
    """
    found = run_bounded(tasks(config, path, user=user))
    failed = {check.name for check in found if check.state is CheckState.FAILURE}
    place = [check.name for check in found].index("camera")
    return [*found[:place], *_pace(config, failed), *found[place:]]


def _pace(config: Config, failed: set[str]) -> list[BoardCheck]:
    """What is measured once nothing else runs, and only of a model that was not refused."""
    if failed & {"runtime", "bundle"}:
        first = "runtime" if "runtime" in failed else "bundle"
        reason = "not measured: the model cannot be run"
        return [warning(name, reason, f"mend the {first} first") for name in ("xnnpack", "speed")]
    fix = "take a model of a smaller image size, or end what else runs on this board"
    return run_bounded([Task("speed", MODEL_S, lambda: _measured(config), fix)])


def _measured(config: Config) -> list[BoardCheck]:
    return model.pace(config, beside_line=is_locked(config.state_folder))


def tasks(config: Config, path: Path | None, *, user: int) -> Sequence[Task]:
    """The checks that may be made at the same time."""
    state, roots = config.state_folder, card.Roots()
    return [
        Task("system", QUICK_S, system, HANGS),
        Task("runtime", DRIVER_S, lambda: _runtimes(config), INSTALL),
        Task(
            "bundle",
            BUNDLE_S,
            lambda: model.proof(config),
            SLOW_PROOF,
            late=CheckState.WARNING,
        ),
        Task("camera", DRIVER_S, lambda: [_camera(config)], HANGING_CAMERA),
        Task("gpio", QUICK_S, lambda: _gates(config), gates.FIX),
        Task("disk", QUICK_S, lambda: [disk(state, state / RECORDS_NAME, config.records)], HANGS),
        Task("storage", QUICK_S, lambda: card.storage(state, roots), HANGS),
        Task("journal", QUICK_S, lambda: [card.journal(roots), card.swap(roots)], HANGS),
        Task("clock", QUICK_S, lambda: [_clock(config)], wall_clock.FIX),
        Task("temperature", QUICK_S, lambda: _thermal(config), HANGS),
        Task("state folder", QUICK_S, lambda: _rights(config, user), HANGS),
        Task("secrets", QUICK_S, lambda: [_secrets(config, path)], HANGS),
        Task("update source", QUICK_S, lambda: [_updates(config)], HANGS),
        Task("service", QUICK_S, service.services, HANGS),
    ]


def system() -> list[BoardCheck]:
    """The operating system, the architecture, and the Python of this process."""
    return [
        operating_system(
            platform=sys.platform,
            kernel=platform.release(),
            release=read_release(),
            libc=platform.libc_ver(),
        ),
        architecture(machine=platform.machine(), bits=8 * struct.calcsize("P")),
        python(sys.version_info[:3]),
    ]


def built_at(config: Config) -> float:
    """When the program came onto this disk, or its model was made, whichever is later; unix s."""
    moments = [Path(edge.__file__).stat().st_mtime]
    with suppress(EwasteError):  # the check of the bundle says so
        moments.append(read_bundle(config.bundle).manifest.created.timestamp())
    return max(moments)


def _clock(config: Config) -> BoardCheck:
    return wall_clock.clock(time.time(), built_at(config), wall_clock.is_synchronized())


def _runtimes(config: Config) -> list[BoardCheck]:
    found = runtime(installed_versions(), load_runtime)
    if found.state is CheckState.FAILURE:
        return [found]
    default = load_runtime().__name__.partition(".")[0]
    return [found, chosen(chosen_runtime(config, config.bundle), default)]


def _camera(config: Config) -> BoardCheck:
    return camera(config.camera, in_use=is_locked(config.state_folder))


def _updates(config: Config) -> BoardCheck:
    return update_source(config, read_status(config.state_folder), time.time())


def _gates(config: Config) -> list[BoardCheck]:
    pins, busy = gates.configured_pins(config), is_locked(config.state_folder)
    return [gates.gates(config), gates.gpio(pins, gates.real_factory, in_use=busy)]


def _thermal(config: Config) -> list[BoardCheck]:
    health = board_health()
    limit_c = config.alarms.temperature_c
    return [thermal.temperature(health, limit_c), thermal.power(health)]


def _secrets(config: Config, path: Path | None) -> BoardCheck:
    return rights.secrets(readable_secrets(config, path), user=line_user(config.state_folder))


def _rights(config: Config, user: int) -> list[BoardCheck]:
    needed = {"gpio"} if gates.configured_pins(config) else set()
    if kind_of(config.camera.source) in (Kind.PICAMERA, Kind.V4L2):
        needed.add("video")
    held, known = rights.own_groups(), rights.known_groups()
    folder = rights.state_folder(config.state_folder, user=user)
    return [folder, rights.groups(needed, held, known, user=user)]

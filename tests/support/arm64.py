"""A bare arm64 Debian in a folder, run by qemu: what an installer finds on a board."""

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.board import read_release
from tests.support.booted import mirror

CACHE = "EWASTE_ARM64"
"""The variable that names a folder where root file systems and the kit stay for the next run."""
PACKAGES = "ca-certificates,python3,systemd,systemd-sysv,dbus"
BINFMT = Path("/proc/sys/fs/binfmt_misc")
HANDLER = "ewaste-aarch64"
MAGIC = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
OLDEST_EMULATOR = 8
"""qemu 7.2, which bookworm has, crashes in the TFLite runtime; trixie has 10.0."""
PATHS = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Under emulation the bytecode of 3,500 files takes minutes. Pip makes none: 0 switches its option
# `compile` off. Each program makes that of the modules which it imports.
VARIABLES = (PATHS, "HOME=/root", "PIP_NO_COMPILE=0")
PROCESSORS = {"bookworm": "cortex-a72", "trixie": "cortex-a76"}
"""Those of a Raspberry Pi 4 and 5: the TFLite runtime chooses its programs by them. The
emulator's own, which can do everything, takes four times as long, for programs that no Pi runs."""
UNHURRIED = """
import resource, signal
_limit = resource.setrlimit
resource.setrlimit = lambda what, most: None if what == resource.RLIMIT_CPU else _limit(what, most)
signal.setitimer = lambda *_: (0.0, 0.0)
"""
"""For sitecustomize. The emulator ignores limits of memory; this lifts those of time, which a
device measures by its own start: under emulation, the model is slower than that by far."""
MOUNTS = """
set -e
root=$1; kit=$2; shift 2
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount --rbind /dev "$root/dev"
mkdir -p "$root/mnt/kit"
mount --bind "$kit" "$root/mnt/kit"
exec chroot "$root" env -i "$@"
"""


def why_not() -> str:
    """Why no arm64 can be run here; empty when it can."""
    if os.getuid():
        return "only root can make a root file system"
    if platform.machine() != "x86_64":
        return "made for x86-64, which the results are compared with"
    missing = [name for name in ("debootstrap", "dpkg-deb", "unshare") if not shutil.which(name)]
    if missing:
        return f"missing: {', '.join(missing)} (apt install debootstrap)"
    if not mirror():
        return "no Debian mirror in the sources of apt"
    if not (BINFMT / "register").exists() and _fails("mount", "-t", "binfmt_misc", "none", BINFMT):
        return "the kernel knows no binfmt_misc"
    return ""


@contextmanager
def emulation(folder: Path) -> Iterator[None]:
    """Within: the kernel runs aarch64 programs, in any root file system."""
    qemu = folder / "qemu/usr/bin/qemu-aarch64"
    if not qemu.exists():
        _fetch_emulator(folder)
    version = subprocess.run([qemu, "--version"], capture_output=True, text=True, check=True)
    assert int(version.stdout.split("version ")[1].split(".")[0]) >= OLDEST_EMULATOR
    if (BINFMT / HANDLER).exists():
        (BINFMT / HANDLER).write_text("-1")
    # F: the kernel opens the program now, so that it works within a root file system too.
    (BINFMT / "register").write_text(f":{HANDLER}:M::{MAGIC}:{MASK}:{qemu}:PF")
    try:
        yield
    finally:
        (BINFMT / HANDLER).write_text("-1")


def make_root(release: str, kept: Path, folder: Path) -> None:
    """Copy a bare root file system of a release into `folder`; the first time it takes minutes."""
    bare = kept / f"{release}-bare"
    if not bare.exists():
        made = kept / f"{release}-half"
        shutil.rmtree(made, ignore_errors=True)
        options = ("--arch=arm64", "--variant=minbase", f"--include={PACKAGES}")
        subprocess.run(
            ["debootstrap", *options, release, str(made), mirror()],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        subprocess.run(["umount", "-q", str(made / "proc")], check=False)
        made.rename(bare)
    subprocess.run(["cp", "-a", "--reflink=auto", str(bare), str(folder)], check=True)
    for path in folder.glob("etc/python3.*/sitecustomize.py"):
        path.write_text(path.read_text() + UNHURRIED)


def inside(root: Path, kit: Path, *command: str) -> list[str]:
    """The command line that runs a command in a root file system, without a network."""
    cut_off = ("unshare", "--net", "--mount", "--propagation", "private")
    variables = (*VARIABLES, f"QEMU_CPU={PROCESSORS[release_of(root)]}")
    return [*cut_off, "sh", "-c", MOUNTS, "sh", str(root), str(kit), *variables, *command]


def release_of(root: Path) -> str:
    """The code name of the Debian in a root file system."""
    return read_release(root / "etc/os-release")["VERSION_CODENAME"]


def _fetch_emulator(folder: Path) -> None:
    """Fetch trixie's emulator with an apt of its own, from this machine's mirror."""
    apt = folder / "apt"
    for name in ("lists/partial", "cache/archives/partial"):
        (apt / name).mkdir(parents=True, exist_ok=True)
    (apt / "sources.list").write_text(f"deb {mirror()} trixie main\n")
    options = {
        "Dir::Etc::SourceList": apt / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": apt / "lists",
        "Dir::Cache": apt / "cache",
        "APT::Sandbox::User": "root",
    }
    named = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    for words in (("update",), ("download", "qemu-user")):
        command = ["apt-get", "-q", *named, *words]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    for package in folder.glob("qemu-user_*.deb"):
        subprocess.run(["dpkg-deb", "-x", str(package), str(folder / "qemu")], check=True)


def _fails(*command: object) -> bool:
    done = subprocess.run([str(word) for word in command], capture_output=True, check=False)
    return done.returncode != 0

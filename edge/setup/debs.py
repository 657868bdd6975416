"""Debian packages for a kit, fetched with this machine's own apt for another machine.

Apt works in a folder of its own, with this machine's sources of packages, and the code name of the
release put in the place of this machine's. The system's own lists stay as they are.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from edge.board import read_release
from edge.errors import EwasteError
from edge.files import read_text
from edge.setup.commands import Runner
from edge.setup.packages import NEEDED, ON_A_PI
from edge.setup.report import Step, done, note

SOURCES = Path("/etc/apt")
LARGEST_SOURCE = 100_000
THERE = (*NEEDED, "systemd", "ca-certificates")
"""With what they need: what any device has, or the kit replaces."""
APT_S = 900.0
_URI = re.compile(r"'([^']+)' (\S+\.deb) \d+", re.MULTILINE)


def fetch_debs(folder: Path, *, release: str, architecture: str, run: Runner) -> Iterator[Step]:
    """Fetch the packages that are useful on a Raspberry Pi, with what they need.

    Args:
        folder: to put them into.
        release: Debian's code name of the device.
        architecture: of the device, as dpkg names it.
        run: runs apt.
    """
    name = f"{release}, {architecture}"
    if shutil.which("apt-get") is None:
        yield _missing(name, ON_A_PI, "this machine has no apt")
        return
    with tempfile.TemporaryDirectory(prefix="ewaste-apt-") as made:
        try:
            found, lacking = _fetch(Path(made), folder, release, architecture, run)
        except (EwasteError, OSError) as error:
            yield _missing(name, ON_A_PI, str(error))
            return
    if found:
        yield done("debs", f"{name}: {len(found)} packages")
    if lacking:
        yield _missing(name, lacking, "not in this machine's sources of packages")


def sources_for(release: str, own: str, folder: Path = SOURCES) -> str:
    """The package sources of this machine, for another release, in the format of deb822(5).

    Args:
        release: code name of the device's release.
        own: that of this machine.
        folder: where apt keeps its sources.
    """
    entries = []
    for path in (folder / "sources.list", *sorted(folder.glob("sources.list.d/*"))):
        if path.is_file() and path.suffix in (".list", ".sources"):
            text = read_text(path, LARGEST_SOURCE)
            entries += _one_line(text) if path.suffix == ".list" else _stanzas(text)
    kept = []
    for fields in entries:
        suites = [each for each in fields.get("suites", "").split() if _is_of(each, own)]
        if suites and "deb" in fields.get("types", "deb").split():
            named = " ".join(release + each.removeprefix(own) for each in suites)
            fields |= {"types": "deb", "suites": named}
            fields.pop("architectures", None)
            kept.append("".join(f"{key.title()}: {value}\n" for key, value in fields.items()))
    return "\n".join(kept)


def _missing(name: str, packages: Sequence[str], reason: str) -> Step:
    """What the device must have, since the kit does not."""
    lite = f"on its Lite type, with a network: sudo apt install {' '.join(packages)}"
    must = f"the device must have them: Raspberry Pi OS does; {lite}"
    return note("debs", f"{name}: {', '.join(packages)}: {reason}; {must}")


def _fetch(
    private: Path, folder: Path, release: str, architecture: str, run: Runner
) -> tuple[list[str], list[str]]:
    """The names of the packages that were fetched, and of those that are not to be had."""
    own = read_release().get("VERSION_CODENAME", "")
    sources = sources_for(release, own) if own else ""
    if not sources:
        raise EwasteError("this machine has no sources of Debian packages")
    apt = {"APT_CONFIG": str(_private_apt(private, sources, architecture))}
    run(("apt-get", "-q", "update"), seconds=APT_S, environment=apt)
    there = _closure(THERE, run, apt)
    found: dict[str, str] = {}
    lacking = []
    for name in ON_A_PI:
        try:
            found |= _closure((name,), run, apt)
        except EwasteError:
            lacking.append(name)
    names = sorted(set(found) - set(there))
    if names:
        # In a folder of its own: apt writes into the folder that it runs in.
        folder.mkdir(parents=True, exist_ok=True)
        program = 'cd "$1" && shift && exec apt-get -q download "$@"'
        run(("sh", "-c", program, "sh", folder, *names), seconds=APT_S, environment=apt)
    return names, lacking


def _closure(names: Sequence[str], run: Runner, apt: dict[str, str]) -> dict[str, str]:
    """Each package that an empty system would need for `names` -> its address."""
    options = ("-q", "-y", "--no-install-recommends", "--print-uris")
    listed = run(("apt-get", *options, "install", *names), seconds=APT_S, environment=apt)
    return {file.partition("_")[0]: uri for uri, file in _URI.findall(listed)}


def _private_apt(private: Path, sources: str, architecture: str) -> Path:
    """The configuration of an apt that keeps to a folder; returns its file."""
    for name in ("lists/partial", "cache/archives/partial", "parts", "preferences"):
        (private / name).mkdir(parents=True)
    (private / "status").touch()
    (private / "private.sources").write_text(sources, encoding="utf-8")
    settings = {
        "Dir::Etc::SourceList": private / "private.sources",
        "Dir::Etc::SourceParts": private / "parts",
        "Dir::Etc::PreferencesParts": private / "preferences",
        "Dir::State": private,
        "Dir::State::Lists": private / "lists",
        "Dir::State::Status": private / "status",
        "Dir::Cache": private / "cache",
        "APT::Architecture": architecture,
        "APT::Sandbox::User": "root" if os.geteuid() == 0 else "",
    }
    lines = [f'{key} "{value}";\n' for key, value in settings.items()]
    lines += ["#clear APT::Architectures;\n", f'APT::Architectures {{ "{architecture}"; }};\n']
    path = private / "apt.conf"
    path.write_text("".join(lines), encoding="utf-8")
    return path


def _is_of(suite: str, own: str) -> bool:
    return suite == own or suite.startswith(f"{own}-")


def _stanzas(text: str) -> list[dict[str, str]]:
    """The entries of a .sources file."""
    kept = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    entries = []
    for stanza in re.split(r"\n\s*\n", kept):
        joined = re.sub(r"\n[ \t]+", " ", stanza)
        pairs = (line.partition(":") for line in joined.splitlines())
        fields = {key.strip().lower(): value.strip() for key, mark, value in pairs if mark}
        if fields.get("enabled", "yes") != "no":
            entries.append(fields)
    return entries


def _one_line(text: str) -> list[dict[str, str]]:
    """The entries of a .list file."""
    entries = []
    for line in text.splitlines():
        found = re.fullmatch(r"deb\s+(?:\[([^]]*)\]\s+)?(\S+)\s+(\S+)((?:\s+[\w./-]+)*)\s*", line)
        if found:
            fields = {"types": "deb", "uris": found[2], "suites": found[3]}
            if found[4].strip():
                fields["components"] = found[4].strip()
            options = dict(part.split("=", 1) for part in (found[1] or "").split() if "=" in part)
            if "signed-by" in options:
                fields["signed-by"] = options["signed-by"]
            entries.append(fields)
    return entries

"""A device in a scratch folder, and the programs that an installer runs on it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from edge.errors import EwasteError
from edge.setup.places import USER, Places
from edge.setup.system import Host

PI = Host(
    title="Debian GNU/Linux 12 (bookworm)",
    release="bookworm",
    machine="aarch64",
    bits=64,
    architecture="arm64",
    python="3.11",
    is_pi=True,
    is_root=True,
)


class PowerCut(BaseException):
    """The installer is killed at this command."""


class Device:
    """Runs the commands of an installer by writing into the scratch folder what they would.

    Attributes:
        places: of the scratch folder.
        commands: what was run, each as one line.
        is_offline: apt reaches nothing.
        cut_at: number of the command at which the power is cut; half of it is done.
    """

    def __init__(self, root: Path) -> None:
        self.places = Places(root=root)
        self.commands: list[str] = []
        self.cut_at: int | None = None
        self.installed = {"python3-lgpio"}
        self.is_offline = False
        self.groups = {"video"}
        self.joined: set[str] = set()
        self.has_user = False
        self.owner = "root"
        self.enabled: set[str] = set()
        self.active: set[str] = set()
        (root / "run/systemd/system").mkdir(parents=True, exist_ok=True)

    def run(
        self,
        command: Sequence[object],
        *,
        seconds: float,
        environment: Mapping[str, str] | None = None,
        tied: bool = True,
    ) -> str:
        words = [str(word) for word in command]
        self.commands.append(" ".join(words))
        cut = self.cut_at is not None and len(self.commands) > self.cut_at
        if "pip" in " ".join(words[:3]) or "venv" in words:
            return self._python(words, cut)
        if cut:
            raise PowerCut
        return getattr(self, f"_{Path(words[0]).name.replace('-', '_')}", self._other)(words)

    def _python(self, words: list[str], cut: bool) -> str:
        target = Path(words[-1]) if "venv" in words else Path(words[0]).parents[1]
        (target / "bin").mkdir(exist_ok=True)
        (target / "bin/python").touch()
        if cut:
            raise PowerCut
        if "wheel" in words:
            (target / "ewaste_edge-0-py3-none-any.whl").write_bytes(b"wheel")
        elif words[-1].endswith(".whl"):
            models = target / "lib/python3.11/site-packages/edge/models/shipped"
            models.mkdir(parents=True)
            (models / "manifest.json").touch()
            (target / "bin/ewaste-edge").touch()
        return ""

    def _dpkg_query(self, words: list[str]) -> str:
        return self._yes(words[-1] in self.installed, "ii ")

    def _apt_cache(self, words: list[str]) -> str:
        return self._yes(words[-1] != "python3-picamera2", "Package: x")

    def _apt_get(self, words: list[str]) -> str:
        if self.is_offline:
            raise EwasteError("E: no network")
        if "install" in words:
            self.installed |= set(words[words.index("install") + 1 :])
        return ""

    def _getent(self, words: list[str]) -> str:
        there = self.has_user if words[1] == "passwd" else words[2] in self.groups
        return self._yes(there, "x")

    def _useradd(self, words: list[str]) -> str:
        self.has_user = True
        return ""

    def _usermod(self, words: list[str]) -> str:
        self.joined |= set(words[-2].split(","))
        return ""

    def _id(self, words: list[str]) -> str:
        return " ".join((USER, *self.joined))

    def _stat(self, words: list[str]) -> str:
        return self.owner

    def _chown(self, words: list[str]) -> str:
        if words[1] == "-R":
            self.owner = USER
        return ""

    def _ewaste_edge(self, words: list[str]) -> str:
        if words[1] == "check":
            return ""
        bundles = self.places.state / "bundles"
        bundles.mkdir(exist_ok=True)
        (bundles / "current").symlink_to("1")
        return ""

    def _systemctl(self, words: list[str]) -> str:
        kind, names = words[1], set(words[2:])
        if kind == "enable":
            self.enabled |= names
        elif kind == "restart":
            self.active |= names
        elif kind == "disable":
            self.enabled -= names
            self.active -= names
        elif kind.startswith("is-"):
            found = kind.removeprefix("is-")
            return self._yes(names <= getattr(self, found), found)
        return ""

    def _other(self, words: list[str]) -> str:
        return ""

    @staticmethod
    def _yes(there: bool, answer: str) -> str:
        if not there:
            raise EwasteError("no")
        return answer

"""A small network of its own: a hub and hosts around it, each in a network namespace."""

import os
import shutil
import subprocess
import uuid
from collections.abc import Sequence

HUB = "10.213.0.1"


def why_not() -> str:
    """Why no such network can be made here; empty: it can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "ip is not installed (apt install iproute2)"
    name = f"ewaste-{uuid.uuid4().hex[:6]}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True)
    if made.returncode != 0:
        return "this machine lets nobody make a network namespace"
    bridge = _ip("-n", name, "link", "add", "br0", "type", "bridge", check=False)
    _ip("netns", "del", name)
    return "" if bridge.returncode == 0 else "this kernel has no bridges"


class Network:
    """A bridge in a namespace `hub`, whose address is `HUB`, and a namespace for each host."""

    def __init__(self, hosts: Sequence[str]) -> None:
        self._prefix = f"ewaste-{uuid.uuid4().hex[:6]}"
        self._names = ("hub", *hosts)
        for name in self._names:
            _ip("netns", "add", self._namespace(name))
            self._in(name, "link", "set", "lo", "up")
        self._in("hub", "link", "add", "br0", "type", "bridge")
        self._in("hub", "addr", "add", f"{HUB}/24", "dev", "br0")
        self._in("hub", "link", "set", "br0", "up")
        for number, name in enumerate(hosts, 2):
            port = f"port{number}"
            peer = ("peer", "name", "eth0", "netns", self._namespace(name))
            self._in("hub", "link", "add", port, "type", "veth", *peer)
            self._in("hub", "link", "set", port, "master", "br0", "up")
            self._in(name, "addr", "add", f"10.213.0.{number}/24", "dev", "eth0")
            self._in(name, "link", "set", "eth0", "up")

    def within(self, name: str, command: Sequence[object]) -> list[str]:
        """The command that runs another one in the namespace of a host, or of the hub."""
        return ["ip", "netns", "exec", self._namespace(name), *map(str, command)]

    def close(self) -> None:
        """Remove all of it; what still runs in it keeps its part until it ends."""
        for name in self._names:
            _ip("netns", "del", self._namespace(name), check=False)

    def _namespace(self, name: str) -> str:
        return f"{self._prefix}-{name}"

    def _in(self, name: str, *words: str) -> None:
        _ip("-n", self._namespace(name), *words)


def _ip(*words: str, check: bool = True) -> subprocess.CompletedProcess:
    return subprocess.run(["ip", *words], check=check, capture_output=True, text=True)

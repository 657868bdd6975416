"""A board behind a real sshd on loopback, and a cable to it that can be cut."""

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from tests.support.servers import Program, accepts, free_port

ROOT = Path(__file__).parents[2]
SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
SEPARATION = Path("/run/sshd")
"""A folder that sshd asks for where root starts it."""


def make_ssh_key(path: Path) -> Path:
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path


class SshServer(Program):
    """An sshd that lets the user of the tests in with one key."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        if os.geteuid() == 0:
            SEPARATION.mkdir(mode=0o755, exist_ok=True)
        self.port = free_port()
        self.identity = make_ssh_key(folder / "identity")
        host_key = make_ssh_key(folder / "host_key")
        public = (folder / "host_key.pub").read_text()
        self.known_hosts = folder / "known hosts 100%"
        self.known_hosts.write_text(f"[127.0.0.1]:* {public}")
        lines = [
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {host_key}",
            f"AuthorizedKeysFile {folder / 'identity.pub'}",
            "PidFile none",
            "StrictModes no",
            "UsePAM no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "PermitRootLogin prohibit-password",
        ]
        (folder / "sshd_config").write_text("\n".join(lines) + "\n")
        command = [SSHD, "-D", "-e", "-f", str(folder / "sshd_config")]
        super().__init__(command, lambda server: accepts(server.port))


class SshBoard:
    """A board: a configuration, a state folder, a folder for copies, and a program."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state = folder, folder / "state; $(touch pwned) 'it'"
        self.scratch, self.config = folder / "scratch `touch pwned` &", folder / "line.toml"
        self.scratch.mkdir(parents=True)
        self.configure()
        self.program = folder / "ewaste-edge"
        start = "from edge.cli import main; main()"
        words = ["env", f"PYTHONPATH={ROOT}", sys.executable, "-c", start]
        self.write_program(f'exec {shlex.join(words)} "$@"')

    def configure(self, more: str = "", state: Path | None = None) -> None:
        self.config.write_text(f"state = {json.dumps(str(state or self.state))}\n{more}\n")

    def write_program(self, line: str) -> None:
        self.program.write_text(f"#!/bin/sh\n{line}\n")
        self.program.chmod(0o755)

    @property
    def runs(self) -> str | None:
        """The name of the bundle in use."""
        manifest = self.state / "bundles/current/manifest.json"
        return json.loads(manifest.read_text())["name"] if manifest.exists() else None

    @property
    def left(self) -> list[str]:
        """What lies where a copy lay, and what a shell would have made of a name."""
        state = [path.name for path in self.state.glob("*upload*")] if self.state.exists() else []
        pwned = [str(path) for path in self.folder.rglob("pwned")]
        return [path.name for path in self.scratch.iterdir()] + state + pwned


class CutCable:
    """Passes bytes on to a port, until one connection has sent so many; then it is cut."""

    def __init__(self, to_port: int, after_bytes: int) -> None:
        self._to_port, self._left = to_port, after_bytes
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.cuts = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                far = socket.create_connection(("127.0.0.1", self._to_port))
                for ends in ((near, far, self._left), (far, near, None)):
                    threading.Thread(target=self._pass, args=ends, daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, left: int | None) -> None:
        with suppress(OSError):
            while piece := source.recv(8192):
                if left is not None:
                    left -= len(piece)
                    if left < 0:
                        self.cuts += 1
                        break
                target.sendall(piece)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listening.close()

"""Real brokers and PLCs on loopback, as programs that can be killed, stopped and started again."""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from edge.config import MqttConfig
from tests.support.waiting import wait_until

FOLDER = Path(__file__).parent
MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def open_until(gates, bin_name: str, is_open) -> None:
    """Open a gate; on a busy machine an opening may come too late and be given up."""
    deadline = time.monotonic() + 15
    while not is_open():
        assert time.monotonic() < deadline, "did not open"
        gates.close(bin_name)
        gates.open(bin_name)
        time.sleep(0.1)


class Program:
    """A server in a process of its own."""

    def __init__(self, command, ready) -> None:
        self._command, self._ready = command, ready
        self.process: subprocess.Popen | None = None
        self.printed: list = []

    def start(self) -> None:
        self.process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        threading.Thread(target=self._listen, args=(self.process,), daemon=True).start()
        wait_until(lambda: self._ready(self))

    def _listen(self, process) -> None:
        for line in process.stdout:
            self.printed.append(line.strip())

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None


class Plc(Program):
    """The server of plc.py."""

    def __init__(self) -> None:
        self.port = free_port()
        command = [sys.executable, str(FOLDER / "plc.py"), str(self.port)]
        super().__init__(command, lambda plc: '["ready"]' in plc.printed)

    @property
    def writes(self) -> list:
        """(monotonic seconds, address, values) of all writes since the start."""
        return [
            json.loads(line) for line in list(self.printed) if line.startswith("[1") or "," in line
        ]

    def coil(self, address: int) -> bool | None:
        """What was last written to a coil."""
        values = [values[0] for _, at, values in self.writes if at == address]
        return values[-1] if values else None

    def registers(self, address: int) -> list[int]:
        """What was last written from a register on."""
        blocks = [values for _, at, values in self.writes if at == address]
        return blocks[-1] if blocks else []


class Broker(Program):
    """Mosquitto with TLS and passwords; retained messages survive its restart."""

    user, password = "line", "sorting 1 2 3"

    def __init__(self, folder: Path) -> None:
        self.port, self.folder = free_port(), folder
        certificate(folder, "ca", "/CN=test CA", [])
        signed = ["-CA", folder / "ca.pem", "-CAkey", folder / "ca.key"]
        certificate(folder, "server", "/CN=127.0.0.1", signed)
        passwords = folder / "passwords"
        passwords.touch(0o600)
        for user in (self.user, "observer"):
            given = ["mosquitto_passwd", "-b", passwords, user, self.password]
            subprocess.run(given, check=True, capture_output=True)
        (folder / "password").write_text(self.password + "\n")
        lines = [
            f"listener {self.port} 127.0.0.1",
            f"cafile {folder}/ca.pem",
            f"certfile {folder}/server.pem",
            f"keyfile {folder}/server.key",
            "allow_anonymous false",
            f"password_file {passwords}",
            "persistence true",
            f"persistence_location {folder}/",
            "autosave_interval 1",
            "autosave_on_changes true",
            *(["user root"] if os.getuid() == 0 else []),
        ]
        (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
        command = [MOSQUITTO, "-c", str(folder / "mosquitto.conf")]
        super().__init__(command, lambda broker: accepts(broker.port))


def accepts(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


def certificate(folder: Path, name: str, subject: str, more: list) -> None:
    """Make NAME.key and NAME.pem with openssl."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "30", "-subj", subject, "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-addext", f"basicConstraints=critical,CA:{str(not more).upper()}", *more]
    command += ["-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"]
    subprocess.run(command, check=True, capture_output=True)


def mqtt_config(broker: Broker, **changes: object) -> MqttConfig:
    """The configuration of a line at a broker."""
    values = {
        "host": "127.0.0.1",
        "port": broker.port,
        "user": broker.user,
        "password_file": broker.folder / "password",
        "tls": True,
        "ca_file": broker.folder / "ca.pem",
        "topic": "plant/line-1",
        "name": "line-1",
    }
    return MqttConfig.model_validate({**values, **changes})

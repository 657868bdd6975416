"""What cloud-init reads at the first boot (NoCloud): user-data, network-config, meta-data.

JSON is YAML, so nothing that comes from outside can end its own string, and no package is needed.
"""

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from edge.card.board import Addressing, Network, NewBoard

HEAD = "#cloud-config\n"
SCRIPT = "/usr/local/lib/ewaste-edge/first-boot.sh"
UNIT = "ewaste-card.service"
GROUPS = ("adm", "sudo", "video")
NO_AUTO = "[main]\nno-auto-default=*\n"
"""For NetworkManager, which otherwise asks DHCP on a wire that nobody configured."""


def seed(board: NewBoard, *, boot: str, identity: str) -> dict[str, bytes]:
    """Name of each file on the boot partition -> its content.

    Args:
        board: what it is to be.
        boot: where the board mounts its boot partition.
        identity: of the card; another one makes cloud-init set the board up anew.
    """
    meta = {
        "instance-id": f"ewaste-{identity}",
        "local-hostname": board.hostname,
        "dsmode": "local",
    }
    return {
        "meta-data": _json(meta),
        "network-config": _json({"network": network_config(board.network)}),
        "user-data": HEAD.encode() + _json(user_data(board, boot=boot, identity=identity)),
    }


def user_data(board: NewBoard, *, boot: str, identity: str) -> dict[str, Any]:
    """The settings of the board, and the service that installs the line."""
    script = _shipped("first-boot.sh")
    unit = _shipped("ewaste-card.unit").format(script=SCRIPT, boot=boot, identity=identity)
    written = {SCRIPT: script, f"/etc/systemd/system/{UNIT}": unit}
    if board.network.addressing is Addressing.NONE:
        written["/etc/NetworkManager/conf.d/ewaste-edge.conf"] = NO_AUTO
    return {
        "hostname": board.hostname,
        "manage_etc_hosts": True,
        "ssh_pwauth": False,
        "disable_root": True,
        "package_update": False,
        "package_upgrade": False,
        "users": [_user(board)],
        "write_files": [
            {"path": path, "permissions": "0644", "owner": "root:root", "content": content}
            for path, content in written.items()
        ],
        # A service of its own, and not these commands: they run once, also if the power is cut.
        "runcmd": [
            ["systemctl", "daemon-reload"],
            ["systemctl", "enable", UNIT],
            ["systemctl", "start", "--no-block", UNIT],
        ],
    }


def network_config(network: Network) -> dict[str, Any]:
    """The network, in version 2; `optional`, so that the start of the line does not wait for it."""
    if network.addressing is Addressing.NONE:
        return {"version": 2, "ethernets": {}}  # without any, cloud-init asks DHCP itself
    wired: dict[str, Any] = {"optional": True}
    if network.addressing is Addressing.DHCP:
        wired["dhcp4"] = True
    else:
        wired["addresses"] = [network.address]
        if network.gateway:
            wired["routes"] = [{"to": "default", "via": network.gateway}]
        if network.dns:
            wired["nameservers"] = {"addresses": list(network.dns)}
    return {"version": 2, "ethernets": {network.interface: wired}}


def _user(board: NewBoard) -> dict[str, Any]:
    """Who logs in; sudo asks for no password where there is none."""
    user: dict[str, Any] = {
        "name": board.user,
        "groups": list(GROUPS),
        "shell": "/bin/bash",
        "lock_passwd": not board.password_hash,
    }
    if board.ssh_keys:
        user["ssh_authorized_keys"] = list(board.ssh_keys)
    if board.password_hash:
        user["passwd"] = board.password_hash
    elif board.ssh_keys:
        user["sudo"] = "ALL=(ALL) NOPASSWD:ALL"
    return user


def _shipped(name: str) -> str:
    return (files("edge") / "deploy" / name).read_text(encoding="utf-8")


def _json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=1, ensure_ascii=True) + "\n").encode("ascii")

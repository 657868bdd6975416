"""What the board of a card is to be: its name, who may log in, and its network."""

import re
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import ip_address, ip_interface

from edge.errors import BadInput, one_line

LONGEST_HOSTNAME = 63
MOST_KEYS = 20
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_USER = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_INTERFACE = re.compile(r"[a-z][a-z0-9]{1,14}")
_HASH = re.compile(r"\$(y|gy|7|6|5|2b)\$[./A-Za-z0-9$=,]{20,250}")
_SSH_KEY = re.compile(
    r"((?:ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)|sk-ssh-ed25519@openssh\.com)"
    r" [A-Za-z0-9+/]{40,2000}={0,2})(?: .*)?"
)
_TAKEN = """
root daemon bin sys sync games man lp mail news uucp proxy www-data backup list irc nobody adm tty
disk kmem dialout fax voice cdrom floppy tape sudo audio dip operator src shadow utmp video sasl
plugdev staff users nogroup input sgx clock kvm render crontab netdev messagebus sshd avahi polkitd
gpio i2c spi lpadmin rdma ewaste
"""
RESERVED = frozenset(_TAKEN.split())
"""Users and groups that Debian, Raspberry Pi OS, or the installer has; a new user needs both."""


class Addressing(Enum):
    """Where the address of a board comes from."""

    DHCP = "dhcp"
    STATIC = "static"
    NONE = "none"


@dataclass(frozen=True)
class Network:
    """The network of a board; the line itself needs none.

    Attributes:
        addressing: where its address comes from.
        interface: name of the wired one.
        address: with the length of its network, such as `192.168.1.7/24`; empty unless static.
        gateway: address of the router; empty: none.
        dns: addresses of name servers.
    """

    addressing: Addressing = Addressing.DHCP
    interface: str = "eth0"
    address: str = ""
    gateway: str = ""
    dns: tuple[str, ...] = ()


@dataclass(frozen=True)
class NewBoard:
    """The board of a card.

    Attributes:
        hostname: its name.
        user: who may log in, and do everything by sudo.
        ssh_keys: public keys by which `user` logs in over ssh, each as `TYPE BASE64`.
        password_hash: of `user`, as crypt(5) has it; empty: no password is right.
        network: its network.
    """

    hostname: str
    user: str
    ssh_keys: tuple[str, ...] = ()
    password_hash: str = field(default="", repr=False)
    network: Network = Network()


def hostname_of(text: str) -> str:
    """A name for a board: one label of RFC 1123, in lower case.

    Raises:
        BadInput: it is none.
    """
    if len(text) > LONGEST_HOSTNAME or not _LABEL.fullmatch(text) or text.isdigit():
        rule = f"1 to {LONGEST_HOSTNAME} of a-z, 0-9, and -, neither first nor last"
        raise BadInput(f"--hostname {one_line(text)}: no name for a board; {rule}")
    return text


def user_of(text: str) -> str:
    """The name of a user.

    Raises:
        BadInput: it is none, or that of a user of the system.
    """
    if not _USER.fullmatch(text) or text in RESERVED:
        reason = "belongs to the system" if text in RESERVED else "no name of a user"
        raise BadInput(f"--user {one_line(text)}: {reason}; choose up to 32 of a-z, 0-9, _, and -")
    return text


def ssh_keys_of(text: str, source: object) -> tuple[str, ...]:
    """The public keys in a file such as `id_ed25519.pub`, without their comments.

    Raises:
        BadInput: it holds none, a private one, or one with options.
    """
    if "PRIVATE KEY" in text:
        raise BadInput(f"{source}: is a private key; give the public one, which ends in .pub")
    keys = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        found = _SSH_KEY.fullmatch(line.strip())
        if found is None:
            raise BadInput(f"{source}, line {number}: no public key of ssh, without options")
        keys.append(found[1])
    if not 0 < len(keys) <= MOST_KEYS:
        raise BadInput(f"{source}: holds {len(keys)} public keys; give 1 to {MOST_KEYS}")
    return tuple(keys)


def password_hash_of(text: str, source: object) -> str:
    """The hash of a password, in a form that today's systems take.

    Raises:
        BadInput: it is none; the message does not repeat it, since it may be the password itself.
    """
    if not _HASH.fullmatch(text):
        raise BadInput(f"{source}: no hash of a password; make one with: mkpasswd")
    return text


def network_of(
    address: str, gateway: str, dns: tuple[str, ...], *, interface: str, has_none: bool
) -> Network:
    """The network that options ask for; without an address it is DHCP.

    Raises:
        BadInput: they contradict each other, or an address is none.
    """
    if not _INTERFACE.fullmatch(interface):
        raise BadInput(f"--interface {one_line(interface)}: no name of one, such as eth0")
    if has_none and (address or gateway or dns):
        raise BadInput("--no-network: leaves nothing for --address, --gateway, and --dns")
    if not address:
        if gateway or dns:
            raise BadInput("--gateway and --dns are for a static --address; DHCP brings its own")
        return Network(Addressing.NONE if has_none else Addressing.DHCP, interface)
    try:
        own = ip_interface(address)
        router = ip_address(gateway) if gateway else None
        servers = tuple(str(ip_address(each)) for each in dns)
    except ValueError as error:
        raise BadInput(f"--address, --gateway, --dns: {one_line(error)}") from None
    if "/" not in address or own.network.num_addresses == 1 or "%" in f"{address}{gateway}{dns}":
        raise BadInput(f"--address {own.ip}: give the length of its network, such as {own.ip}/24")
    if own.is_multicast or own.is_loopback or own.is_unspecified:
        raise BadInput(f"--address {own}: no address for a board")
    if router is not None and (router not in own.network or router == own.ip):
        raise BadInput(f"--gateway {router}: not another machine in {own.network}")
    return Network(Addressing.STATIC, interface, str(own), str(router or ""), servers)

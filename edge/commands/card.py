"""The command for the card of a board: card."""

from pathlib import Path
from typing import Annotated

import typer

from edge.commands.options import PATH, BundleDir
from edge.terminal import out

BootFolder = Annotated[
    Path,
    typer.Option("--out", **PATH, help="folder to write to: the boot partition of a card"),
]
LineConfigFile = Annotated[
    Path, typer.Option("--config", **PATH, help="TOML file with the configuration of the line")
]
KitFolder = Annotated[
    Path | None,
    typer.Option("--kit", **PATH, help="kit that setup --download made; without: downloaded now"),
]
HostName = Annotated[str, typer.Option("--hostname", help="name of the board")]
LoginName = Annotated[str, typer.Option("--user", help="who may log in on the board")]
SshKeys = Annotated[
    Path | None,
    typer.Option("--ssh-key", **PATH, help="file with the public keys that may log in over ssh"),
]
PasswordHash = Annotated[
    Path | None,
    typer.Option(
        "--password-hash", **PATH, help="file with the hash of the user's password, by mkpasswd"
    ),
]
TrustedKeys = Annotated[
    list[str] | None, typer.Option("--trust", help="public key that bundles must be signed by")
]
RepositoryRoot = Annotated[
    Path | None, typer.Option("--root", **PATH, help="root metadata of the repository of bundles")
]
StaticAddress = Annotated[
    str,
    typer.Option("--address", help="static address, such as 192.168.1.7/24; without: DHCP"),
]
Gateway = Annotated[str, typer.Option("--gateway", help="address of the router")]
NameServers = Annotated[list[str] | None, typer.Option("--dns", help="address of a name server")]
Interface = Annotated[
    str, typer.Option("--interface", help="name of the wired network on the board")
]
NoNetwork = Annotated[
    bool, typer.Option("--no-network", help="leave the network of the board alone")
]
BootMount = Annotated[str, typer.Option("--boot", help="where the board mounts its boot partition")]
Platform = Annotated[str, typer.Option("--platform", help="of the board: aarch64 or x86_64")]
PythonVersion = Annotated[
    str, typer.Option("--python", help="of the board: 3.13 (trixie) or 3.11 (bookworm)")
]


def card(
    *,
    target: BootFolder,
    config: LineConfigFile,
    kit: KitFolder = None,
    bundle: BundleDir = None,
    hostname: HostName = "ewaste-line",
    user: LoginName = "sorter",
    ssh_key: SshKeys = None,
    password_hash: PasswordHash = None,
    trust: TrustedKeys = None,
    root: RepositoryRoot = None,
    address: StaticAddress = "",
    gateway: Gateway = "",
    dns: NameServers = None,
    interface: Interface = "eth0",
    no_network: NoNetwork = False,
    boot: BootMount = "/boot/firmware",
    platform: Platform = "aarch64",
    python: PythonVersion = "3.13",
) -> None:
    """Write a card from which a board installs itself at its first boot, without a network."""
    from edge.card.card import make_card
    from edge.card.options import CardOptions, card_of
    from edge.setup.commands import run as run_program

    given = CardOptions(
        folder=target,
        config=config,
        kit=kit,
        bundle=bundle,
        hostname=hostname,
        user=user,
        ssh_key=ssh_key,
        password_hash=password_hash,
        trust=tuple(trust or ()),
        root=root,
        address=address,
        gateway=gateway,
        dns=tuple(dns or ()),
        interface=interface,
        no_network=no_network,
        boot=boot,
        platform=platform,
        python=python,
    )
    for step in make_card(card_of(given), run_program):
        out.tell(step.line)
    out.tell(f"put the card into {hostname} and switch it on; it reports in ewaste-edge.txt")

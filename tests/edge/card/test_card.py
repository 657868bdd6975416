"""Cards: whole, damaged, mixed up, and with hostile values; what cloud-init thinks of them."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bundle.signature import make_key
from edge.card.board import (
    NewBoard,
    hostname_of,
    network_of,
    password_hash_of,
    ssh_keys_of,
    user_of,
)
from edge.card.card import DIGESTS, FOLDER, ROOT, SETTINGS, make_card
from edge.card.options import CardOptions, card_of
from edge.card.seed import SCRIPT, seed
from edge.config import read_config
from edge.errors import BadInput, EwasteError, Refused
from edge.setup.kit import Kit, write_kit
from edge.setup.source import file_digest

SEED = ("meta-data", "network-config", "user-data")
SCRIPT_FILE = Path(__file__).parents[3] / "edge/deploy/first-boot.sh"
SSH_KEY = "ssh-ed25519 " + "A" * 68
HASH = "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7"
UPDATES = '[update]\nrepository = "http://fleet"\nroot = "/etc/ewaste-edge/root.json"\n'


@pytest.fixture
def kit(tmp_path) -> Path:
    folder = tmp_path / "kit"
    (folder / "wheels").mkdir(parents=True)
    names = ("ewaste_edge-1-py3-none-any.whl", "wheels/a-1.whl", "install.sh")
    for name in names:
        (folder / name).write_bytes(name.encode())
    digests = {name: file_digest(folder / name) for name in names}
    write_kit(Kit(folder=folder, platforms=("aarch64",), pythons=("3.13",), digests=digests))
    return folder


@pytest.fixture
def options(tmp_path, kit):
    """Options of a card with updates, which may be changed."""
    config, root, key = (tmp_path / name for name in ("my.toml", "1.root.json", "id.pub"))
    config.write_text(UPDATES)
    root.write_text('{"signed": {"_type": "root"}}')
    key.write_text(f"{SSH_KEY} somebody@desk\n")

    def made(**changed) -> CardOptions:
        usual = {"config": config, "kit": kit, "root": root, "ssh_key": key}
        return CardOptions(folder=tmp_path / "boot", **{**usual, **changed})

    return made


def write(options: CardOptions) -> list[str]:
    def none(command, **_):
        raise AssertionError(command)

    return [step.line for step in make_card(card_of(options), none)]


def user_data(folder: Path) -> dict:
    head, _, content = (folder / "user-data").read_text().partition("\n")
    assert head == "#cloud-config"
    return json.loads(content)


def first_boot(folder: Path) -> subprocess.CompletedProcess:
    """What the board does with a card before it installs anything."""
    identity = json.loads((folder / "meta-data").read_text())["instance-id"].removeprefix("ewaste-")
    command = ["sh", str(SCRIPT_FILE), str(folder), identity]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_a_card_holds_all_that_the_board_needs_and_is_the_same_a_second_time(options, tmp_path):
    write(options(hostname="line-7", address="10.0.0.7/24", gateway="10.0.0.1", dns=("10.0.0.1",)))
    boot = tmp_path / "boot"
    data = user_data(boot)
    assert data["hostname"] == "line-7" and (boot / "ssh").exists()
    assert data["users"][0]["ssh_authorized_keys"] == [SSH_KEY]
    assert data["users"][0]["lock_passwd"] is True and data["ssh_pwauth"] is False
    network = json.loads((boot / "network-config").read_text())["network"]
    assert network["ethernets"]["eth0"]["addresses"] == ["10.0.0.7/24"]
    assert network["ethernets"]["eth0"]["optional"] is True
    assert read_config(boot / FOLDER / SETTINGS).update.repository == "http://fleet"
    before = {path: path.read_bytes() for path in boot.rglob("*") if path.is_file()}
    again = write(
        options(hostname="line-7", address="10.0.0.7/24", gateway="10.0.0.1", dns=("10.0.0.1",))
    )
    assert any("0 of 3 files copied" in line for line in again)
    assert before == {path: path.read_bytes() for path in boot.rglob("*") if path.is_file()}


def test_another_name_password_or_file_makes_another_card(options, tmp_path):
    secret = tmp_path / "hash"
    secret.write_text(f"{HASH}\n")
    found = set()
    for changed in ({}, {"hostname": "b"}, {"password_hash": secret}, {"no_network": True}):
        write(options(**changed))
        found.add((tmp_path / "boot/meta-data").read_text())
    assert len(found) == 4


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda card: shutil.rmtree(card), "not there: this is another card, or half a copy"),
        (lambda card: (card / DIGESTS).unlink(), "card.sha256: missing"),
        (lambda card: (card / DIGESTS).write_text(""), "belongs to another card than user-data"),
        (lambda card: (card / ROOT).unlink(), "root.json: missing: the public keys that updates"),
        (lambda card: shutil.rmtree(card / "kit"), "missing, so there is no kit to install from"),
        (lambda card: (card / SETTINGS).write_text("x = 1"), "line.toml: damaged, or changed"),
    ],
)
def test_the_board_says_in_one_line_and_on_the_card_what_is_wrong(
    options, tmp_path, damage, message
):
    write(options())
    damage(tmp_path / "boot" / FOLDER)
    found = first_boot(tmp_path / "boot")
    assert found.returncode == 1 and found.stderr == ""
    (line,) = found.stdout.splitlines()
    assert line.startswith("ewaste-edge: error: ") and message in line
    assert line.endswith("write the card again with ewaste-edge card")
    assert (tmp_path / "boot/ewaste-edge.txt").read_text().strip() == line.removeprefix(
        "ewaste-edge: "
    )


def test_keys_are_added_to_the_configuration_and_its_own_are_kept(options, tmp_path):
    public = make_key(tmp_path / "key.pem")
    with pytest.raises(Refused, match="signed by a trusted key"):
        write(options(trust=(public,)))  # the shipped bundle is not signed by it
    assert not (tmp_path / "boot").exists()
    card = card_of(options(trust=(public,)))
    assert card.settings.config.trust.keys == (public,)
    given = options().config
    given.write_text(UPDATES + f'[trust]\nkeys = ["{public}"]\n')
    assert card_of(options(trust=(public,))).settings.text == given.read_text()
    given.write_text(UPDATES + '[trust]\nrequire_hazards = ["Battery"]\n')
    with pytest.raises(BadInput, match=r"has a \[trust\] already"):
        card_of(options(trust=(public,)))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"hostname": "Line 1"}, "no name for a board"),
        ({"hostname": 'x", "runcmd": ["reboot"]'}, "no name for a board"),
        ({"hostname": "x\nruncmd: [reboot]"}, "no name for a board"),
        ({"hostname": "a" * 64}, "no name for a board"),
        ({"user": "root"}, "belongs to the system"),
        ({"user": "operator"}, "belongs to the system"),
        ({"user": "x:0:0"}, "no name of a user"),
        ({"address": "10.0.0.7"}, "give the length of its network"),
        ({"address": "10.0.0.7/24", "gateway": "10.0.1.1"}, "not another machine in 10.0.0.0/24"),
        ({"address": "10.0.0.7/24", "dns": ("nowhere",)}, "'nowhere' does not appear"),
        ({"gateway": "10.0.0.1"}, "are for a static --address"),
        ({"address": "10.0.0.7/24", "no_network": True}, "leaves nothing for --address"),
        ({"interface": "eth0: {}"}, "no name of one"),
        ({"boot": "/boot; reboot"}, "no folder"),
        ({"python": "3.12"}, "choose one of 3.11, 3.13"),
        ({"python": "3.11"}, "for aarch64 with Python 3.13"),
        ({"platform": "armv7l"}, "choose one of aarch64"),
        ({"root": None}, "the keys that updates are trusted by; give --root"),
        ({"trust": ("ed25519:zz",)}, "--trust: "),
    ],
)
def test_what_no_board_can_be_is_refused_before_anything_is_written(
    options, tmp_path, changed, message
):
    with pytest.raises(BadInput, match=message) as refused:
        write(options(**changed))
    assert "\n" not in str(refused.value) and not (tmp_path / "boot").exists()


def test_files_that_are_something_else_are_refused_without_repeating_them(options, tmp_path):
    odd = tmp_path / "odd"
    odd.write_text("hunter2\n")
    for name in ("ssh_key", "password_hash", "root", "config"):
        with pytest.raises(BadInput) as refused:
            write(options(**{name: odd}))
        assert "hunter2" not in str(refused.value)
    odd.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    with pytest.raises(BadInput, match="is a private key"):
        write(options(ssh_key=odd))
    odd.write_text(f'command="reboot" {SSH_KEY}\n')
    with pytest.raises(BadInput, match="line 1: no public key of ssh, without options"):
        write(options(ssh_key=odd))


@given(st.text(max_size=70))
def test_any_text_is_a_plain_name_or_refused(text):
    for read in (hostname_of, user_of, lambda each: ssh_keys_of(each, "file")):
        try:
            found = read(text)
        except BadInput as error:
            assert len(str(error).splitlines()) == 1
        else:
            assert found == text and text.isascii() and text.isprintable()
    with pytest.raises(BadInput):
        password_hash_of(text, "file")


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_address_is_refused_or_one_of_the_network(address, gateway):
    try:
        found = network_of(address, gateway, (), interface="eth0", has_none=False)
    except BadInput as error:
        assert str(error).isprintable()
    else:
        assert found.address == "" or "/" in found.address


def test_a_full_card_is_one_line(options, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=3)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(EwasteError, match="0 MB are free"):
        write(options())
    assert not (tmp_path / "boot/user-data").exists()


@pytest.mark.skipif(shutil.which("cloud-init") is None, reason="no cloud-init (apt install it)")
@pytest.mark.parametrize(
    "network",
    [
        network_of("", "", (), interface="eth0", has_none=False),
        network_of("", "", (), interface="eth0", has_none=True),
        network_of("fd00::7/64", "fd00::1", ("fd00::1",), interface="eth0", has_none=False),
    ],
)
def test_cloud_init_finds_its_files_valid(tmp_path, network):
    board = NewBoard("line-1", "sorter", (SSH_KEY,), HASH, network)
    parts = seed(board, boot="/boot/firmware", identity="0" * 16)
    assert set(parts) == set(SEED) and SCRIPT.encode() in parts["user-data"]
    for name, content in parts.items():
        (tmp_path / name).write_bytes(content)
    command = ["cloud-init", "schema", "--config-file"]
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    found = subprocess.run(
        [*command, str(tmp_path / "user-data")], capture_output=True, text=True, env=environment
    )
    assert found.returncode == 0 and "Valid" in found.stdout, found.stdout + found.stderr
    asked = subprocess.run([*command[:2], "--help"], capture_output=True, text=True)
    if "network-config" in asked.stdout:  # cloud-init 24 and newer
        named = [*command, str(tmp_path / "network-config"), "--schema-type", "network-config"]
        found = subprocess.run(named, capture_output=True, text=True, env=environment)
        assert found.returncode == 0, found.stdout + found.stderr

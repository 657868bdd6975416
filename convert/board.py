"""A board at the other end of ssh: what it is, and how a bundle gets into use there.

The board does the work with its own `ewaste-edge`. It gets three small shell scripts; all names are
their arguments. The copy lies in a folder of its own, which the board removes by itself, also when
the connection is cut.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from convert.ssh import SSH_FAILED, Answer, Given, Login, not_reached, run_there
from edge.errors import BadInput, EwasteError, Refused, one_line

ASK_S = 60.0
WORD_S = 60
"""So long, s, a board that has the copy waits for the word to install it."""
NO_PROGRAM, NOT_RUNNING, NO_FOLDER, NOT_COPIED, CUT_OFF = 70, 71, 72, 73, 74
"""Exit codes of the scripts, apart from those of `ewaste-edge`."""
COPIED, GO = "ewaste-deploy: copied", "install"
"""What the board says once it has all, and the word that it waits for then.

If the connection is cut before, it installs nothing.
"""
VERSION = re.compile(r"^ewaste-edge ([0-9A-Za-z.+-]{1,40})$", re.M)
FREE = re.compile(r"^(scratch|state) .*\s(\d{1,18})\s+(?:\d+%|-)\s", re.M)
"""A row of `df -Pk`: its fourth column is what is free, KiB."""
COPY = r"/ewaste-deploy\.\w{10}/bundle\.zip"
STALE_MIN = 120
"""A copy that is older, min, belongs to a board that lost its power meanwhile."""

AS_ROOT = '[ "$(id -u)" = 0 ] && run= || run=$2'
ASK = f"""export LC_ALL=C
[ -x "$1" ] && [ ! -d "$1" ] || exit {NO_PROGRAM}
{AS_ROOT}
$run "$1" --version || exit {NOT_RUNNING}
[ -d "$3" ] || exit {NO_FOLDER}
echo "scratch $(df -Pk "$3" | tail -n 1)"
[ ! -d "$4" ] || echo "state $(df -Pk "$4" | tail -n 1)"
"""
INSTALL = f"""export LC_ALL=C
{AS_ROOT}
program=$1 folder=$3 bytes=$4 seconds=$5
shift 5
find "$folder" -maxdepth 1 -name "ewaste-deploy.??????????" -user "$(id -u)" \
-mmin +{STALE_MIN} -exec rm -rf {{}} + 2>/dev/null
made=$(mktemp -d "$folder/ewaste-deploy.XXXXXXXXXX") || exit {NOT_COPIED}
trap 'rm -rf "$made"' EXIT
trap 'exit {CUT_OFF}' HUP INT TERM
trap '' PIPE
timeout "$seconds" head -c "$bytes" >"$made/bundle.zip" || exit {NOT_COPIED}
[ "$(wc -c <"$made/bundle.zip")" -eq "$bytes" ] || exit {CUT_OFF}
echo "{COPIED}"
[ "$(timeout {WORD_S} head -c {len(GO)})" = "{GO}" ] || exit {CUT_OFF}
$run "$program" install "$made/bundle.zip" "$@"
"""
VERIFY = f"""export LC_ALL=C
{AS_ROOT}
program=$1
shift 2
$run "$program" verify --json "$@"
"""


@dataclass(frozen=True)
class Board:
    """A board, and where its parts lie there.

    Attributes:
        login: how to get there.
        program: path of its `ewaste-edge`.
        sudo: run it as root, by sudo, if the user is not root.
        options: of each command of `ewaste-edge`: its configuration and its state folder.
        state: the state folder, to ask what is free.
        scratch: the folder that the copy lies in for a moment.
        seconds: that copying, installing, and verifying may take, each.
    """

    login: Login
    program: str
    sudo: bool
    options: tuple[str, ...]
    state: str
    scratch: str
    seconds: float

    @property
    def start(self) -> tuple[str, str]:
        """The first arguments of each script."""
        return self.program, "sudo -n" if self.sudo else ""


@dataclass(frozen=True)
class Found:
    """What a board says of itself. Bytes that are None: it does not say.

    Attributes:
        version: of its program.
        scratch_bytes: free where the copy will lie.
        state_bytes: free in the state folder.
    """

    version: str
    scratch_bytes: int | None
    state_bytes: int | None


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)


class BoardCheck(_Model):
    """One check, as the board made it."""

    passed: bool
    message: str


class BoardChecks(_Model):
    """What `ewaste-edge verify --json` printed on the board."""

    ok: bool
    digest: str | None = Field(pattern=r"^[0-9a-f]{64}$")
    checks: dict[str, BoardCheck]


def remote_path(text: str, option: str) -> str:
    """A path on the board, as it was given.

    Raises:
        BadInput: it is not absolute, or holds what no name of a file there should.
    """
    if not text.startswith("/") or not text.isprintable() or len(text.encode()) > 4000:
        raise BadInput(f"{option} {one_line(text)!r}: give an absolute path on the board")
    return text


def ask(board: Board) -> Found:
    """What a board says of its program and its disk.

    Raises:
        EwasteError: it cannot be reached, or has no program that runs.
    """
    login = board.login
    arguments = (*board.start, board.scratch, board.state)
    answer = run_there(login, ASK, arguments, seconds=ASK_S)
    if answer.code == SSH_FAILED:
        raise not_reached(login, answer)
    if answer.code == NO_PROGRAM:
        raise EwasteError(
            f"{login}: no program at {board.program}; install the board first (docs/install.md), "
            "or give --program"
        )
    if answer.code == NO_FOLDER:
        raise BadInput(f"{login}: no folder {board.scratch}; give --scratch")
    version = VERSION.search(answer.out)
    if "sudo:" in answer.err and answer.code:
        raise EwasteError(
            f"{login}: sudo does not run {board.program} there without a password "
            f"({answer.reason}); see docs/deploy.md, or give --no-sudo"
        )
    if answer.code or version is None:
        raise EwasteError(f"{login}: {board.program} does not run there ({answer.reason})")
    free = {name: int(kib) << 10 for name, kib in FREE.findall(answer.out)}
    return Found(version[1], free.get("scratch"), free.get("state"))


def check_room(board: Board, found: Found, *, packed: int, unpacked: int) -> None:
    """See that a bundle has room, before it is copied.

    Args:
        board: the board.
        found: what it says.
        packed: bytes of the copy.
        unpacked: bytes of the files of the bundle; they are unpacked, and then written.

    Raises:
        EwasteError: it has not.
    """
    rows = (
        (board.scratch, found.scratch_bytes, packed),
        (board.state, found.state_bytes, 2 * unpacked),
    )
    for folder, free, needed in rows:
        if free is not None and free < needed:
            raise EwasteError(
                f"{board.login}: {folder}: {free / 1e6:,.1f} MB are free, and {needed / 1e6:,.1f} "
                "are needed; free some room there"
            )


def install(board: Board, archive: bytes, shown: str, options: Sequence[str]) -> list[str]:
    """Copy a packed bundle to a board, and let it verify and install it.

    Args:
        board: the board.
        archive: the packed bundle.
        shown: what to call it in messages.
        options: of `ewaste-edge install`.

    Returns:
        What the board printed, and what it warned of, line by line.

    Raises:
        Refused: the board refused it.
        EwasteError: it failed; what the board ran before it runs still.
    """
    arguments = (
        *(*board.start, board.scratch, str(len(archive)), str(int(board.seconds))),
        *(*board.options, *options),
    )
    given = Given(archive, f"{COPIED}\n".encode(), f"{GO}\n".encode())
    seconds = 2 * board.seconds
    answer = run_there(board.login, INSTALL, arguments, seconds=seconds, given=given)
    printed = [line for line in answer.out.splitlines() if line.strip()]
    if answer.code == SSH_FAILED or answer.code == CUT_OFF:
        raise _cut(board.login, answer, printed)
    if answer.code == NOT_COPIED:
        raise EwasteError(
            f"{board.login}: {board.scratch}: the bundle cannot be copied there "
            f"({_with_name(board, answer.reason, 'it')})"
        )
    if answer.code:
        raise _failed(board, answer, shown)
    lines = [line for line in printed if line != COPIED]
    lines += [line for line in answer.err.splitlines() if line.strip()]
    return [_with_name(board, one_line(line, 300), shown) for line in lines]


def verify(board: Board) -> BoardChecks:
    """Let a board prove the bundle that it runs.

    Raises:
        Refused: it refuses it.
        EwasteError: it cannot be asked, or its answer cannot be read.
    """
    arguments = (*board.start, *board.options)
    answer = run_there(board.login, VERIFY, arguments, seconds=board.seconds)
    if answer.code == SSH_FAILED:
        raise not_reached(board.login, answer)
    if answer.code:
        raise _failed(board, answer, "its bundle")
    last = answer.out.strip().rpartition("\n")[2]
    try:
        return BoardChecks.model_validate_json(last)
    except ValidationError:
        raise EwasteError(
            f"{board.login}: {board.program} verify --json answers otherwise than expected"
        ) from None


def _cut(login: Login, answer: Answer, printed: Sequence[str]) -> EwasteError:
    if COPIED not in printed:
        return EwasteError(
            f"{login}: the connection was cut before the bundle was copied ({answer.reason}); "
            "the board is as it was; try again"
        )
    return EwasteError(
        f"{login}: the connection was cut while the board installed ({answer.reason}); it runs the "
        "old bundle or the new one, whole; see ewaste-edge bundles there"
    )


def _failed(board: Board, answer: Answer, shown: str) -> EwasteError:
    """The error of `ewaste-edge` on the board, with its exit code."""
    kinds: dict[int, type[EwasteError]] = {2: BadInput, 3: Refused}
    reason = _with_name(board, answer.reason, shown).removeprefix("error: ")
    return kinds.get(answer.code, EwasteError)(f"{board.login}: {reason}")


def _with_name(board: Board, text: str, shown: str) -> str:
    """A message of the board with the name that the bundle has here, not that of its copy."""
    return re.sub(re.escape(board.scratch) + COPY, lambda _: shown, text)

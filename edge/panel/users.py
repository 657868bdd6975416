"""The users of the page: one file with a name, a role, and a password's hash for each.

`ewaste-edge user` writes the file; the page reads it. A password is kept as the output of scrypt
(RFC 7914) with its salt and its parameters, never as itself.
"""

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge.errors import BadInput, first_problem, one_line
from edge.files import PRIVATE, make_private_folder, read_bounded, write_whole

USERS_NAME = "users.json"
"""The file of the users in a line's state folder."""
MOST_USERS, LONGEST_NAME = 100, 64
SHORTEST_PASSWORD, LONGEST_PASSWORD = 8, 256
MOST_BYTES = 64 << 10
SALT_BYTES, HASH_BYTES = 16, 32
COST, BLOCK, PARALLEL = 2**14, 8, 1
"""scrypt's n, r, and p for new passwords: 16 MB of memory for each attempt."""
MOST_COST = 2**16
"""The largest n that a file may ask for: 64 MB."""
_SPARE_BYTES = 1 << 20
"""What scrypt needs besides 128 n r bytes."""


class Role(str, Enum):
    """What a user may do; the value is what the file and the command line hold."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    @property
    def operates(self) -> bool:
        """Whether the role may change the mode, review items, and try pictures."""
        return self is not Role.VIEWER

    @property
    def administers(self) -> bool:
        """Whether the role may also install bundles and roll back."""
        return self is Role.ADMIN


def _check_name(name: str) -> str:
    """A name that a log line and the header of HTTP Basic can hold."""
    if not name or len(name) > LONGEST_NAME or not name.isprintable() or name != name.strip():
        raise ValueError(
            f"{one_line(name, 40)!r}; must be 1 to {LONGEST_NAME} printable characters, with no "
            "space around them"
        )
    if ":" in name:
        raise ValueError(f"{one_line(name, 40)!r}; must have no colon")
    return name


def _check_power(cost: int) -> int:
    if cost & (cost - 1):
        raise ValueError("must be a power of two")
    return cost


UserName = Annotated[str, AfterValidator(_check_name)]
Cost = Annotated[int, Field(ge=COST, le=MOST_COST), AfterValidator(_check_power)]


class User(BaseModel):
    """One user of the page.

    Attributes:
        name: what the user logs in with, and what records and logs name.
        role: what the user may do.
        salt: random bytes, hexadecimal.
        password: scrypt's output, hexadecimal.
        cost, block, parallel: scrypt's n, r, and p.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: UserName
    role: Role
    salt: str = Field(pattern=rf"^[0-9a-f]{{{2 * SALT_BYTES}}}$", repr=False)
    password: str = Field(pattern=rf"^[0-9a-f]{{{2 * HASH_BYTES}}}$", repr=False)
    cost: Cost = COST
    block: int = Field(default=BLOCK, ge=8, le=8)
    parallel: int = Field(default=PARALLEL, ge=1, le=4)

    def accepts(self, password: str) -> bool:
        """Whether this is the password; takes tens of milliseconds and `128 n r` bytes."""
        return hmac.compare_digest(_hashed(password, self), bytes.fromhex(self.password))


class Users(BaseModel):
    """All users, in the order in which they were added."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    users: tuple[User, ...] = Field(default=(), max_length=MOST_USERS)

    @model_validator(mode="after")
    def _check_names(self) -> "Users":
        if len({user.name for user in self.users}) < len(self.users):
            raise ValueError("two users of one name")
        return self

    def find(self, name: str) -> User | None:
        """Return the user of this name; None if there is none."""
        return next((user for user in self.users if user.name == name), None)

    def adding(self, user: User) -> "Users":
        """Return the users with one more.

        Raises:
            BadInput: the name is taken, or there are too many users.
        """
        self.require_free(user.name)
        return Users(users=(*self.users, user))

    def require_free(self, name: str) -> None:
        """Check that a user of this name can be added, before a password is asked for.

        Raises:
            BadInput: the name is taken or cannot be used, or there are too many users.
        """
        try:
            _check_name(name)
        except ValueError as error:
            raise BadInput(f"user {error}") from None
        if self.find(name) is not None:
            raise BadInput(f"user {name}: exists; use user passwd or user role")
        if len(self.users) >= MOST_USERS:
            raise BadInput(f"there are {MOST_USERS} users already; remove one first")

    def without(self, name: str) -> "Users":
        """Return the users without one.

        Raises:
            BadInput: there is no such user.
        """
        self.require(name)
        return Users(users=tuple(user for user in self.users if user.name != name))

    def replacing(self, changed: User) -> "Users":
        """Return the users with one replaced by the user of the same name.

        Raises:
            BadInput: there is no such user.
        """
        self.require(changed.name)
        return Users(
            users=tuple(changed if user.name == changed.name else user for user in self.users)
        )

    def require(self, name: str) -> User:
        """Return the user of this name.

        Raises:
            BadInput: there is no such user.
        """
        found = self.find(name)
        if found is None:
            raise BadInput(f"user {one_line(name, 40)}: there is no such user; see user list")
        return found


def make_user(name: str, role: Role, password: str) -> User:
    """Make a user with a new salt.

    Raises:
        BadInput: the name or the password cannot be used.
    """
    check_password(password)
    return _with_hash(name, role, password)


def configured_user(name: str, password: str) -> User:
    """Make the operator of `[panel] user` and `password_file`, whose password may be of any length.

    Raises:
        BadInput: the name cannot be used.
    """
    return _with_hash(name, Role.OPERATOR, password)


def _with_hash(name: str, role: Role, password: str) -> User:
    salt = secrets.token_bytes(SALT_BYTES)
    try:
        plain = User(name=name, role=role, salt=salt.hex(), password="0" * 2 * HASH_BYTES)
    except ValidationError as error:
        raise BadInput(f"user {first_problem(error).removeprefix('name: ')}") from None
    return plain.model_copy(update={"password": _hashed(password, plain).hex()})


def check_password(password: str) -> None:
    """Check that a new password can be typed and is no short one.

    Raises:
        BadInput: it is too short or too long, or has control characters. It is not repeated.
    """
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD or not password.isprintable():
        raise BadInput(
            f"the password must be {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} printable characters"
        )


def _hashed(password: str, user: User) -> bytes:
    return hashlib.scrypt(
        password.encode("utf-8", "surrogatepass"),
        salt=bytes.fromhex(user.salt),
        n=user.cost,
        r=user.block,
        p=user.parallel,
        maxmem=128 * user.cost * user.block + 128 * user.block * user.parallel + _SPARE_BYTES,
        dklen=HASH_BYTES,
    )


def read_users(path: Path) -> Users:
    """Read the users; none if there is no file.

    Raises:
        BadInput: the file is damaged or cannot be read. Nobody may log in then.
    """
    try:
        return Users.model_validate_json(read_bounded(path, MOST_BYTES))
    except FileNotFoundError:
        return Users()
    except ValidationError as error:
        reason = f"damaged ({first_problem(error)})"
    except OSError as error:
        reason = f"cannot be read ({error.strerror})"
    except BadInput as error:
        reason = str(error).removeprefix(f"{path}: ")
    raise BadInput(
        f"{path}: {reason}; nobody can log in until it is put right, or removed and users added"
    )


def write_users(path: Path, users: Users) -> None:
    """Replace the file of users; only its owner may read it.

    An administrator who adds users to the folder of a service leaves the file to that service.

    Raises:
        BadInput: it cannot be written; the users are as before.
    """
    content = users.model_dump_json(indent=2).encode() + b"\n"
    if len(content) > MOST_BYTES:
        raise BadInput(f"{path}: the users take more than {MOST_BYTES:,} bytes; remove some")
    try:
        make_private_folder(path.parent)
        write_whole(path, content, mode=PRIVATE)
        if os.geteuid() == 0:
            owner = path.parent.stat()
            with suppress(OSError):
                os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
    except OSError as error:
        raise BadInput(f"{path}: cannot be written ({error.strerror})") from None


def users_path(users_file: Path | None, state: Path) -> Path:
    """Return where the users are: as configured, else in the state folder."""
    return state / USERS_NAME if users_file is None else users_file.expanduser()


def as_rows(users: Users) -> list[dict[str, Any]]:
    """Return what may be shown of the users: names and roles."""
    return [{"name": user.name, "role": user.role.value} for user in users.users]

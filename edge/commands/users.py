"""Commands for the users of the page: user add, list, remove, passwd, role."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.commands.options import AsJson, ConfigFile, StateDir
from edge.commands.printing import print_table
from edge.commands.settings import read_settings
from edge.errors import BadInput
from edge.terminal import out, safe_line

if TYPE_CHECKING:
    from edge.panel.users import Role

app = typer.Typer(
    help="Users of the page: who may see it, and who may operate the line on it.",
    no_args_is_help=True,
)
UserName = Annotated[str, typer.Argument(metavar="NAME", help="name of the user")]
RoleName = Annotated[
    str,
    typer.Option(metavar="ROLE", help="viewer (sees all), operator (works), or admin (installs)"),
]


@app.command("add")
def user_add(
    name: UserName, role: RoleName, config: ConfigFile = None, state: StateDir = None
) -> None:
    """Add a user of the page; the password is read from the terminal, or is a line of stdin."""
    from edge.panel.users import make_user, read_users, write_users

    path = _users_path(config, state)
    users = read_users(path)
    given = _role(role)
    users.require_free(name)
    write_users(path, users.adding(make_user(name, given, _new_password())))
    out.print(f"{name}: {role}; see {path}")


@app.command("list")
def user_list(config: ConfigFile = None, state: StateDir = None, as_json: AsJson = False) -> None:
    """List the users of the page."""
    from edge.panel.users import as_rows, read_users

    rows = as_rows(read_users(_users_path(config, state)))
    if as_json:
        out.print(json.dumps(rows))
    else:
        print_table(("user", "role"), [(row["name"], row["role"]) for row in rows])


@app.command("remove")
def user_remove(name: UserName, config: ConfigFile = None, state: StateDir = None) -> None:
    """Remove a user of the page; the user's sessions end."""
    from edge.panel.users import read_users, write_users

    path = _users_path(config, state)
    write_users(path, read_users(path).without(name))
    out.print(f"{name}: removed")


@app.command("passwd")
def user_passwd(name: UserName, config: ConfigFile = None, state: StateDir = None) -> None:
    """Give a user of the page another password; the user's sessions end."""
    from edge.panel.users import make_user, read_users, write_users

    path = _users_path(config, state)
    users = read_users(path)
    role = users.require(name).role
    write_users(path, users.replacing(make_user(name, role, _new_password())))
    out.print(f"{name}: has another password")


@app.command("role")
def user_role(
    name: UserName, role: RoleName, config: ConfigFile = None, state: StateDir = None
) -> None:
    """Give a user of the page another role; it holds at once."""
    from edge.panel.users import read_users, write_users

    path = _users_path(config, state)
    users = read_users(path)
    changed = users.require(name).model_copy(update={"role": _role(role)})
    write_users(path, users.replacing(changed))
    out.print(f"{name}: {role}")


def _users_path(config: Path | None, state: Path | None) -> Path:
    from edge.panel.users import users_path

    settings = read_settings(config, state=state)
    return users_path(settings.panel.users_file, settings.state_folder)


def _role(text: str) -> "Role":
    from edge.panel.users import Role

    if text not in list(Role):
        raise BadInput(f"role {safe_line(text)}: choose one of {', '.join(Role)}")
    return Role(text)


def _new_password() -> str:
    """A password that is typed twice, or the one line of a stdin that is no terminal."""
    import getpass

    from edge.files import LONGEST_PASSWORD

    if sys.stdin.isatty():
        password = getpass.getpass("password: ")
        if getpass.getpass("again: ") != password:
            raise BadInput("the two passwords differ; nothing is changed")
        return password
    try:
        line = sys.stdin.buffer.readline(LONGEST_PASSWORD).decode()
    except UnicodeDecodeError:
        raise BadInput("the password on stdin is not UTF-8") from None
    return line.removesuffix("\n").removesuffix("\r")

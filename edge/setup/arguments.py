"""The installer's command line on a machine where typer is not installed yet."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from edge.errors import BadInput
from edge.files import LONGEST_NAME
from edge.setup.options import ABOUT, HELP, Options, check


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message}; --help tells more")


def _folder(text: str) -> Path:
    names = text.encode("utf-8", "surrogatepass").split(b"/")
    if not text or "\0" in text or any(len(name) > LONGEST_NAME for name in names):
        raise argparse.ArgumentTypeError("an empty name, one with a NUL, or too long a one")
    return Path(text)


def parse(arguments: Sequence[str]) -> Options:
    """The options of a command line, for a machine where the program is not installed yet.

    Raises:
        BadInput: it cannot be meant.
        SystemExit: of --help, with code 0.
    """
    parser = _Parser(prog="install.sh", description=ABOUT, allow_abbrev=False)
    parser.add_argument("--offline", type=_folder, metavar="DIR", help=HELP["--offline"])
    parser.add_argument("--download", type=_folder, metavar="DIR", help=HELP["--download"])
    for name in ("--platform", "--python"):
        parser.add_argument(name, action="append", default=[], help=HELP[name])
    for name in ("--config", "--bundle"):
        parser.add_argument(name, type=_folder, metavar="PATH", help=HELP[name])
    for name in ("--beside", "--on-trial", "--uninstall"):
        parser.add_argument(name, action="store_true", help=HELP[name])
    found = parser.parse_args(list(arguments))
    options = Options(
        offline=found.offline,
        download=found.download,
        platforms=tuple(found.platform),
        pythons=tuple(found.python),
        beside=found.beside,
        on_trial=found.on_trial,
        uninstall=found.uninstall,
        config=found.config,
        bundle=found.bundle,
    )
    return check(options)

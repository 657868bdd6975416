"""What a ring of the repository offers of the program: a small signed file that lists its files.

`convert/publish.py` writes it, as the target `program-RING.json`, and boards of that ring read it.
Each file is a target that is named by its content, so that versions and rings share what they have
in common.
"""

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge.errors import Refused, first_problem
from edge.update.offer import Ring

MOST_PROGRAM_OFFER_BYTES = 2**18
MOST_FILE_BYTES = 2**28
MOST_PROGRAM_BYTES = 2**30
"""Of one file, and of all that one machine needs."""
MOST_FILES, MOST_MACHINES = 1000, 16
VERSION = r"(?:0|[1-9][0-9]{0,5})(?:\.(?:0|[1-9][0-9]{0,5})){1,3}"
KINDS = ("whl", "sh", "deb")
_PATH = r"(?:wheels/|debs/[a-z]{1,20}-[a-z0-9]{1,20}/)?[A-Za-z0-9][A-Za-z0-9._+%~-]{0,200}"
Machine = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,20}-3\.[0-9]{1,2}$")]
"""Platform and Python version, such as `aarch64-3.13`."""
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class ProgramFile(BaseModel):
    """One file of a kit (`edge.setup.kit`).

    Attributes:
        path: within the kit.
        digest: SHA-256, in hexadecimal.
        machines: that need it; empty: all do.
    """

    model_config = ConfigDict(frozen=True)

    path: Annotated[str, Field(pattern=rf"^{_PATH}\.(?:{'|'.join(KINDS)})$")]
    digest: Digest
    machines: Annotated[tuple[Machine, ...], Field(max_length=MOST_MACHINES)] = ()

    @property
    def target(self) -> str:
        """The target that holds it."""
        return f"file-{self.digest[:32]}.{self.path.rpartition('.')[2]}"


class ProgramOffer(BaseModel):
    """The program that the boards of a ring shall run. Keys of later versions are passed over.

    Attributes:
        version: of the program.
        digest: of its wheel.
        machines: that it can be installed on.
        files: of its kit, but for the list of them.
    """

    model_config = ConfigDict(frozen=True)

    version: Annotated[str, Field(pattern=rf"^{VERSION}$")]
    digest: Digest
    machines: Annotated[tuple[Machine, ...], Field(min_length=1, max_length=MOST_MACHINES)]
    files: Annotated[tuple[ProgramFile, ...], Field(min_length=1, max_length=MOST_FILES)]

    @model_validator(mode="after")
    def _check(self) -> "ProgramOffer":
        if len({each.path for each in self.files}) < len(self.files):
            raise ValueError("a file is listed again")
        if self.digest not in {each.digest for each in self.files}:
            raise ValueError("the wheel of the program is not among the files")
        return self

    @property
    def name(self) -> str:
        """What a person calls it."""
        return f"program {self.version}"

    def files_for(self, machine: str) -> tuple[ProgramFile, ...]:
        """The files that a machine needs."""
        return tuple(each for each in self.files if not each.machines or machine in each.machines)


def program_target(ring: Ring) -> str:
    """The target that says which program the boards of a ring run."""
    return f"program-{ring.value}.json"


def machine_name(platform: str, python: str) -> str:
    """A machine such as `aarch64-3.13`."""
    return f"{platform}-{python}"


def version_key(version: str) -> tuple[int, ...]:
    """A version as numbers that are compared; zeros at its end do not count.

    Raises:
        ValueError: it is none of a release, such as 0.2.0.
    """
    if not re.fullmatch(VERSION, version):
        raise ValueError(f"{version[:40]!r} is no version of a release, such as 0.2.0")
    numbers = [int(part) for part in version.split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def parse_program_offer(content: bytes, shown: str) -> ProgramOffer:
    """Read the file of a ring; `shown` is its name for messages.

    Raises:
        Refused: it is malformed.
    """
    try:
        return ProgramOffer.model_validate_json(content)
    except ValidationError as error:
        raise Refused(f"{shown}: {first_problem(error)}; publish again") from None

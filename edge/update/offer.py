"""What a ring of the repository offers: a small signed file that names the bundle to run.

`convert/publish.py` writes it, as the target `RING.json`, and a board of that ring reads it.
"""

from enum import Enum
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from edge.bundle.bundle import Bundle
from edge.bundle.manifest import LONGEST_NAME
from edge.errors import Refused, first_problem

MOST_OFFER_BYTES = 4096
METADATA_FOLDER, TARGETS_FOLDER = "metadata", "targets"
"""Of a repository, below its address."""


class Ring(str, Enum):
    """The boards that get a bundle first, and all the others."""

    CANARY = "canary"
    ALL = "all"

    @property
    def target(self) -> str:
        """The target that says what the boards of this ring run."""
        return f"{self.value}.json"


class Offer(BaseModel):
    """The bundle that the boards of a ring shall run. Keys of later versions are passed over.

    Attributes:
        bundle: the target that holds it, packed.
        name: of the bundle.
        digest: of the bundle.
        created: when it was converted.
    """

    model_config = ConfigDict(frozen=True)

    bundle: Annotated[str, Field(pattern=r"^bundle-[0-9a-f]{16}\.zip$")]
    name: Annotated[str, Field(max_length=LONGEST_NAME)]
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    created: AwareDatetime


def offer_of(bundle: Bundle) -> Offer:
    """What a ring says that shall run a bundle."""
    return Offer(
        bundle=f"bundle-{bundle.digest[:16]}.zip",
        name=bundle.manifest.name,
        digest=bundle.digest,
        created=bundle.manifest.created,
    )


def parse_offer(content: bytes, shown: str) -> Offer:
    """Read the file of a ring; `shown` is its name for messages.

    Raises:
        Refused: it is malformed.
    """
    try:
        return Offer.model_validate_json(content)
    except ValidationError as error:
        raise Refused(f"{shown}: {first_problem(error)}; publish again") from None

"""One part of a board or a release: a distribution of Python, as it is installed or locked."""

import re
from dataclasses import dataclass
from urllib.parse import quote

MOST_TEXT = 200


@dataclass(frozen=True)
class Part:
    """A distribution.

    Attributes:
        name: as its metadata have it.
        version: the exact one.
        license: as its metadata state it; empty: they do not.
        is_expression: the license is an SPDX expression.
        installer: what installed it, such as `pip`; empty: it left no name.
        content_sha256: of the list of the digests of its files; empty: it has none.
        wheel_sha256: of each file that may be installed, from a lock file.
    """

    name: str
    version: str
    license: str = ""
    is_expression: bool = False
    installer: str = ""
    content_sha256: str = ""
    wheel_sha256: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The name, normalized as PEP 503 has it."""
        return re.sub(r"[-_.]+", "-", self.name).lower()

    @property
    def purl(self) -> str:
        """The package URL (ECMA-427), by which databases of vulnerabilities know it."""
        return f"pkg:pypi/{quote(self.key, safe='')}@{quote(self.version, safe='')}"

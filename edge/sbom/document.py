"""The SBOM as a document: CycloneDX 1.6 in JSON (ECMA-424), with nothing random in it."""

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from edge.bundle.bundle import Bundle
from edge.bundle.manifest import MANIFEST
from edge.sbom.part import Part

SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"
BEGINNING = f'{{\n  "$schema": "{SCHEMA}"'
"""How the file of an SBOM begins, indented by 2."""
NAMESPACE = uuid.UUID("6f2b1f0e-64a5-5d0c-9c53-0d5d2f6c1a11")
"""Of the serial numbers: the same document has the same."""
PROPERTY = "ewaste-edge"
"""Names of our own properties begin with it."""


@dataclass(frozen=True)
class Platform:
    """What the parts run on.

    Attributes:
        system: name of the operating system, such as `debian`; empty: it is not known.
        release: its version.
        python: version of Python.
    """

    system: str
    release: str
    python: str


@dataclass(frozen=True)
class Contents:
    """What an SBOM lists.

    Attributes:
        program: `ewaste-edge` itself.
        parts: the other distributions.
        bundle: whose files are read and are those of its manifest.
        platform: of a board; None: a release, which is not installed yet.
        properties: name -> value, of the whole.
    """

    program: Part
    parts: tuple[Part, ...]
    bundle: Bundle
    platform: Platform | None
    properties: Mapping[str, str]


def document(contents: Contents, at: datetime) -> dict[str, Any]:
    """The SBOM as a JSON object; `at` is when it was made, with its time zone."""
    program = component(contents.program) | {"type": "application"}
    components = [component(part) for part in sorted(contents.parts, key=lambda part: part.key)]
    components += [bundle_component(contents.bundle)]
    components += platform_components(contents.platform)
    phase = "pre-build" if contents.platform is None else "operations"
    body = {
        "metadata": {
            "timestamp": at.isoformat(timespec="seconds"),
            "lifecycles": [{"phase": phase}],
            "tools": {
                "components": [
                    {
                        "type": "application",
                        "name": contents.program.name,
                        "version": contents.program.version,
                    }
                ]
            },
            "component": program,
            "properties": properties(contents.properties),
        },
        "components": components,
        # That the program includes all of them; not which of them needs which.
        "dependencies": [
            {"ref": program["bom-ref"], "dependsOn": [each["bom-ref"] for each in components]}
        ],
        "compositions": [{"aggregate": "incomplete", "dependencies": [program["bom-ref"]]}],
    }
    number = uuid.uuid5(NAMESPACE, json.dumps(body, sort_keys=True))
    head = {
        "$schema": SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{number}",
        "version": 1,
    }
    return head | body


def component(part: Part) -> dict[str, Any]:
    """A distribution as a component."""
    made: dict[str, Any] = {
        "type": "library",
        "bom-ref": part.purl,
        "name": part.name,
        "version": part.version,
        "purl": part.purl,
    }
    if part.license:
        is_expression = part.is_expression
        stated = (
            {"expression": part.license} if is_expression else {"license": {"name": part.license}}
        )
        made["licenses"] = [stated]
    if part.wheel_sha256:
        made["externalReferences"] = [
            {
                "type": "distribution",
                "url": f"https://pypi.org/project/{part.key}/{part.version}/#files",
                "hashes": [sha256(digest) for digest in sorted(part.wheel_sha256)],
            }
        ]
    named = {"installer": part.installer, "record:sha256": part.content_sha256}
    if any(named.values()):
        made["properties"] = properties(named)
    return made


def bundle_component(bundle: Bundle) -> dict[str, Any]:
    """A bundle as a component; its digest is that of its manifest, which holds all others."""
    reference = f"bundle:{bundle.digest}"
    files = {MANIFEST: bundle.digest, **bundle.manifest.files}
    return {
        "type": "machine-learning-model",
        "bom-ref": reference,
        "name": bundle.manifest.name,
        "version": bundle.manifest.created.isoformat(),
        "hashes": [sha256(bundle.digest)],
        "components": [
            {
                "type": "file",
                "bom-ref": f"{reference}/{name}",
                "name": name,
                "hashes": [sha256(files[name])],
            }
            for name in sorted(files)
        ],
    }


def platform_components(platform: Platform | None) -> list[dict[str, Any]]:
    """The operating system and Python as components."""
    if platform is None:
        return []
    named = [("operating-system", platform.system, platform.release)]
    named += [("platform", "CPython", platform.python)]
    return [
        {"type": kind, "bom-ref": f"{kind}:{name}@{version}", "name": name}
        | ({"version": version} if version else {})
        for kind, name, version in named
        if name
    ]


def properties(named: Mapping[str, str]) -> list[dict[str, str]]:
    """Our own properties, those with a value, by name."""
    rows: Iterable[tuple[str, str]] = sorted(named.items())
    return [{"name": f"{PROPERTY}:{name}", "value": value} for name, value in rows if value]


def sha256(digest: str) -> dict[str, str]:
    """A digest, in hexadecimal, as a hash of CycloneDX."""
    return {"alg": "SHA-256", "content": digest}

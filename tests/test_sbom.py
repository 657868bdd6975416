"""The SBOM against the schema of CycloneDX, pip, and pip-audit, all without a network."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytest.importorskip("cyclonedx")
pytest.importorskip("pip_audit")

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.utils import canonicalize_name
from packaging.version import Version

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parents[1]
PROGRAM = "from edge.cli import main; main()"
PLANTED = "planted-part"
RECORD = {
    "id": "TEST-2026-1",
    "summary": "A planted vulnerability.",
    "details": "It is nobody's.",
    "modified": "2026-11-30T00:00:00Z",
    "affected": [
        {
            "package": {"name": PLANTED, "ecosystem": "PyPI"},
            "ranges": [
                {"type": "ECOSYSTEM", "events": [{"introduced": "1.0"}, {"fixed": "1.4.2"}]}
            ],
        }
    ],
}


def sbom(*options: object, path: str = "") -> dict:
    given = {**os.environ, "SOURCE_DATE_EPOCH": "1764504000"}
    given["PYTHONPATH"] = os.pathsep.join(
        each for each in (path, os.environ.get("PYTHONPATH", ""), str(ROOT)) if each
    )
    command = [sys.executable, "-c", PROGRAM, "sbom", *map(str, options)]
    done = subprocess.run(command, capture_output=True, text=True, env=given)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> dict:
    return sbom("--state", tmp_path_factory.mktemp("state"))


@pytest.fixture(params=["board", "python3.11", "python3.13"])
def made(request: pytest.FixtureRequest, board: dict) -> dict:
    if request.param == "board":
        return board
    return sbom("--lock", ROOT / f"edge/deploy/locks/{request.param}.txt")


def test_it_validates_against_the_schema(made: dict) -> None:
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(json.dumps(made)) is None
    references = [each["bom-ref"] for each in made["components"]]
    assert len(set(references)) == len(references)
    assert made["dependencies"][0]["dependsOn"] == references
    made["components"][0]["color"] = "red"  # the validator does see what is wrong
    assert validator.validate_str(json.dumps(made)) is not None


def test_it_equals_what_is_installed(board: dict) -> None:
    command = [sys.executable, "-m", "pip", "list", "--format", "json"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    installed = {
        canonicalize_name(each["name"]): Version(each["version"])
        for each in json.loads(listed.stdout)
    }
    found = {
        canonicalize_name(each["name"]): Version(each["version"])
        for each in [board["metadata"]["component"], *board["components"]]
        if "purl" in each
    }
    assert found == installed


class Database(BaseHTTPRequestHandler):
    """Answers as api.osv.dev does, from one record."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        affected = RECORD["affected"][0]
        first, fixed = affected["ranges"][0]["events"]
        is_affected = asked["package"] == affected["package"] and Version(
            first["introduced"]
        ) <= Version(asked["version"]) < Version(fixed["fixed"])
        body = json.dumps({"vulns": [RECORD]} if is_affected else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        return


@pytest.fixture
def database() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Database)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1/query"
    server.shutdown()


@pytest.mark.parametrize(("version", "is_found"), [("1.4.1", True), ("1.4.2", False)])
def test_a_planted_vulnerable_version_is_found_without_a_network(
    version, is_found, database, tmp_path
):
    folder = tmp_path / f"site/planted_part-{version}.dist-info"
    folder.mkdir(parents=True)
    metadata = f"Metadata-Version: 2.1\nName: Planted_Part\nVersion: {version}\n"
    (folder / "METADATA").write_text(metadata)
    made = sbom("--state", tmp_path / "state", path=str(folder.parent))
    parts = [each for each in made["components"] if "purl" in each]
    assert f"pkg:pypi/{PLANTED}@{version}" in [each["purl"] for each in parts]
    listed = tmp_path / "board.txt"
    listed.write_text("".join(f"{each['name']}=={each['version']}\n" for each in parts))
    command = [sys.executable, "-m", "pip_audit", "--no-deps", "--disable-pip", "-r", str(listed)]
    command += ["--vulnerability-service", "osv", "--osv-url", database, "--format", "json"]
    away = {"no_proxy": "127.0.0.1", "http_proxy": "http://127.0.0.1:9"}  # nothing else is reached
    environment = {**os.environ, **away, "https_proxy": "http://127.0.0.1:9"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.returncode == (1 if is_found else 0), done.stderr
    audited = json.loads(done.stdout)["dependencies"]
    assert len(audited) == len(parts)
    found = {(each["name"], vuln["id"]) for each in audited for vuln in each["vulns"]}
    assert found == ({(PLANTED, "TEST-2026-1")} if is_found else set())

"""What the documents promise: their commands run, their links lead somewhere, their tables are new.

A shell block that begins with "```sh runnable" is run; one that begins with "```sh runnable slow"
only with the slow tests. The blocks of a document run in order in one folder, which holds drawn
photos in `photos`, a picture `photo.jpg`, and the folders of the checkout.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [*sorted(ROOT.glob("*.md")), *DOCS]
README_LINES = 150
FOLDERS = ("train", "convert", "edge", "benchmarks", "docs")
BLOCK = re.compile(r"^```sh runnable( slow)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TOML = re.compile(r"^```toml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
BLOCK_SECONDS = 600


def blocks(page: Path, slow: bool) -> list[str]:
    """The runnable blocks of a page; the slow ones too, or only the fast ones."""
    found = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [text for marked, text in found if slow or not marked]


def pages_with(slow: bool) -> list[Path]:
    if not slow:
        return [page for page in PAGES if blocks(page, slow=False)]
    return [page for page in PAGES if len(blocks(page, slow=True)) > len(blocks(page, slow=False))]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn photos of all classes."""
    folder = tmp_path_factory.mktemp("docs") / "photos"
    counts = ("--train", "4", "--val", "2", "--test", "2", "--size", "64")
    command = (sys.executable, "-m", "edge.cli", "draw", "--out", str(folder), *counts)
    subprocess.run(command, check=True, env=environment())
    return folder


def environment() -> dict[str, str]:
    commands = str(Path(sys.executable).parent)
    path = f"{commands}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}


def run_blocks(page: Path, folder: Path, drawn: Path, slow: bool) -> None:
    for name in FOLDERS:
        (folder / name).symlink_to(ROOT / name)
    shutil.copytree(drawn, folder / "photos")
    shutil.copy(next((drawn / "test" / "PCB").glob("*.jpg")), folder / "photo.jpg")
    for block in blocks(page, slow):
        done = subprocess.run(
            ("bash", "-euo", "pipefail", "-c", block),
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=BLOCK_SECONDS,
        )
        assert done.returncode == 0, f"{page.name}:\n{block}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr


@pytest.mark.e2e
@pytest.mark.parametrize("page", pages_with(slow=False), ids=lambda page: page.name)
def test_the_commands_of_the_documents_run(page: Path, tmp_path: Path, drawn: Path):
    run_blocks(page, tmp_path, drawn, slow=False)


@pytest.mark.slow
@pytest.mark.parametrize("page", pages_with(slow=True), ids=lambda page: page.name)
def test_the_slow_commands_of_the_documents_run(page: Path, tmp_path: Path, drawn: Path):
    run_blocks(page, tmp_path, drawn, slow=True)


def heading_names(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    heads = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def links(page: Path) -> Iterator[str]:
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    for target in LINK.findall(text):
        if not re.match(r"[a-z]+:", target):
            yield target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_images_lead_somewhere(page: Path):
    for target in links(page):
        name, _, anchor = target.partition("#")
        place = page.parent / name if name else page
        assert place.exists(), f"{page.name}: {target}"
        if anchor:
            assert anchor in heading_names(place), f"{page.name}: {target}"


def test_every_document_is_reached_from_the_readme():
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached:
            reached.add(page)
            targets = (page.parent / target.partition("#")[0] for target in links(page))
            waiting += [place.resolve() for place in targets if place.suffix == ".md"]
    assert {page.name for page in DOCS} <= {page.name for page in reached}


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= README_LINES


def test_the_generated_parts_are_up_to_date():
    pytest.importorskip("tensorflow")  # the scripts of the workstation tell their own options
    done = subprocess.run(
        (sys.executable, "docs/generate.py", "--check"),
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_every_key_of_the_configuration_is_described():
    from edge.config import Config

    schema = Config.model_json_schema()
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    for part in (schema, *schema["$defs"].values()):
        for key in part["properties"]:
            rows = re.findall(rf"^\| `{key}` \|.*\| (.*) \|$", text, re.MULTILINE)
            assert rows, f"docs/configuration.md lacks {key}"
            assert all(meaning.strip() for meaning in rows), f"{key} is not described"


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_the_keys_of_the_examples_exist_and_their_values_are_allowed(page: Path):
    from pydantic import ValidationError

    from edge.config import Config

    for block in TOML.findall(page.read_text(encoding="utf-8")):
        try:
            Config.model_validate(tomllib.loads(block))
        except ValidationError as error:
            # What concerns the whole, such as a bin without a gate, may lie outside an example.
            assert all(not problem["loc"] for problem in error.errors()), f"{error}\n{block}"


def test_every_command_is_described():
    from edge.cli import app

    text = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    for command in app.registered_commands:
        name = command.name or command.callback.__name__.replace("_", "-")
        assert command.hidden or f"### `ewaste-edge {name}`" in text


def test_nothing_is_installed_from_an_index():
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        found = re.search(r"pip install[^\n`]*['\" ]ewaste-edge", text)
        assert not found, f"{page.name}: {found and found[0]}: nothing is published on an index"


def test_pictures_are_small():
    for picture in (ROOT / "docs" / "images").iterdir():
        assert picture.stat().st_size < 1_000_000, picture.name


def test_no_help_of_a_script_has_brackets_that_rich_takes_for_markup():
    text = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    options = [row for row in text.splitlines() if row.startswith("| `-")]
    assert len(options) > 200
    meanings = [row.rstrip(" |").rpartition(" | ")[2] for row in options]
    assert [each for each in meanings if re.search(r"\[[a-z#/@]", each)] == []

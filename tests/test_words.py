"""Words that docs/glossary.md retired stand nowhere but there and in the changelog."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ALLOWED = (
    "CHANGELOG.md",
    "docs/glossary.md",
    "edge/bundle/format_1.py",
    "edge/models/",
    "edge/records/schema.py",
    "tests/data/",
    "train/learning/earlier_names.py",
    "tests/edge/records/test_migration.py",
    "tests/test_words.py",
)
SUFFIXES = {".py", ".md", ".toml", ".html", ".js", ".css", ".ipynb", ".yml"}
RETIRED = (
    r"(?i)\bcutters?\b",
    r"\bBelief\b",
    r"\bANYHOW\b",
    r"\bPose\b",
    r"(?i)\bsuspicion",
    r"(?i)\bcrowding\b",
    r"(?i)\bglance\b",
    r"\bTrail\b",
    r"(?i)\bastray\b",
    r"(?i)\bunwired\b",
    r"(?i)noise_share",
    r"\bPARTLY\b",
    r"QUANTISED",
    r"(?i)\bghosts?\b",
    r"(?i)\bspoil(t|s)?\b",
    r"(?i)\bgrey",
    r"(?i)\bcentre",
    r"(?i)(?<!accuracy_)quantis",
    r"(?i)recogni[s]ed",
    r"(?i)licence",
    r"(?i)behaviour",
    r"\bWanted",
    r"noise_share",
    r"(?i)UnwiredGates|wanted_gates",
    r"\bwrite_levels\b",
    r"(?i)(?<![a-z])(said|told|fresh|wanted)(?![a-z])",
    r"\b(KEPT|MISSED)\b",
    r"(?i)\bdoubled\b|counted twice",
    r"(?i)\bstrangers?\b|\bstand-ins?\b|\bunknown things\b",
    r"(?i)\bcut_?outs?\b|\blikeliest\b",
)


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    names = [name for name in listed.stdout.split("\n") if name and not name.startswith(ALLOWED)]
    found = {}
    for name in names:
        path = ROOT / name
        if path.suffix in SUFFIXES and path.is_file():
            found[name] = path.read_text(encoding="utf-8")
    return found


@pytest.mark.parametrize("word", RETIRED)
def test_a_retired_word_is_used_nowhere(word: str, texts: dict[str, str]) -> None:
    pattern = re.compile(word)
    found = [
        f"{name}:{number}: {line.strip()}"
        for name, text in texts.items()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]
    assert not found, "\n".join(found)

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_imports_flow_one_way():
    command = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command as lint; lint()",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_device_runs_without_tensorflow_and_the_line_without_gradio():
    program = (
        "import sys, edge.cli, edge.line, edge.simulator.simulate; "
        "loaded = {name.partition('.')[0] for name in sys.modules}; "
        "print(sorted(loaded & {'tensorflow', 'keras', 'gradio', 'pandas', 'sklearn'}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_the_devices_tests_need_no_workstation():
    pattern = re.compile(
        r"^\s*(from|import) (keras|tensorflow|scipy|sklearn|pandas|train|convert|benchmarks)\b",
        re.M,
    )
    for path in (ROOT / "tests" / "edge").rglob("*.py"):
        found = pattern.search(path.read_text(encoding="utf-8"))
        assert not found, f"{path}: {found and found[0].strip()}"


def test_no_two_public_classes_of_the_device_have_one_name():
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "edge").rglob("*.py")):
        for name in re.findall(r"^class ([A-Z]\w*)", path.read_text(encoding="utf-8"), re.M):
            found.setdefault(name, []).append(path.name)
    assert {name: files for name, files in found.items() if len(files) > 1} == {}


def test_the_document_shows_the_layers_of_the_device():
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    _, contract = settings.split('name = "the rooms of the device, from the top down"')
    layers = re.findall(r'^    "(.+)",$', contract.partition("]")[0], re.M)
    shown = "\n".join(["```text", *layers, "```"]).replace("edge.", "")
    assert shown in (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")

"""The notebook, executed from the first cell to the last on drawn items."""

import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "train" / "quickstart.ipynb"


def test_the_notebook_is_stored_without_outputs():
    for cell in nbformat.read(NOTEBOOK, as_version=4).cells:
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None


@pytest.mark.slow
def test_the_notebook_explores_trains_judges_and_tries_a_picture(tmp_path, monkeypatch):
    settings = {"WEIGHTS": "none", "IMAGE_SIZE": 32, "EPOCHS": 1, "DRAWN": 3, "OUT": tmp_path}
    for name, value in settings.items():
        monkeypatch.setenv(f"EWASTE_{name}", str(value))
    monkeypatch.delenv("EWASTE_DATA", raising=False)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(
        notebook, timeout=900, resources={"metadata": {"path": str(NOTEBOOK.parent)}}
    )
    client.execute()
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["images"] == 30
    assert (tmp_path / "audit" / "audit.html").exists()
    assert (tmp_path / "judged" / "report.html").exists()
    answer = notebook.cells[-2].outputs[-1]["data"]["text/plain"]
    assert len(answer.splitlines()) >= 5
    shown = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if "image/png" in output.get("data", {})
    ]
    assert len(shown) == 4  # examples, history, confusion, the picture tried

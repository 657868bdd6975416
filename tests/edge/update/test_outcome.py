"""The last visit to a repository that took nothing is kept until one succeeds."""

from pathlib import Path

import pytest

from edge.errors import BadInput, Refused
from edge.update.outcome import OUTCOME_NAME, failed_visit, noted


def visit(folder: Path, error: Exception | None) -> None:
    with noted(folder, 1000.0):
        if error is not None:
            raise error


def test_a_failure_is_kept_until_a_visit_succeeds(tmp_path: Path) -> None:
    visit(tmp_path, None)
    assert failed_visit(tmp_path) is None
    with pytest.raises(Refused, match="expired"):
        visit(tmp_path, Refused("what it serves has expired\n" + "x" * 1000))
    found = failed_visit(tmp_path)
    assert found is not None and found.at == 1000.0
    assert found.why.startswith("what it serves has expired xx") and len(found.why) == 300
    assert (tmp_path / OUTCOME_NAME).stat().st_mode & 0o777 == 0o600
    with pytest.raises(BadInput):
        visit(tmp_path, BadInput("another update is at work"))
    assert failed_visit(tmp_path) == found
    visit(tmp_path, None)
    assert failed_visit(tmp_path) is None


def test_a_folder_that_is_missing_or_a_damaged_file_is_no_failure(tmp_path: Path) -> None:
    with pytest.raises(Refused):
        visit(tmp_path / "nowhere", Refused("no"))
    assert failed_visit(tmp_path / "nowhere") is None
    (tmp_path / OUTCOME_NAME).write_bytes(b"[" * 9000)
    assert failed_visit(tmp_path) is None

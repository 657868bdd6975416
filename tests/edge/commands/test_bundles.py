import json
import shutil
from pathlib import Path

from tests.support.command import complaint, ewaste


def test_verify_proves_a_whole_bundle_and_refuses_an_altered_one(tiny_bundle, tmp_path):
    done = ewaste("verify", tiny_bundle, "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["ok"] is True
    altered = Path(shutil.copytree(tiny_bundle, tmp_path / "altered"))
    (altered / "labels.txt").write_text("Battery\nKeyboard\nWashing Machine\nPCB\n")
    done = ewaste("verify", altered)
    assert done.returncode == 3
    assert "labels.txt" in complaint(done)
    (altered / "labels.txt").unlink()
    done = ewaste("simulate", "--items", 2, "--bundle", altered)
    assert done.returncode == 3
    assert "labels.txt: missing" in complaint(done)

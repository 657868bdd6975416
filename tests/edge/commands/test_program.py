"""`update --program` on a machine that it is not meant for."""

import pytest

from edge.commands import program
from edge.commands.program import update_program
from edge.errors import BadInput
from edge.setup.places import Places


def test_only_root_and_only_what_the_installer_put_there(monkeypatch, tmp_path):
    monkeypatch.setattr(program.os, "geteuid", lambda: 1000)
    with pytest.raises(BadInput, match="only root can change the program: sudo systemctl start"):
        update_program(None, None, 0.0)
    monkeypatch.setattr(program.os, "geteuid", lambda: 0)
    monkeypatch.setattr("edge.setup.places.Places", lambda: Places(root=tmp_path))
    with pytest.raises(BadInput, match="ewaste-edge.proven: missing"):
        update_program(None, None, 0.0)
    assert not list(tmp_path.iterdir()), "something was written"


def test_it_does_nothing_where_it_is_not_asked_for(monkeypatch, tmp_path):
    places = Places(root=tmp_path)
    (tmp_path / "opt").mkdir()
    places.proven.symlink_to("ewaste-edge-0123456789ab")
    places.settings.parent.mkdir(parents=True)
    places.settings.write_text('[camera]\nsource = "0"\n')
    monkeypatch.setattr(program.os, "geteuid", lambda: 0)
    monkeypatch.setattr(program.os, "umask", lambda mode: mode)
    monkeypatch.setattr("edge.setup.places.Places", lambda: places)
    with pytest.raises(BadInput, match=r"set \[update\] program = true"):
        update_program(None, None, 0.0)

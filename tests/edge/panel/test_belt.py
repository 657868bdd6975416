"""The tab "Belt": a sheet on a rendered belt, from the first picture to the configuration."""

import json
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.cameras.camera import Frame
from edge.config import page_content, read_config
from edge.panel.accounts import Accounts
from edge.panel.belt import LineConfig
from edge.panel.guard import Access
from edge.panel.users import Role, Users, make_user, write_users
from edge.status import RUNNING, Status, write_status
from edge.stills import StillTaker
from tests.support.served import Panel, basic, get, keep_picture, open_tab, post
from tests.support.sheet_camera import Look, picture

CAMERA = Look(width=960, height=540, focal_px=960, tilt_y=3, k1=-0.05, blur_px=0.7, noise=2)
START_MM, SPEED = -330.0, 250.0
GATE_LINE_MM = START_MM + 266
PASSWORD = "mint tea"
USERS = {"vera": Role.VIEWER, "anna": Role.OPERATOR, "otto": Role.ADMIN}
LINE = """\
# The line in hall 2.
[belt]
speed_mm_s = 380   # as the label on the motor has it
mm_per_px = 0.8
encoder = "pulses"
mm_per_pulse = 0.5
pulse_pin = 17
"""


def headers(name: str) -> dict[str, str]:
    return {"Authorization": basic(name, PASSWORD)}


class Belt:
    """A line whose camera sees the sheet, and its page.

    Attributes:
        file: the configuration.
        moved_mm: where the belt is.
        speed_mm_s: of the belt.
    """

    def __init__(self, folder: Path, bundle: Path) -> None:
        self.state, self.file = folder / "state", folder / "line.toml"
        self.state.mkdir()
        self.file.write_text(LINE)
        write_users(
            folder / "users.json",
            Users(users=tuple(make_user(name, role, PASSWORD) for name, role in USERS.items())),
        )
        access = Access(accounts=Accounts(folder / "users.json"))
        line = LineConfig(read_config(self.file), self.file)
        self.moved_mm, self.speed_mm_s, self.at_s = 0.0, 0.0, 100.0
        self.taker, self.ended = StillTaker(self.state), threading.Event()
        self.frame = Frame(picture(CAMERA, sheet_mm=(START_MM, -110)), self.at_s, 0)
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        self.page = Panel(self.state, bundle, access, line=line)
        self.url = self.page.url

    def _run(self) -> None:
        while not self.ended.wait(0.02):
            self.taker.offer(self.frame, self.moved_mm)

    def move(self, moved_mm: float, speed_mm_s: float) -> None:
        """Let the belt be there, as the line measures it."""
        self.at_s += (moved_mm - self.moved_mm) / SPEED
        self.moved_mm, self.speed_mm_s = moved_mm, speed_mm_s
        pixels = picture(CAMERA, sheet_mm=(START_MM, -110), belt_mm=moved_mm)
        self.frame = Frame(pixels, self.at_s, 0)
        write_status(
            self.state, Status(updated_at=time.time(), state=RUNNING, speed_mm_s=speed_mm_s)
        )

    def shown(self, name: str = "otto", language: str = "en") -> str:
        asked = {"Accept-Language": language, **headers(name)}
        return str(json.loads(get(f"{self.url}belt.json", **asked)[2])["belt"])

    def ask(self, path: str, content: object, name: str = "otto", **more: str) -> tuple[int, str]:
        body = json.dumps(content).encode()
        status, answer = post(f"{self.url}belt/{path}", body, **{**headers(name), **more})
        return status, answer.decode()

    def close(self) -> None:
        self.page.close()
        self.ended.set()
        self.thread.join()
        self.taker.close()


@pytest.fixture
def belt(tmp_path: Path, tiny_bundle: Path) -> Iterator[Belt]:
    made = Belt(tmp_path, tiny_bundle)
    yield made
    made.close()


def test_pictures_of_the_sheet_set_scale_speed_and_gate(belt, caplog):
    caplog.set_level(logging.INFO)
    belt.move(0, 0)
    status, answer = belt.ask("picture", {})
    assert status == 200 and "take two pictures while the belt carries" in answer
    assert 'data-aspect=\\"TILT\\"' in answer and "belt.speed_mm_s" not in answer
    for moved in (40, 240):
        belt.move(moved, SPEED)
        assert belt.ask("picture", {})[0] == 200
    belt.move(1000 - GATE_LINE_MM, 0)
    status, answer = belt.ask("picture", {"bin": "boards"})
    assert status == 200, answer
    shown = belt.shown()
    assert "data-flaw" in shown, "the sheet has left the view by now"
    revision = int(shown.partition('data-write="')[2].partition('"')[0])
    assert belt.file.read_text() == LINE, "nothing is written before it is confirmed"
    assert belt.ask("write", {"revision": revision - 1})[0] == 409
    status, answer = belt.ask("write", {"revision": revision})
    assert status == 200 and "The line takes it when it is started anew" in answer
    config = read_config(belt.file)
    assert config.belt.mm_per_px == pytest.approx(CAMERA.mm_per_px, rel=0.005)
    assert config.belt.speed_mm_s == pytest.approx(SPEED, rel=0.01)
    assert {gate.bin: gate.distance_mm for gate in config.gates}["boards"] == pytest.approx(
        1000, abs=5
    )
    assert belt.file.with_name("line.toml.bak").read_text() == LINE
    assert "# as the label on the motor has it" in belt.file.read_text()
    logged = [record.getMessage() for record in caplog.records]
    assert any(
        line.startswith("otto from 127.0.0.1: wrote the belt set-up into ")
        and "belt.speed_mm_s 380.0 -> 2" in line
        for line in logged
    )
    assert belt.ask("write", {"revision": revision})[0] == 409, "not twice"
    assert belt.ask("forget", {})[0] == 200 and "data-aspect" not in belt.shown()


def test_what_cannot_be_used_is_named_and_not_written(belt):
    belt.frame = Frame(picture(CAMERA)[:, ::-1].copy(), 1.0, 0)
    status, answer = belt.ask("picture", {})
    assert status == 200 and "The picture is mirrored" in answer and "data-write" not in answer
    assert belt.ask("forget", {})[0] == 200
    belt.frame = Frame(picture(CAMERA)[::-1, ::-1].copy(), 2.0, 0)
    status, answer = belt.ask("picture", {})
    assert "to the left" in answer and "data-obstacle" in answer and "data-write" not in answer
    number = json.loads(answer)["belt"]
    for revision in range(10):
        assert belt.ask("write", {"revision": revision})[0] == 409
    assert belt.file.read_text() == LINE and "turn the camera" in number
    for bad in ({"ruler": 20}, {"bin": "x" * 65}, {"bin": "nowhere"}, {"more": 1}, []):
        assert belt.ask("picture", bad)[0] == 400
    for language in ("de", "es", "hi"):
        assert "turn the camera" not in belt.shown(language=language)


def test_only_an_admin_sets_the_belt_up_and_no_other_site(belt):
    for name in ("vera", "anna"):
        for path in ("picture", "forget", "write"):
            assert belt.ask(path, {}, name)[0] == 403
        assert "log in as an admin" in belt.shown(name) and "data-take" not in belt.shown(name)
    assert belt.ask("picture", {}, Origin="http://evil.example")[0] == 403
    assert post(f"{belt.url}belt/picture", b"{}")[0] == 401
    assert post(f"{belt.url}belt/picture", b"{}", "text/plain", **headers("otto"))[0] == 415
    status, given, sheet = get(f"{belt.url}sheet-a3.pdf", **headers("vera"))
    assert status == 200 and sheet.startswith(b"%PDF-1.")
    assert 'filename="sheet-a3.pdf"' in given["content-disposition"]
    assert get(f"{belt.url}sheet-a5.pdf", **headers("vera"))[0] == 404


def test_the_page_of_a_line_knows_its_belt_but_no_secret(tmp_path):
    (tmp_path / "line.toml").write_text(LINE)
    config = read_config(tmp_path / "line.toml")
    (tmp_path / "page.json").write_bytes(page_content(config))
    assert read_config(tmp_path / "page.json").belt == config.belt


@pytest.mark.slow
def test_a_browser_sets_the_belt_up_by_keys_alone(belt, browser):
    page = browser.new_page(extra_http_headers=headers("otto"))
    page.set_default_timeout(60_000)
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(belt.url)
    open_tab(page, "Belt")
    for moved in (0, 200):
        belt.move(moved, SPEED)
        page.get_by_role("button", name="Take a picture now").focus()
        page.keyboard.press("Enter")
        page.wait_for_selector(f"#belt td >> text={1 + moved // 200} of {1 + moved // 200} show")
    page.wait_for_selector("#belt [data-change='belt.speed_mm_s']")
    keep_picture(page, "belt")
    page.get_by_role("button", name="Write into the configuration").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#belt [data-written]")
    assert "Written by otto" in page.inner_text("#belt [data-written]")
    assert read_config(belt.file).belt.speed_mm_s == pytest.approx(SPEED, rel=0.01)
    page.close()

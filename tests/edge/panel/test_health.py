"""The tab "Health" and the alarms: on the real page over HTTP, in a browser, and after kill -9."""

import base64
import json
import threading
import time
from pathlib import Path

import pytest

from edge.alarms.alarm import Alarm, Alarms, AlarmState, Happening
from edge.alarms.catalog import CATALOG, AlarmName
from edge.alarms.kept import ALARMS_NAME, change_alarms, read_alarms
from edge.alarms.signals import AlarmLimits
from edge.board import BoardHealth
from edge.faults import FaultLog
from edge.language import Language
from edge.panel import app as panel
from edge.panel.accounts import Accounts
from edge.panel.guard import Access
from edge.panel.health import AlarmWatch, alarms_part
from edge.panel.languages import Appearance, shown_as
from edge.panel.users import Role, Users, make_user, write_users
from edge.records.store import RECORDS_NAME, Store
from edge.status import NO_PICTURE, RUNNING, BeltLook, OutputHealth, Status, write_status
from edge.verdict import Reason
from tests.support.served import get, keep_picture, killed_page, open_tab, post_json, served
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[3]
HOSTILE = '"><script>document.title="owned"</script>'
SIZES = ((1280, 800), (1024, 600), (390, 844))
BLIND, LENS, LIGHT = AlarmName.NO_PICTURE, AlarmName.DIRTY_LENS, AlarmName.LIGHT_CHANGED
MIX, UNLIKE = AlarmName.CLASS_MIX, AlarmName.UNLIKE_KNOWN
LOOK = BeltLook(red=96, green=98, blue=90, contrast=0.05, spots=0.001)
STATUS = Status(
    updated_at=0,
    state=RUNNING,
    camera="USB camera 0",
    fps=29.7,
    frames=9_000,
    dropped_frames=1_000,
    waiting_records=3,
    memory_bytes=212e6,
    outputs=(
        OutputHealth(name="GPIO", connected=True, outages=1),
        OutputHealth(name=f"MQTT {HOSTILE}", connected=True, dropped=7),
    ),
    look=LOOK,
)


def raised(state: Path, *names: AlarmName, detail: str = "") -> None:
    """Let alarms stand as if they had been raised a minute ago."""
    alarms = {
        name: Alarm(active=True, latched=True, raised_at=time.time() - 60, detail=detail)
        for name in names
    }
    change_alarms(state, lambda before: Alarms(at=time.time(), alarms=alarms))


def tell(state: Path, **changes) -> None:
    write_status(state, STATUS.model_copy(update={"updated_at": time.time(), **changes}))


@pytest.fixture(scope="module")
def served_page(tmp_path_factory, bundle):
    state = tmp_path_factory.mktemp("health")
    with served(panel.build(state, state / RECORDS_NAME, bundle.path)) as url:
        yield url, state


@pytest.fixture
def page(served_page):
    """The page of a line that runs, and sees nothing of lens, light, or items."""
    url, state = served_page
    stop = threading.Event()

    def keep_telling() -> None:
        while not stop.wait(0.5):
            tell(state, look=None)

    tell(state, look=None)
    thread = threading.Thread(target=keep_telling)
    thread.start()
    yield url, state
    stop.set()
    thread.join()


def shown(url: str) -> dict[str, str]:
    status, _, body = get(f"{url}alarms.json")
    assert status == 200
    return json.loads(body)


def seen(url: str, text: str) -> None:
    wait_until(lambda: text in shown(url)["alarms"], 30)


def test_an_alarm_is_shown_counted_acknowledged_and_served_to_prometheus(page):
    url, state = page
    raised(state, LENS, MIX, detail=HOSTILE)
    seen(url, 'data-alarm="dirty_lens"')
    parts = shown(url)
    assert parts["alarms"].index("dirty_lens") < parts["alarms"].index("class_mix")
    assert "Clean the lens with a dry cloth" in parts["alarms"]
    assert "<script" not in parts["alarms"] and "&lt;script&gt;" in parts["alarms"]
    wait_until(lambda: "<b>2</b>" in json.loads(get(f"{url}parts.json")[2])["raised"])
    metrics = get(f"{url}metrics")[2].decode()
    assert 'ewaste_alarms{name="dirty_lens",state="unacknowledged"} 1.0' in metrics
    status, answer = post_json(f"{url}alarms/acknowledge", {"names": ["dirty_lens"]})
    assert status == 200 and "<b>1</b>" in answer["raised"]
    assert 'data-acknowledge="dirty_lens"' not in answer["alarms"]
    alarm = read_alarms(state).of(LENS)
    assert alarm.state is AlarmState.ACKNOWLEDGED and alarm.acknowledged_by == "the page"
    assert abs(alarm.acknowledged_at - time.time()) < 60
    status, answer = post_json(f"{url}alarms/shelve", {"name": "class_mix", "hours": 4})
    assert status == 200 and answer["raised"] == ""
    assert read_alarms(state).of(MIX).state is AlarmState.SHELVED
    status, answer = post_json(f"{url}alarms/unshelve", {"name": "class_mix"})
    assert status == 200
    seen(url, 'data-acknowledge="class_mix"')
    journal = [(each.name, each.what, each.by) for each in read_alarms(state).events]
    assert (LENS, Happening.ACKNOWLEDGED, "the page") in journal
    assert (MIX, Happening.UNSHELVED, "the page") in journal


def test_the_figures_of_line_and_page_are_shown_and_what_nobody_tells_is_named(page):
    url, state = page
    html = shown(url)["health"]
    assert "29.7" in html and "1,000" in html and "10.0% since the start" in html
    assert "212 MB" in html and "in sync" in html and "<script" not in html
    assert html.count("connected") == 2 and "7" in html
    assert "this board does not tell" in html or "°C" in html
    (state / "status.json").write_text('{"updated_at": 1, "state": "running", "frames": "x"}')
    assert "never run" in shown(url)["health"] or "29.7" in shown(url)["health"]


def test_faults_are_shown_in_order_of_time(page):
    url, state = page
    log = FaultLog(state, time.time())
    log.see({"camera": HOSTILE}, time.time())
    log.see({"PLC": "no answer"}, time.time() + 1)
    log.end(time.time() + 2)
    FaultLog(state, time.time() + 3).end(time.time() + 4)
    html = shown(url)["faults"]
    assert html.index('data-fault="PLC"') < html.index('data-fault="camera"')
    assert "<script" not in html and "&lt;script&gt;" in html and "lasts" not in html
    (state / "faults.jsonl").unlink()
    (state / "faults.jsonl").mkdir()
    assert "no regular file" in shown(url)["faults"]
    (state / "faults.jsonl").rmdir()


def test_alarms_figures_and_faults_speak_the_language_of_the_visitor(page):
    url, state = page
    raised(state, LENS, MIX, detail="Mouse: 10% > 30.5%")
    seen(url, "30.5%")
    begun = time.time()
    log = FaultLog(state, begun)
    fault = "USB camera 0: the picture is black; check the light and the lens cap"
    log.see({"camera": fault, "PLC": "PLC: [Errno 111] Connection refused"}, begun)
    log.end(begun + 1)
    german = {"Accept-Language": "de"}
    parts = json.loads(get(f"{url}alarms.json", **german)[2])
    assert "Das Objektiv ist verschmutzt" in parts["alarms"] and "Quittieren" in parts["alarms"]
    assert "Maus: 10\xa0% &gt; 30,5\xa0%" in parts["alarms"]
    assert "10,0\xa0% seit dem Start" in parts["health"] and "29,7" in parts["health"]
    assert "Linie: läuft" in parts["health"]
    black = "USB camera 0: das Bild ist schwarz; Licht und Objektivdeckel prüfen"
    assert black in parts["faults"] and "PLC: [Fehler 111] Verbindung abgelehnt" in parts["faults"]
    status, answer = post_json(f"{url}alarms/reference", {}, **german)
    assert status == 409 and answer["error"].startswith("Nicht ausgeführt: die Linie meldet")
    status, answer = post_json(f"{url}alarms/shelve", {"name": "no_picture", "hours": 1}, **german)
    assert status == 409 and "dringender Alarm" in answer["error"]
    status, answer = post_json(f"{url}alarms/acknowledge", {"names": ["dirty_lens"]}, **german)
    assert status == 200 and "von dieser Seite" in answer["alarms"]
    assert read_alarms(state).of(LENS).acknowledged_by == "the page"
    assert 'data-open-tab="Health"><b>1</b> Alarm zu quittieren' in answer["raised"]
    (state / "faults.jsonl").unlink()


REFUSED = {
    "no such alarm": ("alarms/acknowledge", {"names": ["fire"]}, 400),
    "none": ("alarms/acknowledge", {"names": []}, 400),
    "more than is asked": ("alarms/acknowledge", {"names": ["dirty_lens"], "by": "x"}, 400),
    "two shifts": ("alarms/shelve", {"name": "dirty_lens", "hours": 16}, 400),
    "no time": ("alarms/shelve", {"name": "dirty_lens", "hours": 0}, 400),
    "an urgent one": ("alarms/shelve", {"name": "no_picture", "hours": 1}, 409),
    "no picture to take": ("alarms/reference", {}, 409),
    "a long body": ("alarms/unshelve", b"{}" + b" " * 2000, 413),
    "no JSON": ("alarms/unshelve", b"name=x", 400),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_asked_for_is_refused_and_changes_nothing(page, kind):
    url, state = page
    raised(state, LENS)
    path, content, expected = REFUSED[kind]
    status, answer = post_json(url + path, content)
    assert status == expected and "\n" not in answer["error"]
    assert read_alarms(state).of(LENS).state is AlarmState.UNACKNOWLEDGED
    assert read_alarms(state).events == ()


def test_a_viewer_sees_alarms_and_acknowledges_none(tmp_path, bundle, caplog):
    users = (
        make_user("vera", Role.VIEWER, "black tea"),
        make_user("anna", Role.OPERATOR, "green tea"),
    )
    write_users(tmp_path / "users.json", Users(users=users))
    raised(tmp_path, LENS)
    access = Access(accounts=Accounts(tmp_path / "users.json"))

    def basic(name: str, password: str) -> dict[str, str]:
        return {
            "Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()
        }

    with served(panel.build(tmp_path, tmp_path / RECORDS_NAME, bundle.path, access=access)) as url:
        vera, anna = basic("vera", "black tea"), basic("anna", "green tea")
        assert b"dirty_lens" in get(f"{url}alarms.json", **vera)[2]
        for path in ("acknowledge", "shelve", "unshelve", "reference"):
            asked = {"names": ["dirty_lens"]}
            with pytest.raises(json.JSONDecodeError):  # one line of text by the guard
                post_json(f"{url}alarms/{path}", asked, **vera)
        assert read_alarms(tmp_path).of(LENS).state is AlarmState.UNACKNOWLEDGED
        with caplog.at_level("INFO", logger="edge.panel.actions"):
            assert post_json(f"{url}alarms/acknowledge", asked, **anna)[0] == 200
        assert "anna from 127.0.0.1: acknowledged the alarms dirty_lens" in caplog.text
        assert read_alarms(tmp_path).of(LENS).acknowledged_by == "anna"


@pytest.mark.slow
def test_what_a_person_acknowledged_survives_a_kill_of_the_page(tmp_path, bundle):
    raised(tmp_path, LENS, LIGHT)
    with killed_page(tmp_path, bundle.path, tmp_path) as url:
        asked = {"names": ["dirty_lens"]}
        assert post_json(f"{url}/alarms/acknowledge", asked)[0] == 200
    with killed_page(tmp_path, bundle.path, tmp_path) as url:
        html = json.loads(get(f"{url}/alarms.json", patience=60)[2])["alarms"]
    assert 'data-acknowledge="light_changed"' in html
    assert 'data-acknowledge="dirty_lens"' not in html and 'data-alarm="dirty_lens"' in html


def test_alarms_are_raised_with_no_browser_open(tmp_path, make_record):
    """The watch in simulated time, on real files: a blind camera, then a burst of rubbish."""
    now = 1_800_000_000.0
    path = tmp_path / RECORDS_NAME
    odd = {
        "bin": "manual",
        "label": "unknown",
        "reason": Reason.OUT_OF_DISTRIBUTION,
    }
    with Store(path) as store:
        store.append(
            make_record(f"before-{number}", decided_at=now - 4 * 3600 + number)
            for number in range(1000)
        )
        store.append(
            make_record(f"new-{number}", decided_at=now - 60 + number / 10, **changes)
            for number in range(400)
            for changes in (odd if number % 2 else {},)
        )
    watch = AlarmWatch(tmp_path, path, AlarmLimits(), board=lambda: BoardHealth(84.0))
    for step in range(80):
        at = now + 5 * step
        blind = {"state": NO_PICTURE} if step < 4 else {}
        write_status(tmp_path, STATUS.model_copy(update={"updated_at": at, **blind}))
        watch.look(at)
    found = {name: watch.alarms.of(name).state for name in CATALOG}
    assert found[BLIND] is AlarmState.RETURNED
    assert found[AlarmName.BOARD_HOT] is AlarmState.UNACKNOWLEDGED
    assert found[UNLIKE] is AlarmState.UNACKNOWLEDGED
    assert watch.alarms.reference.look == LOOK and watch.error == ""
    assert read_alarms(tmp_path) == watch.alarms or read_alarms(tmp_path).alarms


def test_lens_and_light_are_judged_by_a_reference_that_a_person_can_renew(tmp_path):
    now = 1_800_000_000.0
    watch = AlarmWatch(tmp_path, tmp_path / RECORDS_NAME, AlarmLimits(), board=BoardHealth)

    def run(begin: float, seconds: float, look: BeltLook) -> float:
        for step in range(int(seconds / 5)):
            at = begin + 5 * step
            write_status(tmp_path, STATUS.model_copy(update={"updated_at": at, "look": look}))
            watch.look(at)
        return begin + seconds

    now = run(now, 200, LOOK)
    assert watch.alarms.reference is not None and watch.alarms.unacknowledged == []
    other = AlarmWatch(tmp_path, tmp_path / RECORDS_NAME, AlarmLimits(), board=BoardHealth)
    watch = other  # the page was started anew: it has not forgotten
    now = run(now, 300, LOOK.model_copy(update={"spots": 0.02}))
    assert watch.alarms.unacknowledged == [LENS]
    now = run(now, 600, LOOK)
    assert watch.alarms.of(LENS).state is AlarmState.RETURNED
    now = run(now, 300, BeltLook(red=150, green=150, blue=140, contrast=0.05, spots=0.001))
    assert watch.alarms.of(LIGHT).state is AlarmState.UNACKNOWLEDGED
    watch.take_reference("anna", now)
    run(now, 600, BeltLook(red=150, green=150, blue=140, contrast=0.05, spots=0.001))
    assert watch.alarms.of(LIGHT).state is AlarmState.RETURNED
    assert read_alarms(tmp_path).reference.taken_by == "anna"


def test_a_file_that_cannot_be_kept_or_is_damaged_stops_no_alarm(tmp_path, monkeypatch):
    raised(tmp_path, LENS)
    (tmp_path / ALARMS_NAME).write_bytes(b'{"at": ')
    watch = AlarmWatch(tmp_path, tmp_path / RECORDS_NAME, AlarmLimits(), board=BoardHealth)
    now = time.time()
    for step in range(6):
        write_status(tmp_path, STATUS.model_copy(update={"updated_at": now, "state": NO_PICTURE}))
        watch.look(now + step)
    now += 5

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edge.alarms.kept.write_whole", full)
    for step in range(8):
        at = now + 3 * step
        write_status(tmp_path, STATUS.model_copy(update={"updated_at": at, "state": NO_PICTURE}))
        watch.look(at)
    assert watch.alarms.unacknowledged == [BLIND]
    assert "No space left" in watch.error
    monkeypatch.undo()
    watch.look(at + 1)
    assert read_alarms(tmp_path).unacknowledged == [BLIND], "kept once the disk takes it"


def test_every_alarm_has_words_and_stands_in_the_documents():
    text = (ROOT / "docs" / "alarms.md").read_text(encoding="utf-8")
    words = (ROOT / "edge/panel/templates/alarm_words.html").read_text(encoding="utf-8")
    for name, kind in CATALOG.items():
        assert words.count(f'name == "{name.value}"') == 3, name
        (row,) = [line for line in text.splitlines() if line.startswith(f"| `{name.value}` |")]
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert cells[2] == kind.priority.value
        assert cells[3] == f"{kind.on_delay_s:g} s, {kind.off_delay_s:g} s"
        follows = {part for part in cells[4].replace("`", "").split(", ") if part != "-"}
        assert follows == {cause.value for cause in kind.follows_from}


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_a_person_acknowledges_by_keys_and_by_touch(page, browser, size):
    url, state = page
    raised(state, LENS, UNLIKE, MIX, detail="47%, 1.2%")
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, has_touch=True)
    tab = context.new_page()
    problems = []
    tab.on("pageerror", lambda error: problems.append(str(error)))
    try:
        seen(url, 'data-acknowledge="class_mix"')
        tab.goto(url)
        tab.wait_for_selector("#raised button:has-text('3 alarms')")
        assert tab.locator("#raised button").bounding_box()["height"] >= 64
        keep_picture(tab, f"raised-{size[0]}")
        tab.tap("#raised button")
        tab.wait_for_selector("#alarms [data-acknowledge=dirty_lens]")
        tab.wait_for_selector("#health [data-figure=disk]")
        assert tab.evaluate("document.documentElement.scrollWidth") <= size[0]
        for fold in tab.locator("#alarms summary").all():
            assert fold.bounding_box()["height"] >= 48
        tab.locator("#alarms [data-alarm=unlike_known] summary").tap()
        tab.wait_for_selector("#alarms [data-shelve=unlike_known]")
        for button in tab.locator("#alarms button:visible").all():
            box = button.bounding_box()
            assert box["height"] >= 48 and box["x"] + box["width"] <= size[0]
        keep_picture(tab, f"health-{size[0]}")
        tab.tap("#alarms [data-acknowledge=class_mix]")
        tab.wait_for_selector("#alarms [data-alarm=class_mix][data-state=acknowledged]")
        tab.focus("#alarms [data-acknowledge=dirty_lens]")
        tab.keyboard.press("Enter")
        tab.wait_for_selector("#alarms [data-alarm=dirty_lens][data-state=acknowledged]")
        tab.wait_for_function(
            "document.activeElement.closest('#alarms .raised-alarm, #alarms .alarms')"
        )
        tab.focus("#alarms [data-acknowledge=unlike_known]")
        tab.keyboard.press("Space")
        tab.wait_for_selector("#alarms [data-alarm=unlike_known][data-state=acknowledged]")
        tab.focus("#alarms summary:has(+ .journal)")
        tab.keyboard.press("Enter")
        tab.wait_for_selector("#alarms .journal li >> nth=2")
        open_tab(tab, "Line")
        tab.wait_for_function("!document.querySelector('#raised button')")
        assert not problems
    finally:
        context.close()
    journal = [each for each in read_alarms(state).events if each.what is Happening.ACKNOWLEDGED]
    assert {each.name for each in journal} == {LENS, UNLIKE, MIX}


def test_a_change_is_shown_with_its_hour_its_pictures_and_what_to_do():
    alarm = Alarm(
        active=True,
        latched=True,
        raised_at=1.8e9,
        detail="+15%",
        began_at=1.8e9 - 3600,
        examples=("run-1", "run-2", "a/<b>"),
    )
    page = alarms_part(Alarms(alarms={AlarmName.SIZES_CHANGED: alarm}), "")
    assert page.count("data-example=") == 3 and 'src="crops/a%2F%3Cb%3E.jpg"' in page
    assert "changed by +15%" in page and "It began in the hour from" in page
    assert "measure the scale anew" in page and "<b>" not in page.split("data-example=")[3][:40]
    for language in Language:
        with shown_as(Appearance(language)):
            assert alarms_part(Alarms(alarms={AlarmName.LOOKS_CHANGED: alarm}), "")

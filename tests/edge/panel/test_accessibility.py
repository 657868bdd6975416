"""The page against the rules of axe-core: WCAG 2.1 A and AA, light and dark, desktop and phone.

Chromium runs the rules without the Content-Security-Policy of the page, in these tests alone.
"""

import functools
import threading
import time

import cv2
import numpy as np
import pytest

from edge.bundle.install import CURRENT, install
from edge.cameras.camera import Frame
from edge.config import Config, decision_rules
from edge.language import Language
from edge.panel.accounts import Accounts
from edge.panel.guard import Access
from edge.panel.languages import Appearance, _, shown_as
from edge.panel.users import Role, Users, make_user, write_users
from edge.status import Status, write_status
from edge.stills import StillTaker
from tests.support.bright import bright_bundle, bright_square
from tests.support.bundles import plain_verdict
from tests.support.full_page import READY, TABS, full_panel, running
from tests.support.served import Panel, basic, keep_picture, open_tab
from tests.support.sheet_camera import Look, picture

pytestmark = pytest.mark.slow
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}}
SCREENS = {
    "desktop light": ((1280, 800), "light", Language.ENGLISH),
    "desktop dark": ((1280, 800), "dark", Language.GERMAN),
    "phone light": ((390, 844), "light", Language.SPANISH),
    "phone dark": ((390, 844), "dark", Language.HINDI),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory, bundle, make_record):
    server = full_panel(tmp_path_factory.mktemp("accessible"), bundle.path, make_record)
    yield server
    server.close()


@pytest.fixture(scope="module")
def admins_page(tmp_path_factory):
    """The page of a line with two installed bundles, which runs a third, and an admin."""
    folder = tmp_path_factory.mktemp("admins")
    dataset = {
        "images": 1234,
        "agreement": 0.987,
        "accuracy_float": 0.95,
        "accuracy_float_interval": (0.93, 0.96),
        "accuracy_quantized": 0.948,
        "accuracy_quantized_interval": (0.93, 0.96),
    }
    figures = {
        "datasets": {"e-waste": dataset},
        "classes": {"Battery": {"images": 1234, "right_float": 1200, "right_quantized": 1199}},
    }
    for name in ("first", "a-second-with-a-rather-long-name"):
        made = bright_bundle(folder / name, name=name, parity=plain_verdict(**figures))
        install(made.path, folder / "bundles", threads=1)
    write_users(folder / "users.json", Users(users=(make_user("otto", Role.ADMIN, "mint tea"),)))
    rules = functools.partial(decision_rules, Config())
    access = Access(accounts=Accounts(folder / "users.json"))
    page = Panel(folder, folder / "bundles" / CURRENT, access, rules=rules)
    now = time.time()
    write_status(folder, Status(updated_at=now, state="running", digest="0" * 64, bundle="older"))
    yield page
    page.close()


@pytest.fixture(params=SCREENS)
def screen(request, browser):
    size, colors, language = SCREENS[request.param]
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=colors,
        locale=language.value,
        bypass_csp=True,
    )
    page = context.new_page()
    page.language, page.size = language, size
    yield page
    context.close()


def faults(page) -> list[str]:
    """What axe-core finds that is serious or critical: the rule and where."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(page, options=RULES).response["violations"]
    return [
        f"{each['id']}: {node['target']} {node['html'][:150]} {node['failureSummary'][-160:]}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


def test_no_tab_has_a_serious_fault(server, screen):
    running(server.state)
    screen.goto(server.url)
    screen.wait_for_selector(".tile")
    found = {}
    for name, ready in zip(TABS[screen.language], READY, strict=True):
        running(server.state)
        open_tab(screen, name)
        screen.wait_for_selector(ready)
        if ready == "#found table":
            screen.locator("#found .open").first.click()
            screen.wait_for_selector("#item .one")
        if ready == "#picture .drop":
            picture = cv2.imencode(".png", np.full((40, 60, 3), 90, np.uint8))[1]
            screen.set_input_files(
                "#picture input",
                {"name": "a.png", "mimeType": "image/png", "buffer": picture.tobytes()},
            )
            screen.wait_for_selector("#verdict :is(.verdict, .banner)")
        screen.wait_for_timeout(300)
        if bad := faults(screen):
            found[name] = bad
    assert found == {}


def test_the_pages_beside_it_have_none(server, screen, tmp_path, bundle):
    day = time.strftime("%Y-%m-%d", time.localtime(time.time() - 86400))
    for address in (f"report.html?from={day}", "report.html?from=x", "history.html?by=hour"):
        screen.goto(server.url + address)
        assert faults(screen) == [], address
    file = tmp_path / "users.json"
    write_users(file, Users(users=(make_user("anna", Role.OPERATOR, "green tea"),)))
    page = Panel(tmp_path, bundle.path, access=Access(accounts=Accounts(file)))
    try:
        screen.goto(page.url)
        screen.wait_for_selector("#password")
        screen.wait_for_timeout(300)
        assert screen.evaluate("document.documentElement.scrollWidth") <= screen.size[0]
        keep_picture(screen, f"login-{screen.language.value}-{screen.size[0]}")
        assert faults(screen) == []
    finally:
        page.close()


def spoken_name(screen, text: str) -> str:
    with shown_as(Appearance(screen.language)):
        return _(text)


def too_wide(screen) -> list[tuple[int, int]]:
    """The sizes of a screen that the page is scrolled sideways on."""
    found = []
    for width, height in ((1280, 800), (1024, 600), (390, 844)):
        screen.set_viewport_size({"width": width, "height": height})
        screen.wait_for_timeout(300)
        if screen.evaluate("document.documentElement.scrollWidth") > width:
            found.append((width, height))
    return found


def forget(screen, place: str) -> None:
    """Remove what an earlier job came to, which the page draws anew when there is another."""
    screen.evaluate("place => document.querySelector(place)?.remove()", f"{place} [data-found]")


def low_controls(screen, places: str) -> list[str]:
    """The controls that a finger in a glove misses."""
    return screen.evaluate(
        """places => [...document.querySelectorAll(places)].filter((each) => each.offsetParent)
            .filter((each) => each.getBoundingClientRect().height < 48)
            .map((each) => each.outerHTML.slice(0, 120))""",
        places,
    )


def test_the_model_has_none_when_it_was_checked_and_an_install_refused(
    admins_page, screen, tmp_path
):
    screen.set_default_timeout(60_000)
    screen.set_extra_http_headers({"Authorization": basic("otto", "mint tea")})
    screen.goto(admins_page.url)
    open_tab(screen, spoken_name(screen, "Model"))
    screen.wait_for_selector("#model [data-other]")
    screen.wait_for_selector("#model [data-classes]")
    forget(screen, "#golden")
    screen.locator("#golden [data-check]").click()
    screen.wait_for_selector("#golden [data-found=passed]")
    screen.wait_for_selector("#bundles [data-roll-back]:enabled")
    assert faults(screen) == []
    odd = tmp_path / "odd.zip"
    odd.write_bytes(b"no archive")
    screen.set_input_files("#bundles input[type=file]", str(odd))
    # What an earlier refusal left is the same to the letter, so the page may have nothing to draw.
    with screen.expect_response(lambda response: response.url.endswith("model/install")):
        screen.locator("#bundles form .action").first.click()
    screen.wait_for_selector("#bundles [data-roll-back]:enabled")
    screen.wait_for_selector("#bundles [data-found=refused]")
    screen.locator(".card summary").click()
    screen.wait_for_timeout(300)
    keep_picture(screen, f"model-{screen.language.value}-{screen.size[0]}")
    assert faults(screen) == []
    assert low_controls(screen, ":is(#golden, #bundles, #model) :is(button, input, summary)") == []
    assert too_wide(screen) == []


def test_a_belt_set_up_by_a_picture_has_none(admins_page, screen):
    pixels = picture(Look(width=960, height=540, focal_px=960, tilt_y=9, blur_px=0.7, noise=2))
    ended, taker = threading.Event(), StillTaker(admins_page.state)

    def run() -> None:
        while not ended.wait(0.05):
            taker.offer(Frame(pixels, time.monotonic(), 0), 0.0)

    line = threading.Thread(target=run)
    line.start()
    try:
        screen.set_default_timeout(60_000)
        screen.set_extra_http_headers({"Authorization": basic("otto", "mint tea")})
        screen.goto(admins_page.url)
        open_tab(screen, spoken_name(screen, "Belt"))
        screen.wait_for_selector("#belt [data-take]")
        screen.locator("#belt [data-take]").click()
        screen.wait_for_selector("#belt [data-aspect=TILT] b")
        screen.wait_for_selector("#belt [data-obstacle]")
        screen.wait_for_timeout(300)
        keep_picture(screen, f"belt-{screen.language.value}-{screen.size[0]}")
        assert faults(screen) == []
        assert low_controls(screen, "#belt :is(button, input, select, a)") == []
        assert too_wide(screen) == []
    finally:
        ended.set()
        line.join()
        taker.close()


def test_a_tried_picture_with_its_map_has_none(admins_page, screen, tmp_path):
    screen.set_default_timeout(60_000)
    screen.set_extra_http_headers({"Authorization": basic("otto", "mint tea")})
    screen.goto(admins_page.url)
    open_tab(screen, spoken_name(screen, "Try a picture"))
    screen.wait_for_selector("#picture .drop")
    picture = cv2.imencode(".png", bright_square(300, 200, 205, 105, 80))[1].tobytes()
    file = {"name": "a.png", "mimeType": "image/png", "buffer": picture}
    screen.set_input_files("#picture .drop input", file)
    screen.wait_for_selector("#picture .map:not([hidden])")
    words = spoken_name(screen, "%(label)s: mostly in the lower right")
    battery = screen.inner_text("#classes li:first-child span")
    assert screen.inner_text("#looked [data-where]") == words % {"label": battery}
    screen.wait_for_timeout(300)
    keep_picture(screen, f"looked-{screen.language.value}-{screen.size[0]}")
    assert faults(screen) == []
    assert low_controls(screen, ":is(#picture, #classes, #looked) :is(button, .camera)") == []
    assert too_wide(screen) == []

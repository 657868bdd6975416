"""The page against the rules of axe-core: WCAG 2.1 A and AA, light and dark, desktop and phone.

Chromium runs the rules without the Content-Security-Policy of the page, in these tests alone.
"""

import time

import cv2
import numpy as np
import pytest

from edge.language import Language
from edge.panel.accounts import Accounts
from edge.panel.guard import Access
from edge.panel.users import Role, Users, make_user, write_users
from tests.support.full_page import READY, TABS, full_panel, running
from tests.support.served import Panel, keep_picture, open_tab

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

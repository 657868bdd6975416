"""Make the pictures of the documents anew: `python docs/make_images.py`.

It needs Chromium, and installs nothing. All pictures show drawn items only.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import cv2
from PIL import Image

IMAGES = Path(__file__).parent / "images"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
COMMAND = (sys.executable, "-m", "edge.cli")
FILM_ITEMS, FILM_SEED, FILM_WIDTH_PX, FILM_SECONDS = 8, 3, 480, 12
PAGE_SEED, PAGE_SECONDS, START_SECONDS, TAB_SECONDS = 1, 25, 90, 3
TABS = {
    "Line": "page.png",
    "Review": "review.png",
    "History": "history.png",
    "Model": "model.png",
}
"""Tab of the page -> the file of its picture."""


def make_belt(target: Path) -> None:
    """Film a simulated belt and write it as an animated WebP of less than 1 MB."""
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "belt.mp4"
        items = ("--items", str(FILM_ITEMS), "--seed", str(FILM_SEED))
        subprocess.run(
            (*COMMAND, "simulate", "even", *items, "--video", str(film), "--json"), check=True
        )
        frames, fps = read_frames(film)
    shown = frames[: round(FILM_SECONDS * fps)]
    shown[0].save(
        target,
        save_all=True,
        append_images=shown[1:],
        duration=round(1000 / fps),
        loop=0,
        quality=45,
        method=6,
    )


def read_frames(film: Path) -> tuple[list[Image.Image], float]:
    """The frames of a film, made smaller, and how many a second shows."""
    video = cv2.VideoCapture(str(film))
    frames = []
    while True:
        there, pixels = video.read()
        if not there:
            return frames, video.get(cv2.CAP_PROP_FPS)
        height = round(FILM_WIDTH_PX * pixels.shape[0] / pixels.shape[1])
        small = cv2.resize(pixels, (FILM_WIDTH_PX, height), interpolation=cv2.INTER_AREA)
        frames.append(Image.fromarray(cv2.cvtColor(small, cv2.COLOR_BGR2RGB)))


def make_pages(folder: Path) -> None:
    """Run the demo for a while and take a picture of each of `TABS`."""
    from playwright.sync_api import sync_playwright

    port = free_port()
    address = f"http://127.0.0.1:{port}"
    demo = subprocess.Popen(
        (*COMMAND, "demo", "--seed", str(PAGE_SEED), "--port", str(port)),
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_for(address)
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.goto(address)
            page.wait_for_timeout(PAGE_SECONDS * 1000)
            for tab, name in TABS.items():
                page.get_by_role("tab", name=tab, exact=True).click()
                page.wait_for_timeout(TAB_SECONDS * 1000)
                page.screenshot(path=folder / name)
            browser.close()
    finally:
        demo.send_signal(signal.SIGINT)
        demo.wait(timeout=30)
    for name in TABS.values():
        reduced = Image.open(folder / name).convert("RGB").quantize(256)
        reduced.save(folder / name, optimize=True)


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def wait_for(address: str) -> None:
    """Wait until the page answers.

    Raises:
        TimeoutError: it does not within `START_SECONDS`.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            urlopen(address, timeout=5).close()
            return
        except (URLError, OSError):
            time.sleep(0.5)
    raise TimeoutError(f"{address}: no page after {START_SECONDS} s")


def make_sheet(target: Path) -> None:
    """Draw the marker sheet as a picture that is small enough for a page."""
    from edge.belt_setup.printing import to_pixels
    from edge.belt_setup.sheet import SHEETS, Paper

    Image.fromarray(to_pixels(SHEETS[Paper.A4], 4)).save(target, optimize=True)


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    make_sheet(IMAGES / "marker-sheet.png")
    make_belt(IMAGES / "belt.webp")
    make_pages(IMAGES)
    for path in sorted(IMAGES.iterdir()):
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")

# SPDX-License-Identifier: Apache-2.0
"""The page in a real browser, on a recorded scene: what a person types, clicks and sees."""

from __future__ import annotations

import time
import zipfile
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from browser import PATIENCE, Browser, look_for, opened
from pages import Told
from pictures import file_of

from clipseg_ros.clipseg import Segmenter
from clipseg_ros.lab.datasets.folder import FolderWriter, read_folder
from clipseg_ros.lab.datasets.image_files import read_image
from clipseg_ros.lab.scenes.frames import RecordedFrames
from clipseg_ros.web.collection import Collection
from clipseg_ros.web.local import LocalSource
from clipseg_ros.web.page import Page, serving
from clipseg_ros.web.source import Recollection

SEATS = "something to sit on"
BLUE = (0, 158, 255)
"""Of the first prompt."""


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter.load("demo", device="cpu")


@pytest.fixture
def browser(chromium, segmenter) -> Browser:
    """At a page that shows the first recorded scene, which has seats in it."""
    source = LocalSource(segmenter, RecordedFrames(0, dwell=0.0), title="recorded scene")
    with serving(Page(source, port=0, collection=Collection(partial(FolderWriter, append=True)))) as page:
        with opened(chromium, page.url):
            chromium.wait("document.querySelector('figure canvas').width > 300")
            yield chromium


def found(browser: Browser, condition: str) -> None:
    """Wait for a number of things, such as '> 0'."""
    browser.wait(f"document.querySelectorAll('#found li').length {condition}")


def picture(browser: Browser) -> np.ndarray:
    """The part of a screenshot that shows the camera, in the size of the camera's picture, (480, 640, 3)."""
    x, y = browser.place("figure canvas", 0, 0)
    right, bottom = browser.place("figure canvas", 1, 1)
    shot = browser.screenshot()[round(y):round(bottom), round(x):round(right)]
    return cv2.resize(shot, (640, 480), interpolation=cv2.INTER_AREA).astype(np.int16)


def seats(segmenter: Segmenter, threshold: float | None = None) -> np.ndarray:
    """(480, 640) bool: what the library finds."""
    shot = RecordedFrames(0, dwell=0.0).at(0.0)
    whole = np.zeros(shot.rgb.shape[:2], bool)
    for one in segmenter.find(shot.rgb, SEATS, depth=shot.depth, threshold=threshold):
        x, y, width, height = one.region.roi
        whole[y:y + height, x:x + width] |= one.region.mask > 0
    return whole


def tinted(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Where a picture has gone nearly half of the way to the prompt's colour; not below tags and outlines."""
    expected = before + 0.45 * (np.array(BLUE) - before)
    return np.abs(after - expected).max(axis=2) < 12


def assert_tinted(expected: np.ndarray, before: np.ndarray, after: np.ndarray) -> None:
    """That nothing but what is expected, (480, 640) bool, has the prompt's colour."""
    now, around = tinted(before, after), cv2.dilate(expected.astype(np.uint8), np.ones((9, 9))).astype(bool)
    assert (now & expected).sum() > 0.75 * expected.sum(), "tags and outlines hide the rest"
    assert (now & ~around).sum() < 0.02 * expected.sum()


def middle_of(mask: np.ndarray) -> tuple[float, float]:
    """Of the pixel deepest inside, in shares of the picture's width and height."""
    y, x = np.unravel_index(cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5).argmax(), mask.shape)
    return (x + 0.5) / mask.shape[1], (y + 0.5) / mask.shape[0]


def test_a_typed_prompt_colours_its_things_and_the_slider_and_the_switch_act(browser, segmenter):
    before = picture(browser)
    look_for(browser, SEATS)
    found(browser, "> 0")
    assert_tinted(seats(segmenter), before, picture(browser))
    assert " m " in browser.evaluate("document.querySelector('#found li').innerText")

    browser.evaluate("document.querySelector('#prompts [type=range]').focus()")
    browser.press("End")
    shot = RecordedFrames(0, dwell=0.0).at(0.0)
    counts = [len(segmenter.find(shot.rgb, SEATS, depth=shot.depth, threshold=level)) for level in (0.5, 0.99)]
    assert counts[1] < counts[0]
    found(browser, f"=== {counts[1]}")
    assert browser.evaluate("document.querySelector('#prompts output').textContent").endswith("≥ 0.99")
    assert_tinted(seats(segmenter, 0.99), before, picture(browser))

    browser.click("#prompts .switch .dot")
    found(browser, "=== 0")
    browser.wait("document.querySelector('#prompts li.off')")
    assert np.abs(picture(browser) - before).mean() < 1


def test_a_clicked_thing_becomes_a_prompt(browser, segmenter):
    look_for(browser, SEATS)
    found(browser, "> 0")
    browser.drag(browser.place("figure canvas", *middle_of(seats(segmenter))))
    browser.wait("document.querySelector('#naming').open")
    browser.press("Escape")
    browser.wait("!document.querySelector('#naming').open")
    assert browser.evaluate("document.querySelectorAll('#prompts li').length") == 1, "Escape stores nothing"
    browser.drag(browser.place("figure canvas", *middle_of(seats(segmenter))))
    browser.wait("document.querySelector('#naming').open && document.activeElement.id === 'name'")
    browser.type("#name", "seat")
    browser.press("Enter")
    browser.wait("[...document.querySelectorAll('#found .what')].some((one) => one.textContent.startsWith('@seat '))")


def test_what_is_drawn_around_and_what_is_uploaded_become_prompts(browser, segmenter, tmp_path):
    x, y = middle_of(seats(segmenter))
    corners = [browser.place("figure canvas", x + dx, y + dy) for dx, dy in
               ((-.1, -.1), (0, -.1), (.1, -.1), (.1, 0), (.1, .1), (0, .1), (-.1, .1), (-.1, 0))]
    browser.drag(*corners)
    browser.wait("document.querySelector('#naming').open")
    browser.type("#name", "drawn")
    browser.press("Enter")
    browser.wait("document.querySelector('#prompts .name')?.textContent === '@drawn'")
    (tmp_path / "blue mug.png").write_bytes(file_of(RecordedFrames(0, dwell=0.0).at(0.0).rgb, ".png"))
    browser.choose("#file", tmp_path / "blue mug.png")
    browser.wait("document.querySelector('#naming').open")
    assert browser.evaluate("document.querySelector('#name').value") == "blue_mug"
    browser.press("Enter")
    browser.wait("[...document.querySelectorAll('#prompts .name')].some((one) => one.textContent === '@blue_mug')")
    (tmp_path / "none.png").write_bytes(b"no picture")
    browser.choose("#file", tmp_path / "none.png")
    browser.wait("document.querySelector('#naming').open")
    browser.press("Enter")
    browser.wait("document.querySelector('#notice.bad')?.textContent.includes('is not a picture')")
    browser.errors[:] = [error for error in browser.errors if "400" not in error]


def test_the_frame_is_saved_as_a_picture_and_as_training_data(browser, segmenter, tmp_path):
    look_for(browser, SEATS)
    found(browser, "> 0")
    browser.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    browser.click("#png")
    saved = read_image(arrived(tmp_path, "png")).astype(np.int16)
    expected = seats(segmenter)
    shot = RecordedFrames(0, dwell=0.0).at(0.0)
    assert saved.shape == shot.rgb.shape
    assert (tinted(shot.rgb.astype(np.int16), saved) & expected).sum() > 0.5 * expected.sum()
    browser.click("#collect")
    zipfile.ZipFile(arrived(tmp_path, "zip")).extractall(tmp_path / "set")
    sample, = read_folder(tmp_path / "set")
    assert (sample.load_image() == shot.rgb).all() and sample.phrase == SEATS
    assert (sample.load_mask(expected.shape) == expected).all()


def arrived(folder: Path, ending: str) -> Path:
    """The file that was downloaded, once it is whole."""
    deadline = time.monotonic() + PATIENCE
    while not (files := list(folder.glob(f"*.{ending}"))):
        assert time.monotonic() < deadline, f"no {ending} file arrived"
        time.sleep(0.02)
    return files[0]


def test_bad_prompts_are_said_and_typed_ones_are_remembered(browser):
    browser.type("#text", "mug=7")
    browser.press("Enter")
    browser.wait("document.querySelector('#notice.bad')?.textContent.includes('less than 1')")
    browser.evaluate("document.querySelector('#text').value = ''")
    look_for(browser, "ball")
    remembered = "[...document.querySelectorAll('#history option')].some((one) => one.value === 'ball')"
    browser.wait(remembered)
    browser.call("Page.reload")
    browser.wait("document.querySelector('#prompts .name')?.textContent === 'ball'")
    browser.wait(remembered)
    browser.type("#text", "never mind")
    browser.press("Escape")
    assert browser.evaluate("document.querySelector('#text').value") == ""


@pytest.mark.parametrize("width, height, phone", [(1280, 860, False), (390, 844, True), (320, 568, True)])
@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_every_screen_in_the_light_and_in_the_dark(browser, width, height, phone, dark):
    look_for(browser, SEATS)
    found(browser, "> 0")
    browser.look(width, height, dark=dark, phone=phone)
    browser.wait(f"window.innerWidth === {width}")
    assert browser.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "no sideways scrolling"
    assert (browser.screenshot()[-5:, 2:8].mean() < 60) == dark
    assert browser.evaluate("[...document.querySelectorAll('button, input:not([hidden])')].every((one) => "
                            "one.labels?.length || one.textContent.trim() || one.ariaLabel)"), "all have names"


def test_what_is_missing_is_said_and_what_was_seen_can_be_asked_for(chromium):
    thumbnail = file_of(np.full((30, 40, 3), (200, 30, 30), np.uint8))
    source = Told(lambda text: [Recollection(f"{text}, on the shelf", 0.8, thumbnail)])
    with serving(Page(source, port=0)) as page, opened(chromium, page.url):
        source.board.tell(["/image: nothing publishes images there"], {})
        chromium.wait("document.querySelector('#missing').innerText.includes('/image: nothing publishes')")
        chromium.type("#question", "keys")
        chromium.press("Enter")
        chromium.wait("document.querySelector('#memories img')?.naturalWidth === 40")
        assert "keys, on the shelf" in chromium.evaluate("document.querySelector('#memories').innerText")
        for camera in ("front", "rear"):
            source.show(90, camera=camera)
        chromium.wait("document.querySelectorAll('figure canvas').length === 2 && "
                      "document.querySelector('#missing').hidden")


def test_what_is_asked_while_the_line_is_being_taken_up_is_asked_once_it_is_there(chromium):
    source = Told()
    with serving(Page(source, port=0)) as page, opened(chromium, page.url):
        reply = chromium.evaluate("""(async () => {
            const line = await import("/line.js?another"), ignored = () => {};
            line.connect({link: ignored, state: ignored, view: ignored});
            return [line.isOpen(), await line.request({do: "add", text: "mug"})]; })()""")
        assert reply[0] is False and reply[1]["ok"] and source.wanted == ["mug"]


def test_a_paused_picture_stays_until_it_goes_on(chromium):
    source = Told()
    with serving(Page(source, port=0)) as page, opened(chromium, page.url):
        chromium.wait("document.querySelector('#link').className === 'live'")
        source.show(40)
        chromium.wait("document.querySelector('figure canvas')?.width === 128")
        chromium.click("#pause")
        chromium.wait("document.querySelector('#pause').getAttribute('aria-pressed') === 'true'")
        for shade in range(60, 90, 10):
            source.show(shade)
        source.board.tell(["three pictures later"], {})
        chromium.wait("document.querySelector('#troubles').textContent === 'three pictures later'")
        assert abs(picture(chromium)[100, 100].mean() - 40) < 4
        chromium.click("#pause")
        source.show(200)
        chromium.wait("document.querySelector('figure canvas').getContext('2d').getImageData(9, 9, 1, 1).data[0] > 190")

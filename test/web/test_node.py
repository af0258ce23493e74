# SPDX-License-Identifier: Apache-2.0
"""The page of a running node, as processes of their own, in a real browser."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("rclpy")

from browser import PATIENCE, Browser, look_for, opened  # noqa: E402
from ros_peers import TIMEOUT  # noqa: E402

from clipseg_ros.demo.scene_camera import filming  # noqa: E402
from clipseg_ros.lab.datasets.folder import read_folder  # noqa: E402

pytestmark = pytest.mark.ros
SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "clipseg_web"
SEATS = "something to sit on"
NODE = "/watched/clipseg"
"""Apart from the node of other tests, which is there all the time."""
QUIET = {"dwell": 0.0, "noise": 0.0, "depth_noise": 0.0, "depth_dropout": 0.0, "rate": 5.0}


@contextlib.contextmanager
def page_process(folder: Path, *arguments: str):
    """A running `clipseg_web`; its process and what its page's address is."""
    log = folder / "web.log"
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, str(SCRIPT), "--ros-args", "-p", "port:=0", *arguments],
                                   stdout=output, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + TIMEOUT
        while "open http" not in log.read_text():
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield process, log.read_text().partition("open ")[2].split()[0]
    finally:
        process.kill()
        process.wait()


def says(browser: Browser, words: str) -> None:
    """Wait until a sentence with those words is on the page."""
    browser.wait(f"document.querySelector('#stage').innerText.includes({words!r})", patience=TIMEOUT)


def sees(browser: Browser, prompt: str) -> None:
    """Wait until a thing is found for a prompt."""
    browser.wait("[...document.querySelectorAll('#found .what')].some((one) => "
                 f"one.textContent.startsWith({prompt!r}))", patience=TIMEOUT)


def switched_on(prompts: str) -> str:
    """Whether exactly these prompts are on."""
    return ("[...document.querySelectorAll('#prompts li:not(.off) .name')].map((one) => one.textContent).join('; ') "
            f"=== {prompts!r}")


def turns_blue(browser: Browser, wanted: bool = True) -> None:
    """Wait until the middle of the first scene, a seat, has gone blue on the screen, or is that no longer."""
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        x, y = browser.place("figure canvas", 0.5, 0.5)
        middle = browser.screenshot()[round(y) - 60:round(y) + 60, round(x) - 200:round(x) + 200]
        if (middle[..., 2].mean() > middle[..., 0].mean() + 30) == wanted:
            return
    pytest.fail(f"waited in vain for a picture that is {'' if wanted else 'not '}blue")


def test_a_person_follows_a_node_through_its_lives(peer, chromium, start_node, tmp_path):
    browser = chromium
    kept = f"save_to:={tmp_path / 'kept'}"
    node = start_node(namespace="/watched", parameters={"weights": "demo"})
    with page_process(tmp_path, "-p", kept, "-r", "__ns:=/watched") as (process, url), opened(browser, url), contextlib.ExitStack() as stack:
        look_for(browser, SEATS)
        says(browser, "nothing publishes images there")
        stack.enter_context(filming(context=peer.context, namespace="/watched", parameters=QUIET))
        sees(browser, SEATS)
        turns_blue(browser)
        assert " m " in browser.evaluate("document.querySelector('#found li').innerText")

        browser.click("#found button")
        browser.wait("document.querySelector('#naming').open")
        browser.type("#name", "seat")
        browser.press("Enter")
        sees(browser, "@seat")
        look_for(browser, "xylophone")
        says(browser, "do not know 'xylophone'")
        peer.set_prompts("ball=0.4", NODE)
        browser.wait(switched_on("ball"))
        browser.click("#prompts li.off .dot")
        browser.wait(switched_on(f"{SEATS}; ball"))
        sees(browser, SEATS)

        assert peer.change_state("deactivate", NODE)
        says(browser, f"the node {NODE}: inactive")
        browser.wait("document.querySelector('figcaption').textContent.includes('no result')", patience=TIMEOUT)
        turns_blue(browser, False)  # the picture goes on without masks

        node.stop()
        says(browser, f"there is no node {NODE}")
        browser.click("#prompts li.off .dot")
        browser.wait(switched_on(f"{SEATS}; @seat; ball"))
        start_node(namespace="/watched", parameters={"weights": "demo", "cameras": "[front, rear]"})
        for name, scene in (("front", 0), ("rear", 4)):
            stack.enter_context(filming(context=peer.context, namespace=f"/watched/{name}",
                                        parameters={**QUIET, "scene": scene}))
        browser.wait("[...document.querySelectorAll('figcaption')].map((one) => one.textContent.slice(0, 4)).sort()"
                     ".join() === 'fron,rear'", patience=TIMEOUT)
        sees(browser, "@seat")
        sees(browser, SEATS)
        browser.click("#collect")
        browser.wait("document.querySelector('#notice').textContent.startsWith('frame 2 with 3 prompts is in')")
        assert len({sample.image_path for sample in read_folder(tmp_path / "kept")}) == 2

        browser.open("about:blank")
        peer.wait(lambda: peer.node.count_subscribers(f"{NODE}/objects") == 0,
                  "a page that nobody sees to ask for nothing")
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize("arguments, words", [
    (["-p", "address:=203.0.113.1"], "cannot listen on 203.0.113.1"), (["-p", "port:=70000"], "70000")])
def test_what_cannot_be_is_said_in_a_sentence(arguments, words):
    ended = subprocess.run([sys.executable, str(SCRIPT), "--ros-args", *arguments], capture_output=True, text=True,
                           timeout=TIMEOUT)
    assert ended.returncode == 1 and words in ended.stderr and "Traceback" not in ended.stderr

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.ros

LOADS_FOR_EVER = """
import sys, time
from clipseg_ros.ros.running import loading_libraries, run

def make():
    with loading_libraries():
        print("loading", flush=True)
        while True:
            try:
                time.sleep(1)
            except BaseException as error:
                raise ImportError("a library that turns Ctrl-C into an error of its own") from error

sys.exit(run(make, program="loader"))
"""


@pytest.mark.parametrize("request_", [signal.SIGINT, signal.SIGTERM])
def test_a_node_that_loads_libraries_ends_quietly(request_):
    process = subprocess.Popen([sys.executable, "-c", LOADS_FOR_EVER], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True)
    assert process.stdout.readline() == "loading\n"
    process.send_signal(request_)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert not errors


def test_the_search_for_garbage_leaves_the_libraries_out():
    program = ("import gc\nfrom clipseg_ros.ros.running import loading_libraries\n"
               "with loading_libraries():\n    import clipseg_ros.clipseg.startup\n"
               "print(len(gc.get_objects()), gc.get_freeze_count())\n")
    searched, left_out = map(int, subprocess.check_output([sys.executable, "-c", program], text=True).split())
    assert searched < left_out / 10

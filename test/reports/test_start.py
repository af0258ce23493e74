# SPDX-License-Identifier: Apache-2.0
"""What is mistyped on a command line or in a file, and said at the start."""
from __future__ import annotations

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")

pytestmark = pytest.mark.ros


def test_a_mistyped_parameter_is_named_with_the_nearest(peer, start_node):
    node = start_node(namespace="/typo", parameters={"treshold": 0.2, "autostart": "false", "use_sim_time": "false",
                                                     "qos_overrides./typo/image.subscription.depth": 3})
    peer.wait(lambda: "there is no parameter 'treshold', so its value has no effect; 'threshold' is meant?" in node.log,
              "a warning")
    assert node.log.count("there is no parameter") == 1


@pytest.mark.usefixtures("no_node_left")
@pytest.mark.parametrize("content", ["a: [1\n b", "- 1\n- 2\n"])
def test_a_parameter_file_that_is_none_is_one_sentence(tmp_path, capfd, content):
    from clipseg_ros.ros.node import main

    file = tmp_path / "bad.yaml"
    file.write_text(content)
    assert main(["--ros-args", "--params-file", str(file)]) == 1
    said = capfd.readouterr().err
    ours, = (line for line in said.splitlines() if not line.startswith("[ERROR]"))  # the other is the middleware's
    assert ours.startswith("clipseg_node: ") and str(file) in ours

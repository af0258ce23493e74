# SPDX-License-Identifier: Apache-2.0
"""The package's Fast DDS profile carries large images to best effort subscribers without loss."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from clipseg_ros.ros.middleware import VARIABLES

pytest.importorskip("rclpy")
pytestmark = pytest.mark.ros

PROFILE = Path(__file__).parents[2] / "config" / "fastdds.xml"
FRAMES = 30
PATIENCE = 420.0

COMMON = """
import sys, time
import rclpy
from array import array
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
from std_msgs.msg import Int32

rclpy.init()
node = rclpy.create_node(sys.argv[1])
frames = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
"""
# One image after another, each only when the last one was answered or had its time: nothing depends on speed.
CAMERA = COMMON + """
seen = []
node.create_subscription(Int32, "/answers", lambda message: seen.append(message.data), 10)
camera = node.create_publisher(Image, "/large", frames)
image = Image(width=1280, height=720, encoding="rgb8", step=3840, data=array("B", bytes(range(256))) * (3840 * 720 // 256))

def is_answered(number, patience):
    image.header.stamp.sec = number
    camera.publish(image)
    end = time.monotonic() + patience
    while number not in seen and time.monotonic() < end:
        rclpy.spin_once(node, timeout_sec=0.05)
    return number in seen

# Before the two ends have found each other, images go to nobody.
end = time.monotonic() + 60
while not is_answered(0, 0.5) and time.monotonic() < end:
    pass
received = sum(is_answered(number, 10) for number in range(1, int(sys.argv[2]) + 1))
print("received", received)
"""
VIEWER = COMMON + """
answers = node.create_publisher(Int32, "/answers", 10)
node.create_subscription(Image, "/large", lambda image: answers.publish(Int32(data=image.header.stamp.sec)), frames)
rclpy.spin(node)
"""


def test_1280x720_arrives_without_loss():
    environment = os.environ | dict.fromkeys(VARIABLES, str(PROFILE))
    viewer = subprocess.Popen([sys.executable, "-c", VIEWER, "viewer"], env=environment)
    try:
        camera = subprocess.run([sys.executable, "-c", CAMERA, "camera", str(FRAMES)], env=environment, text=True,
                                capture_output=True, timeout=PATIENCE, check=True)
    finally:
        viewer.kill()
        viewer.wait()
    assert camera.stdout.split()[-2:] == ["received", str(FRAMES)]

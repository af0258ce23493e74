# SPDX-License-Identifier: Apache-2.0
"""The camera in this process, on the test's own context, heard over the real middleware."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy")

from pictures import stamp  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from rclpy.qos import QoSProfile, ReliabilityPolicy  # noqa: E402
from sensor_msgs.msg import CameraInfo, Image  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from clipseg_ros.demo.scene_camera import SPECS, camera_info, filming, main, millimetres  # noqa: E402
from clipseg_ros.lab.scenes.recorded import load_recorded  # noqa: E402
from clipseg_ros.messages.images import image_to_depth, image_to_rgb  # noqa: E402

pytestmark = pytest.mark.ros
BEST_EFFORT = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)


def camera(peer, **parameters):
    """A running camera beneath /film."""
    return filming(context=peer.context, namespace="/film", parameters={"rate": 20.0, **parameters})


@contextlib.contextmanager
def heard(peer, qos=10):
    """Lists of what arrives on image, depth and camera_info."""
    with (
        peer.listener(Image, "/film/image", qos) as images,
        peer.listener(Image, "/film/depth", qos) as depths,
        peer.listener(CameraInfo, "/film/camera_info", qos) as infos,
    ):
        yield images, depths, infos


def stamps(messages):
    return set(map(stamp, messages))


def test_it_is_an_rgbd_camera(peer):
    scene = load_recorded()[1]
    quiet = {"noise": 0.0, "depth_noise": 0.0, "depth_dropout": 0.0}
    with camera(peer, scene=1, dwell=0.0, frame_id="lens", **quiet), heard(peer) as (images, depths, infos):
        peer.wait(
            lambda: len(stamps(images) & stamps(depths) & stamps(infos)) >= 3,
            "three frames with one stamp each",
        )
        assert {m.header.frame_id for m in (*images, *depths, *infos)} == {"lens"}
        assert images[0].encoding == "rgb8" and depths[0].encoding == "16UC1"
        assert (image_to_rgb(images[0]) == scene.rgb).all()
        depth = image_to_depth(depths[0]) / 1000
        assert np.allclose(depth, np.nan_to_num(scene.depth), atol=0.001)
        assert np.reshape(infos[0].k, (3, 3)) == pytest.approx(scene.k)
        assert (infos[0].height, infos[0].width) == scene.rgb.shape[:2]


def test_noise_can_be_set_while_it_runs(peer):
    scene = load_recorded()[0]
    with (
        camera(peer, dwell=0.0, noise=0.0, depth_encoding="32FC1", depth_dropout=0.3) as node,
        heard(peer) as (images, depths, _),
    ):
        peer.wait(lambda: images and depths, "a frame")
        lost = np.isnan(image_to_depth(depths[-1])).mean()
        assert depths[-1].encoding == "32FC1" and lost == pytest.approx(0.3, abs=0.1)
        assert node.set_parameters([Parameter("noise", value=10.0)])[0].successful
        images.clear()
        peer.wait(lambda: len(images) > 3, "noisy frames")
        difference = image_to_rgb(images[-1]).astype(int) - scene.rgb
        assert 6 < difference.std() < 12


def test_recorded_scenes_take_turns(peer):
    with camera(peer, dwell=0.2, noise=0.0), heard(peer) as (images, _, _):
        peer.wait(lambda: len({bytes(m.data[:3000]) for m in images}) >= 3, "three different scenes")


def test_best_effort_is_offered_when_asked_for(peer):
    with camera(peer, reliability="best_effort") as node, heard(peer, BEST_EFFORT) as (images, _, infos):
        peer.wait(lambda: infos, "calibration over best effort")
        offers = node.get_publishers_info_by_topic("/film/image")
        assert [o.qos_profile.reliability for o in offers] == [ReliabilityPolicy.BEST_EFFORT]


def test_lost_frames_do_not_come(peer):
    with camera(peer, frame_dropout=1.0) as node, heard(peer) as (images, depths, infos):
        peer.spin_for(1.0)
        assert not images and not depths and not infos
        node.set_parameters([Parameter("frame_dropout", value=0.0)])
        peer.wait(lambda: images, "a frame once none is lost")


def test_what_is_fixed_cannot_be_set(peer):
    with camera(peer) as node:
        for name in sorted(set(SPECS) - {"noise", "depth_noise", "depth_dropout", "frame_dropout"}):
            (result,) = node.set_parameters([Parameter(name, value=SPECS[name].default)])
            assert not result.successful, name
        assert not node.set_parameters([Parameter("noise", value=-1.0)])[0].successful
        assert all(node.describe_parameter(name).description for name in SPECS)


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("scene:=99", "there is no recorded scene 99; give 0 to"),
        ("mode:=film", "the parameter mode is 'film'; it must be one of recorded, static, orbit"),
        ("reliability:=maybe", "it must be one of reliable, best_effort"),
        ("rate:=0.0", "rate"),
    ],
)
@pytest.mark.usefixtures("no_node_left")
def test_a_bad_parameter_ends_it_with_a_sentence(argument, said, capfd):
    assert main(["--ros-args", "-p", argument]) == 1
    error = capfd.readouterr().err
    assert said in error and error.startswith("scene_camera: ") and "Traceback" not in error


def test_depth_in_millimetres():
    depth = np.array([[0.0, 1.2344, np.nan], [65.5, 70.0, np.inf]], np.float32)
    assert millimetres(depth).tolist() == [[0, 1234, 0], [65500, 65535, 65535]]
    assert millimetres(depth).dtype == np.uint16


def test_a_scene_is_shown_on_request(peer):
    scenes = load_recorded()
    with camera(peer, dwell=0.0, noise=0.0) as node, heard(peer) as (images, _, _):
        for index in (0, 2):
            node.show(index)
            peer.wait(lambda index=index: images and (image_to_rgb(images[-1]) == scenes[index].rgb).all(),
                      f"scene {index}")


def test_the_calibration_is_a_pinhole_without_distortion():
    info = camera_info(np.array([[500, 0, 320], [0, 510, 240], [0, 0, 1]]), (480, 640), Header(frame_id="camera"))
    assert (info.width, info.height, info.header.frame_id) == (640, 480, "camera")
    assert list(info.k) == [500, 0, 320, 0, 510, 240, 0, 0, 1]
    assert list(info.p) == [500, 0, 320, 0, 0, 510, 240, 0, 0, 0, 1, 0]
    assert not any(info.d)

# SPDX-License-Identifier: Apache-2.0
"""The real node with depth: every pixel of a small image matches, so the region is the whole picture."""
from __future__ import annotations

import contextlib
import math
from array import array

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from geometry_msgs.msg import PoseArray, PoseStamped, Vector3  # noqa: E402
from pictures import noise, stamped  # noqa: E402
from rclpy.qos import qos_profile_sensor_data  # noqa: E402
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, Imu, PointCloud2  # noqa: E402
from std_msgs.msg import Header  # noqa: E402
from visualization_msgs.msg import Marker, MarkerArray  # noqa: E402
from walls import POSITION, K, info, wall  # noqa: E402

from clipseg_ros.msg import SegmentedObjectArray  # noqa: E402
from clipseg_ros.srv import Segment  # noqa: E402

pytestmark = pytest.mark.ros

EVERYTHING = "everything=0.001"
def position(one) -> tuple[float, float, float]:
    point = one.pose.pose.position
    return point.x, point.y, point.z


class Camera:
    """Publishes what it is given on the topics of one camera and returns the first object that comes of it."""

    def __init__(self, peer, topics: str, objects: list) -> None:
        self._peer = peer
        self._publishers = {kind: peer.node.create_publisher(message_type, f"{topics}/{name}", 10)
                            for kind, (message_type, name) in {
                                "image": (Image, "image"), "depth": (Image, "depth"),
                                "compressed": (CompressedImage, "depth/compressedDepth"),
                                "info": (CameraInfo, "camera_info")}.items()}
        self._objects = objects

    def show(self, stamp: int, wanted=lambda one: True, what: str = "an object", **messages):
        image = noise(stamp)

        def publish() -> None:
            for kind, sent in messages.items():
                self._publishers[kind].publish(sent)
            self._publishers["image"].publish(image)

        def found():
            return next((array for array in reversed(self._objects) if array.header.stamp.sec == stamp
                         and array.objects and wanted(array.objects[0])), None)
        return self._peer.repeat(publish, found, what)

    def close(self) -> None:
        for publisher in self._publishers.values():
            self._peer.node.destroy_publisher(publisher)


@pytest.fixture
def camera(peer, node):
    """The camera of the shared node."""
    peer.set_prompts(EVERYTHING)
    with peer.listener(SegmentedObjectArray, "/clipseg/objects") as objects:
        camera = Camera(peer, "", objects)
        yield camera
        camera.close()


def test_depth_and_calibration_give_objects_a_pose(camera):
    found = camera.show(60, lambda one: one.has_pose, "a pose", depth=wall(60), info=info())
    one = found.objects[0]
    assert (one.centroid_u, one.centroid_v) == pytest.approx((31.5, 23.5))
    assert position(one) == pytest.approx(POSITION, abs=0.02)
    # the wall faces the camera, and is 64 pixels of 4 cm wide
    assert one.pose.pose.orientation.x == pytest.approx(1, abs=0.01)
    assert (one.extent.x, one.extent.y, one.extent.z) == pytest.approx((2.56, 1.92, 0), abs=0.1)
    bearing = np.array([one.bearing.x, one.bearing.y, one.bearing.z])
    assert bearing == pytest.approx(np.array(POSITION) / np.linalg.norm(POSITION), abs=0.01)
    assert one.pose.covariance[0] == pytest.approx(2.56 ** 2 / 12, rel=0.1)
    assert found.pose_frame_id == "camera_optical"
    assert one.track_id > 0


def test_standard_messages_tell_the_same(peer, camera):
    kinds = {"poses": PoseArray, "pose": PoseStamped, "markers": MarkerArray, "cloud": PointCloud2}

    def stamp_of(message) -> int:
        return (message.markers[-1] if hasattr(message, "markers") else message).header.stamp.sec

    with contextlib.ExitStack() as stack:
        heard = {name: stack.enter_context(peer.listener(kind, f"/clipseg/{name}")) for name, kind in kinds.items()}
        camera.show(61, lambda one: one.has_pose and all(any(stamp_of(message) == 61 for message in messages)
                                                         for messages in heard.values()),
                    "all messages", depth=wall(61), info=info())
    pose = heard["pose"][-1].pose
    assert (pose.position.x, pose.position.z) == pytest.approx((0.4, 2.0), abs=0.02)
    assert heard["poses"][-1].poses[0].position.z == pytest.approx(2.0, abs=0.02)
    markers = heard["markers"][-1].markers
    assert markers[0].action == Marker.DELETEALL
    assert any(marker.type == Marker.CUBE for marker in markers)
    cloud = heard["cloud"][-1]
    assert cloud.width * cloud.point_step == len(cloud.data) > 0
    assert all(messages[-1].header.frame_id == "camera_optical" for name, messages in heard.items()
               if name != "markers")


def test_depth_of_another_resolution_is_resampled(camera):
    found = camera.show(62, lambda one: one.has_pose, "a pose", depth=wall(62, shape=(24, 32)), info=info())
    assert position(found.objects[0]) == pytest.approx(POSITION, abs=0.02)


def test_changed_calibration_counts_from_the_next_frame_on(camera):
    camera.show(63, lambda one: one.has_pose, "a pose", depth=wall(63), info=info())
    longer = info(k=[100.0, *K[1:4], 100.0, *K[5:]])
    found = camera.show(64, lambda one: one.has_pose and position(one)[0] < 0.3, "another pose", depth=wall(64),
                        info=longer)
    assert position(found.objects[0]) == pytest.approx((0.2, 0.0, 2.0), abs=0.02)


@pytest.mark.parametrize(("stamp", "messages", "says"), [
    (70, {"depth": wall(50), "info": info()}, "the nearest depth image of 50.000 s: that is -20.000 s away"),
    (71, {"depth": wall(71, frame="depth_optical"), "info": info()}, "in the frame depth_optical, the image in camera_"),
    (72, {"depth": wall(72, shape=(36, 64)), "info": info()}, "64x36 pixels and the image 64x48"),
    (73, {"depth": wall(73), "info": info(width=32)}, "camera_info describes images of 32x48 pixels"),
    (74, {"depth": wall(74), "info": info(k=[0.0] * 9)}, "the camera is not calibrated"),
    (75, {"depth": wall(75), "info": info(d=[0.1], distortion_model="mystery")}, "'mystery' is unknown"),
])
def test_what_cannot_be_used_costs_the_pose_and_the_log_says_why(peer, node, camera, stamp, messages, says):
    found = camera.show(stamp, lambda one: not one.has_pose and says in node.log, f"a warning: {says}", **messages)
    one = found.objects[0]
    assert math.isnan(position(one)[2])
    assert math.isnan(one.extent.x)
    # the direction is known as long as the calibration is
    assert math.isnan(one.bearing.z) == ("camera" in says and "depth" not in says or "mystery" in says)


def test_the_service_locates_too(peer, camera):
    camera.show(65, lambda one: one.has_pose, "a pose", depth=wall(65), info=info())
    newest = peer.call(Segment, "/clipseg/segment", prompts=[EVERYTHING])
    assert newest.success, newest.message
    assert newest.objects[0].has_pose
    assert newest.pose_frame_id == "camera_optical"
    given = peer.call(Segment, "/clipseg/segment", prompts=[EVERYTHING], image=noise(9), depth=wall(9, 1000),
                      camera_info=info())
    assert position(given.objects[0]) == pytest.approx((0.2, 0.0, 1.0), abs=0.02)
    without = peer.call(Segment, "/clipseg/segment", prompts=[EVERYTHING], image=noise(9))
    assert not without.objects[0].has_pose
    for fields, says in [
        ({"depth": wall(9)}, "there is depth but no camera_info"),
        ({"depth": wall(9, frame="elsewhere"), "camera_info": info()}, "in the frame elsewhere"),
        ({"camera_info": info(width=9)}, "images of 9x48 pixels"),
    ]:
        refused = peer.call(Segment, "/clipseg/segment", prompts=[EVERYTHING], image=noise(9), **fields)
        assert not refused.success
        assert says in refused.message


def test_the_accelerometer_says_where_the_top_is(peer, node, camera):
    # the camera lies on its side
    lying = Imu(header=Header(frame_id="camera_accel_optical_frame"), linear_acceleration=Vector3(x=9.8))
    assert peer.set_parameter("point", "top").successful
    try:
        lost = camera.show(90, lambda one: "nothing says where up is; set target_frame" in node.log, "the sentence",
                           depth=wall(90), info=info())
        assert not lost.objects[0].has_pose
        assert lost.objects[0].centroid_u == pytest.approx(31.5)
        with peer.publisher(Imu, "/imu", qos_profile_sensor_data) as imu:
            peer.wait(imu.get_subscription_count, "a listener")
            stream = peer.node.create_timer(0.05, lambda: imu.publish(lying))
            found = camera.show(91, lambda one: one.has_pose, "a pose", depth=wall(91), info=info())
            peer.node.destroy_timer(stream)
    finally:
        assert peer.set_parameter("point", "centroid").successful
    one = found.objects[0]
    assert position(one) == pytest.approx((0.4 + 1.26, 0.0, 2.0), abs=0.06)  # the wall's right edge is its highest
    assert one.centroid_u == pytest.approx(63, abs=1.5)
    camera.show(92, lambda one: one.has_pose and position(one)[0] < 0.5, "the centroid", depth=wall(92), info=info())


def test_two_cameras_have_poses_of_their_own(peer, start_node):
    process = start_node(namespace="/pair", parameters={
        "cameras": "[front, left]", "prompts": f"['{EVERYTHING}']", "depth_transport": "compressed",
        "max_rates": "[0.0, 50.0]"})
    peer.wait_until_active(process, "/pair/clipseg")

    def encoded(millimetres: int) -> CompressedImage:
        png = cv2.imencode(".png", np.full((48, 64), millimetres, np.uint16))[1].tobytes()
        return stamped(CompressedImage(format="16UC1; compressedDepth png", data=array("B", bytes(12) + png)), 5)

    with contextlib.ExitStack() as stack:
        cameras = {}
        for name in ("front", "left"):
            objects = stack.enter_context(peer.listener(SegmentedObjectArray, f"/pair/clipseg/{name}/objects"))
            cameras[name] = Camera(peer, f"/pair/{name}", objects)
            stack.callback(cameras[name].close)
        # depth without a calibration gives neither pose nor direction
        blind = cameras["front"].show(5, lambda one: "there is depth, but no camera_info" in process.log, "a warning",
                                      compressed=encoded(1000))
        assert math.isnan(blind.objects[0].bearing.z)
        for name, millimetres in (("front", 1000), ("left", 3000)):
            found = cameras[name].show(5, lambda one: one.has_pose, f"a pose of {name}", info=info(),
                                       compressed=encoded(millimetres))
            assert position(found.objects[0])[2] == pytest.approx(millimetres / 1000)
        # without depth of its own at that time a camera borrows none
        alone = cameras["left"].show(40, lambda one: not one.has_pose, "an object without a pose")
        assert not math.isnan(alone.objects[0].bearing.z)


def test_a_target_frame_without_tf2_is_refused_when_the_node_is_configured(peer, start_node):
    try:
        import tf2_ros  # noqa: F401
    except ImportError:
        pass
    else:
        pytest.skip("tf2_ros is installed")
    process = start_node(namespace="/aim", parameters={"target_frame": "map"})
    peer.wait(lambda: "cannot be configured" in process.log, "the refusal")
    assert "the target frame is map, but tf2_ros cannot be imported" in process.log
    assert peer.state("/aim/clipseg") == "unconfigured"
    assert peer.set_parameter("target_frame", "", "/aim/clipseg").successful
    assert peer.change_state("configure", "/aim/clipseg")


def test_without_tracking_numbers_are_0(peer, start_node):
    process = start_node(namespace="/free", parameters={"tracking": "false", "prompts": f"['{EVERYTHING}']"})
    peer.wait_until_active(process, "/free/clipseg")
    with peer.listener(SegmentedObjectArray, "/free/clipseg/objects") as objects:
        camera = Camera(peer, "/free", objects)
        assert camera.show(5).objects[0].track_id == 0
        camera.close()


def test_poses_in_a_target_frame(peer, start_node):
    pytest.importorskip("tf2_ros")
    from geometry_msgs.msg import TransformStamped
    from rclpy.qos import DurabilityPolicy, QoSProfile
    from tf2_msgs.msg import TFMessage

    process = start_node(namespace="/aim", parameters={"target_frame": "map", "prompts": f"['{EVERYTHING}']"})
    peer.wait_until_active(process, "/aim/clipseg")
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    with contextlib.ExitStack() as stack:
        objects = stack.enter_context(peer.listener(SegmentedObjectArray, "/aim/clipseg/objects"))
        camera = Camera(peer, "/aim", objects)
        stack.callback(camera.close)
        lost = camera.show(5, lambda one: "cannot be transformed to map" in process.log, "tf2's reason",
                           depth=wall(5), info=info())
        assert lost.pose_frame_id == "map"
        assert not lost.objects[0].has_pose
        assert not math.isnan(lost.objects[0].bearing.z)
        # the camera looks along x of the map, from 1 m above its origin
        optical = TransformStamped(child_frame_id="camera_optical")
        optical.header.frame_id = "map"
        optical.transform.translation.z = 1.0
        turn = optical.transform.rotation
        turn.x, turn.y, turn.z, turn.w = -0.5, 0.5, -0.5, 0.5
        static = stack.enter_context(peer.publisher(TFMessage, "/tf_static", latched))
        static.publish(TFMessage(transforms=[optical]))
        found = camera.show(6, lambda one: one.has_pose, "a pose", depth=wall(6), info=info())
    assert position(found.objects[0]) == pytest.approx((2.0, -0.4, 1.0), abs=0.02)
    assert (found.header.frame_id, found.pose_frame_id) == ("camera_optical", "map")

# SPDX-License-Identifier: Apache-2.0
"""The node's memory: what it keeps of frames, and that it outlives the node."""
from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING

from geometry_msgs.msg import Point
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from clipseg_ros.memory import Memory
from clipseg_ros.messages.headers import seconds
from clipseg_ros.msg import Memory as MemoryMessage
from clipseg_ros.perception.findings import Space
from clipseg_ros.ros.inputs.frame import Frame
from clipseg_ros.ros.memory.camera_poses import CameraPoses
from clipseg_ros.ros.memory.messages import bounds, keyframe_markers
from clipseg_ros.ros.reports import Reports, sentence_of
from clipseg_ros.ros.settings import Settings

if TYPE_CHECKING:
    from clipseg_ros.clipseg import Segmenter

TELL = 1.0
"""Seconds between two messages about what is kept, at least."""


class Keeper:
    """Remembers from configure to cleanup.

    Parameters
    ----------
    node : on which publishers, subscriptions and timers are made
    segmenter : whose features are kept

    Raises
    ------
    ValueError
        If the settings do not allow a memory.

    Attributes
    ----------
    memory : the keyframes
    frame : the fixed frame
    """

    def __init__(self, node: LifecycleNode, segmenter: Segmenter, settings: Settings, reports: Reports) -> None:
        self._node, self._reports = node, reports
        self.frame = settings.memory_frame
        self.memory = Memory(segmenter, size=settings.memory_size)
        self._file = Path(settings.memory_file).expanduser() if settings.memory_file else None
        self._saving = Lock()
        self._unsaved = self._untold = False
        node.get_logger().info(f"up to {settings.memory_size:g} MB of images are remembered, in the frame {self.frame}")
        self._load()
        self._poses = CameraPoses(node, self.frame, prefixes=settings.prefixes, timeout=settings.tf_timeout,
                                  reports=reports)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._status = node.create_lifecycle_publisher(MemoryMessage, "~/memory", latched)
        self._markers = node.create_lifecycle_publisher(MarkerArray, "~/keyframes", latched)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timers = [node.create_timer(TELL, self._tell, clock=steady)]
        if self._file is not None and settings.memory_save_period:
            self._timers.append(node.create_timer(settings.memory_save_period, self._save_aside, clock=steady))

    def offer(self, camera: str, frame: Frame, look_up: Callable[[], Space], *,
              watch: Callable[[], AbstractContextManager] = nullcontext) -> None:
        """Keep a frame if it shows something new; in the worker's thread. Whatever goes wrong is reported.

        look_up : returns what is known of its camera and depth
        watch : what is around the network's work
        """
        try:
            pose = self._poses.lookup(camera, frame.header)
            with watch():
                kept = self.memory.add(frame.rgb, pose=pose, look_up=look_up, stamp=seconds(frame.header), name=camera)
        except Exception as error:  # the next frames may be good ones
            self._reports.warn(f"nothing is remembered: {sentence_of(error)}")
        else:
            if kept is not None:
                self.changed()

    def changed(self) -> None:
        """Tell and save what is kept now, soon."""
        self._unsaved = self._untold = True

    def save(self) -> None:
        """Write what has changed to the file, if there is one. A failure is reported, and what was saved stays."""
        if self._file is None:
            return
        with self._saving:
            if self._unsaved:
                self._unsaved = False
                try:
                    self.memory.save(self._file)
                except BaseException as error:  # whatever it is, it is tried again
                    self._unsaved = True
                    self._reports.warn(f"the memory is not saved: {sentence_of(error)}")
                    if isinstance(error, KeyboardInterrupt):
                        raise

    def destroy(self) -> None:
        """Stop listening and telling. What is kept is gone with it."""
        for timer in self._timers:
            self._node.destroy_timer(timer)
        self._poses.destroy()
        for publisher in (self._status, self._markers):
            self._node.destroy_lifecycle_publisher(publisher)

    def _load(self) -> None:
        if self._file is None or not self._file.exists():
            return
        try:
            self.memory.load(self._file)
        except (OSError, ValueError) as error:
            self._reports.warn(f"the memory begins empty: {sentence_of(error)}")
        else:
            self._node.get_logger().info(f"{len(self.memory)} images are remembered from before, in {self._file}")
        self._untold = True

    def _save_aside(self) -> None:
        """Save without holding the executor up."""
        if self._unsaved and not self._saving.locked():
            Thread(target=self.save, name="clipseg memory", daemon=True).start()

    def _tell(self) -> None:
        self._poses.check()
        if not self._untold or not self._status.is_activated:
            return
        self._untold = False
        frames = self.memory.keyframes
        header = Header(stamp=self._node.get_clock().now().to_msg(), frame_id=self.frame)
        least, most = (Point(**dict(zip("xyz", corner))) for corner in bounds(frames))
        self._status.publish(MemoryMessage(header=header, keyframes=len(frames), bytes=self.memory.nbytes, least=least,
                                           most=most))
        self._markers.publish(keyframe_markers(frames, self.frame))

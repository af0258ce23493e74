# SPDX-License-Identifier: Apache-2.0
"""The points that poses were made of, as one point cloud."""
from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence

import numpy as np
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

_POINT = np.dtype([("x", np.float32), ("y", np.float32), ("z", np.float32), ("prompt", np.uint32)])
_DATATYPES = {"x": PointField.FLOAT32, "y": PointField.FLOAT32, "z": PointField.FLOAT32, "prompt": PointField.UINT32}


def to_cloud(points: Sequence[np.ndarray], prompt_indices: Sequence[int], header: Header) -> PointCloud2:
    """The points of all objects one after the other, unordered, each with the index of its object's prompt.

    Parameters
    ----------
    points : per object (n, 3) float32 metres, finite, in the header's frame; n may be 0
    prompt_indices : one per object
    header : of the cloud

    Returns
    -------
    PointCloud2 with the fields x, y, z (FLOAT32, metres) and prompt (UINT32), of width 0 where there is no point

    Raises
    ------
    ValueError
        If there is not one index per object, or points have another shape or are not finite.
    """
    if len(points) != len(prompt_indices):
        raise ValueError(f"there are points of {len(points)} objects but {len(prompt_indices)} prompt indices; "
                         "each object needs one")
    shapes = [np.shape(one) for one in points]
    wrong = [shape for shape in shapes if len(shape) != 2 or shape[1] != 3]
    if wrong:
        raise ValueError(f"the points of an object have the shape {wrong[0]}; it must be (n, 3)")
    positions = np.concatenate([np.empty((0, 3), np.float32), *points])
    if not np.isfinite(positions).all():
        raise ValueError("a point of the cloud is not finite; unmeasured ones must be left out")
    cloud = np.empty(len(positions), _POINT)
    cloud["x"], cloud["y"], cloud["z"] = positions.T
    cloud["prompt"] = np.repeat(np.asarray(prompt_indices, np.uint32), [shape[0] for shape in shapes])
    fields = [PointField(name=name, offset=_POINT.fields[name][1], datatype=datatype, count=1)
              for name, datatype in _DATATYPES.items()]
    return PointCloud2(header=header, height=1, width=len(cloud), fields=fields, is_bigendian=sys.byteorder == "big",
                       point_step=_POINT.itemsize, row_step=cloud.nbytes, data=array("B", cloud.tobytes()),
                       is_dense=True)

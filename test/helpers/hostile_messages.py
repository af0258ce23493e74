# SPDX-License-Identifier: Apache-2.0
"""Messages and requests that no honest peer sends, each made from a seed, so that it can be made again.

Everything in them is as far off as the types let: what not even a type lets is done to the bytes of a whole message.
"""
from __future__ import annotations

import struct
import zlib
from array import array
from collections.abc import Callable
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Pose, PoseStamped, Quaternion
from pictures import PICTURE, claiming, encode, file_of, message
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, RegionOfInterest
from std_msgs.msg import Header, String

from clipseg_ros.action import Find
from clipseg_ros.srv import CorrectPoses, Forget, Recall, Segment, Select, SetVisualPrompt

HEIGHT, WIDTH = PICTURE.shape[:2]
ENCODINGS = ("rgb8", "bgr8", "mono8", "bgra8", "mono16", "rgb16", "bayer_rggb8", "nv12", "nv24", "yuv420", "yuv422p",
             "yuv422", "yuyv")
_DEPTHS = ("32FC1", "16UC1", "mono16")
_COUNTS = (0, 1, 2, 3, WIDTH - 1, WIDTH + 1, HEIGHT - 1, 0xFFFF, 0x10000, 60_000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_FLOATS = (0.0, -0.0, -1.0, 1e-300, 1e-38, 1e300, -1e300, np.inf, -np.inf, np.nan, 5e-324)
_TEXTS = ("", " ", "\t\n", "\x07bell", "\x1b[31mred", "שלום עולם", "\u202emug\u202c", "مرحبا", "mug\u200b", "😀" * 300,
          "\ufffd", "%s%n{0}{}", "$(reboot)", "'; --", "../../etc", "a/b", "@", "@@", "@nobody", "mug !mug", "! !", "mug=nan",
          "mug=1e999", "=0.5", "mug=0.5=0.5", "\u00df\u0130\u0149", "e" + "\u0301" * 500, "&amp;" * 200, "\ufeff")
_NAMES = ("a", "b", "mug")
"""Few, since a node keeps so many visual prompts and no more."""
_GOOD = ("mug", "a red cup", "chair=0.3", "cup !bowl", "דלת", "@a", "@mug=0.2")
BOMB_SIDE = 60_000


def _one(rng: np.random.Generator, choices: Any) -> Any:
    return choices[int(rng.integers(len(choices)))]


def long(rng: np.random.Generator) -> str:
    """A text of 1 MB, of a kind that costs a careless reader the square of its length."""
    unit = _one(rng, ("x", " ", "a ", ";", "a;", " !", " !a", "=", "\u3000", "\n", "@a ", "0", "\U0001f600"))
    return "mug" + unit * (10**6 // len(unit.encode())) + "mug"


def text(rng: np.random.Generator) -> str:
    """One prompt, name or frame."""
    if rng.random() < 0.05:
        return long(rng)
    if rng.random() < 0.3:
        return "".join(map(chr, rng.choice([*range(0xD7FF), *range(0xE000, 0xFFFF)], 20))).replace("\0", " ")
    return _one(rng, _TEXTS)


def texts(rng: np.random.Generator) -> list[str]:
    """The prompts of a request: none, few, faulty ones among good ones, or 200."""
    if rng.random() < 0.1:
        return [f"thing {index}" for index in range(200)]
    return [text(rng) if rng.random() < 0.6 else _one(rng, _GOOD) for _ in range(rng.integers(5))]


def number(rng: np.random.Generator) -> float:
    """Far off as a float64, or an ordinary number."""
    return float(_one(rng, _FLOATS) if rng.random() < 0.7 else rng.normal() * 10.0 ** rng.integers(-3, 4))


def single(rng: np.random.Generator) -> float:
    """The same as a float32."""
    with np.errstate(over="ignore", under="ignore"):
        return float(np.float32(number(rng)))


def stamp(rng: np.random.Generator) -> Time:
    """0, before 1970, the far future, more nanoseconds than a second has, or any."""
    return Time(sec=int(_one(rng, (0, 1, -1, -2**31, 2**31 - 1, int(rng.integers(2**31))))),
                nanosec=int(_one(rng, (0, 1, 999_999_999, 10**9, 2**32 - 1))))


def header(rng: np.random.Generator) -> Header:
    """Half of the frames are the good one's."""
    return Header(stamp=stamp(rng), frame_id="camera_optical" if rng.random() < 0.5 else text(rng))


def _lie(rng: np.random.Generator, sent: Image) -> Image:
    """Spoil one to three fields of an image."""
    for field in rng.choice(["width", "height", "step", "data", "encoding", "is_bigendian", "whole"],
                            int(rng.integers(1, 4)), replace=False):
        if field in ("width", "height"):
            setattr(sent, field, int(_one(rng, _COUNTS)))
        elif field == "step":
            sent.step = int(_one(rng, (*_COUNTS, sent.step + 1, max(sent.step - 1, 0))))
        elif field == "data":
            kept = int(_one(rng, (0, 1, len(sent.data) // 2, max(len(sent.data) - 1, 0), len(sent.data))))
            sent.data = sent.data[:kept] + array("B", bytes(int(_one(rng, (0, 0, 1, 4096, 200_000)))))
        elif field == "encoding":
            sent.encoding = _one(rng, ("", "rgb9", "8UC3", "64FC1", "32FC1", "16UC1", "RGB8", "bayer_", "é",
                                       "x" * 100_000, *ENCODINGS))
        elif field == "is_bigendian":
            sent.is_bigendian = int(_one(rng, (1, 2, 255)))
    return sent


def image(rng: np.random.Generator) -> Image:
    """A picture in some encoding, most of them spoilt."""
    encoding = _one(rng, ENCODINGS)
    sent = _lie(rng, message(encode(PICTURE, encoding), encoding, padding=int(_one(rng, (0, 0, 6, 64)))))
    sent.header = header(rng)
    return sent


def depth(rng: np.random.Generator) -> Image:
    """Depths of which few or none can be: NaN, infinite, negative, 65535; half of them spoilt beyond that."""
    encoding = _one(rng, _DEPTHS)
    if encoding == "32FC1":
        some = np.array([np.nan, np.inf, -np.inf, -1.0, 0.0, 1e-45, 3e38, 0.5, 1.0], np.float32)
    else:
        some = np.array([0, 1, 65535, 500, 1000], np.uint16)
    pixels = rng.choice(some[rng.permutation(len(some))[:int(rng.integers(1, 4))]], (HEIGHT, WIDTH))
    sent = message(pixels, encoding)
    sent = _lie(rng, sent) if rng.random() < 0.5 else sent
    sent.header = header(rng)
    return sent


def calibration(rng: np.random.Generator) -> CameraInfo:
    """A camera of which something cannot be."""
    good = [60.0, 0.0, WIDTH / 2, 0.0, 60.0, HEIGHT / 2, 0.0, 0.0, 1.0]
    k = _one(rng, ([0.0] * 9, list(np.eye(3).ravel()), [np.inf] * 9, [number(rng) for _ in range(9)], good, good))
    p = _one(rng, ([0.0] * 12, [np.nan] * 12, [number(rng) for _ in range(12)]))
    count = int(_one(rng, (0, 3, 4, 5, 8, 12, 14, 17, 1000)))
    d = [number(rng) * _one(rng, (1.0, 1.0, 1e-3)) for _ in range(count)]
    roi = RegionOfInterest(**{name: int(_one(rng, (0, 0, 1, WIDTH, HEIGHT, 0xFFFFFFFF)))
                              for name in ("x_offset", "y_offset", "width", "height")})
    sent = CameraInfo(header=header(rng), k=k, p=p, d=d, roi=roi if rng.random() < 0.4 else RegionOfInterest(),
                      width=WIDTH, height=HEIGHT,
                      distortion_model=_one(rng, ("plumb_bob", "rational_polynomial", "equidistant", "", "none", "?",
                                                  "x" * 100_000)))
    if rng.random() < 0.3:
        sent.width, sent.height = (int(_one(rng, _COUNTS)) for _ in range(2))
    if rng.random() < 0.3:
        sent.binning_x, sent.binning_y = (int(_one(rng, (0, 1, 2, 0xFFFFFFFF))) for _ in range(2))
    return sent


def png_bomb() -> bytes:
    """A PNG file of 20 kB whose data really unpack to 20 MB, and whose header claims 3.6 billion pixels."""
    picture = file_of(PICTURE, ".png")
    start, end = picture.index(b"IDAT") - 4, picture.index(b"IEND") - 4
    packed = zlib.compress(bytes(20_000_000), 9)
    chunk = struct.pack(">I", len(packed)) + b"IDAT" + packed + struct.pack(">I", zlib.crc32(b"IDAT" + packed))
    return claiming(picture[:start] + chunk + picture[end:], BOMB_SIDE, BOMB_SIDE)


def jpeg_bomb() -> bytes:
    """A JPEG file of 20 kB that claims as much."""
    return claiming(file_of(PICTURE) + bytes(19_000), BOMB_SIDE, BOMB_SIDE)


def _broken(rng: np.random.Generator, file: bytes) -> bytes:
    """A file that is cut, has other bytes in places, or claims another size."""
    kind = int(rng.integers(5))
    if kind == 0:
        return file[:int(rng.integers(len(file) + 1))]
    if kind == 1:
        data = np.frombuffer(file, np.uint8).copy()
        data[rng.integers(len(data), size=int(_one(rng, (1, 3, 30))))] = rng.integers(256, dtype=np.uint8)
        return data.tobytes()
    if kind == 2 and file[:2] in (b"\xff\xd8", b"\x89P"):
        return claiming(file, *(int(_one(rng, (0, 1, 65, 4000, 60_000, 65_535))) for _ in range(2)))
    return file if kind == 3 else rng.bytes(int(rng.integers(2000)))


def compressed(rng: np.random.Generator) -> CompressedImage:
    """A JPEG, PNG, TIFF or WebP file that is broken, or none, or a bomb."""
    suffix = _one(rng, (".jpg", ".png", ".tiff", ".webp", ".bmp"))
    data = _broken(rng, file_of(PICTURE, suffix))
    if rng.random() < 0.1:
        data = _one(rng, (png_bomb, jpeg_bomb))()
    return CompressedImage(header=header(rng), data=array("B", data), format=_one(rng, (
        "jpeg", "png", "", "x" * 100_000, "rgb8; jpeg compressed bgr8", "bayer_rggb8; png compressed", "16UC1", ";;;",
        "32FC1; compressedDepth", "mono16; png compressed ")))


def compressed_depth(rng: np.random.Generator) -> CompressedImage:
    """Depth in PNG or RVL that is broken, has absurd numbers in front, or claims more than it can hold."""
    pixels = rng.choice(np.array([0, 1, 500, 1000, 65535], np.uint16), (HEIGHT, WIDTH))
    front = struct.pack("<iff", int(_one(rng, (0, 0, 0, 1, -1))), single(rng), single(rng))
    if rng.random() < 0.5:
        code, body = "png", _broken(rng, png_bomb() if rng.random() < 0.1 else file_of(pixels, ".png"))
    else:
        sides = (int(_one(rng, (0, 1, WIDTH, WIDTH, 60_000, 0xFFFFFFFF))) for _ in range(2))
        code, body = "rvl", struct.pack("<II", *sides) + rng.bytes(int(_one(rng, (0, 1, 4, 1000, 20_000))))
    text_ = f"{_one(rng, ('16UC1', '32FC1', 'rgb8', ''))}; compressedDepth {_one(rng, (code, code, code, 'lz4', ''))}"
    return CompressedImage(header=header(rng), data=array("B", front + body), format=text_)


def line(rng: np.random.Generator) -> String:
    """What is written on the topic of prompts."""
    if rng.random() < 0.1:
        return String(data=long(rng))
    return String(data=";".join(texts(rng)))


def place(rng: np.random.Generator) -> PoseStamped:
    """Where a camera claims to be, mostly in the frame of the memory."""
    sent = PoseStamped(header=header(rng), pose=pose(rng))
    sent.header.frame_id = "map" if rng.random() < 0.7 else sent.header.frame_id
    return sent


def pose(rng: np.random.Generator) -> Pose:
    """Half of them finite."""
    if rng.random() < 0.5:
        return Pose(position=Point(x=rng.normal() * 10.0 ** rng.integers(9)), orientation=Quaternion(w=rng.normal()))
    return Pose(position=point(rng), orientation=Quaternion(**{axis: number(rng) for axis in "xyzw"}))


def point(rng: np.random.Generator) -> Point:
    return Point(**{axis: number(rng) for axis in "xyz"})


def _maybe(rng: np.random.Generator, make: Callable[[np.random.Generator], Any], share: float = 0.4) -> Any:
    """A hostile message, or the empty one of its type."""
    made = make(rng)
    return made if rng.random() < share else type(made)()


def segment(rng: np.random.Generator) -> Segment.Request:
    """A good picture with hostile things around it, or a hostile picture."""
    good = message(PICTURE, "rgb8")
    return Segment.Request(
        prompts=texts(rng) if rng.random() < 0.5 else ["mug"], camera=_one(rng, ("", "", text(rng))),
        image=good if rng.random() < 0.6 else _maybe(rng, image), depth=_maybe(rng, depth),
        camera_info=_maybe(rng, calibration), visual_prompt=_maybe(rng, image, 0.2),
        visual_prompt_mask=_maybe(rng, image, 0.1), threshold=single(rng) if rng.random() < 0.3 else 0.0,
        without_masks=bool(rng.integers(2)), with_clouds=bool(rng.integers(2)))


def visual_prompt(rng: np.random.Generator) -> SetVisualPrompt.Request:
    return SetVisualPrompt.Request(name=_one(rng, _NAMES) if rng.random() < 0.6 else text(rng),
                                   image=message(PICTURE, "rgb8") if rng.random() < 0.4 else image(rng),
                                   mask=_maybe(rng, image))


def select(rng: np.random.Generator) -> Select.Request:
    return Select.Request(track_id=int(_one(rng, (0, 1, 2**32 - 1))), prompt=text(rng),
                          camera=_one(rng, ("", text(rng))))


def recall(rng: np.random.Generator) -> Recall.Request:
    return Recall.Request(
        prompts=texts(rng), visual_prompt=_maybe(rng, image, 0.2), visual_prompt_mask=_maybe(rng, image, 0.1),
        threshold=_one(rng, (0.0, 0.5, single(rng))), max_results=int(_one(rng, (0, 1, 2**32 - 1))),
        max_age=_one(rng, (0.0, single(rng))), time_limit=_one(rng, (0.0, 0.1, single(rng))), near=point(rng),
        radius=_one(rng, (0.0, single(rng))), without_thumbnails=bool(rng.integers(2)))


def forget(rng: np.random.Generator) -> Forget.Request:
    """Mostly one to which few keyframes answer, so that some are left."""
    return Forget.Request(near=point(rng), radius=_one(rng, (1e-3, single(rng))), before=stamp(rng))


def correct_poses(rng: np.random.Generator) -> CorrectPoses.Request:
    return CorrectPoses.Request(camera=_one(rng, ("", "", text(rng))),
                                stamps=[stamp(rng) for _ in range(rng.integers(4))],
                                poses=[pose(rng) for _ in range(rng.integers(4))])


def find(rng: np.random.Generator) -> Find.Goal:
    """One that ends soon where it is taken."""
    return Find.Goal(prompts=texts(rng), timeout=_one(rng, (1e-6, 0.05, -1.0, float("nan"), float("inf"), 1e-38)),
                     threshold=_one(rng, (0.0, single(rng))), min_score=_one(rng, (0.0, 1.0, single(rng))),
                     min_frames=int(_one(rng, (0, 1, 2**32 - 1))), camera=_one(rng, ("", "", text(rng))),
                     standoff=_one(rng, (0.0, single(rng))), with_masks=bool(rng.integers(2)),
                     use_memory=bool(rng.integers(2)))


def parameters(rng: np.random.Generator) -> dict[str, Any]:
    """Names of the node's and of nobody's, with values of right and of wrong types."""
    names = ("prompts", "threshold", "min_depth", "max_depth", "min_area", "max_area", "max_regions", "max_rates",
             "label_scale", "refine", "point", "depth_slop", "scene_without", "segment_max_age", "weights", "cameras",
             "memory_size", "min_size", "nobody", "x" * 300)

    def value() -> Any:
        return _one(rng, (number(rng), int(_one(rng, (0, -1, 2**63 - 1, -2**63))), bool(rng.integers(2)), text(rng),
                          texts(rng) or [""], [number(rng), number(rng)], b"\xff\x00", []))
    return {_one(rng, names): value() for _ in range(int(rng.integers(1, 4)))}


def damaged(rng: np.random.Generator, whole: bytes) -> bytes:
    """The bytes of a message (CDR) of which a part is missing, or some are others: lengths that lie, no UTF-8."""
    data = bytearray(whole)
    if rng.random() < 0.4:
        return bytes(data[:int(rng.integers(4, len(data) + 1))])
    for _ in range(int(rng.integers(1, 5))):
        start = int(rng.integers(4, max(len(data) - 4, 5)))
        data[start:start + 4] = _one(rng, (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f", rng.bytes(4)))
    return bytes(data)


def surrogates() -> bytes:
    """The bytes (CDR) of a String with an unpaired surrogate, which is no UTF-8 and which Python cannot send."""
    words = b"mug \xed\xa0\x80 cup\0"
    return b"\0\1\0\0" + struct.pack("<I", len(words)) + words


TOPICS: dict[str, tuple[type, Callable[[np.random.Generator], Any]]] = {
    "image": (Image, image), "depth": (Image, depth), "camera_info": (CameraInfo, calibration),
    "clipseg/prompt": (String, line), "camera_pose": (PoseStamped, place)}
COMPRESSED = {"image/compressed": (CompressedImage, compressed),
              "depth/compressedDepth": (CompressedImage, compressed_depth)}
"""In place of image and depth, for a node that takes them."""
SERVICES: dict[str, tuple[type, Callable[[np.random.Generator], Any]]] = {
    "segment": (Segment, segment), "set_visual_prompt": (SetVisualPrompt, visual_prompt), "select": (Select, select),
    "recall": (Recall, recall), "forget": (Forget, forget), "correct_poses": (CorrectPoses, correct_poses)}
"""By name under the node's: what each is asked."""

# SPDX-License-Identifier: Apache-2.0
"""Recordings in every format, written by another library, whole and damaged."""
from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rosbags")
pytest.importorskip("mcap")
from recordings import DEPTH, IMAGE, INFO, PERIOD, START, file_of, home, record  # noqa: E402

from clipseg_ros.bags.reading import Bag  # noqa: E402
from clipseg_ros.messages.images import image_to_rgb  # noqa: E402

COUNT = 6


def read(path, **span):
    """(topics, pictures' places in time and first pixels, warnings)."""
    said: list[str] = []
    with Bag(path, warn=said.append) as bag:
        pictures = [(record.received, image_to_rgb(record.message())) for record in bag.records([IMAGE], **span)]
        return dict(bag.topics), pictures, said


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return read(record(tmp_path_factory.mktemp("plain") / "mcap", home(COUNT)))[1]


@pytest.mark.parametrize(("kind", "zstd"), [("mcap", ""), ("mcap", "storage"), ("db3", ""), ("db3", "message"),
                                            ("db3", "file"), ("bag", "")])
def test_every_format_holds_the_same(tmp_path, expected, kind, zstd):
    topics, pictures, said = read(record(tmp_path / f"home.{kind}", home(COUNT), kind=kind, zstd=zstd))
    assert said == []
    assert {name: topics[name].count for name in (IMAGE, DEPTH, INFO)} == dict.fromkeys((IMAGE, DEPTH, INFO), COUNT)
    assert [received for received, _ in pictures] == [START + index * PERIOD for index in range(COUNT)]
    for (_, one), (_, other) in zip(pictures, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", ["mcap", "db3"])
def test_a_file_without_its_folder(tmp_path, expected, kind):
    topics, pictures, said = read(file_of(record(tmp_path / "home", home(COUNT), kind=kind)))
    assert (len(pictures), said) == (COUNT, [])


@pytest.mark.parametrize("kind", ["mcap", "db3", "bag"])
def test_a_folder_of_files_in_the_order_of_time(tmp_path, kind):
    messages = list(home(2 * COUNT))
    middle = START + COUNT * PERIOD
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, part in (("b", [one for one in messages if one.received < middle]),
                       ("a", [one for one in messages if one.received >= middle])):
        path = record(tmp_path / f"{name}.bag", part, kind=kind)
        (path if kind == "bag" else file_of(path)).rename(folder / f"{name}_0.{kind}")
    topics, pictures, said = read(folder)
    assert (topics[IMAGE].count, said) == (2 * COUNT, [])
    assert [received for received, _ in pictures] == [START + index * PERIOD for index in range(2 * COUNT)]


def test_a_part_of_the_time(tmp_path):
    path = record(tmp_path / "home", home(COUNT))
    _, pictures, _ = read(path, start=START + PERIOD, stop=START + 3 * PERIOD)
    assert [received for received, _ in pictures] == [START + PERIOD, START + 2 * PERIOD]


@pytest.mark.parametrize("kind", ["mcap", "db3", "bag"])
def test_a_cut_file_gives_what_it_holds_and_says_so(tmp_path, kind, expected):
    whole = record(tmp_path / "home.bag", home(COUNT), kind=kind)
    whole = whole if kind == "bag" else file_of(whole)
    cut = tmp_path / f"cut.{kind}"
    data = whole.read_bytes()
    cut.write_bytes(data[:len(data) * 7 // 10])
    _, pictures, said = read(cut)
    assert 1 <= len(pictures) < COUNT
    for one, other in zip(pictures, expected):
        assert one[0] == other[0] and (one[1] == other[1]).all()
    sentence, = said
    assert f"{cut} is cut off or damaged (" in sentence and "messages before that are used" in sentence


@pytest.mark.parametrize("name", ["home.mcap", "home.db3", "home.bag"])
@pytest.mark.parametrize("content", [b"", b"no recording at all" * 100])
def test_what_is_no_recording_is_a_sentence(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"{name} cannot be read as a recording|{name} holds no message"):
        read(tmp_path / name)


def test_other_names_are_refused(tmp_path):
    (tmp_path / "home.txt").write_text("")
    (tmp_path / "empty").mkdir()
    for path, error, says in ((tmp_path / "home.txt", ValueError, "must end in .mcap, .db3, .bag, or be a folder"),
                              (tmp_path / "empty", ValueError, "holds no recording"),
                              (tmp_path / "gone.mcap", FileNotFoundError, "does not exist")):
        with pytest.raises(error, match=says):
            read(path)


def test_a_folder_with_a_broken_file_gives_the_others(tmp_path, expected):
    folder = record(tmp_path / "home", home(COUNT))
    (folder / "home.mcap").rename(folder / "home_0.mcap")
    (folder / "home_1.mcap").write_bytes(b"rubbish")
    (folder / "metadata.yaml").write_text("rubbish: [")
    _, pictures, said = read(folder)
    assert len(pictures) == COUNT
    assert len(said) == 2 and "read one by one" in said[0] and "home_1.mcap cannot be read" in said[1]


def test_bytes_that_are_no_message_are_a_sentence(tmp_path):
    path = record(tmp_path / "home", home(1))
    with Bag(path, warn=pytest.fail) as bag:
        one = next(bag.records([IMAGE]))
        broken = one._replace(stored=one.stored._replace(data=one.stored.data[:40]))
        with pytest.raises(ValueError, match=f"a message on {IMAGE} cannot be read"):
            broken.message()

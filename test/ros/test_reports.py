# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from clipseg_ros.ros.reports import LONGEST, Reports, in_short


class Log(list):
    warning = error = list.append


def test_the_same_sentence_is_said_again_only_after_a_while():
    log, now = Log(), [0.0]
    reports = Reports(log, repeat_after=10, clock=lambda: now[0])
    for now[0], sentence in [(0, "a"), (1, "a"), (2, "b"), (9.9, "a"), (10, "a"), (11, "b"), (12.5, "b")]:
        reports.warn(sentence)
    assert log == ["a", "b", "a", "b"]


def test_sentences_that_differ_in_numbers_count_as_one():
    log = Log()
    reports = Reports(log, clock=lambda: 0.0)
    reports.warn("silent for 5 s")
    reports.warn("silent for 6 s")
    reports.error("silent for good")
    assert log == ["silent for 5 s", "silent for good"]


def test_ever_new_sentences_do_not_fill_the_memory():
    reports = Reports(Log(), clock=lambda: 0.0)
    for index in range(1000):
        reports.warn("sentence " + "x" * index)
    assert len(reports._said) < 500


def test_a_sentence_that_quotes_a_megabyte_is_cut_in_its_middle_and_kept_as_short():
    log = Log()
    reports = Reports(log, clock=lambda: 0.0)
    reports.warn(f"the frame is {'x' * 10**6}; it must be map")
    assert len(log[0]) == LONGEST
    assert log[0].startswith("the frame is xxx") and log[0].endswith("xxx; it must be map")
    assert max(map(len, reports._said)) <= LONGEST


def test_what_a_message_calls_itself_writes_no_lines_of_its_own():
    assert in_short("the frame a\n[ERROR] b\x1b[2J\u202ec is unknown") == (
        "the frame a\\n[ERROR] b\\x1b[2J\\u202ec is unknown")
    assert in_short("דלת – 机器人") == "דלת – 机器人"

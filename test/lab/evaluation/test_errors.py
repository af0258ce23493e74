# SPDX-License-Identifier: Apache-2.0
import pytest

from clipseg_ros.lab.evaluation.errors import error_tables, kind_of, size_of
from clipseg_ros.lab.evaluation.run import Case


def case(overlap: float, found: float, true: float, *, category: str = "cup", type: str = "noun") -> Case:
    """Shares of the picture: of what is marked rightly, of what is marked, of the thing."""
    return Case("a.png", category, type, category, overlap / (found + true - overlap), 0.9, found, true)


@pytest.mark.parametrize("overlap, found, true, kind", [
    (0.10, 0.11, 0.10, "good"),
    (0.07, 0.08, 0.10, "edges"),
    (0.04, 0.05, 0.10, "a part"),
    (0.08, 0.30, 0.10, "too much"),
    (0.04, 0.10, 0.10, "a part and others"),
    (0.00, 0.20, 0.10, "another thing"),
    (0.00, 0.00, 0.10, "nothing"),
])
def test_an_error_is_of_one_kind(overlap, found, true, kind):
    assert kind_of(case(overlap, found, true)) == kind


@pytest.mark.parametrize("share, text", [(0.005, "below 1 %"), (0.01, "1 % to 3 %"), (0.05, "3 % to 10 %"),
                                         (0.3, "from 10 %")])
def test_sizes_are_ranges(share, text):
    assert size_of(share) == text


def test_what_is_lost_is_shared_out():
    cases = [*[case(0.1, 0.1, 0.1)] * 5, *[case(0.0, 0.0, 0.1)] * 3, *[case(0.01, 0.01, 0.02, category="phone")] * 5,
             case(0.0, 0.0, 0.5, type="colour"), case(0.0, 0.0, 0.2, category="seldom")]
    errors, sizes, categories = error_tables(cases)
    assert errors == [["error", "prompts", "mIoU", "95 %", "lost"], ["good", "0.357", "1.000", "-", "0.000"],
                      ["edges", "0.357", "0.500", "-", "0.385"], ["nothing", "0.286", "0.000", "-", "0.615"]]
    assert [row[0] for row in sizes[1:]] == ["1 % to 3 %", "from 10 %"]
    assert [row[0] for row in categories[1:]] == ["cup", "phone"]
    assert error_tables(cases, types=("place",)) == []

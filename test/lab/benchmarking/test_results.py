# SPDX-License-Identifier: Apache-2.0
"""Results as files and as rows of the table in benchmarks/README.md."""

from pathlib import Path

import example_result
import pytest

from clipseg_ros.lab.benchmarking.results import header, read_result, to_rows, write_result

README = Path(__file__).resolve().parents[3] / "benchmarks" / "README.md"


def test_a_file_gives_the_result_back(tmp_path):
    path = tmp_path / "new" / "result.json"
    write_result(example_result.make(), path)
    assert read_result(path) == example_result.make()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"format": 0}'])
def test_other_files_are_refused(tmp_path, text):
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="is no result of this version; `clipseg benchmark --json "):
        read_result(path)


def test_a_row_for_each_case():
    start = "| Example 9000, 1 thread, AVX2, AVX-512 | torch float32, 352x352 |"
    assert to_rows(example_result.make()) == [
        f"{start} 1 | 500 | 60 % | 1000 | 2.0 | - | - |",
        f"{start} 5 | 625 | 51 % | 5000 | 8.0 | - | - |",
        f"{start} 1 new, image seen | 25 | - | 1100 | 44.0 | - | - |",
    ]


def test_a_gpu_stands_for_its_machine():
    result = example_result.make()
    result["machine"]["gpu"] = "Example GPU, 8 GiB, CUDA 12"
    result["networks"][0]["device"] = "cuda:0"
    assert all(row.startswith("| Example GPU | ") for row in to_rows(result))


def test_rows_fit_the_table_of_the_readme():
    lines = README.read_text(encoding="utf-8").splitlines()
    start = lines.index(header()[0])
    assert lines[start + 1] == header()[1]
    table = [line for line in lines[start:] if line.startswith("|")]
    assert len(table) > 2
    assert {line.count("|") for line in (*table, *to_rows(example_result.make()))} == {header()[0].count("|")}
    assert lines[start + len(table)].startswith("<!-- the rows of `clipseg benchmark --row "), "the place for new rows"

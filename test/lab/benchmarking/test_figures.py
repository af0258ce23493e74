# SPDX-License-Identifier: Apache-2.0
"""From times to figures, by hand."""

import pytest

from clipseg_ros.lab.benchmarking.cases import NEW_PROMPTS, OURS
from clipseg_ros.lab.benchmarking.figures import describe_case, extra_prompt
from clipseg_ros.lab.benchmarking.measure import Sample

SAMPLES = {OURS: Sample((0.5, 0.5, 0.25)), NEW_PROMPTS: Sample((1.0, 1.0, 1.0)), "peer": Sample((1.0, 2.0, 1.0))}


def test_a_case():
    case = describe_case(SAMPLES, flop=10**9, limit=4e9)
    assert case["ms"][OURS] == {"median": 500, "quartiles": [375, 500], "all": [500, 500, 250]}
    assert set(case["ms"]) == set(SAMPLES)
    assert case["ratios"] == {"peer": 4.0}  # of 2, 4 and 4
    assert case["ratios_new_prompts"] == {"peer": 1.0}
    assert case["gflops"] == 2.0  # 1 GFLOP in 0.5 s
    assert case["share_of_limit"] == 0.5


@pytest.mark.parametrize(("flop", "limit", "gflops"), [(None, 4e9, None), (10**9, None, 2.0)])
def test_what_is_not_known_is_left_open(flop, limit, gflops):
    case = describe_case({OURS: SAMPLES[OURS]}, flop=flop, limit=limit)
    assert (case["gflops"], case["share_of_limit"]) == (gflops, None)
    assert case["ratios"] == case["ratios_new_prompts"] == {}


@pytest.mark.parametrize(("counts", "medians", "share"), [
    ([1, 4, 8], [100, 0, 135], 0.05), ([2, 3], [50, 60], 0.2), ([4], [100], None)])
def test_a_prompt_more(counts, medians, share):
    assert extra_prompt(counts, medians) == share

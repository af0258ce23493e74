# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from torchmetrics.classification import BinaryAveragePrecision, BinaryJaccardIndex, BinaryPrecisionRecallCurve

from clipseg_ros.lab.evaluation.segmentation import (
    BINS,
    FIXED_THRESHOLDS,
    THRESHOLDS,
    SegmentationMeasures,
    histograms,
    index_of,
)
from clipseg_ros.perception.masks import threshold_mask

# Two prompts, worked by hand at the threshold 0.5. Capital letters are the object.
#
#   cup   .9A .6A .2A        TP 2 (.9 .6)  FP 1 (.7)  FN 1 (.2)  TN 2     IoU 2/4
#         .1  .7  .3
#   sofa  .8B .4             TP 1          FP 0       FN 1       TN 2     IoU 1/2
#         .4B .1
CUP = np.array([[0.9, 0.6, 0.2], [0.1, 0.7, 0.3]], np.float32), np.array([[1, 1, 1], [0, 0, 0]], bool)
SOFA = np.array([[0.8, 0.4], [0.4, 0.1]], np.float32), np.array([[1, 0], [1, 0]], bool)
NOTHING = np.array([[0.6, 0.1]], np.float32), np.zeros((1, 2), bool)


def measured(*prompts, categories=("cup", "sofa", "none")):
    measures = SegmentationMeasures()
    for prompt, category in zip(prompts, categories):
        measures.add(histograms(*prompt), category=category)
    return measures


def random_prompts(seed, count=6):
    """Prompts of several sizes whose probabilities lean towards the mask; some on the bins' edges."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        mask = rng.random((rng.integers(5, 40), 31)) < rng.uniform(0.05, 0.6)
        probability = np.clip(rng.normal(0.3 + 0.35 * mask, 0.25), 0, 1).astype(np.float32)
        probability[0, ::2] = np.round(probability[0, ::2], 2)
        yield probability, mask


def flat(prompts):
    return [torch.cat([torch.from_numpy(prompt[i].ravel()) for prompt in prompts]) for i in (0, 1)]


def jaccard(found, mask):
    """torchmetrics' IoU of what is found; from probabilities it would take what exceeds a threshold."""
    return BinaryJaccardIndex()(found.int(), mask).item()


def test_figures_of_the_case_worked_by_hand():
    figures = measured(CUP, SOFA).figures(0.5)
    assert figures["miou"] == pytest.approx((2 / 4 + 1 / 2) / 2)
    assert figures["iou_fg"] == pytest.approx((2 + 1) / (2 + 1 + 1 + 0 + 1 + 1))
    assert figures["iou_bin"] == pytest.approx((3 / 6 + 4 / (4 + 1 + 2)) / 2)
    # at 0.3: cup TP 2 FP 2 (0.3 is reached) FN 1, sofa TP 2 FP 1 FN 0
    assert figures["at"]["0.3"]["miou"] == pytest.approx((2 / 5 + 2 / 3) / 2)
    # best: at 0.12, where .2A is found too and the .1 are not: cup TP 3 FP 2, sofa TP 2 FP 1
    assert figures["best"]["miou"] == {"value": pytest.approx((3 / 5 + 2 / 3) / 2), "threshold": 0.12}


def test_average_precision_of_the_case_worked_by_hand():
    # sorted .9A .7 .6A .3 .2A .1 of the cup alone: precision 1/1 2/3 3/5 at each third of recall
    assert measured(CUP).average_precision() == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)
    # the thresholds come by recall 1/3 (P 1/1, then 1/2), 2/3 (P 2/3, then 2/4) and 1 (P 3/5, then 3/6)
    by_hand = (1 / 3) * (1 / 2 + 2 / 3) / 2 + (1 / 3) * (2 / 4 + 3 / 5) / 2
    assert measured(CUP).average_precision_49() == pytest.approx(by_hand)


def test_class_miou_pools_within_a_category_where_miou_does_not():
    apart = measured(CUP, SOFA).figures(0.5)
    together = measured(CUP, SOFA, categories=("thing", "thing")).figures(0.5)
    assert apart["class_miou"] == pytest.approx(1 / 2) and together["class_miou"] == pytest.approx(3 / 6)
    three = measured(CUP, CUP, SOFA, categories=("cup", "cup", "sofa")).figures(0.3)
    assert three["miou"] == pytest.approx((2 / 5 + 2 / 5 + 2 / 3) / 3)
    assert three["class_miou"] == pytest.approx((4 / 10 + 2 / 3) / 2)
    assert measured(CUP, SOFA, categories=("cup", None)).figures(0.5)["class_miou"] is None


def test_a_prompt_with_nothing_to_find_counts_in_pooled_measures_only():
    figures = measured(CUP, SOFA, NOTHING).figures(0.5)
    assert figures["miou"] == pytest.approx(1 / 2)
    assert figures["iou_fg"] == pytest.approx(3 / 7)
    alone = measured(NOTHING).figures(0.5)
    assert alone["miou"] is None and alone["ap"] is None and alone["ap_49"] is None
    assert alone["best"]["miou"] is None


@pytest.mark.parametrize("threshold", FIXED_THRESHOLDS)
def test_ious_equal_torchmetrics(threshold):
    prompts = list(random_prompts(seed=1))
    figures = measured(*prompts, categories=[None] * len(prompts)).figures(threshold)
    probability, mask = flat(prompts)
    found = probability >= threshold
    pooled = jaccard(found, mask)
    background = jaccard(~found, ~mask)
    each = [jaccard(torch.from_numpy(p) >= threshold, torch.from_numpy(m)) for p, m in prompts]
    assert figures["iou_fg"] == pytest.approx(pooled, rel=1e-6)
    assert figures["iou_bin"] == pytest.approx((pooled + background) / 2, rel=1e-6)
    assert figures["miou"] == pytest.approx(np.mean(each), rel=1e-6)


def test_average_precision_equals_torchmetrics_at_the_bins_resolution():
    prompts = list(random_prompts(seed=2))
    probability, mask = flat(prompts)
    ap = measured(*prompts, categories=[None] * len(prompts)).average_precision()
    edges = (np.arange(BINS + 1) / BINS).astype(np.float32)
    binned = torch.from_numpy(edges[np.searchsorted(edges, probability.numpy(), side="right") - 1])
    assert ap == pytest.approx(BinaryAveragePrecision()(binned, mask.int()).item(), rel=1e-5)
    assert ap == pytest.approx(BinaryAveragePrecision()(probability, mask.int()).item(), abs=2e-3)


def test_average_precision_over_49_thresholds_follows_torchmetrics_curve():
    prompts = list(random_prompts(seed=3))
    probability, mask = flat(prompts)
    curve = BinaryPrecisionRecallCurve(thresholds=torch.from_numpy(np.float32(THRESHOLDS)))
    precision, recall, _ = curve(probability, mask.int())
    area = -torch.trapezoid(precision[:-1], recall[:-1]).item()
    ours = measured(*prompts, categories=[None] * len(prompts)).average_precision_49()
    assert ours == pytest.approx(area, rel=1e-5)


def test_the_best_threshold_is_the_best_of_all_49():
    prompts = list(random_prompts(seed=4))
    probability, mask = flat(prompts)
    scores = [jaccard(probability >= t, mask) for t in THRESHOLDS]
    best = measured(*prompts, categories=[None] * len(prompts)).figures(0.5)["best"]["iou_fg"]
    assert best["value"] == pytest.approx(max(scores), rel=1e-6)
    assert best["threshold"] == THRESHOLDS[int(np.argmax(scores))]
    curves = measured(*prompts, categories=[None] * len(prompts)).figures(0.5)["curves"]
    assert curves["iou_fg"] == pytest.approx(scores, rel=1e-6) and curves["class_miou"] == [None] * 49


def test_counts_are_exact_at_every_edge():
    edges = (np.arange(BINS + 1) / BINS).astype(np.float32)
    around = np.concatenate([edges, np.nextafter(edges, 2).clip(max=1), np.nextafter(edges, -1).clip(min=0)])
    histogram = histograms(around[None], np.ones((1, len(around)), bool))
    for k in range(BINS + 1):
        assert histogram[1, k:].sum() == np.count_nonzero(around >= np.float32(k / BINS)), k


@pytest.mark.parametrize("threshold", [0.0, 0.1, 0.3, 0.5, 0.7, 0.999])
def test_a_pixel_is_found_where_the_nodes_mask_shows_it(threshold):
    edge = np.float32(threshold)
    probability = np.array([[0, np.nextafter(edge, np.float32(-1)), edge, np.nextafter(edge, np.float32(2)), 1]])
    probability = probability.clip(0, 1).astype(np.float32)
    shown = threshold_mask(probability, threshold) > 0
    assert shown[0, 2]
    measures = measured((probability, shown))
    assert measures.miou()[index_of(threshold)] == measures.iou_fg()[index_of(threshold)] == 1.0


@pytest.mark.parametrize("threshold", [-0.1, 1.0, 0.3333, float("nan"), float("inf")])
def test_thresholds_between_the_bins_are_refused(threshold):
    with pytest.raises(ValueError, match="multiple of 0.001"):
        index_of(threshold)


@pytest.mark.parametrize(
    ("probability", "mask", "says"),
    [
        (np.zeros((2, 3)), np.zeros((3, 2), bool), "must be one"),
        (np.zeros(4), np.zeros(4, bool), "must be one"),
        (np.zeros((0, 4)), np.zeros((0, 4), bool), "must be one"),
        (np.full((1, 2), 1.5), np.zeros((1, 2), bool), "span"),
        (np.full((1, 2), -2.0), np.zeros((1, 2), bool), "span"),
        (np.array([[0.1, np.nan]]), np.zeros((1, 2), bool), "NaN"),
    ],
)
def test_what_is_no_probability_is_refused(probability, mask, says):
    with pytest.raises(ValueError, match=says):
        histograms(probability, mask)

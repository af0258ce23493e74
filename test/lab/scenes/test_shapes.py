# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from clipseg_ros.lab.scenes import catalogue
from clipseg_ros.lab.scenes.shapes import HELD_OUT, SHAPES
from clipseg_ros.lab.scenes.vocabulary import CATEGORIES

ALL = [(category, maker) for category, makers in SHAPES.items() for maker in makers]


@pytest.mark.parametrize(("category", "maker"), ALL, ids=lambda v: getattr(v, "__name__", v))
def test_a_shape_stands_on_the_floor_and_has_a_plausible_size(category, maker):
    meshes = [maker(np.random.default_rng(seed)).settled() for seed in range(3)]
    for mesh in meshes:
        low, high = mesh.bounds()
        assert low[2] == pytest.approx(0, abs=1e-6) and np.allclose(low[:2], -high[:2], atol=1e-5)
        assert 0.05 < mesh.size().max() < (0.6 if CATEGORIES[category].table and "lamp" != category else 2.3)
        assert (mesh.size() > 0.004).all()
        assert all(p.faces.max() < len(p.vertices) and np.isfinite(p.vertices).all() for p in mesh.parts)
        assert any(p.paint for p in mesh.parts) or not CATEGORIES[category].paint
    assert not np.allclose(meshes[0].size(), meshes[1].size())


def test_most_categories_have_something_to_learn_from_and_something_held_out():
    assert set(SHAPES) | set(catalogue.MODELS) == set(CATEGORIES)
    assert HELD_OUT <= {maker for _, maker in ALL}
    for category in CATEGORIES:
        models, makers = catalogue.MODELS.get(category, ()), SHAPES.get(category, ())
        seen = sum(m not in catalogue.HELD_OUT for m in models) + sum(m not in HELD_OUT for m in makers)
        assert seen >= 1, category
    held = {c for c, ms in catalogue.MODELS.items() if set(ms) & catalogue.HELD_OUT}
    held |= {c for c, makers in SHAPES.items() if set(makers) & HELD_OUT}
    assert len(held) >= 25


def test_a_model_has_one_category():
    names = [m for models in catalogue.MODELS.values() for m in models]
    assert len(set(names)) == len(names) and catalogue.HELD_OUT <= set(names)

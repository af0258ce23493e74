# SPDX-License-Identifier: Apache-2.0
"""The parametric shapes of each category; the last one of each longer list is held out of training."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from clipseg_ros.lab.scenes import belongings as bl
from clipseg_ros.lab.scenes import household as hh
from clipseg_ros.lab.scenes import joinery as jo
from clipseg_ros.lab.scenes import lamps as la
from clipseg_ros.lab.scenes import tableware as tw
from clipseg_ros.lab.scenes import tools as to
from clipseg_ros.lab.scenes.mesh import Mesh

Shape = Callable[[np.random.Generator], Mesh]

SHAPES: dict[str, tuple[Shape, ...]] = {
    "cup": (tw.mug, tw.teacup, tw.tapered_mug),
    "glass": (tw.tumbler, tw.wine_glass),
    "bottle": (tw.bottle, tw.water_bottle, tw.flask),
    "bowl": (tw.bowl, tw.flared_bowl, tw.deep_bowl),
    "plate": (tw.plate, tw.rimmed_plate, tw.square_plate),
    "vase": (tw.vase, tw.tall_vase, tw.amphora),
    "ball": (tw.plain_ball, tw.striped_ball),
    "bread": (tw.loaf, tw.toast, tw.baguette),
    "cake": (tw.layer_cake, tw.candle_cake),
    "box": (hh.closed_box, hh.lidded_box, hh.open_box, hh.gift_box),
    "phone": (hh.smartphone, hh.handset),
    "laptop": (hh.laptop,),
    "book": (hh.book, hh.book_pile),
    "hammer": (to.hammer, to.mallet),
    "scissors": (to.scissors,),
    "drill": (to.drill,),
    "knife": (to.knife, to.table_knife),
    "hat": (bl.sun_hat, bl.peaked_cap, bl.top_hat),
    "shoes": (bl.low_shoes, bl.boots),
    "teddy bear": (bl.teddy, bl.standing_teddy),
    "lamp": (la.table_lamp, la.globe_lamp, la.floor_lamp, la.desk_lamp),
    "table": (jo.table, jo.round_table),
    "desk": (jo.desk, jo.trestle_desk),
    "stool": (jo.stool, jo.square_stool, jo.pouf_stool),
    "bench": (jo.bench, jo.slatted_bench, jo.box_bench),
    "bed": (jo.bed, jo.canopy_bed),
    "cabinet": (jo.chest_of_drawers, jo.wardrobe, jo.sideboard),
    "bookcase": (jo.bookcase, jo.open_bookcase),
    "door": (jo.panel_door, jo.plain_door),
}

HELD_OUT: frozenset[Shape] = frozenset(
    {
        tw.tapered_mug,
        tw.flask,
        tw.deep_bowl,
        tw.square_plate,
        tw.amphora,
        tw.baguette,
        hh.gift_box,
        hh.handset,
        to.mallet,
        bl.top_hat,
        bl.boots,
        bl.standing_teddy,
        la.desk_lamp,
        jo.trestle_desk,
        jo.pouf_stool,
        jo.box_bench,
        jo.canopy_bed,
        jo.sideboard,
        jo.open_bookcase,
        hh.book_pile,
    }
)

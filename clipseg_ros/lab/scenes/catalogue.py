# SPDX-License-Identifier: Apache-2.0
"""Which models of Debian's sweethome3d-furniture the home uses, by category.

A name is `<catalogue>/<model>` where the catalogue is cc0, by (Blend Swap), kator or scopia; a star marks
models that are held out of training. Models with brand names, with too many triangles, and those that a
person would not recognise at a glance are left out.
"""

from __future__ import annotations

_MODELS = {
    "chair": """
        cc0/plasticChair cc0/sillaBlanca cc0/chair cc0/antiqueChair cc0/chair2 cc0/osakaChair
        cc0/thonet by/cafe_set_mota_chair* by/cafe_set_tonon_chair by/childChair by/ella_chair_f
        by/foldingChair by/plaidChair* by/kitchenChair by/chair3 by/chair4 kator/dining-chair*
        kator/cafe-chair scopia/chair3 scopia/chair4 scopia/chair scopia/tubular_chair
        scopia/plastic_chair scopia/white_kitchen_chair* scopia/children_chair cc0/chairWithCushion*
        by/chairWithCushion cc0/armchair scopia/office_chair kator/office-chair scopia/kids_desk_chair
        scopia/silla_teca
    """,
    "armchair": """
        cc0/armchair2 cc0/winchesterArmchair by/armchair1 by/fotel* kator/mid-century-chair
        scopia/armchair3 scopia/armchair scopia/armchair2 by/armChair2 scopia/rattanArmchair*
        cc0/modernArmchair
    """,
    "sofa": """
        cc0/sofa2 cc0/winchesterSofa by/sofa2 by/sofa3 by/couch3 kator/futon-couch
        kator/mid-century-bench-sofa kator/mid-century-sofa* scopia/clear_sofa scopia/simple_sofa
        scopia/burlap_sofa scopia/leather_sofa scopia/sofa_white_beige*
        scopia/convertible-sofa-BZ-closed scopia/rattanSofa cc0/couch cc0/couch2* cc0/sofa
    """,
    "stool": """
        cc0/stool2 by/green_stool* kator/bar-stool scopia/kitchen_stool scopia/bar_chair cc0/stool
        cc0/silla2
    """,
    "bench": "cc0/bench kator/concrete-bench* kator/painted-bench kator/bench cc0/pianoBench",
    "table": """
        cc0/oakTable cc0/table by/cafe_set_mota_table by/cafe_set_tonon_table by/table
        kator/folding-table* kator/glass-dining-table scopia/black_table scopia/saloon_table
        scopia/table3 scopia/table4 scopia/wooden_table_office* scopia/white_kitchen_table
        scopia/table-with-leaning-feet scopia/round-table* scopia/children_table scopia/bar_table
        scopia/coffee-table2 scopia/table_wood_and_iron by/coffeeTable scopia/table-on-trestles
        cc0/tableWithTablecloth
    """,
    "desk": """
        by/biurko3 by/simpleDesk by/officeTable* scopia/kids_desk_table scopia/kids_wooden_desk
        cc0/desk*
    """,
    "bed": """
        cc0/bed2 cc0/bed3* by/juniorBed scopia/bed1 scopia/captains-bed scopia/children_bed
        cc0/bedWithTexture
    """,
    "cabinet": """
        by/wardrobe by/wardrobe2* scopia/wardrobe1 by/chest by/dresserWithDrawers* cc0/bedsideTable2
        by/bedsideTable cc0/bookcase cc0/drawersCabinet cc0/lowerCabinet by/kitchenLowerCabinet
        by/kitchenDrawersCabinet cc0/cupboard
    """,
    "bookcase": """
        by/bookcase kator/full-bookcase* scopia/kids_shelves cc0/verticalShelves
        kator/utility-shelving
    """,
    "door": """
        kator/exterior-door-01 kator/exterior-door-02* kator/exterior-door-03 kator/exterior-door-05
        kator/exterior-door-07 scopia/puerta scopia/door* scopia/glass_door scopia/glassDoor2
        kator/screen-door
    """,
    "plant": """
        cc0/cactus cc0/littlePlant cc0/augalas scopia/maceta* cc0/plant by/decorativePlant*
        by/succulentPlant cc0/orchids by/mediumIndoorPlant scopia/bonsai-tree by/yuccaPlant
    """,
    "lamp": """
        cc0/desklamp by/lamp kator/pedestal-vase-lamp scopia/desk_lamp1 scopia/desk_lamp2
        scopia/little_lamp1 scopia/little_lamp2 scopia/little_lamp3* scopia/table_lamp
        scopia/livingroom_lamp1* scopia/living_lamp
    """,
    "cup": "cc0/caffe_final by/coffee_cup kator/coffee-mug* scopia/cup",
    "glass": "kator/12-oz-glass kator/highball-glass by/glass* by/cocktailGlass cc0/beerGlass",
    "bottle": """
        cc0/yogurtBottle by/beer_bottle kator/red-wine-bottle-01 scopia/wine_bottle* scopia/com_bath
        scopia/com_bath2_jabon_pijo cc0/mamadeira*
    """,
    "bowl": "scopia/bowl*",
    "plate": "kator/dinner-plate kator/bread-plate*",
    "box": "scopia/cardboard-box scopia/open-cardboard-box* cc0/crate by/gift* cc0/ammoBox cc0/box",
    "vase": "scopia/vase1 scopia/vase2 scopia/vase3* scopia/jar",
    "phone": "by/mobile scopia/phone by/wirelessOfficePhone3*",
    "shoes": "cc0/slippers cc0/bootie scopia/woman_shoes scopia/sneakers*",
    "hat": "scopia/casquette scopia/chapeau*",
    "ball": "cc0/basketball by/ballonFoot*",
    "teddy bear": "cc0/teddyBear",
    "bread": "cc0/bread",
    "cake": "scopia/birthday_cake cc0/cupcake*",
    "laptop": "by/laptop",
    "book": "by/book*",
    "hammer": "scopia/marteau",
    "scissors": "cc0/cissors_swap",
    "drill": "scopia/perceuse-electrique",
    "knife": "by/kitchenKnife by/knife*",
}

MODELS: dict[str, tuple[str, ...]] = {c: tuple(n.rstrip("*") for n in t.split()) for c, t in _MODELS.items()}
HELD_OUT: frozenset[str] = frozenset(
    n.rstrip("*") for t in _MODELS.values() for n in t.split() if n.endswith("*")
)

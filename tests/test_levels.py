"""Full names, gyri, lobes and systems of regions: from files beside an atlas, and by its codes.

The tables are made here in the form that the atlases' authors give them.
"""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest
from atlases import probability_atlas, write_atlas
from phantoms import AFFINE

from lesion_dash import Grid, LabelAtlas, count_regions, find_regions, load_atlas
from lesion_dash.analyses.notes import errors_among
from lesion_dash.atlas.formats import Region
from lesion_dash.atlas.grouping import group_regions
from lesion_dash.atlas.levels import group_names, levels_of
from lesion_dash.atlas.nomenclature import complete_levels
from lesion_dash.images.masks import Mask

FRONTAL, TEMPORAL, PARIETAL = "Frontal Lobe", "Temporal Lobe", "Parietal Lobe"
OCCIPITAL, LIMBIC, INSULAR = "Occipital Lobe", "Limbic Lobe", "Insular Lobe"
NUCLEI = "Subcortical Nuclei"

# Fan et al. 2016, table 1: code of the look-up table, code by gyrus, full name, gyrus, lobe.
BRAINNETOME = """
A8m_L|SFG_L_7_1|medial area 8|Superior Frontal Gyrus|Frontal Lobe
A9l_R|SFG_R_7_3|lateral area 9|Superior Frontal Gyrus|Frontal Lobe
IFJ_R|MFG_R_7_2|inferior frontal junction|Middle Frontal Gyrus|Frontal Lobe
A44op_L|IFG_L_6_5|opercular area 44|Inferior Frontal Gyrus|Frontal Lobe
A12/47o_L|OrG_L_6_2|orbital area 12/47|Orbital Gyrus|Frontal Lobe
A4tl_R|PrG_R_6_5|area 4 (tongue and larynx region)|Precentral Gyrus|Frontal Lobe
A1/2/3ll_L|PCL_L_2_1|area 1/2/3 (lower limb region)|Paracentral Lobule|Frontal Lobe
A41/42_L|STG_L_6_2|area 41/42|Superior Temporal Gyrus|Temporal Lobe
A37elv_L|ITG_L_7_2|extreme lateroventral area 37|Inferior Temporal Gyrus|Temporal Lobe
A37mv_R|FuG_R_3_2|medioventral area 37|Fusiform Gyrus|Temporal Lobe
A28/34_L|PhG_L_6_4|area 28/34 (entorhinal cortex)|Parahippocampal Gyrus|Temporal Lobe
A7r_L|SPL_L_5_1|rostral area 7|Superior Parietal Lobule|Parietal Lobe
A7ip_R|SPL_R_5_5|intraparietal area 7 (hIP3)|Superior Parietal Lobule|Parietal Lobe
A39rv_L|IPL_L_6_5|rostroventral area 39 (PGa)|Inferior Parietal Lobule|Parietal Lobe
A40rv_R|IPL_R_6_6|rostroventral area 40 (PFop)|Inferior Parietal Lobule|Parietal Lobe
dIg_R|INS_R_6_5|dorsal granular insula|Insular Gyrus|Insular Lobe
A32sg_L|CG_L_7_7|subgenual area 32|Cingulate Gyrus|Limbic Lobe
vmPOS_R|Cun_R_5_5|ventromedial parietooccipital sulcus|MedioVentral Occipital Cortex|Occipital Lobe
lsOccG_L|sOcG_L_2_2|lateral superior occipital gyrus|Lateral Occipital Cortex|Occipital Lobe
GP_R|Str_R_6_2|globus pallidus|Basal Ganglia|Subcortical Nuclei
Otha_L|Tha_L_8_6|occipital thalamus|Thalamus|Subcortical Nuclei
"""
# Tzourio-Mazoyer et al. 2002, table 2; lobes of the Terminologia Neuroanatomica.
AAL = {
    "Precentral_L": ("Precentral gyrus", FRONTAL, "cortex"),
    "Frontal_Sup_R": ("Superior frontal gyrus, dorsolateral", FRONTAL, "cortex"),
    "Frontal_Inf_Oper_L": ("Inferior frontal gyrus, opercular part", FRONTAL, "cortex"),
    "Rolandic_Oper_L": ("Rolandic operculum", "", "cortex"),  # on both banks of the central sulcus
    "Supp_Motor_Area_R": ("Supplementary motor area", FRONTAL, "cortex"),
    "Frontal_Med_Orb_L": ("Superior frontal gyrus, medial orbital", FRONTAL, "cortex"),
    "Insula_R": ("Insula", INSULAR, "cortex"),
    "Cingulum_Mid_L": ("Middle cingulate gyrus", LIMBIC, "cortex"),
    "Hippocampus_R": ("Hippocampus", "", "subcortical"),
    "ParaHippocampal_L": ("Parahippocampal gyrus", TEMPORAL, "cortex"),
    "Calcarine_L": ("Calcarine fissure and surrounding cortex", OCCIPITAL, "cortex"),
    "Lingual_R": ("Lingual gyrus", OCCIPITAL, "cortex"),
    "Fusiform_L": ("Fusiform gyrus", TEMPORAL, "cortex"),
    "Parietal_Sup_L": ("Superior parietal gyrus", PARIETAL, "cortex"),
    "SupraMarginal_R": ("Supramarginal gyrus", PARIETAL, "cortex"),
    "Paracentral_Lobule_L": ("Paracentral lobule", FRONTAL, "cortex"),
    "Pallidum_L": ("Pallidum", "", "subcortical"),
    "Heschl_R": ("Heschl's gyrus", TEMPORAL, "cortex"),
    "Temporal_Pole_Mid_L": ("Temporal pole: middle temporal gyrus", TEMPORAL, "cortex"),
    "Cerebelum_Crus1_R": ("Cerebellum, crus I", "", "cerebellum"),
    "Vermis_4_5": ("Vermis, lobules IV and V", "", "cerebellum"),
    "Thal_PuM_L": ("Thalamus, medial pulvinar", "", "subcortical"),  # of AAL3, Rolls et al. 2020
    "SN_pc_R": ("Substantia nigra, pars compacta", "", "brainstem"),
}
# Desikan et al. 2006; lobes as in FreeSurfer's lobar parcellation, the cingulate cortex apart.
DESIKAN = {
    "ctx-lh-bankssts": ("Banks of the superior temporal sulcus", TEMPORAL, "cortex"),
    "ctx-rh-caudalmiddlefrontal": ("Caudal middle frontal gyrus", FRONTAL, "cortex"),
    "ctx-lh-cuneus": ("Cuneus", OCCIPITAL, "cortex"),
    "ctx-lh-entorhinal": ("Entorhinal cortex", TEMPORAL, "cortex"),
    "ctx-rh-fusiform": ("Fusiform gyrus", TEMPORAL, "cortex"),
    "ctx-lh-inferiorparietal": ("Inferior parietal lobule", PARIETAL, "cortex"),
    "ctx-rh-isthmuscingulate": ("Isthmus of the cingulate gyrus", LIMBIC, "cortex"),
    "ctx-lh-lateraloccipital": ("Lateral occipital cortex", OCCIPITAL, "cortex"),
    "ctx-rh-lateralorbitofrontal": ("Lateral orbitofrontal cortex", FRONTAL, "cortex"),
    "ctx-lh-paracentral": ("Paracentral lobule", FRONTAL, "cortex"),
    "ctx-rh-parsorbitalis": ("Inferior frontal gyrus, orbital part", FRONTAL, "cortex"),
    "ctx-lh-pericalcarine": ("Pericalcarine cortex", OCCIPITAL, "cortex"),
    "ctx-rh-precuneus": ("Precuneus", PARIETAL, "cortex"),
    "ctx-lh-transversetemporal": ("Transverse temporal gyrus", TEMPORAL, "cortex"),
    "ctx-rh-insula": ("Insula", INSULAR, "cortex"),
    "Left-Cerebral-White-Matter": ("Cerebral white matter", "", "white matter"),
    "Right-Thalamus-Proper": ("Thalamus", "", "subcortical"),
    "Brain-Stem": ("Brainstem", "", "brainstem"),
    "Left-Cerebellum-White-Matter": ("Cerebellum, white matter", "", "cerebellum"),
    "CC_Mid_Posterior": ("Corpus callosum, mid-posterior", "", "white matter"),
}
# Destrieux et al. 2010, table 1; sulci between two lobes have none.
DESTRIEUX = {
    "ctx_lh_G_and_S_cingul-Ant": ("Anterior cingulate gyrus and sulcus", LIMBIC, "cortex"),
    "ctx_rh_G_front_inf-Triangul": ("Inferior frontal gyrus, triangular part", FRONTAL, "cortex"),
    "L G_pariet_inf-Angular": ("Angular gyrus", PARIETAL, "cortex"),
    "R G_temp_sup-Plan_tempo": (
        "Planum temporale of the superior temporal gyrus",
        TEMPORAL,
        "cortex",
    ),
    "ctx_lh_S_central": ("Central sulcus", "", "cortex"),
    "ctx_lh_S_parieto_occipital": ("Parieto-occipital sulcus", "", "cortex"),
    "ctx_rh_S_circular_insula_inf": ("Circular sulcus of the insula, inferior", INSULAR, "cortex"),
    "ctx_lh_Pole_temporal": ("Temporal pole", TEMPORAL, "cortex"),
    "ctx_lh_S_front_sup": ("Superior frontal sulcus", FRONTAL, "cortex"),
    "ctx_rh_G_oc-temp_med-Lingual": (
        *("Lingual gyrus (medial occipito-temporal, lingual part)", OCCIPITAL, "cortex"),
    ),
}
# Makris et al. 2006, Desikan et al. 2006: names as FSL and others write them.
HARVARD_OXFORD = {
    "Frontal Pole": ("", FRONTAL, "cortex"),
    "Left_Superior_Temporal_Gyrus_posterior_division": (
        "Superior temporal gyrus",
        TEMPORAL,
        "cortex",
    ),
    "Supramarginal Gyrus, anterior division": ("Supramarginal gyrus", PARIETAL, "cortex"),
    "Lateral Occipital Cortex, superior": (
        "Lateral occipital cortex",
        OCCIPITAL,
        "cortex",
    ),
    "Intracalcarine Cortex": ("Calcarine cortex", OCCIPITAL, "cortex"),
    "Frontal Medial Cortex": ("", FRONTAL, "cortex"),
    "Juxtapositional Lobule Cortex (formerly Supplementary Motor Cortex)": ("", FRONTAL, "cortex"),
    "Paracingulate Gyrus": ("Paracingulate gyrus", LIMBIC, "cortex"),
    "Precuneous Cortex": ("Precuneus", PARIETAL, "cortex"),
    "Frontal Orbital Cortex": ("Orbital gyri", FRONTAL, "cortex"),
    "Temporal Occipital Fusiform Cortex": ("Fusiform gyrus", TEMPORAL, "cortex"),
    "Occipital Fusiform Gyrus": ("Fusiform gyrus", OCCIPITAL, "cortex"),
    "Frontal Operculum Cortex": ("", FRONTAL, "cortex"),
    "Central Opercular Cortex": ("", "", "cortex"),
    "Parietal Operculum Cortex": ("", PARIETAL, "cortex"),
    "Heschl's Gyrus (includes H1 and H2)": ("Heschl's gyrus", TEMPORAL, "cortex"),
    "Right_Lateral_Ventrical": ("", "", "ventricles"),
    "Brain-Stem": ("", "", "brainstem"),
    "Left Cerebral White Matter": ("", "", "white matter"),
    "Left Accumbens": ("", "", "subcortical"),
}
# Liu et al. 2023: territories of level 1, and level 2 which they are part of.
ARTERIAL = {
    "anterior cerebral artery left": ("Anterior cerebral artery", "anterior cerebral artery"),
    "medial lenticulostriate right": (
        "Medial lenticulostriate arteries",
        "anterior cerebral artery",
    ),
    "lateral lenticulostriate left": (
        "Lateral lenticulostriate arteries",
        "middle cerebral artery",
    ),
    "parietal pars of middle cerebral artery left": (
        *("Middle cerebral artery, parietal part", "middle cerebral artery"),
    ),
    "insular pars of middle cerebral artery right": (
        *("Middle cerebral artery, insular part", "middle cerebral artery"),
    ),
    "occipital pars of posterior cerebral artery left": (
        *("Posterior cerebral artery, occipital part", "posterior cerebral artery"),
    ),
    "anteior choroidal and thalamoperfurators left": (
        *("Anterior choroidal artery and thalamoperforators", "posterior cerebral artery"),
    ),
    "basilar right": ("Basilar artery", "vertebrobasilar"),
    "superior cerebellar left": ("Superior cerebellar artery", "vertebrobasilar"),
    "inferior cerebellar right": ("Inferior cerebellar arteries", "vertebrobasilar"),
}


def named(names) -> tuple[Region, ...]:
    return tuple(Region(number, name) for number, name in enumerate(names, 1))


def completed(names):
    regions, notes = complete_levels(named(names))
    assert len(regions) == len(names)
    return {region.name: region for region in regions}, notes


def side_of(name: str) -> str:
    words = name.replace("-", "_").replace(" ", "_").lower().split("_")
    left, right = {"l", "lh", "left"} & {*words}, {"r", "rh", "right"} & {*words}
    return "left" if left else "right" if right else ""


def rows_of(text: str) -> list[list[str]]:
    return [line.split("|") for line in text.strip().splitlines()]


def write(folder, names, name="atlas", kind="csv"):
    """An image in which every region is one voxel on the side that its name says."""
    labels = np.zeros((7, len(names), 1), np.int16)
    for number, region in enumerate(names, 1):
        labels[{"left": 1, "right": 5, "": 3}[side_of(region)], number - 1, 0] = number
    path = write_atlas(folder / f"{name}.nii.gz", labels)
    lines = [f"{number} {region} 0 0 {number} 0" for number, region in enumerate(names, 1)]
    (folder / f"{name}.txt").write_text("\n".join(["0 Unknown 0 0 0 0", *lines]))
    return path


@pytest.mark.parametrize("column", [0, 1], ids=["look-up table", "codes by gyrus"])
def test_brainnetome_is_named_by_either_of_its_codes(column):
    rows = rows_of(BRAINNETOME)
    regions, notes = completed([row[column] for row in rows])
    for row in rows:
        levels = levels_of(regions[row[column]])
        code = row[0][:-2]
        assert (levels.full_name, levels.gyrus, levels.lobe) == (*row[2:],)
        assert (levels.abbreviation, levels.hemisphere) == (code, side_of(row[column]))
        assert levels.system == ("subcortical" if row[4] == NUCLEI else "cortex")
    assert "levels of 21 of 21 regions by Brainnetome (Fan et al. 2016" in notes[0]


@pytest.mark.parametrize(
    ("facts", "source"),
    [
        (AAL, "AAL"),
        (DESIKAN, "FreeSurfer"),
        (DESTRIEUX, "FreeSurfer"),
        (DESIKAN | DESTRIEUX, "F"),
    ],
)
def test_codes_of_well_known_atlases_have_names_and_lobes(facts, source):
    regions, notes = completed(facts)
    for name, expected in facts.items():
        levels = levels_of(regions[name])
        assert (levels.full_name, levels.lobe, levels.system) == expected
        assert levels.hemisphere == side_of(name)
    assert f" by {source}" in notes[0]
    assert not errors_among(notes)


def test_structures_in_words_have_a_gyrus_and_a_lobe():
    regions, notes = completed(HARVARD_OXFORD)
    for name, expected in HARVARD_OXFORD.items():
        levels = levels_of(regions[name])
        assert (levels.gyrus, levels.lobe, levels.system) == expected
        assert levels.full_name
    assert "by structures in words" in notes[0]


def test_arterial_territories_are_part_of_larger_ones():
    regions, _ = completed(ARTERIAL)
    for name, (full_name, parent) in ARTERIAL.items():
        levels = levels_of(regions[name])
        assert (levels.full_name, levels.system) == (full_name, "arterial territory")
        assert (levels.lobe, regions[name].extra["parent"]) == ("", parent)
    groups = group_names(tuple(regions.values()), "parent")
    assert set(groups) == {parent for _, parent in ARTERIAL.values()}


def test_networks_and_sections_are_read_from_names():
    parts = ("VisCent", "SomMotA", "ContA_IPS", "DefaultB_PFCd", "TempPar", "SalVentAttnB")
    names = [f"17Networks_{side}H_{part}_1" for side in "LR" for part in parts]
    regions, _ = completed(names)
    networks = {region.extra["network"] for region in regions.values()}
    assert networks == {
        *("Visual (central)", "Somatomotor A", "Control A", "Default mode B"),
        *("Temporo-parietal", "Salience and ventral attention B"),
    }
    # Glasser et al. 2016, supplementary neuroanatomical results, sections 1 to 22.
    areas = {"V1": OCCIPITAL, "4": FRONTAL, "3b": PARIETAL, "55b": FRONTAL, "A1": TEMPORAL,
             "PGp": PARIETAL, "TE1a": TEMPORAL, "9-46d": FRONTAL, "LIPv": PARIETAL, "44": FRONTAL,
             "7m": "", "MST": ""}  # fmt: skip
    regions, _ = completed([f"L_{area}_ROI" for area in areas])
    assert [region.extra.get("lobe", "") for region in regions.values()] == [*areas.values()]
    assert {region.extra["abbreviation"] for region in regions.values()} == {*areas}


@pytest.mark.parametrize(
    "names",
    [
        [f"Region_{n}_L" for n in range(12)],
        ["Superior frontal gyrus", "Insula", "Node"],  # too few to tell an atlas
        ["Putamen", *(f"parcel {n}" for n in range(20))],  # too few of them are known
    ],
)
def test_nothing_is_guessed_of_other_atlases(names):
    regions, notes = completed(names)
    assert not notes
    assert all(not region.extra for region in regions.values())


def test_structures_that_disagree_leave_the_level_empty():
    known = ["Precentral gyrus", "Insula", "Cuneus", "Putamen", "Thalamus"] * 4
    regions, _ = completed([*known, "Border of frontal pole and temporal pole"])
    border = levels_of(regions["Border of frontal pole and temporal pole"])
    assert (border.lobe, border.system) == ("", "cortex")


def test_the_table_of_an_atlas_comes_before_the_facts():
    own = {"lobe": "central region", "full_name": "a name of its own"}
    regions = tuple(Region(n, name, own) for n, name in enumerate(AAL, 1))
    told, _ = complete_levels(regions)
    assert {region.extra["lobe"] for region in told} == {"central region"}
    assert {region.extra["full_name"] for region in told} == {"a name of its own"}
    assert told[0].extra["system"] == "cortex"


def test_a_tree_beside_an_atlas_is_read_without_a_header(tmp_path):
    rows = [("Node_1_L", "Frontal Lobe ", '"AA, Upper Gyrus  "', '"n1, first node"'),
            ("Node_1_R", "Frontal Lobe ", '"AA, Upper Gyrus  "', '"n1, first node"'),
            ("Node_2_L", "Parietal Lobe ", '"BB,Lower Lobule"', '"n2,second node"'),
            ("Node_2_R", "Parietal Lobe ", '"BB,Lower Lobule"', '"n2,second node"'),
            ("Node_3_L", "Parietal Lobe ", '"BB,Lower Lobule"', '"n3, third node"'),
            ("Node_3_R", "Parietal Lobe ", '"BB,Lower Lobule"', '"n3, third node"'),
            ("Node_4_L", "Frontal Lobe ", '"AA, Upper Gyrus  "', '"n4, fourth node"'),
            ("Node_4_R", "Frontal Lobe ", '"AA, Upper Gyrus  "', '"n4, fourth node"')]  # fmt: skip
    path = write(tmp_path, [row[0] for row in rows], "My_Atlas_8_2mm")
    tree = tmp_path / "myatlas_tree.csv"
    tree.write_text("".join(f"{n},{','.join(row)}\n" for n, row in enumerate(rows, 1)))
    atlas = load_atlas(path)
    assert str(tree) in atlas.sources
    assert "levels of 8 of 8 regions from myatlas_tree.csv" in atlas.notes
    levels = levels_of(atlas.regions[2])
    assert (levels.full_name, levels.gyrus, levels.lobe) == (
        *("second node", "Lower Lobule", PARIETAL),
    )
    assert levels.abbreviation == "n2"
    assert {"full_name", "gyrus", "lobe", "hemisphere"} <= set(atlas.table)
    assert [region.label for region in find_regions(atlas, "PARIETAL lower left")] == [3, 5]
    # A tree of another atlas, whose sides or labels differ, is left alone.
    tree.write_text("".join(f"{n},{','.join(row)}\n" for n, row in enumerate(rows[::-1], 1)))
    assert str(tree) not in load_atlas(path).sources
    tree.write_text("".join(f"{n},{','.join(row)}\n" for n, row in enumerate(rows, 40)))
    assert str(tree) not in load_atlas(path).sources


def test_a_tree_that_contradicts_the_codes_is_told_and_not_followed(tmp_path):
    rows = [
        [code[:-1] + side, re.sub("_[LR]_", f"_{side}_", tree), *rest]
        for code, tree, *rest in rows_of(BRAINNETOME)
        for side in "LR"
    ]
    path = write(tmp_path, [row[0] for row in rows], "BN_Atlas_42")
    lines = [f'{n},{row[1]},{row[4]} ,"X, {row[3]}  ","{row[0][:-2]}, {row[2]}"'
             for n, row in enumerate(rows, 1)]  # fmt: skip
    wrong = next(n for n, row in enumerate(rows, 1) if row[0] == "A7r_L")
    lines[wrong - 1] = lines[wrong - 1].replace("A7r, rostral area 7", "A7ip, intraparietal area 7")
    (tmp_path / "bnatlas_tree.csv").write_text("\n".join(lines))
    atlas = load_atlas(path)
    assert levels_of(atlas.regions[wrong - 1]).full_name == "rostral area 7"
    told = [note for note in atlas.notes if "otherwise than their codes" in note]
    assert len(told) == 1
    assert f"label {wrong} is A7ip there and A7r by its code" in told[0]
    assert errors_among(told)


def test_trees_of_json_give_lobes_and_gyri(tmp_path):
    tree = {
        "name": "brain",
        "children": [
            {
                "name": "Frontal Lobe",
                "id": 900,
                "children": [
                    {
                        "name": "Superior Frontal Gyrus",
                        "children": [
                            {"name": "node one L", "id": 1, "acronym": "N1"},
                            {"name": "node one R", "id": 2, "acronym": "N1"},
                        ],
                    }
                ],
            },
            {"name": "nuclei", "children": [{"name": "node two L", "id": 3}]},
        ],
    }
    labels = np.zeros((7, 3, 1), np.int16)
    labels[1, 0], labels[5, 1], labels[1, 2] = 1, 2, 3
    path = write_atlas(tmp_path / "nodes.nii.gz", labels)
    (tmp_path / "nodes.json").write_text(json.dumps(tree, indent=1))
    atlas = load_atlas(path)
    assert [region.name for region in atlas.regions] == ["node one L", "node one R", "node two L"]
    first = levels_of(atlas.regions[0])
    assert (first.lobe, first.gyrus) == (FRONTAL, "Superior Frontal Gyrus")
    assert (first.abbreviation, first.hemisphere) == ("N1", "left")
    assert group_names(atlas.regions, "parent") == [*["Superior Frontal Gyrus"] * 2, "nuclei"]


def merged_counts(mask, labels, groups) -> dict[str, int]:
    """Plain counts of a map on the labels of each group."""
    flat = np.ravel(labels, order="F")[mask.indices]
    counts: dict[str, int] = {}
    for label, group in groups.items():
        counts[group] = counts.get(group, 0) + int((flat == label).sum())
    return counts


@pytest.mark.parametrize("by", ["lobe", "gyrus", "hemisphere", "system"])
def test_subtotals_equal_plain_counts_on_merged_labels(by):
    rng = np.random.default_rng(5)
    regions, _ = complete_levels(named([row[0] for row in rows_of(BRAINNETOME)]))
    shape = (9, 10, 11)
    labels = rng.integers(0, len(regions) + 1, shape)
    mask = Mask.from_array(rng.random(shape) < 0.4, Grid(shape, AFFINE), "map")
    atlas = LabelAtlas("made", mask.grid, labels, regions)
    groups = dict(zip([r.label for r in regions], group_names(regions, by), strict=True))
    table = count_regions(mask, atlas).rolled_up(by).table.set_index("region")["voxels"]
    assert table[:-1].to_dict() == merged_counts(mask, labels, groups)
    assert table.sum() == mask.voxels


def test_a_lobe_is_as_likely_as_its_regions_together():
    rng = np.random.default_rng(6)
    regions, _ = complete_levels(named(AAL))
    shape = (4, 5, 6)
    maps = rng.random((len(regions), *shape)) * (rng.random((len(regions), *shape)) < 0.1)
    atlas = probability_atlas(maps, Grid(shape, AFFINE), regions)
    grouped = group_regions(atlas, "lobe")
    groups = group_names(regions, "lobe")
    for column, region in enumerate(grouped.regions):
        own = [one for one, group in zip(maps, groups, strict=True) if group == region.name]
        expected = np.ravel(np.minimum(sum(own), 1), order="F")
        np.testing.assert_allclose(grouped.maps[:, [column]].toarray().ravel(), expected)
    assert grouped.regions[-1].name.startswith("no lobe given: ")


def test_tables_show_full_name_and_lobe(tmp_path):
    rows = rows_of(BRAINNETOME)
    path = write(tmp_path, [row[0] for row in rows])
    atlas = load_atlas(path)
    mask = Mask(atlas.grid, np.arange(atlas.grid.size, dtype=np.int32), "all")
    table = count_regions(mask, atlas).table
    assert [*table][:4] == ["label", "region", "full_name", "lobe"]
    shown = table.set_index("region").loc["A39rv_L"]
    assert (shown["full_name"], shown["gyrus"]) == (
        *("rostroventral area 39 (PGa)", "Inferior Parietal Lobule"),
    )
    assert isinstance(table, pd.DataFrame)
    found = {region.name for region in find_regions(atlas, "parietal")}
    assert found == {row[0] for row in rows if "arietal" in " ".join(row)}
    assert "A39rv_L" in found
    assert not find_regions(atlas, " ")

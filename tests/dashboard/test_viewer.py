"""What the viewer sends to the browser, once, and what it takes from it."""

from __future__ import annotations

import gzip
import hashlib
import math
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import traitlets
from numpy.typing import NDArray

import lesion_dash.dashboard.widgets as widgets_package
from lesion_dash.core.grid import Grid
from lesion_dash.dashboard.scripts import (
    SERVED,
    served_scripts,
    viewer_script,
    widget_script,
    widget_text,
)
from lesion_dash.dashboard.widgets.frame import Frame, template_for
from lesion_dash.dashboard.widgets.layers import (
    LabelLayer,
    MaskLayer,
    OverlapLayer,
    Scale,
    ScanLayer,
    ValueLayer,
)
from lesion_dash.dashboard.widgets.viewer import Viewer
from lesion_dash.images.masks import Mask
from lesion_dash.images.template import load_template

VENDORED = Path(widgets_package.__file__).parent / "niivue"
RAS = np.array([[2.0, 0, 0, -9], [0, 2, 0, -11], [0, 0, 2, -7], [0, 0, 0, 1]])
GRIDS = {
    "RAS": Grid((10, 12, 8), RAS),
    "LAS": Grid((10, 12, 8), np.diag([-1.0, 1, 1, 1]) @ RAS),
    # The third axis to the right, the first to the front, the second upwards.
    "permuted": Grid((12, 8, 10), RAS[:, [1, 2, 0, 3]]),
    "oblique": Grid(
        (10, 12, 8),
        np.array([[1.9, -0.4, 0, -9], [0.4, 1.9, 0, -11], [0, 0, 2, -7], [0, 0, 0, 1]]),
    ),
}
each_grid = pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS.keys())


def values_on(grid: Grid, seed: int = 0) -> ValueLayer:
    rng = np.random.default_rng(seed)
    indices = np.flatnonzero(rng.random(grid.size) < 0.3)
    n = rng.integers(1, 9, indices.size)
    return ValueLayer(grid, indices, rng.random(indices.size), "map", "mL", Scale(1.0), n)


def sent(viewer: Viewer, number: int) -> tuple[dict[str, Any], list[NDArray]]:
    """What the browser is given of a layer."""
    data = viewer.layers[number]
    content, at, arrays = gzip.decompress(data.content), 0, []
    for name, size in data.facts["arrays"]:
        array = np.frombuffer(content, name, size, at)
        arrays.append(array)
        at += array.nbytes
    assert at == len(content)
    return data.facts, arrays


def dense(facts: dict[str, Any], arrays: list[NDArray], values: NDArray) -> NDArray:
    """Values at the voxels of the block, NaN where there is none."""
    bits = np.unpackbits(arrays[0], bitorder="little")[: math.prod(facts["shape"])]
    block = np.full(bits.size, np.nan)
    block[bits > 0] = values
    return block.reshape(facts["shape"], order="F")


@each_grid
def test_every_value_lies_where_it_lies_in_the_image(grid: Grid) -> None:
    layer = values_on(grid)
    viewer = Viewer()
    viewer.show(layer)
    facts, arrays = sent(viewer, 1)
    image = np.full(grid.size, np.nan, np.float32)
    image[layer.indices] = layer.values
    canonical = nib.as_closest_canonical(
        nib.Nifti1Image(image.reshape(grid.shape, order="F"), grid.affine)
    )
    affine = np.array(facts["affine"])
    first = np.rint(np.linalg.inv(canonical.affine) @ affine[:, 3])[:3].astype(int)
    np.testing.assert_allclose(affine[:3, :3], canonical.affine[:3, :3])
    block = dense(facts, arrays, arrays[1])
    whole = np.full(canonical.shape, np.nan)
    whole[tuple(slice(a, a + n) for a, n in zip(first, block.shape, strict=True))] = block
    np.testing.assert_array_equal(whole, canonical.get_fdata())
    counts = dense(facts, arrays, arrays[2])
    assert np.nansum(counts) == layer.n.sum()


def test_a_layer_is_sent_once_and_kept_for_a_while() -> None:
    viewer, layers = Viewer(), [values_on(GRIDS["RAS"], seed) for seed in range(3)]
    viewer.show(layers[0])
    first = viewer.layers
    viewer.show(layers[1])
    assert viewer.layers[0] is first[0]  # the template
    assert viewer.layers[1] is not first[1]
    viewer.show(layers[0])
    assert [data.model_id for data in viewer.layers] == [data.model_id for data in first]
    for seed in range(3, 30):
        viewer.show(values_on(GRIDS["RAS"], seed))
    assert first[1].comm is None  # forgotten, and made anew when it is shown again
    viewer.show(layers[0])
    assert sent(viewer, 1)[0]["title"] == "map"


def test_the_block_holds_the_brain_and_what_lies_beside_it() -> None:
    grid = Grid(
        (91, 109, 91), np.array([[-2.0, 0, 0, 90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])
    )
    brain = np.flatnonzero(template_for(grid).ravel(order="F"))
    frame = Frame.around(grid)
    assert math.prod(frame.shape) < 0.7 * grid.size
    assert (frame.places(brain) >= 0).all()
    assert (frame.places(brain) < np.array(frame.shape)[:, None]).all()
    corner = MaskLayer(Mask(grid, np.array([0], np.int32), "corner"), "corner")
    viewer = Viewer()
    viewer.show(corner)
    assert viewer.frame.holds(frame)
    facts, arrays = sent(viewer, 1)
    (place,) = np.argwhere(dense(facts, arrays, np.ones(1)) == 1)
    mm = np.array(facts["affine"]) @ [*place, 1]
    np.testing.assert_allclose(mm[:3], grid.to_mm([0, 0, 0]))


def test_layers_on_another_grid_show_the_voxel_at_each_place() -> None:
    grid, other = GRIDS["RAS"], Grid((6, 7, 5), np.diag([3.3, 3.1, 3, 1]) + _shift(-8, -10, -6))
    rng = np.random.default_rng(1)
    indices = np.flatnonzero(rng.random(other.size) < 0.5)
    labels = LabelLayer(other, indices, np.arange(indices.size), ["x"] * indices.size, "atlas")
    viewer = Viewer()
    viewer.show(values_on(grid), labels)
    facts, arrays = sent(viewer, 2)
    block = dense(facts, arrays, arrays[1])
    row_of = {int(index): row for row, index in enumerate(indices)}
    for place in np.ndindex(block.shape):
        voxel = other.nearest_voxel((np.array(facts["affine"]) @ [*place, 1])[:3])
        row = None if voxel is None else row_of.get(other.linear_index(voxel))
        assert np.isnan(block[place]) if row is None else block[place] == row


def test_both_counts_of_an_overlap_are_sent() -> None:
    rng = np.random.default_rng(2)
    indices = np.flatnonzero(rng.random(GRIDS["LAS"].size) < 0.4)
    n_a, n_b = rng.integers(0, 70_000, (2, indices.size))
    viewer = Viewer()
    viewer.show(OverlapLayer(GRIDS["LAS"], indices, n_a, n_b, "both"))
    facts, arrays = sent(viewer, 1)
    inverse = np.linalg.inv(GRIDS["LAS"].affine)
    for n, shown in zip((n_a, n_b), arrays[1:], strict=True):
        image = np.full(GRIDS["LAS"].size, np.nan)
        image[indices] = n
        image = image.reshape(GRIDS["LAS"].shape, order="F")
        block = dense(facts, arrays, shown)
        for place in np.ndindex(block.shape):
            voxel = np.rint(inverse @ np.array(facts["affine"]) @ [*place, 1])[:3].astype(int)
            np.testing.assert_equal(block[place], image[tuple(voxel)])


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_a_scan_keeps_its_values(dtype: type) -> None:
    grid = GRIDS["permuted"]
    array = np.random.default_rng(3).integers(0, 250, grid.shape).astype(dtype)
    array[0, 0, 0] = 0
    if dtype is np.float32:
        array = array * np.float32(0.37) - 12
        array[1, 1, 1] = np.nan
    viewer = Viewer()
    viewer.show(background=ScanLayer(array, grid, "T1"))
    facts, (stored,) = sent(viewer, 0)
    values = stored.astype(float) * facts["slope"] + facts["intercept"]
    expected = nib.as_closest_canonical(nib.Nifti1Image(array, grid.affine, dtype=dtype))
    expected = np.asanyarray(expected.dataobj)
    known = np.isfinite(expected)
    shown = values.reshape(facts["shape"], order="F")
    np.testing.assert_allclose(shown[known], expected[known], atol=facts["slope"] / 2)
    low, high = facts["window"]
    assert low < high


def test_an_oblique_grid_has_the_template_on_its_own_voxels() -> None:
    template = load_template()
    turn = np.radians(20)
    affine = np.array(
        [[np.cos(turn), -np.sin(turn), 0, -40], [np.sin(turn), np.cos(turn), 0, -60],
         [0, 0, 1, -20], [0, 0, 0, 1]]
    )  # fmt: skip
    grid = Grid((60, 60, 40), affine)
    shown = template_for(grid).astype(float)
    array, inverse = np.asarray(template.dataobj).astype(float), np.linalg.inv(template.affine)
    for voxel in np.random.default_rng(4).integers(0, (60, 60, 40), (40, 3)):
        at = (inverse @ [*grid.to_mm(voxel), 1])[:3]
        low = np.floor(at).astype(int)
        block = array[tuple(slice(a, a + 2) for a in low)]
        for share in at - low:
            block = block[0] * (1 - share) + block[1] * share
        assert abs(shown[tuple(voxel)] - block) <= 1


def test_only_places_in_mm_are_taken_from_a_page() -> None:
    moves: list[Any] = []
    viewer = Viewer(moves.append)
    viewer.set_state({"mm": [1.04, -3.0, 4.96]})
    assert moves == [(1.0, -3.0, 5.0)]  # to 0.1 mm, as the page shows it
    for value in (math.nan, math.inf, 1e6):
        with pytest.raises(traitlets.TraitError, match="three finite numbers"):
            viewer.set_state({"mm": [value, 0, 0]})
    for odd in ("x", [1, 2], [1, 2, "x"]):
        with pytest.raises(traitlets.TraitError, match="mm"):
            viewer.set_state({"mm": odd})
    viewer.move_to((4.0, 5.0, 6.0))  # tells nobody
    assert viewer.mm == [4, 5, 6]
    with pytest.raises(traitlets.TraitError, match="view"):
        viewer.set_state({"view": "file:///etc/passwd"})
    assert moves == [(1.0, -3.0, 5.0)]


def test_a_closed_viewer_leaves_nothing_behind() -> None:
    viewer = Viewer()
    viewer.show(values_on(GRIDS["RAS"]))
    data = list(viewer.layers)
    viewer.close()
    assert [one.comm for one in data] == [None, None]


def test_niivue_is_the_one_that_was_published() -> None:
    facts = dict(
        line.split(": ", 1) for line in (VENDORED / "SOURCE.txt").read_text().splitlines() if line
    )
    content = (VENDORED / "index.js").read_bytes()
    assert hashlib.sha256(content).hexdigest() == facts["sha256"]
    assert facts["package"].startswith("@niivue/niivue@")
    assert "BSD 2-Clause" in (VENDORED / "LICENSE").read_text()
    assert content.decode() in viewer_script()  # and goes out as it is


@pytest.fixture(autouse=True)
def not_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SERVED, raising=False)


def test_without_a_server_of_ours_the_kernel_sends_the_script() -> None:
    assert widget_script("viewer") == viewer_script()
    assert widget_script("table") == widget_text("table.js")


def test_behind_our_server_the_browser_gets_it_there(monkeypatch: pytest.MonkeyPatch) -> None:
    names = list(served_scripts())
    monkeypatch.setenv(SERVED, " ".join(names))
    for kind, name in zip(("viewer", "table"), names, strict=True):
        script = widget_script(kind)
        assert len(script) < 2000
        assert f"scripts/{name}`" in script
        assert "NAME" not in script


def test_a_name_is_that_of_the_content() -> None:
    for name, script in served_scripts().items():
        digest = name.removesuffix(".js").partition("-")[2]
        assert hashlib.sha256(script.encode()).hexdigest().startswith(digest)
        assert len(digest) == 16


def _shift(x: float, y: float, z: float) -> NDArray:
    matrix = np.zeros((4, 4))
    matrix[:3, 3] = x, y, z
    return matrix

// The picture: what NiiVue draws, through its public interface alone.
//
// NiiVue holds three volumes. Its background is the template or a scan. Its drawing, one byte a
// voxel with a table of 256 colours, is the map: to show another threshold, one texture is written
// and nothing else is done. Its overlay, red to opacity, carries what lies above, one byte each:
// label (two bytes), lesions (a bit for each), and the second scan; the slice shader draws them.
const SLICES = { axial: 0, coronal: 1, sagittal: 2 };
const RENDER = 4;
const MODES = { crosshair: 8, pan: 3, measurement: 2, none: 0 };
const MARKS = { fill: 16, contour: 32, blend: 33 }; // rows of the overlay's colour table
const RENDER_SCALE = 1.5; // the brain fills the stage from every side
const GAP = 6; // px between planes
const CROSSHAIR = 0.6; // mm

const SLICE_SHADER = `#version 300 es
precision highp int;
precision highp float;
uniform highp sampler3D volume;
uniform highp sampler3D overlay;
uniform highp sampler3D drawing;
uniform highp sampler2D colormap;
uniform float overlays;
uniform float opacity;
uniform float drawOpacity;
in vec3 texPos;
out vec4 color;
// The drawing's table is the last row, that of the overlay the one before it.
vec4 entry(int fromLast, int index) {
  return texelFetch(colormap, ivec2(index, textureSize(colormap, 0).y - 1 - fromLast), 0);
}
ivec3 marks(vec3 place) {
  ivec3 size = textureSize(overlay, 0);
  ivec3 voxel = clamp(ivec3(floor(place * vec3(size))), ivec3(0), size - 1);
  return ivec3(round(texelFetch(overlay, voxel, 0).rgb * 255.0));
}
int label(ivec3 mark) { return mark.r + 256 * mark.g; }
void main() {
  color = vec4(texture(volume, texPos).rgb, opacity);
  if (overlays > 0.0)
    color.rgb = mix(color.rgb, vec3(texture(overlay, texPos).a), entry(1, ${MARKS.blend}).a);
  int level = int(round(texture(drawing, texPos).r * 255.0));
  vec4 map = entry(0, level);
  color.rgb = mix(color.rgb, map.rgb, map.a * drawOpacity);
  if (overlays < 1.0) return;
  vec3 across = dFdx(texPos), up = dFdy(texPos);
  ivec3 here = marks(texPos);
  ivec3 near[4] = ivec3[4](marks(texPos - across), marks(texPos + across),
    marks(texPos - up), marks(texPos + up));
  vec4 line = entry(1, ${MARKS.contour});
  if (line.a > 0.0 && (label(here) != label(near[1]) || label(here) != label(near[3])))
    color.rgb = mix(color.rgb, line.rgb, line.a);
  int anywhere = here.b | near[0].b | near[1].b | near[2].b | near[3].b;
  for (int mask = 0; mask < 8 && anywhere > 0; mask++) {
    int bit = 1 << mask;
    if ((anywhere & bit) == 0) continue;
    bool inside = (here.b & bit) != 0;
    bool atEdge = ((here.b & near[0].b & near[1].b & near[2].b & near[3].b) & bit) == 0;
    vec4 fill = entry(1, ${MARKS.fill} + mask), rim = entry(1, mask);
    if (inside) color.rgb = mix(color.rgb, fill.rgb, fill.a);
    // No single colour stands out from all maps: the rim has a dark one beside it.
    if (atEdge) color.rgb = mix(color.rgb, inside ? rim.rgb : vec3(0.0), rim.a);
  }
}`;

// NiiVue asks at each upload whether any voxel is set, to smooth drawings, which is never wanted
// here: to look at a million voxels one by one would take longer than all the rest.
class Levels extends Uint8Array {
  some() { return true; }
}

let pictures = 0;

class Picture {
  constructor(canvas, onPlace) {
    this.canvas = canvas;
    this.marksTable = `lesion-dash-marks-${pictures += 1}`; // NiiVue's tables are the page's
    this.niivue = new Niivue({
      backColor: [0, 0, 0, 1], crosshairColor: [0.95, 0.95, 0.95, 0.85], crosshairWidth: CROSSHAIR,
      crosshairWidthUnit: "mm", crosshairGap: 6, fontColor: [0.92, 0.95, 0.97, 1], fontMinPx: 13,
      showAllOrientationMarkers: true, dragAndDropEnabled: false, viewModeHotKey: "",
      clipPlaneHotKey: "", cycleClipPlaneHotKey: "", loadingText: "", logLevel: "error",
      rulerColor: [1, 0.8, 0.2, 1], measureLineColor: [1, 0.8, 0.2, 1], rulerWidth: 2,
      measureTextColor: [1, 0.9, 0.5, 1], measureTextHeight: 0.04, clipPlaneColor: [0, 0, 0, 0],
      isClipAllVolumes: true, isColorbar: false, centerMosaic: true,
    });
    this.niivue.onLocationChange = ({ mm }) => onPlace([mm[0], mm[1], mm[2]]);
    this.layers = [];
    this.base = null;
    this.view = "multiplanar";
  }

  close() {
    this.niivue.cleanup();
    this.niivue.gl.getExtension("WEBGL_lose_context")?.loseContext(); // a page has few of them
  }

  async open() {
    await this.niivue.attachToCanvas(this.canvas, false);
    this.niivue.setCustomSliceShader(SLICE_SHADER);
    this.niivue.setScale(RENDER_SCALE);
    this.setDrag("crosshair");
  }

  // The background comes first; of it and of the marks above, only what changed is sent anew.
  async show([base, ...layers]) {
    const { niivue } = this;
    if (base !== this.base) {
      const volume = await image(base, 2, window8(base, base.window), "gray");
      while (niivue.volumes.length > 1) niivue.removeVolumeByIndex(1);
      niivue.addVolume(volume);
      if (niivue.volumes.length > 1) {
        niivue.moveVolumeToBottom(volume);
        niivue.removeVolumeByIndex(1);
      }
      this.marks = null;
      niivue.createEmptyDrawing();
      this.base = base;
      this.levels = niivue.drawBitmap = new Levels(base.voxels.length);
    }
    const kept = this.map;
    this.layers = layers;
    this.map = layers.find(({ kind }) => kind === "value" || kind === "overlap") ?? null;
    if (kept !== this.map) this.levels.fill(0);
    await this.showMarks();
  }

  async showMarks() {
    const { niivue, base, layers } = this;
    const masks = layers.filter(({ kind }) => kind === "mask").slice(0, 8);
    const label = layers.find(({ kind }) => kind === "label");
    const { scan } = this;
    const isSolid = this.view === "render"; // 3-D shows colours, not codes
    const wanted = [...masks, label, scan, isSolid];
    if (this.marks && this.marks.length === wanted.length
      && wanted.every((part, i) => part === this.marks[i])) return;
    this.marks = wanted;
    this.masks = masks;
    while (niivue.volumes.length > 1) niivue.removeVolumeByIndex(1);
    if (!masks.length && !label && !scan) return;
    const bytes = new Uint8Array(4 * base.voxels.length);
    masks.forEach((mask, bit) => {
      for (const place of mask.places) {
        if (isSolid) bytes.set([...mask.colour, 255], 4 * place);
        else bytes[4 * place + 2] |= 1 << bit;
      }
    });
    if (label && !isSolid) {
      const [numbers] = label.arrays;
      label.places.forEach((place, row) => {
        bytes[4 * place] = (numbers[row] + 1) & 255;
        bytes[4 * place + 1] = (numbers[row] + 1) >> 8;
      });
    }
    if (scan && !isSolid) {
      window8(scan, scan.window).forEach((grey, place) => { bytes[4 * place + 3] = grey; });
    }
    niivue.addVolume(await image(base, 2304, bytes, this.marksTable));
  }

  // How the marks look: colours, filled or not, contours, and the second scan's share.
  styleMarks({ filled, contours, blend }) {
    if (!this.marks || this.niivue.volumes.length < 2) return;
    const table = { R: [], G: [], B: [], A: [], I: [] };
    const set = (row, [r, g, b], a) => { [table.R[row], table.G[row], table.B[row], table.A[row]] = [r, g, b, a]; };
    for (let row = 0; row < 256; row += 1) { table.I[row] = row; set(row, [0, 0, 0], 0); }
    this.masks.forEach((mask, bit) => {
      const isFilled = mask.filled ?? filled;
      set(bit, mask.colour, 255);
      set(MARKS.fill + bit, mask.colour, isFilled ? 130 : 0);
    });
    set(MARKS.contour, [255, 255, 255], Math.round(255 * contours));
    set(MARKS.blend, [0, 0, 0], Math.round(255 * blend));
    this.niivue.addColormap(this.marksTable, table);
    this.niivue.refreshColormaps();
  }

  // What the slider asks for: one pass over the voxels, and one texture.
  paint(state) {
    if (this.map) paintLevels(this.map, state, this.levels);
    this.niivue.refreshDrawing(true);
  }

  colour(palette, opacity) {
    if (palette) this.niivue.drawLut = { lut: palette, labels: [] };
    this.niivue.refreshColormaps();
    this.niivue.setDrawOpacity(opacity);
  }

  // Grey levels of a scan: of the background, or of the one above it.
  async setWindow(scan, window) {
    scan.window = window;
    if (scan === this.base) {
      this.niivue.volumes[0].img = window8(scan, window); // its order is that of RAS
      this.niivue.updateGLVolume();
    } else {
      this.marks = null;
      await this.showMarks();
    }
  }

  get scan() {
    return this.layers.find(({ kind }) => kind === "scan") ?? null;
  }

  get mm() {
    const { niivue } = this;
    return Array.from(niivue.frac2mm(niivue.scene.crosshairPos, 0, true)).slice(0, 3);
  }

  moveTo(mm) {
    const { niivue } = this;
    if (!niivue.volumes.length) return;
    const fraction = niivue.mm2frac(mm, 0, true);
    niivue.scene.crosshairPos = fraction.map((v) => Math.min(Math.max(v, 0), 1));
    niivue.drawScene();
  }

  // The place in mm under the pointer, null beside the planes.
  mmUnder(event) {
    const [x, y] = this.pixel(event);
    const { niivue } = this;
    const tile = niivue.tileIndex(x, y);
    if (tile < 0 || niivue.screenSlices[tile].axCorSag > 2) return null;
    const fraction = niivue.canvasPos2frac([x, y]);
    if (fraction[0] < 0) return null;
    return Array.from(niivue.frac2mm(fraction, 0, true)).slice(0, 3);
  }

  planeUnder(event) {
    const tile = this.niivue.tileIndex(...this.pixel(event));
    const plane = tile < 0 ? -1 : this.niivue.screenSlices[tile].axCorSag;
    return Object.keys(SLICES).find((name) => SLICES[name] === plane) ?? "";
  }

  pixel(event) {
    const box = this.canvas.getBoundingClientRect();
    const scale = this.canvas.width / box.width;
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  }

  async lookAt(view, mosaic) {
    const { niivue } = this;
    const wasSolid = this.view === "render";
    this.view = view;
    if (wasSolid !== (view === "render")) await this.showMarks();
    niivue.opts.sliceMosaicString = view === "mosaic" ? mosaic : "";
    niivue.setSliceType(view === "render" ? RENDER : 3);
    this.arrange();
  }

  // Planes where they are largest: side by side, in a column, or one beside the two others.
  arrange() {
    const { niivue, base, view, canvas } = this;
    if (!base || view === "render" || view === "mosaic" || !canvas.clientHeight) return;
    if (view in SLICES) {
      niivue.setCustomLayout([{ sliceType: SLICES[view], position: [0, 0, 1, 1] }]);
      return;
    }
    const edges = [0, 1, 2].map((axis) =>
      base.shape[axis] * Math.hypot(...base.affine.slice(0, 3).map((row) => row[axis])));
    // NiiVue may not have given the canvas its new size yet.
    const scale = window.devicePixelRatio || 1;
    niivue.setCustomLayout(bestLayout(edges, canvas.clientWidth * scale, canvas.clientHeight * scale));
  }

  setDrag(mode) {
    this.niivue.setMouseEventConfig({
      leftButton: { primary: MODES[mode], withShift: MODES.pan, withCtrl: MODES.pan },
      rightButton: MODES.pan, centerButton: MODES.pan,
    });
  }

  zoom(factor) {
    const { niivue } = this;
    if (this.view === "render") {
      niivue.setScale(Math.min(Math.max(niivue.volScaleMultiplier * factor, 0.5), 4));
      return;
    }
    const [x, y, z, before] = niivue.scene.pan2Dxyzmm;
    const after = Math.min(Math.max(before * factor, 1), 12);
    const mm = this.mm; // what is at the crosshair stays where it is
    const shift = (pan, at) => after === 1 ? 0 : pan + (before - after) * at;
    niivue.setPan2Dxyzmm([shift(x, mm[0]), shift(y, mm[1]), shift(z, mm[2]), after]);
  }

  resetView() {
    this.niivue.setScale(RENDER_SCALE);
    this.niivue.setPan2Dxyzmm([0, 0, 0, 1]);
  }
}

// An image on the background's voxels; they are in the order of RAS already.
async function image(base, type, voxels, colormap) {
  const edges = [0, 1, 2].map((axis) => Math.hypot(...base.affine.slice(0, 3).map((r) => r[axis])));
  const bytes = NVImage.createNiftiArray(base.shape, edges, base.affine.flat(), type, voxels);
  const volume = await NVImage.new(bytes.buffer, "layer.nii", colormap, 1, null, 0, 255, true, 0.02,
    false, false, "", 0, undefined, NaN, NaN, false, null, 0, null);
  return volume;
}

// A scan in 256 shades of grey.
function window8(scan, [low, high]) {
  const { voxels, slope, intercept } = scan;
  const grey = new Uint8Array(voxels.length);
  const factor = 255 * slope / (high - low || 1), start = 255 * (intercept - low) / (high - low || 1);
  for (let i = 0; i < voxels.length; i += 1) {
    grey[i] = Math.min(Math.max(voxels[i] * factor + start, 0), 255);
  }
  return grey;
}

function bestLayout([x, y, z], width, height) {
  const across = { axial: x, coronal: x, sagittal: y }, up = { axial: y, coronal: z, sagittal: z };
  const names = ["axial", "coronal", "sagittal"];
  // Each candidate: the box of each plane in px.
  const row = () => {
    const free = width - 2 * GAP, total = 2 * x + y;
    const scale = Math.min(free / total, height / Math.max(y, z));
    let left = (width - scale * total - 2 * GAP) / 2;
    return names.map((name) => {
      const box = [left, (height - scale * Math.max(y, z)) / 2, scale * across[name], scale * Math.max(y, z)];
      left += box[2] + GAP;
      return box;
    });
  };
  const column = () => {
    const scale = Math.min(width / Math.max(x, y), (height - 2 * GAP) / (y + 2 * z));
    let top = (height - scale * (y + 2 * z) - 2 * GAP) / 2;
    return names.map((name) => {
      const box = [(width - scale * across[name]) / 2, top, scale * across[name], scale * up[name]];
      top += box[3] + GAP;
      return box;
    });
  };
  const beside = () => {
    const half = (height - GAP) / 2;
    const small = Math.min(half / z, (width - GAP) / (x + y));
    const large = Math.min(height / y, (width - GAP - small * Math.max(x, y)) / x);
    const side = small * Math.max(x, y), left = (width - large * x - GAP - side) / 2;
    return [
      [left, 0, large * x, height],
      [left + large * x + GAP, 0, side, half],
      [left + large * x + GAP, half + GAP, side, half],
    ];
  };
  const area = (boxes) => boxes.reduce((sum, [, , w, h], i) => {
    const scale = Math.min(w / across[names[i]], h / up[names[i]]);
    return sum + scale ** 2 * across[names[i]] * up[names[i]];
  }, 0);
  const boxes = [row(), column(), beside()].sort((a, b) => area(b) - area(a))[0];
  return boxes.map(([left, top, w, h], i) => ({
    sliceType: SLICES[names[i]],
    position: [left / width, top / height, w / width, h / height],
  }));
}

// Layers as Python packs them, and what is seen of them: each voxel's level of a colour table.
const TYPES = {
  uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array, float32: Float32Array,
};

async function unpack(facts, content) {
  const stream = new Blob([content]).stream().pipeThrough(new DecompressionStream("gzip"));
  const buffer = await new Response(stream).arrayBuffer();
  let at = 0;
  const arrays = facts.arrays.map(([type, size]) => {
    const end = at + size * TYPES[type].BYTES_PER_ELEMENT;
    const array = new TYPES[type](buffer.slice(at, end));
    at = end;
    return array;
  });
  const layer = { ...facts, inverse: inverted(facts.affine) };
  if (facts.kind === "scan") return { ...layer, voxels: arrays[0] };
  return { ...layer, places: placesOf(arrays[0]), arrays: arrays.slice(1) };
}

// Positions of the bits that are set.
function placesOf(bits) {
  let size = 0;
  for (const byte of bits) for (let rest = byte; rest; rest &= rest - 1) size += 1;
  const places = new Uint32Array(size);
  for (let byte = 0, at = 0; byte < bits.length; byte += 1) {
    if (!bits[byte]) continue;
    for (let bit = 0; bit < 8; bit += 1) if (bits[byte] >> bit & 1) places[at++] = byte * 8 + bit;
  }
  return places;
}

// The level of each voxel of the block: one pass, made for each step of a slider.
function paintLevels(layer, state, painted) {
  const { places, arrays } = layer, { k } = state;
  if (layer.kind === "overlap") {
    const [ofA, ofB] = arrays;
    const [onlyA, onlyB, both] = layer.classes.map(([value]) => value);
    for (let i = 0; i < places.length; i += 1) {
      const a = ofA[i] >= k, b = ofB[i] >= k;
      painted[places[i]] = a ? (b ? both : onlyA) : (b ? onlyB : 0);
    }
    return;
  }
  const levels = levelsOf(layer, state), n = arrays[1];
  for (let i = 0; i < places.length; i += 1) painted[places[i]] = n && n[i] < k ? 0 : levels[i];
}

// The level of each value, whatever k; kept, as it changes with limits and threshold alone.
function levelsOf(layer, { threshold, limits }) {
  const [low, high] = limits ?? [layer.scale.low, layer.scale.high];
  const key = [low, high, threshold].join();
  if (layer.levelsFor !== key) {
    const level = levelRule(layer.scale, low, high), least = threshold ?? -Infinity;
    layer.levels = Uint8Array.from(layer.arrays[0], (value) => (value < least ? 0 : level(value)));
    layer.levelsFor = key;
  }
  return layer.levels;
}

// By the rule of `figures.to_levels`: in single precision, rounded up, so that values above 0 stay
// above 0.
function levelRule(scale, low, high) {
  if (scale.kind === "steps") return (value) => scale.steps.findIndex(([limit]) => value <= limit) + 1;
  if (scale.kind === "diverging") {
    return (value) => 128 + roundEven(Math.min(Math.max(value / high, -1), 1) * 127);
  }
  const factor = Math.fround(255 / (high - low));
  const least = low === 0 && !scale.zero ? 0 : 1; // what is below the lowest limit is a value
  return (value) => {
    const scaled = Math.fround(Math.fround(value - low) * factor);
    return scaled > 255 ? 255 : scaled > 0 ? Math.ceil(scaled) : least;
  };
}

// As numpy rounds: halves to the even neighbour.
function roundEven(value) {
  const rounded = Math.round(value);
  return Math.abs(value % 1) === 0.5 && rounded % 2 ? rounded - 1 : rounded;
}

// Red, green, blue and opacity of the 256 levels; level 0 is transparent.
function paletteOf(layer, tables, colormap) {
  const palette = new Uint8ClampedArray(1024);
  if (layer.kind === "overlap") {
    for (const [value, , colour] of layer.classes) palette.set([...colour, 255], 4 * value);
  } else if (layer.scale.kind === "steps") {
    layer.scale.steps.forEach(([, , colour], i) => palette.set(colour, 4 * (i + 1)));
  } else {
    const stops = tables[colormap || layer.scale.colormap];
    for (let level = 1; level < 256; level += 1) {
      const next = stops.findIndex(([at]) => at >= level);
      const [from, a] = stops[Math.max(next - 1, 0)], [to, b] = stops[next];
      const share = to > from ? (level - from) / (to - from) : 0;
      palette.set([...a.map((c, i) => c + share * (b[i] - c)), 255], 4 * level);
    }
  }
  return palette;
}

// The layer's row of a voxel of the block, -1 where it has none.
function rowAt(layer, place) {
  const { places } = layer;
  let low = 0, high = places.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (places[middle] < place) low = middle + 1; else high = middle;
  }
  return places[low] === place ? low : -1;
}

// The voxel of the block that holds a place in mm, as a linear position; -1 outside.
function placeAt(layer, mm) {
  const { inverse, shape } = layer;
  let place = 0;
  for (let axis = 2; axis >= 0; axis -= 1) {
    const [a, b, c, d] = inverse[axis];
    const at = Math.floor(a * mm[0] + b * mm[1] + c * mm[2] + d + 0.5);
    if (!(at >= 0 && at < shape[axis])) return -1;
    place = place * shape[axis] + at;
  }
  return place;
}

// What a layer says of a place in mm; empty where it says nothing.
function wordsAt(layer, mm, k) {
  const place = placeAt(layer, mm);
  if (place < 0) return "";
  if (layer.kind === "scan") {
    const value = layer.voxels[place] * layer.slope + layer.intercept;
    return `${layer.title} ${shortNumber(value)}${layer.unit && ` ${layer.unit}`}`;
  }
  const row = rowAt(layer, place);
  if (layer.kind === "mask") return row < 0 ? "" : `lesion of ${layer.title}`;
  if (layer.kind === "label") return row < 0 ? "" : layer.names[layer.arrays[0][row]];
  if (layer.kind === "overlap") {
    const [a, b] = layer.arrays.map((counts) => row < 0 ? 0 : counts[row]);
    return `n = ${a} of A, ${b} of B`;
  }
  if (row < 0) return "no value";
  const [values, n] = layer.arrays;
  const value = `${shortNumber(values[row])}${layer.unit && ` ${layer.unit}`}`;
  if (!n || layer.unit === "patients") return value;
  if (layer.steps.length) return `${value} · ${layer.steps[n[row]]}`;
  return `${value} · n = ${n[row]}${n[row] < k ? ` (below k = ${k})` : ""}`;
}

function shortNumber(value) {
  if (!Number.isFinite(value)) return "not a number";
  return String(Number(value.toPrecision(4))).replace("-", "−");
}

// The inverse of an affine of four rows, its first three rows.
function inverted(affine) {
  const [[a, b, c, x], [d, e, f, y], [g, h, i, z]] = affine;
  const A = e * i - f * h, B = f * g - d * i, C = d * h - e * g;
  const det = a * A + b * B + c * C;
  const rows = [
    [A, c * h - b * i, b * f - c * e], [B, a * i - c * g, c * d - a * f],
    [C, b * g - a * h, a * e - b * d],
  ].map((row) => row.map((value) => value / det));
  return rows.map((row) => [...row, -(row[0] * x + row[1] * y + row[2] * z)]);
}

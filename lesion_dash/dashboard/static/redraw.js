// Put at the start of niivue's updateGLVolume. niivue draws every volume into its 3D texture, slice
// by slice, when one of them changes. The template under the map never changes, and an eight-bit
// map on the template's own grid only has to be looked up in its colour table.
const [under, over] = this.volumes;
const known = under && this.volumes.length === 2 && [
  under.id, under.colormap, under.cal_min, under.cal_max, under.opacity, over.id,
].join();
const isOneGrid = known && under.matRAS && over.matRAS && over.hdr.datatypeCode === 2
  && under.matRAS.every((value, i) => value === over.matRAS[i])
  && [1, 2, 3].every((i) => under.hdr.dims[i] === over.hdr.dims[i] && over.permRAS?.[i - 1] === i);
if (isOneGrid && known === this.underDrawn && this.overlayTexture) {
  const gl = this.gl;
  const table = new Uint32Array(new Uint8Array(this.colormap(over.colormap)).buffer.slice(0, 1024));
  const alpha = Math.round(255 * over.opacity) << 24;
  table.forEach((colour, i) => { table[i] = (colour & 0xffffff) | (i ? alpha : 0); });
  const pixels = new Uint32Array(over.img.length);
  for (let i = 0; i < pixels.length; i++) pixels[i] = table[over.img[i]];
  gl.activeTexture(gl.TEXTURE2);
  gl.bindTexture(gl.TEXTURE_3D, this.overlayTexture);
  gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  const [, nx, ny, nz] = over.hdr.dims;
  gl.texSubImage3D(gl.TEXTURE_3D, 0, 0, 0, 0, nx, ny, nz, gl.RGBA, gl.UNSIGNED_BYTE,
    new Uint8Array(pixels.buffer));
  this.onVolumeUpdated?.();
  this.drawScene();
  return;
}
this.underDrawn = known;

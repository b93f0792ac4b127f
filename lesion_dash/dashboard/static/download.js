// Saves what Python sends as a file: no server route hands out files.
function render({ model, el }) {
  model.on("msg:custom", (content, buffers) => {
    if (content.type !== "save") return;
    const view = buffers[0];
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([bytes], { type: content.mime }));
    link.download = content.name;
    el.appendChild(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  });
}
export default { render };

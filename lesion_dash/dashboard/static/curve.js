// A picture drawn by Python; tells it where, as a share of the width, somebody clicked or dragged.
function render({ model, el }) {
  const box = document.createElement("div");
  box.className = "ld-curve-box";
  el.appendChild(box);
  const draw = () => { box.innerHTML = model.get("picture"); };
  const choose = (event) => {
    const { left, width } = box.getBoundingClientRect();
    const x = (event.clientX - left) / width;
    if (x >= 0 && x <= 1) model.send({ x });
  };
  box.addEventListener("pointerdown", (event) => { if (event.button === 0) choose(event); });
  model.on("change:picture", draw);
  draw();
  return () => model.off("change:picture", draw);
}
export default { render };

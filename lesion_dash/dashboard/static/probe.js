// Tells Python whether this browser can draw with WebGL 2.
function render({ model }) {
  let answer = "no";
  try {
    const context = document.createElement("canvas").getContext("webgl2");
    if (context) {
      answer = "yes";
      context.getExtension("WEBGL_lose_context")?.loseContext();
    }
  } catch (error) {
    answer = "no";
  }
  model.set("webgl", answer);
  model.save_changes();
}
export default { render };

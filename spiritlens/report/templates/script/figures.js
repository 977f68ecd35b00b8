// Figures of the other sections: made by plotly.js, which is read when the first of them comes into sight.

const small = window.matchMedia("(max-width: 760px)");

// The buttons that there are, named one by one: what a later plotly.js adds, such as an upload, does not appear.
const figureSettings = () => ({
  responsive: true,
  displaylogo: false,
  displayModeBar: small.matches ? false : "hover",
  modeBarButtons: [["toImage"], ["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
  showSendToCloud: false,
  plotlyServerURL: "",
});

async function readPlotly() {
  if (window.Plotly) return;
  await open("plotly");
  if (window.Plotly) return;
  const script = make("script", {});
  script.textContent = new TextDecoder().decode(opened.get("plotly"));
  document.head.append(script);
}

const figures = JSON.parse(document.getElementById("figures").textContent);

async function drawFigure(element) {
  const forms = figures[element.dataset.figure];
  const form = small.matches && forms.narrow ? forms.narrow : forms.wide;
  await readPlotly();
  element.style.minHeight = form.layout.height + "px";
  element.dataset.drawn = "yes";
  window.Plotly.react(element, form.data, form.layout, figureSettings());
}

function startFigures() {
  const plots = [...document.querySelectorAll(".plot")];
  const seen = new IntersectionObserver((entries) => entries.filter((one) => one.isIntersecting).forEach((one) => {
    seen.unobserve(one.target);
    drawFigure(one.target);
  }), { rootMargin: "300px" });
  plots.forEach((element) => seen.observe(element));
  small.addEventListener("change", () => plots.filter((element) => element.dataset.drawn).forEach(drawFigure));
  window.addEventListener("beforeprint", () => plots.filter((element) => !element.dataset.drawn).forEach(drawFigure));
}

// Figures of the other sections: made by plotly.js, which is read when the first of them comes into sight.

const small = window.matchMedia("(max-width: 760px)");

const READABLE_WIDTH = 700;

// The buttons that there are, named one by one: what a later plotly.js adds, such as an upload, does not appear.
const figureSettings = () => ({
  responsive: true,
  displaylogo: false,
  displayModeBar: small.matches ? false : "hover",
  modeBarButtons: [["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
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
  const form = small.matches && !paper.printing && forms.narrow ? forms.narrow : forms.wide;
  if (!window.Plotly) await readPlotly();
  const wide = small.matches && !paper.printing && !forms.narrow; // it keeps its width, and its place scrolls
  element.classList.toggle("wide", wide);
  if (wide) element.tabIndex = 0;
  const layout = { ...form.layout, ...(wide ? { width: READABLE_WIDTH } : {}), ...(paper.printing ? { width: PAPER_WIDTH, height: Math.min(form.layout.height, PAPER_HEIGHT) } : {}) };
  const look = isDark() ? { data: inTheDark(form.data), layout: { paper_bgcolor: IN_THE_DARK.white, plot_bgcolor: IN_THE_DARK.white, ...inTheDark(layout) } } : { data: form.data, layout };
  element.style.minHeight = layout.height + "px";
  element.dataset.drawn = "yes";
  await window.Plotly.react(element, look.data, look.layout, figureSettings());
}

/** What plotly.js draws, as a file. */
async function plotlyPicture(element, format) {
  if (!element.dataset.drawn) await drawFigure(element);
  const { width, height } = element.querySelector(".main-svg").getBoundingClientRect();
  const address = await window.Plotly.toImage(element, { format, width, height, scale: format === "png" ? SHARPNESS : 1 });
  const content = address.slice(address.indexOf(",") + 1);
  return format === "png" ? new Blob([bytesOf(content)], { type: "image/png" }) : new Blob([decodeURIComponent(content)], { type: "image/svg+xml" });
}

const plotlyPictures = { png: (element) => plotlyPicture(element, "png"), svg: (element) => plotlyPicture(element, "svg") };
let figureTables = null;

/** The numbers of a figure, as `report/paper/figure_numbers.py` reads them from it. */
async function numbersOfFigure(key) {
  await open("figure-numbers");
  figureTables = figureTables ?? JSON.parse(new TextDecoder().decode(opened.get("figure-numbers")));
  return figureTables[key];
}

function offerFigure(element) {
  const key = element.dataset.figure;
  const heading = document.getElementById(`${key}-heading`).textContent;
  const numbersOf = element.dataset.numbers ? () => numbersOfFigure(key) : null;
  element.after(takeAway(heading, element, numbersOf, plotlyPictures), ...(numbersOf ? [tableBehind(heading, numbersOf)] : []));
}

function startFigures() {
  const plots = [...document.querySelectorAll(".plot")];
  const seen = new IntersectionObserver((entries) => entries.filter((one) => one.isIntersecting).forEach((one) => {
    seen.unobserve(one.target);
    drawFigure(one.target);
  }), { rootMargin: "300px" });
  plots.forEach((element) => { offerFigure(element); seen.observe(element); });
  const again = () => plots.filter((element) => element.dataset.drawn || paper.printing).forEach(drawFigure);
  [small, dark].forEach((query) => query.addEventListener("change", again));
  if (plots.length) setTimeout(readPlotly, PRINTABLE_AFTER);
  ["beforeprint", "afterprint"].forEach((name) => window.addEventListener(name, again));
}

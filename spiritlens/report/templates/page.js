"use strict";
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const small = window.matchMedia("(max-width: 760px)");
  // The buttons that there are, named one by one: what a later plotly.js adds, such as an upload, does not appear.
  const settings = () => ({
    responsive: true,
    displaylogo: false,
    displayModeBar: small.matches ? false : "hover",
    modeBarButtons: [["toImage"], ["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
    showSendToCloud: false,
    plotlyServerURL: "",
  });

  function draw(element) {
    const forms = figures[element.dataset.figure];
    const form = small.matches && forms.narrow ? forms.narrow : forms.wide;
    element.style.minHeight = form.layout.height + "px";
    element.dataset.drawn = "yes";
    Plotly.react(element, form.data, form.layout, settings());
  }

  // Figures are drawn one after another, so that the page answers in between; hidden ones wait until they are chosen.
  const plots = [...document.querySelectorAll(".plot")];
  function drawNext() {
    const next = plots.find((element) => !element.dataset.drawn && element.offsetParent !== null);
    if (!next) return;
    draw(next);
    setTimeout(drawNext, 0);
  }
  drawNext();
  small.addEventListener("change", () => plots.filter((element) => element.dataset.drawn).forEach(draw));

  const fact = document.getElementById("choose-fact");
  const component = document.getElementById("choose-component");
  function choose() {
    document.querySelectorAll("audio").forEach((audio) => audio.pause());
    document.querySelectorAll("[data-fact]").forEach((one) => { one.hidden = one.dataset.fact !== fact.value; });
    document.querySelectorAll("[data-component]").forEach((one) => { one.hidden = one.dataset.component !== component.value; });
    plots.filter((one) => one.dataset.drawn && one.offsetParent !== null).forEach((one) => Plotly.Plots.resize(one));
    drawNext();
  }
  if (fact) {
    fact.addEventListener("change", choose);
    component.addEventListener("change", choose);
  }
})();

"use strict";
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const small = window.matchMedia("(max-width: 760px)");
  const settings = () => ({
    responsive: true,
    displaylogo: false,
    displayModeBar: small.matches ? false : "hover",
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "sendDataToCloud"],
  });

  function draw(element) {
    const forms = figures[element.dataset.figure];
    const form = small.matches && forms.narrow ? forms.narrow : forms.wide;
    element.style.minHeight = form.layout.height + "px";
    element.dataset.drawn = "yes";
    Plotly.react(element, form.data, form.layout, settings());
  }

  // A figure is drawn when it comes near the screen: hidden ones cost nothing and get their true width.
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting && !entry.target.dataset.drawn) draw(entry.target);
    }
  }, { rootMargin: "600px" });
  const plots = [...document.querySelectorAll(".plot")];
  plots.forEach((element) => seen.observe(element));
  small.addEventListener("change", () => plots.filter((element) => element.dataset.drawn).forEach(draw));

  const fact = document.getElementById("choose-fact");
  const component = document.getElementById("choose-component");
  function choose() {
    document.querySelectorAll("audio").forEach((audio) => audio.pause());
    document.querySelectorAll("[data-fact]").forEach((one) => { one.hidden = one.dataset.fact !== fact.value; });
    document.querySelectorAll("[data-component]").forEach((one) => { one.hidden = one.dataset.component !== component.value; });
    plots.filter((one) => one.dataset.drawn && one.offsetParent !== null).forEach((one) => Plotly.Plots.resize(one));
  }
  if (fact) {
    fact.addEventListener("change", choose);
    component.addEventListener("change", choose);
  }
})();

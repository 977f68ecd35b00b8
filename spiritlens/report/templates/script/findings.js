// Numbers of the findings: a click outlines what they speak of, and goes there.

function followFindings() {
  document.querySelectorAll("a[data-goal]").forEach((link) => link.addEventListener("click", (event) => {
    event.preventDefault();
    choose(JSON.parse(link.dataset.goal));
    goTo(chosen.view);
  }));
}

/** Scrolls to a part of the page. */
function goTo(view) {
  const part = view && document.getElementById(view);
  if (part) part.scrollIntoView({ block: "start" });
}

function followLinks() {
  document.querySelectorAll("a[data-view]").forEach((link) => link.addEventListener("click", (event) => {
    event.preventDefault();
    choose({ view: link.dataset.view });
    goTo(link.dataset.view);
  }));
}

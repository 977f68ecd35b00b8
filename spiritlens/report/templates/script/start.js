// What is drawn when: the first screen at once, other parts when they come into sight, each again when its choice changes.

const PRINTABLE_AFTER = 3000; // milliseconds

function whenSeen(id, draw) {
  const element = document.getElementById(id);
  if (!element) return;
  const seen = new IntersectionObserver((entries) => {
    if (!entries.some((one) => one.isIntersecting)) return;
    seen.disconnect();
    draw();
    element.dataset.drawn = "yes";
  }, { rootMargin: "400px" });
  seen.observe(element);
}

function redraw(id, draw) {
  return () => { if (document.getElementById(id)?.dataset.drawn) draw(); };
}

async function start() {
  startFigures();
  followLinks();
  followFindings();
  if (!header.facts) { document.documentElement.dataset.ready = "yes"; return; } // a page of figures alone
  await open("texts", "facts");
  readFacts();
  readMaps();
  await open("averages");
  drawFirstChoices();
  await drawFirst();
  await drawFirstPlayer();
  ["first", "facts"].map((id) => document.getElementById(id)).filter(Boolean).forEach(spacePlays);
  document.documentElement.dataset.readyAt = performance.now();
  document.documentElement.dataset.ready = "yes";
  follow(["component", "metric", "quantity", "plain", "mark", "layer", "fact"], drawFirst);
  follow(["fact", "voice", "phrasing"], drawFirstPlayer);
  whenSeen("facts", async () => { await open("maps", "tokens"); startList(); await drawFact(); });
  follow(["fact", "set", "component", "metric", "head", "word", "layer", "voice", "phrasing"], redraw("facts", drawFact));
  if (header.difference) {
    document.getElementById("difference-choices").replaceChildren(
      choice("Component", "component", header.difference.components.map((name) => [name, name])),
      choice("Metric", "metric", Object.keys(header.difference.metrics).map((name) => [name, name])),
      choice("Shown", "quantity", [["share", "share of the total effect"], ["effect", "effect"]]));
    whenSeen("difference", drawDifference);
    follow(["component", "metric", "quantity", "fact", "layer", "word", "mark"], redraw("difference", drawDifference));
  }
  follow(["view"], () => goTo(chosen.view));
  goTo(chosen.view);
  whenPrinted(Boolean(header.difference));
  const again = () => { drawFirst(); drawFirstPlayer(); redraw("facts", drawFact)(); redraw("difference", drawDifference)(); };
  let width = window.innerWidth;
  window.addEventListener("resize", () => { if (window.innerWidth !== width) { width = window.innerWidth; again(); } });
  dark.addEventListener("change", () => { again(); redraw("facts", drawRows)(); });
}

/** On paper every part is drawn; what that needs is unpacked soon after the first view, as printing does not wait. */
function whenPrinted(compared) {
  setTimeout(() => {
    open("maps", "tokens", ...(compared ? ["difference", "pairs"] : []));
  }, PRINTABLE_AFTER);
  const draw = () => [drawFirst, drawFact, ...(compared ? [drawDifference] : [])].forEach((one) => one());
  window.addEventListener("beforeprint", draw);
  window.addEventListener("afterprint", draw);
}

// Heard before all others: what is drawn for paper asks.
window.addEventListener("beforeprint", () => { paper.printing = true; });
window.addEventListener("afterprint", () => { paper.printing = false; });
start();

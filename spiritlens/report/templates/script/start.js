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
  offerCopies();
  if (!header.facts) { // a page of figures alone
    goTo(chosen.view);
    document.documentElement.dataset.ready = "yes";
    return;
  }
  await open("texts", "facts");
  readFacts();
  readMaps();
  await open("averages");
  drawFirstChoices();
  followChoices();
  await drawFirst();
  await drawFirstPlayer();
  ["first", "facts"].map((id) => document.getElementById(id)).filter(Boolean).forEach(spacePlays);
  document.documentElement.dataset.readyAt = performance.now();
  document.documentElement.dataset.ready = "yes";
  follow(["component", "metric", "quantity", "plain", "mark", "kind", "layer", "head", "fact"], drawFirst);
  follow(["fact", "voice", "phrasing"], drawFirstPlayer);
  whenSeen("facts", async () => { await open("maps", "tokens"); startList(); await drawFact(); });
  follow(["fact", "set", "component", "metric", "head", "word", "layer", "voice", "phrasing"], redraw("facts", drawFact));
  const compared = header.difference ?? header.deeper.difference;
  if (compared) {
    const byHead = header.difference && header.deeper.difference ? [choice("Cells", "by", [["", "roles by layer"], ["head", "heads by layer"]])] : [];
    const roles = header.deeper.difference ? [roleChoice(header.deeper.difference.rows)] : [];
    document.getElementById("difference-choices").replaceChildren(
      choice("Component", "component", compared.components.map((name) => [name, name])),
      choice("Metric", "metric", Object.keys(compared.metrics).map((name) => [name, name])),
      choice("Shown", "quantity", [["share", "share of the total effect"], ["effect", "effect"]]), ...byHead, ...roles);
    whenSeen("difference", drawDifference);
    follow(["component", "metric", "quantity", "fact", "layer", "head", "word", "mark", "kind", "by"], redraw("difference", drawDifference));
  }
  startLayers();
  whenSeen("layers", drawLayers);
  follow(["view", "component", "metric", "quantity", "word", "layer", "head", "fact", "voice", "phrasing"], redraw("layers", drawLayers));
  goTo(chosen.view);
  whenPrinted(Boolean(compared));
  const again = () => { drawFirst(); drawFirstPlayer(); redraw("facts", drawFact)(); redraw("difference", drawDifference)(); redraw("layers", drawLayers)(); };
  let width = window.innerWidth;
  window.addEventListener("resize", () => { if (window.innerWidth !== width) { width = window.innerWidth; again(); } });
  dark.addEventListener("change", () => { again(); redraw("facts", drawList)(); });
}

/** On paper every part is drawn; what that needs is unpacked soon after the first view, as printing does not wait. */
function whenPrinted(compared) {
  setTimeout(() => {
    open("maps", "tokens", "heads", "head pairs", "edges", "difference", ...(compared ? ["pairs"] : []));
  }, PRINTABLE_AFTER);
  const draw = () => [drawFirst, drawFact, drawLayers, ...(compared ? [drawDifference] : [])].forEach((one) => one());
  window.addEventListener("beforeprint", draw);
  window.addEventListener("afterprint", draw);
}

// Heard before all others: what is drawn for paper asks.
window.addEventListener("beforeprint", () => { paper.printing = true; });
window.addEventListener("afterprint", () => { paper.printing = false; });
start();

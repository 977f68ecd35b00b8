// The facts of one cell of the difference as dots on one axis, with their mean and its interval. The pointer or the arrow
// keys go along them, a click or Enter opens a fact.

/** The facts of a cell in either modality, in effect or in share of their own total effect; `own(side, fact)` is their effect. */
function factsAt(about, source, quantity, own) {
  const [totals, n] = [numbers(source.totals), about.n_facts];
  return Array.from({ length: n }, (_, fact) => {
    const both = [0, 1].map((side) => own(side, fact));
    if (quantity === "effect") return { fact, first: both[0], second: both[1] };
    const whole = [0, 1].map((side) => totals[side * n + fact]);
    const small = Math.min(...whole) < source.smallest; // a share of nothing is noise
    return { fact, first: small ? NaN : both[0] / whole[0], second: small ? NaN : both[1] / whole[1] };
  }).filter((one) => Number.isFinite(one.second - one.first));
}

/** `facts`: {fact, first, second}; `title` says what they differ in. */
function drawStrip(title, facts, triple, about = header.difference) {
  const host = document.getElementById("difference-dots");
  keepingFocus(host, () => host.replaceChildren(...strip(title, facts, triple, about)));
}

/** A strip of facts; `side` 0 or 1 is of one modality, else of the difference. */
function strip(title, facts, [mean, low, high], about, side = null) {
  const host = document.getElementById("difference-dots");
  const names = texts(about.facts);
  const width = Math.max(280, host.clientWidth || 600), height = 96, left = 14;
  const size = (one) => (side === null ? one.second - one.first : [one.first, one.second][side]);
  const of = side === null ? `${about.kinds[1]} − ${about.kinds[0]}` : about.kinds[side];
  const most = Math.max(1e-9, ...[...facts.map(size), low, high].filter(Number.isFinite).map(Math.abs));
  const x = (value) => left + (value / most + 1) / 2 * (width - 2 * left);
  const svg = shape("svg", { class: "dots", width, height, viewBox: `0 0 ${width} ${height}`, role: "application", "aria-roledescription": "facts on a line",
    tabindex: 0, "data-focus": side === null ? "dots" : `dots ${of}`, "aria-label": `${title}, ${of}, of ${several(facts.length, "fact")}. Arrow keys go along them, Enter opens one.` });
  svg.append(shape("line", { class: "zero", x1: x(0), x2: x(0), y1: 8, y2: 72 }));
  const words = (one) => [names[one.fact], `${about.kinds[0]} ${number(one.first)}, ${about.kinds[1]} ${number(one.second)}`, `difference ${number(size(one))}`];
  const openFact = (one) => { choose({ fact: names[one.fact], view: "facts" }); };
  const dots = new Map(facts.map((one, place) => {
    const here = names[one.fact] === chosen.fact;
    const dot = shape("circle", { class: here ? "dot here" : "dot", cx: x(size(one)), cy: 18 + (place * 29) % 34, r: here ? 5 : 3.2, "data-of": names[one.fact] });
    dot.addEventListener("pointermove", (event) => showTip(event, words(one)));
    dot.addEventListener("pointerleave", hideTip);
    dot.addEventListener("click", () => openFact(one));
    svg.append(dot);
    return [one, dot];
  }));
  if (Number.isFinite(low)) svg.append(shape("line", { class: "interval", x1: x(low), x2: x(high), y1: 66, y2: 66 }));
  if (Number.isFinite(mean)) svg.append(shape("circle", { class: "mean", cx: x(mean), cy: 66, r: 5 }));
  const cursor = shape("circle", { class: "cursor", r: 8, visibility: "hidden" });
  svg.append(cursor);
  [-most, 0, most].forEach((value) => svg.append(shape("text", { class: "tick", x: x(value), y: 90, "text-anchor": value < 0 ? "start" : value > 0 ? "end" : "middle" }, number(value))));
  walkDots(svg, [...facts].sort((a, b) => size(a) - size(b)), (one) => {
    withAttributes(cursor, { cx: dots.get(one).getAttribute("cx"), cy: dots.get(one).getAttribute("cy"), visibility: "visible" });
    say(words(one).join(", "));
  }, openFact);
  const numbersOf = () => ({ columns: ["fact", about.kinds[0], about.kinds[1], "difference"], rows: facts.map((one) => [names[one.fact], one.first, one.second, size(one)]) });
  const figure = make("figure", {}, make("figcaption", {}, `${title}: ${of} of each fact; mean ${interval(mean, low, high)}, n = ${several(facts.length, "fact")}`), svg);
  const name = side === null ? title : `${title} ${of}`;
  return [figure, takeAway(`facts, ${name}`, figure, numbersOf), tableBehind(`the facts, ${name}`, numbersOf)];
}

function walkDots(svg, order, show, openFact) {
  let at = -1;
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1, Home: -Infinity, End: Infinity }[event.key];
    if (step && order.length) {
      event.preventDefault();
      at = at < 0 && Number.isFinite(step) ? 0 : Math.min(order.length - 1, Math.max(0, at + step));
      show(order[at]);
    } else if (event.key === "Enter" && at >= 0) openFact(order[at]);
  });
}

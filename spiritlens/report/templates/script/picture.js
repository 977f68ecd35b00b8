// A part of the page as one SVG picture, to be used elsewhere: drawings as they are, with texts and boxes around them
// where they stand. Colours are written out, so that the picture needs no style sheet.

const LOOK = ["fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "visibility", "font-family", "font-size", "font-weight", "text-anchor", "dominant-baseline", "paint-order"];
const NOT_DRAWN = "button.play, .player, .hint, details, .take-away, .choices, select, [hidden], #tip, .play-cursor, .stretch.pointed, .stretch.heard, .cursor, .guide";
const EDGE = 8; // pixels around a picture
const paint = make("canvas", { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });

/** A colour of any notation as rgb; "" for a transparent one. */
function plainColour(text) {
  paint.clearRect(0, 0, 1, 1);
  paint.fillStyle = text;
  paint.fillRect(0, 0, 1, 1);
  const [red, green, blue, alpha] = paint.getImageData(0, 0, 1, 1).data;
  return alpha ? `rgb(${red},${green},${blue})` : "";
}

/** The picture of an element's contents as an SVG element. */
function pictureOf(host) {
  const frame = host.getBoundingClientRect();
  const parts = [];
  collect(host, { frame, parts });
  const [width, height] = ["right", "bottom"].map((side) => Math.ceil(Math.max(1, ...parts.map((one) => one[side]))) + 2 * EDGE);
  const svg = shape("svg", { xmlns: "http://www.w3.org/2000/svg", width, height, viewBox: `${-EDGE} ${-EDGE} ${width} ${height}` });
  const ground = getComputedStyle(document.documentElement).getPropertyValue("--paper").trim();
  svg.append(shape("rect", { x: -EDGE, y: -EDGE, width, height, fill: plainColour(ground) || "white" }), ...parts.map((one) => one.drawn));
  return svg;
}

function collect(element, into) {
  if (element.matches(NOT_DRAWN)) return;
  const box = element.getBoundingClientRect();
  const [x, y] = [box.left - into.frame.left, box.top - into.frame.top];
  const add = (drawn) => into.parts.push({ drawn, right: x + box.width, bottom: y + box.height });
  if (element.localName === "svg") { if (box.width) add(writtenOut(element, x, y, box)); return; }
  if (element.matches(".bar")) add(barOf(element, x, y, box));
  else {
    const fill = plainColour(getComputedStyle(element).backgroundColor);
    if (fill && element.matches(".word, .token")) add(shape("rect", { x: x + 1, y, width: Math.max(1, box.width - 2), height: box.height, fill }));
    if (element.matches(".stretch")) add(shape("rect", { x, y, width: box.width, height: box.height, fill: "none", stroke: plainColour(getComputedStyle(element).borderLeftColor), "stroke-dasharray": "4 3" }));
  }
  element.childNodes.forEach((node) => {
    if (node.nodeType === Node.ELEMENT_NODE) collect(node, into);
    else if (node.nodeType === Node.TEXT_NODE && node.data.trim()) into.parts.push(...linesOf(node, element, into.frame));
  });
}

/** A drawing with its look written at each of its parts. */
function writtenOut(svg, x, y, { width, height }) {
  const copy = svg.cloneNode(true);
  const from = [svg, ...svg.querySelectorAll("*")], to = [copy, ...copy.querySelectorAll("*")];
  from.forEach((one, place) => {
    const style = getComputedStyle(one);
    LOOK.forEach((name) => {
      const value = style.getPropertyValue(name);
      to[place].setAttribute(name, ["fill", "stroke"].includes(name) && value !== "none" ? plainColour(value) || "none" : value);
    });
    ["class", "tabindex", "role", "style"].forEach((name) => to[place].removeAttribute(name));
  });
  copy.querySelectorAll("[visibility=hidden]").forEach((one) => one.remove());
  return withAttributes(copy, { x, y, width, height });
}

/** A bar of colours, step by step. */
function barOf(element, x, y, { width, height }) {
  const steps = element.style.background.match(/rgb\([^)]*\)/g) ?? [];
  return shape("g", {}, ...steps.map((fill, place) => shape("rect", { x: x + place / steps.length * width, y, width: width / steps.length + 0.5, height, fill })));
}

/** The lines of a text where they stand; what does not fit its box is cut off, as on the page. */
function linesOf(node, element, frame) {
  const style = getComputedStyle(element);
  const range = document.createRange();
  const lines = [];
  for (const found of node.data.matchAll(/\S+\s*/g)) {
    range.setStart(node, found.index);
    range.setEnd(node, found.index + found[0].trimEnd().length);
    const box = range.getBoundingClientRect();
    const last = lines[lines.length - 1];
    if (!box.width) continue;
    if (last && Math.abs(last.box.top - box.top) < 2) { last.text += found[0]; last.right = Math.max(last.right, box.right); }
    else lines.push({ text: found[0], box, right: box.right });
  }
  const upright = style.writingMode.startsWith("vertical");
  const clip = element.closest(".lane button, .lane span")?.getBoundingClientRect();
  return lines.map(({ text, box, right }) => {
    const [x, y] = [box.left - frame.left, box.top - frame.top];
    const about = { fill: plainColour(style.color), "font-family": style.fontFamily, "font-size": style.fontSize, "font-weight": style.fontWeight,
      ...(upright ? { "dominant-baseline": "central", transform: `translate(${x + box.width / 2} ${y}) rotate(90)` } : { x, y: y + box.height / 2, "dominant-baseline": "central" }) };
    const drawn = shape("text", about, text.trimEnd());
    const around = clip && shape("svg", { x: clip.left - frame.left, y: clip.top - frame.top, width: clip.width, height: clip.height,
      viewBox: `${clip.left - frame.left} ${clip.top - frame.top} ${clip.width} ${clip.height}` }, drawn);
    return { drawn: around || drawn, right: (clip ? clip.right : right) - frame.left, bottom: box.bottom - frame.top };
  });
}

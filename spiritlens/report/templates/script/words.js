// Numbers and elements. Numbers are written by the rules of `report/numerals.py`, which are tested on the same cases.

const NOTHING_WRITTEN = "–";
const MOST_DECIMALS = 6, BEYOND = 40; // digits; so many more tell a tie from what lies beside it

/** A size as digits; what lies exactly between two is rounded to the even one, as Python does. */
function rounded(size, digits, form = "toFixed") {
  const [text, power = ""] = size[form](digits).split(/(?=e)/);
  const longer = size[form](digits + BEYOND).split("e")[0];
  if (!/^50*$/.test(longer.slice(-BEYOND)) || Number(text.slice(-1)) % 2 === 0) return text + power;
  return longer.slice(0, -BEYOND).replace(/\.$/, "") + power;
}

function signed(value, text) {
  return value < 0 ? `−${text}` : text;
}

/** Three significant digits, without zeros at the end; very large and very small ones with a power of ten. */
function number(value) {
  if (typeof value !== "number" || Number.isNaN(value)) return NOTHING_WRITTEN;
  const whole = Math.abs(value);
  if (whole === Infinity) return signed(value, "∞");
  if (whole === 0) return "0";
  const [mantissa, power] = rounded(whole, 2, "toExponential").split("e");
  const size = Number(`${mantissa}e${power}`);
  if (size >= 1e6 || size < 1e-4) {
    const raised = Array.from(String(Number(power)), (sign) => (sign === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[sign])).join("");
    return signed(value, `${Number(mantissa)} × 10${raised}`);
  }
  return signed(value, size >= 1000 ? rounded(whole, 0) : String(size));
}

/** So many decimals, or more where a number that is not 0 would be written as 0. */
function fixed(value, decimals = 2) {
  if (typeof value !== "number" || Number.isNaN(value)) return NOTHING_WRITTEN;
  for (let places = decimals; places <= MOST_DECIMALS; places += 1) {
    const text = rounded(Math.abs(value), places);
    if (value === 0 || Number(text) !== 0) return signed(value, text);
  }
  return number(value);
}

/** `0.12 [0.05, 0.21]`; without brackets where there is no interval. */
function interval(value, low, high) {
  return Number.isNaN(low) || low === null ? number(value) : `${number(value)} [${number(low)}, ${number(high)}]`;
}

/** Ticks, all with the same decimals. */
function tickWords(ticks) {
  const most = Math.max(0, ...ticks.map(Math.abs));
  for (let places = 0; places <= MOST_DECIMALS; places += 1) {
    const texts = ticks.map((tick) => rounded(Math.abs(tick), places));
    if (ticks.every((tick, place) => Math.abs(Number(texts[place]) - Math.abs(tick)) <= 1e-6 * most)) {
      return texts.map((text, place) => (Number(text) === 0 ? "0" : signed(ticks[place], text)));
    }
  }
  return ticks.map(number);
}

function several(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function withAttributes(element, attributes) {
  Object.entries(attributes).forEach(([name, value]) => {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  });
  return element;
}

/** An HTML element; texts among the children are texts, never markup. */
function make(tag, attributes = {}, ...children) {
  const element = withAttributes(document.createElement(tag), attributes);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** An SVG element. */
function shape(tag, attributes = {}, ...children) {
  const element = withAttributes(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes);
  element.append(...children);
  return element;
}

/** Says something in the one status line, which is read aloud. */
function say(text) {
  document.getElementById("status").textContent = text;
}

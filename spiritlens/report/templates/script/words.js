// Numbers and elements: minus signs, the digit that decides, plural forms.

/** A number with the given decimals and a real minus sign; −0 is 0. */
function decimals(value, digits) {
  if (!Number.isFinite(value)) return "–";
  const text = Math.abs(value).toFixed(digits);
  return value < 0 && Number(text) !== 0 ? `−${text}` : text;
}

/** How many decimals show that the number of smallest size is not 0: 2 to 5. */
function digitsFor(...values) {
  const sizes = values.filter((value) => Number.isFinite(value) && value !== 0).map(Math.abs);
  if (!sizes.length) return 2;
  return Math.min(5, Math.max(2, Math.ceil(-Math.log10(Math.min(...sizes)))));
}

/** A number with three significant digits. */
function number(value) {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  return decimals(value, Math.min(6, Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))))));
}

/** `0.12 [0.05, 0.21]`, with the digit that decides at the ends; without brackets where there is no interval. */
function interval(value, low, high) {
  if (!Number.isFinite(value)) return "–";
  if (!Number.isFinite(low) || !Number.isFinite(high)) return number(value);
  const digits = digitsFor(low, high);
  return `${decimals(value, digits)} [${decimals(low, digits)}, ${decimals(high, digits)}]`;
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

const KIND_WORDS = { T2T: "in writing", S2T: "in speech", mixed: "partly spoken" };
const ROLE_WORDS = { "read-out": "read-out", subject: "subject" };

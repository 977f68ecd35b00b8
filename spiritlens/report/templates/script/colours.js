// What a colour means: one diverging scale about 0, tied to the total effect, in light and in dark.

const dark = window.matchMedia("(prefers-color-scheme: dark)");
const PAPER_WIDTH = 680, PAPER_HEIGHT = 860; // pixels between the margins of A4, less a heading and a caption
const paper = { printing: false }; // paper is light, also where the screen is dark
const isDark = () => dark.matches && !paper.printing;
const LIGHT_SCALE = [[33, 102, 172], [146, 197, 222], [255, 255, 255], [244, 165, 130], [178, 24, 43]];
const DARK_SCALE = [[120, 180, 240], [50, 95, 140], [28, 35, 42], [150, 70, 55], [255, 130, 110]];
const KIND_COLOURS = { T2T: "var(--written)", S2T: "var(--spoken)", mixed: "var(--mixed)" };

/** The colour of a value on a scale from −limit to limit; `pale` draws what lies within the noise. */
function colour(value, limit, pale = false) {
  const scale = isDark() ? DARK_SCALE : LIGHT_SCALE;
  const at = Math.min(1, Math.max(-1, limit > 0 ? value / limit : 0)) * (pale ? 0.25 : 1);
  const place = (at + 1) * 2;
  const low = Math.min(3, Math.floor(place));
  const mixed = scale[low].map((from, channel) => Math.round(from + (place - low) * (scale[low + 1][channel] - from)));
  return `rgb(${mixed.join(",")})`;
}

const withinNoise = (map) => Math.abs(map.total) <= Math.abs(map.floor);

/** The one scale of maps that stand side by side, as in `report/figures/scale.py`: full colour is the largest of the total
 * effects, or the largest cell where one exceeds it; where all of them lie within the noise, every cell is pale. */
function scaleOf(maps, totals, floor) {
  const cells = maps.flatMap((map) => map.rows.flatMap((_, row) => map.layers.map((_, layer) => Math.abs(map.value(row, layer)))));
  const most = (values) => values.filter(Number.isFinite).reduce((a, b) => Math.max(a, b), 0);
  const [largest, strongest] = [most(cells), most(totals.map(Math.abs))];
  if (floor > 0 && strongest <= floor) {
    return { limit: Math.max(largest, floor), pale: true, words: `pale: the total effect, ${number(strongest)}, is within the noise floor, ${number(floor)}` };
  }
  const limit = Math.max(strongest, largest) || 1;
  const beyond = largest > strongest && number(largest) !== number(strongest); // by more than rounding
  return { limit, pale: false, words: `full colour: ${beyond ? "the largest cell" : "the total effect"}, ${number(limit)}` };
}

/** The bar that explains the colours of maps that share a scale. */
function colourBar(title, limit, pale = false) {
  const steps = Array.from({ length: 41 }, (_, place) => colour((place / 20 - 1) * limit, limit, pale));
  const bar = make("div", { class: "bar", "aria-hidden": "true" });
  bar.style.background = `linear-gradient(90deg, ${steps.join(",")})`;
  return make("div", { class: "scale" },
    make("span", { class: "scale-title" }, title),
    make("div", { class: "scale-row" }, make("span", {}, number(-limit)), bar, make("span", {}, number(limit))));
}

// Colours of plotly's figures (`report/figures/look.py`, and its white template) and what they are in the dark.
const IN_THE_DARK = {
  "#0072b2": "#6db9ec", "#d55e00": "#ff9a56", "#009e73": "#4fd0a3", "#22303c": "#e2e8ee", "#2a3f5f": "#e2e8ee", "#5b6770": "#a5b1bc",
  "#ffffff": "#1c232a", "white": "#1c232a", "#e3e5e8": "#30383f", "#ebf0f8": "#3a4650", "#dce6ef": "#2b3a48", "#f2c7a8": "#5c3a22", "#e9eef3": "#2a343d",
  ...Object.fromEntries(["#2166ac", "#92c5de", "", "#f4a582", "#b2182b"].map((light, place) => [light, `rgb(${DARK_SCALE[place].join(",")})`])),
};

/** A figure's settings with the colours of the dark; texts stay as they are. */
function inTheDark(value, key = "") {
  if (typeof value === "string") return (/colou?r/i.test(key) && IN_THE_DARK[value.toLowerCase()]) || value;
  if (Array.isArray(value)) return value.map((one) => inTheDark(one, key));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, inTheDark(one, /colou?r/i.test(key) ? key : name)]));
}

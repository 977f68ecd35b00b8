// To take away: every figure as PNG and SVG, and its numbers as CSV and as a table. All is made here and saved by the
// browser: nothing is sent or fetched.
//
// `numbersOf` gives {columns, rows}: names and rows of numbers and texts, NaN (or null) where there is none.

const SHARPNESS = 2; // pixels of a PNG per pixel of the page

function saveAs(name, blob) {
  const address = URL.createObjectURL(blob);
  const link = make("a", { href: address, download: name, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
  say(`Saved ${name}.`);
}

/** Rows as CSV (RFC 4180): what holds commas, quotes or lines is quoted; no number is left empty. */
function csvOf({ columns, rows }) {
  const cell = (value) => {
    if (value === null || value === undefined || (typeof value === "number" && !Number.isFinite(value))) return "";
    const text = typeof value === "number" ? String(Number(value.toPrecision(9))) : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [columns, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

async function pngOf(svg) {
  const address = URL.createObjectURL(new Blob([new XMLSerializer().serializeToString(svg)], { type: "image/svg+xml" }));
  const picture = new Image();
  picture.src = address;
  await picture.decode();
  URL.revokeObjectURL(address);
  const canvas = make("canvas", { width: SHARPNESS * picture.width, height: SHARPNESS * picture.height });
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  return new Promise((then) => canvas.toBlob(then, "image/png"));
}

const pictures = {
  svg: async (host) => new Blob([new XMLSerializer().serializeToString(pictureOf(host))], { type: "image/svg+xml" }),
  png: async (host) => pngOf(pictureOf(host)),
};

/** The buttons of a figure. `name` of the files; `host` holds what is drawn, `numbersOf` gives what is drawn in numbers. */
function takeAway(name, host, numbersOf, made = pictures) {
  const file = name.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "").slice(0, 80) || "figure";
  const failed = (error) => say(`This could not be saved: ${error.message}`);
  const button = (words, then) => make("button", { type: "button", "aria-label": `${words}: ${name}`, "data-save": words, "data-focus": `${words} ${name}`, onclick: () => then().catch(failed) }, words);
  return make("div", { class: "take-away" },
    ...(made ? [button("PNG", async () => saveAs(`${file}.png`, await made.png(host))), button("SVG", async () => saveAs(`${file}.svg`, await made.svg(host)))] : []),
    ...(numbersOf ? [button("CSV", async () => saveAs(`${file}.csv`, new Blob([csvOf(await numbersOf())], { type: "text/csv" })))] : []));
}

/** The table behind a figure, filled when it is opened. */
function tableBehind(caption, numbersOf) {
  const details = make("details", { class: "table-behind" }, make("summary", {}, "table", make("span", { class: "unseen" }, ` of ${caption}`)));
  details.addEventListener("toggle", async () => {
    if (!details.open || details.querySelector("table")) return;
    const { columns, rows } = await numbersOf();
    const words = (value) => (typeof value === "number" ? number(value) : value ?? "–");
    const whole = columns.map((_, place) => rows.every((row) => typeof row[place] !== "number" || Number.isInteger(row[place])));
    const cells = (row) => row.map((value, place) => {
      const text = whole[place] && typeof value === "number" ? String(value).replace("-", "−") : words(value);
      return place ? make("td", {}, text) : make("th", { scope: "row" }, text);
    });
    details.append(make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
      make("table", {}, make("caption", {}, caption), make("thead", {}, make("tr", {}, columns.map((name) => make("th", { scope: "col" }, name)))),
        make("tbody", {}, rows.map((row) => make("tr", {}, cells(row)))))));
  });
  return details;
}

/** A map's cells as rows. */
function cellsOf(map, about = {}) {
  const token = map.rows[0]?.word !== undefined;
  const columns = [...Object.keys(about), ...(token ? ["token", "word", "start", "end"] : []), "role", "layer", "status", "effect"];
  const rows = map.rows.flatMap((row, r) => map.layers.map((layer, l) => [...Object.values(about), ...(token ? [row.label, row.word, row.start, row.end] : []),
    row.role ?? row.label, layer, ["measured", "exact", "screened", "absent"][map.status(r, l)], map.status(r, l) < STATUS.SCREENED ? map.value(r, l) : NaN]));
  return { columns, rows };
}

/** A map as a table: a row each, a column for each layer. */
function gridOf(map) {
  return { columns: ["row", ...map.layers.map((layer) => `layer ${layer}`)],
    rows: map.rows.map((row, r) => [row.label, ...map.layers.map((_, l) => (map.status(r, l) < STATUS.SCREENED ? map.value(r, l) : NaN))]) };
}

/** Tables of the same columns, one after the other. */
function together(tables) {
  return { columns: tables[0]?.columns ?? [], rows: tables.flatMap((one) => one.rows) };
}

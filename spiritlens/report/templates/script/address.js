// What is chosen, in one place: the state is the address (`#fact=…&layer=…`), and every view follows it.
//
// Views ask `chosen.fact` and the like, change it by `choose({fact: "…"})`, and are told by `follow(["fact"], draw)`.

const NOTHING = {
  view: "", fact: "", set: "", kind: "", word: "", layer: "", component: "", head: "", metric: "", quantity: "",
  plain: "", mark: "", by: "", search: "", relation: "", group: "", voice: "", phrasing: "", known: "", sort: "",
};
const chosen = { ...NOTHING };
const followers = [];

function read() {
  const given = new URLSearchParams(location.hash.slice(1));
  return Object.fromEntries(Object.keys(NOTHING).map((name) => [name, given.get(name) ?? ""]));
}

function address(state) {
  const given = Object.entries(state).filter(([, value]) => value !== "");
  return "#" + new URLSearchParams(given).toString();
}

/** Changes what is chosen. With `entry` the back button returns to what was before; a moving cursor leaves none. */
function choose(changes, { entry = true } = {}) {
  const next = { ...chosen, ...Object.fromEntries(Object.entries(changes).map(([name, value]) => [name, String(value)])) };
  if (address(next) === address(chosen)) return;
  if (entry) history.pushState(null, "", address(next));
  else history.replaceState(null, "", address(next));
  take(next);
}

function take(next) {
  const changed = Object.keys(NOTHING).filter((name) => next[name] !== chosen[name]);
  Object.assign(chosen, next);
  followers.filter(([names]) => names.some((name) => changed.includes(name))).forEach(([, then]) => then(changed));
}

/** Calls `then` whenever one of the names changes. */
function follow(names, then) {
  followers.push([names, then]);
}

window.addEventListener("popstate", () => take(read()));
window.addEventListener("hashchange", () => take(read()));
Object.assign(chosen, read());

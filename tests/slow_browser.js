// What may come late comes late, by up to LONGEST milliseconds: see `slow_browser.py`, which names SEED and LATE, the kinds.
// Order is kept where browsers keep it: of frames, of timers by when they are due, of what observers and events tell.
(() => {
  const LONGEST = 300;
  const wait = window.setTimeout.bind(window), forget = window.clearTimeout.bind(window), nextFrame = window.requestAnimationFrame.bind(window);
  let state = SEED;
  const drawn = () => { // from 0 to 1, by mulberry32
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const lateness = () => (drawn() < 0.2 ? 0 : LONGEST * drawn());
  const kinds = {
    frames() {
      const asked = new Map();
      let number = 0;
      const frame = (time) => {
        const due = [...asked];
        coming = false;
        due.forEach(([id, then]) => { if (asked.delete(id)) try { then(time); } catch (error) { reportError(error); } });
      };
      let coming = false;
      window.requestAnimationFrame = (then) => {
        asked.set(number += 1, then);
        if (!coming) wait(() => nextFrame(frame), lateness());
        coming = true;
        return number;
      };
      window.cancelAnimationFrame = (id) => { asked.delete(id); };
    },
    timers() {
      const set = new Map();
      const run = (due) => [...set].filter(([, one]) => one.due <= due).sort(([, a], [, b]) => a.due - b.due)
        .forEach(([id, one]) => { if (set.delete(id)) try { one.then(...one.given); } catch (error) { reportError(error); } });
      window.setTimeout = (then, after = 0, ...given) => {
        const due = performance.now() + Math.max(0, Number(after) || 0);
        const id = wait(() => run(due), Math.max(0, Number(after) || 0) + lateness());
        set.set(id, { due, then, given });
        return id;
      };
      window.clearTimeout = (id) => { set.delete(id); forget(id); };
    },
    observers() {
      const inTurn = turns();
      ["IntersectionObserver", "ResizeObserver"].forEach((name) => {
        window[name] = class extends window[name] {
          held = [];

          constructor(then, options) {
            super((entries) => {
              this.held.push(...entries);
              inTurn(() => { if (this.held.length) then.call(this, this.held.splice(0), this); });
            }, options);
          }

          disconnect() { this.held = []; super.disconnect(); }

          takeRecords() { return [...this.held.splice(0), ...super.takeRecords()]; }
        };
      });
    },
    events() {
      const inTurn = turns();
      const LATE_EVENTS = ["scroll", "scrollend", "resize", "hashchange", "popstate", "toggle", "load", "play", "playing", "pause", "ended", "timeupdate"];
      const { addEventListener: add, removeEventListener: remove } = EventTarget.prototype;
      const late = new WeakMap();
      const lateOf = (listener) => {
        if (!late.has(listener)) late.set(listener, function (event) {
          const tell = () => (typeof listener === "function" ? listener.call(this, event) : listener.handleEvent(event));
          return event.isTrusted ? inTurn(tell) : tell();
        });
        return late.get(listener);
      };
      const comesLate = (target, type) => LATE_EVENTS.includes(type) || (type === "change" && target instanceof MediaQueryList);
      EventTarget.prototype.addEventListener = function (type, listener, ...given) {
        const own = this ?? window;
        return add.call(own, type, listener && comesLate(own, type) ? lateOf(listener) : listener, ...given);
      };
      EventTarget.prototype.removeEventListener = function (type, listener, ...given) {
        const own = this ?? window;
        return remove.call(own, type, listener && comesLate(own, type) ? lateOf(listener) : listener, ...given);
      };
    },
    reading() {
      const slowly = (Kind, name) => {
        const own = Kind.prototype[name];
        Kind.prototype[name] = async function (...given) {
          const found = await own.apply(this, given);
          await new Promise((then) => { wait(then, lateness()); });
          return found;
        };
      };
      slowly(Response, "arrayBuffer");
      slowly(Blob, "arrayBuffer");
      slowly(BaseAudioContext, "decodeAudioData");
      slowly(HTMLImageElement, "decode");
      const { toBlob } = HTMLCanvasElement.prototype;
      HTMLCanvasElement.prototype.toBlob = function (then, ...given) {
        return toBlob.call(this, (blob) => wait(() => then(blob), lateness()), ...given);
      };
    },
  };

  /** What is to be done one after another, each late. */
  function turns() {
    const todo = [];
    let last = 0;
    return (then) => {
      const now = performance.now();
      last = Math.max(last, now + lateness());
      todo.push(then);
      wait(() => todo.shift()(), last - now);
    };
  }

  LATE.forEach((kind) => kinds[kind]?.());
})();

// Building elements from data, and numbers for people. Data becomes text nodes and nothing else.
// Not here: what is shown.

const { floor, max, min } = Math;
const byId = (id) => document.getElementById(id);

/** An element: h("td.number", { title: "…" }, "text", child…); null children are left out. */
function h(selector, props, ...children) {
  const [tag, ...classes] = selector.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child || child === 0));
  return element;
}

/** A button with its work. */
const button = (selector, name, work, props) =>
  h(`button${selector}`, { type: "button", onclick: work, ...props }, name);

/** An element with text from outside. */
const said = (selector, text, props) => h(selector, { dir: "auto", ...props }, shown(text));

/** A field that searches; by says what in. */
const searchField = (what, by) => h("input", {
  type: "search", placeholder: `Search ${what}`, "aria-label": `Search ${what} by ${by}`,
});

/** Whether a text has all words of a field. */
function fits(field, ...texts) {
  const text = texts.join(" ").toLowerCase();
  return field.value.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

/** Changes a text only if it differs, so that a selection in it stays. */
function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Shows or hides; returns whether it is shown. */
function show(element, isShown) {
  if (element.hidden === isShown) element.hidden = !isShown;
  return isShown;
}

/**
 * Makes the children of a container those of the items, in their order, keeping the elements of
 * items that are still there: make(item) builds one, update(element, item) fills it.
 */
function keyed(container, items, key, make, update) {
  const old = new Map();
  for (const child of container.children) old.set(child.dataset.key, child);
  let place = container.firstElementChild;
  for (const item of items) {
    const name = String(key(item));
    let element = old.get(name);
    old.delete(name);
    if (!element) {
      element = make(item);
      element.dataset.key = name;
    }
    if (element === place) place = place.nextElementSibling;
    else container.insertBefore(element, place);
    update?.(element, item);
  }
  for (const element of old.values()) element.remove();
}

// MARK: Text from outside

const invisible =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** Text with what cannot be seen, or changes the direction of what can, made visible. */
function shown(text) {
  return String(text ?? "").replace(invisible, (sign) => {
    const code = sign.charCodeAt(0);
    return `\u27e8${code.toString(16).padStart(code < 256 ? 2 : 4, "0")}\u27e9`;
  });
}

/** What a tool wrote: colours of terminals are left out, all else of the kind is made visible. */
const shownLog = (text) =>
  shown(text.replace(/\u001b\[[0-9;:]*m/g, "").replace(/\r\n/g, "\n"));

/** A table in a frame that scrolls sideways. */
const table = (names, body, selector = "table") => h("div.scroll", null, h(selector, null,
  h("thead", null, h("tr", null, names.map((name) => h("th", { scope: "col" }, name)))), body));

// MARK: Numbers

const grouped = new Intl.NumberFormat("en");
const count = (number) => grouped.format(number ?? 0);

/** "1 node", "2 nodes". */
const counted = (number, noun, plural = noun + "s") =>
  `${count(number)} ${number === 1 ? noun : plural}`;

/** A duration in milliseconds, short. */
function duration(ms) {
  if (ms === undefined || ms === null || Number.isNaN(ms)) return "–";
  if (ms < 1) return `${ms.toFixed(2)} ms`;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(ms / 1000).toFixed(2)} s`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 1440) return `${floor(minutes / 60)} h ${minutes % 60} min`;
  return `${floor(minutes / 1440)} d ${floor(minutes / 60) % 24} h`;
}

/** A forecast: no more digits than it is worth. */
function about(ms) {
  if (ms < 1500) return "about a second";
  if (ms < 10_000) return `about ${Math.round(ms / 1000)} s`;
  if (ms < 90_000) return `about ${Math.round(ms / 5000) * 5} s`;
  if (ms < 5_400_000) return `about ${Math.round(ms / 60_000)} min`;
  return `about ${Math.round(ms / 3_600_000)} h`;
}

function bytes(number) {
  if (number < 1024) return `${number} B`;
  if (number < 1024 * 1024) return `${(number / 1024).toFixed(1)} KiB`;
  return `${(number / 1024 / 1024).toFixed(1)} MiB`;
}

const cost = (number) => (number < 0.01 ? number.toPrecision(2) : number.toFixed(2));

/** A moment of the calendar: the time, with the day if it is not today. */
function moment(date) {
  const time = date.toLocaleTimeString([], { hour12: false });
  const isToday = date.toDateString() === new Date().toDateString();
  return isToday ? time : `${date.toLocaleDateString([], { month: "short", day: "numeric" })} ${time}`;
}

/** The value below which a share of the sorted numbers lies. */
const quantile = (sorted, share) =>
  sorted.length ? sorted[min(sorted.length - 1, floor(sorted.length * share))] : undefined;

// MARK: States

/** What the states of nodes and runs are called, and the names of their colours. */
const states = {
  waiting: ["waiting", "waiting"],
  awaiting_approval: ["needs approval", "approval"],
  ready: ["ready", "ready"],
  backing_off: ["pausing", "pausing"],
  sent: ["sent", "ready"],
  running: ["running", "running"],
  cancelling: ["cancelling", "cancelled"],
  succeeded: ["succeeded", "succeeded"],
  failed: ["failed", "failed"],
  skipped: ["skipped", "skipped"],
  cancelled: ["cancelled", "cancelled"],
  // Those of workers, beside ready.
  draining: ["draining", "pausing"],
  silent: ["silent", "failed"],
  congested: ["congested", "pausing"],
  disconnected: ["disconnected", "cancelled"],
};

const settled = new Set(["succeeded", "failed", "skipped", "cancelled"]);

function pill(status) {
  return setPill(h("span.pill"), status);
}

function setPill(element, status) {
  const [words, colour] = states[status] ?? [status, "waiting"];
  element.className = `pill ${status}`;
  element.style.setProperty("--colour", `var(--${colour})`);
  put(element, words);
  return element;
}

/** A bar of the counts of a run, in the colours of states. */
function setCounts(bar, counts) {
  const parts = ["succeeded", "failed", "cancelled", "skipped", "running"];
  parts.forEach((part, index) => {
    const piece = bar.children[index] ?? bar.appendChild(h("i"));
    piece.style.background = `var(--${part})`;
    piece.style.width = `${(100 * (counts[part] ?? 0)) / max(counts.total, 1)}%`;
  });
  bar.setAttribute("role", "img");
  bar.setAttribute("aria-label", countsText(counts));
}

function countsText(counts) {
  const done = counts.succeeded + counts.failed + counts.skipped + counts.cancelled;
  const parts = [`${count(done)} of ${counted(counts.total, "node")}`];
  for (const part of ["running", "failed", "skipped", "cancelled"]) {
    if (counts[part]) parts.push(`${count(counts[part])} ${part}`);
  }
  return parts.join(", ");
}

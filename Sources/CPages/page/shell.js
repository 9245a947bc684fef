// The frame of the page: routes, the bar at the top, theme, keys, questions before orders. Not here:
// what the views show.

const views = [
  { path: "runs", name: "Runs", key: "1" },
  { path: "stream", name: "Stream", key: "2" },
  { path: "workers", name: "Workers", key: "3" },
  { path: "tools", name: "Tools", key: "4" },
];

let view = null;
let route = null;

/** Opens what the address says. */
function navigate() {
  const parts = location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(unescaped);
  const next = parts.length ? parts : ["runs"];
  if (view && route?.join("/") === next.join("/")) return;
  view?.close?.();
  hideTip();
  route = next;
  view = makeView(next);
  byId("main").replaceChildren(view.root);
  document.title = `${view.title} · Weftline`;
  for (const link of document.querySelectorAll(".tabs a")) {
    if (link.dataset.path === next[0]) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  scrollTo(0, 0);
  view.update(new Set(["all"]));
}

function makeView(parts) {
  if (carried) {
    const [, run, , node] = parts[0] === "runs" ? parts : [];
    return node ? nodeView(run, node) : runView(carried.run.run);
  }
  switch (parts[0]) {
    case "runs":
      if (parts[2] === "nodes" && parts[3]) return nodeView(parts[1], parts[3]);
      return parts[1] ? runView(parts[1]) : runsView();
    case "stream": return streamView();
    case "workers": return workersView();
    case "tools": return toolsView();
    default: return messageView("Not here", "There is no such page. The runs are behind the first tab.");
  }
}

function unescaped(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

const runLink = (run) => `#/runs/${encodeURIComponent(run)}`;
const nodeLink = (run, node) => `${runLink(run)}/nodes/${encodeURIComponent(node)}`;

function messageView(title, text) {
  return {
    title,
    root: h("section.message-page", null, h("h1", null, title), h("p", null, text)),
    update() {},
  };
}

/** Tells the view, and the bar, what has changed. */
function refresh(all) {
  if (all.has("theme")) colours.read();
  drawBar();
  if (all.has("tools")) placeTools(cluster.tools);
  view?.update(all);
}

// MARK: The bar at the top

function drawBar() {
  const link = byId("link");
  const { link: state } = cluster;
  const words = carried ? "report" : state === "live" ? "live" : state === "connecting" ? "connecting" : "reconnecting";
  link.className = `link ${words}`;
  put(link, words);
  link.title = state === "live" ? `${cluster.software}, start number ${cluster.epoch}` : "";
  const slots = byId("slots");
  const { status } = cluster;
  if (show(slots, Boolean(status))) {
    if (!slots.firstChild) slots.append(h("span.meter", null, h("i")), h("span.words"));
    const { in_flight: used, slots: all } = status.workers;
    slots.firstChild.firstChild.style.width = `${min(100, (100 * used) / max(all, 1))}%`;
    put(slots.lastChild, `${count(min(used, all))}/${count(all)} slots`);
  }
  const waiting = byId("waiting");
  if (show(waiting, cluster.approvals.length > 0)) {
    put(waiting, counted(cluster.approvals.length, "approval"));
    const runs = new Set(cluster.approvals.map((one) => one.run));
    waiting.href = runs.size === 1 ? runLink([...runs][0]) : "#/runs";
  }
}

function drawTabs() {
  const tabs = document.querySelector(".tabs");
  if (carried) return;
  for (const { path, name, key } of views) {
    tabs.append(h("a", { href: `#/${path}`, "data-path": path, title: `Key ${key}` }, name));
  }
}

// MARK: Theme

function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  changed("theme");
}

function beginTheme() {
  const kept = (() => {
    try {
      return localStorage.getItem("weft-theme");
    } catch {
      return null;
    }
  })();
  if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
  colours.read();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => changed("theme"));
  byId("theme").addEventListener("click", () => {
    const next = colours.isDark ? "light" : "dark";
    setTheme(next);
    try {
      localStorage.setItem("weft-theme", next);
    } catch {
      // The choice holds as long as the page is open.
    }
  });
}

// MARK: Questions and orders

/** A question as part of the page; the promise gives null, or {reason} when it is answered with yes. */
function ask({ title, text, action, isDangerous = false, wantsReason = false }) {
  return new Promise((answer) => {
    const reason = wantsReason
      ? h("input", { type: "text", maxlength: "400", placeholder: "Reason (may be left out)", "aria-label": "Reason" }) : null;
    const yes = h(`button.${isDangerous ? "danger" : "primary"}`, { type: "submit", value: "yes" }, action);
    const dialog = h("dialog.question", { "aria-label": title },
      h("form", { method: "dialog" }, h("h2", null, title), h("p", null, text), reason,
        h("div.row", null, h("button", { type: "submit", value: "" }, "Back"), yes)));
    // Return in the field for the reason means yes.
    reason?.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      dialog.close("yes");
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      answer(dialog.returnValue === "yes" ? { reason: reason?.value.trim() || undefined } : null);
    });
    document.body.append(dialog);
    dialog.showModal();
    (reason ?? yes).focus();
  });
}

/** Gives an order after a question, and says how it went. */
async function order(question, path, body, done) {
  const answer = await ask(question);
  if (!answer) return null;
  try {
    const reply = await post(path, answer.reason ? { ...body, reason: answer.reason } : body);
    toast(done);
    return reply;
  } catch (error) {
    toast(error.message || "It did not work.", true);
    return null;
  }
}

function toast(text, isBad = false) {
  const element = h(`div.toast${isBad ? ".bad" : ""}`, null, shown(text));
  byId("toasts").append(element);
  setTimeout(() => element.remove(), isBad ? 8000 : 4000);
}

/** The token is not accepted any more. */
function lostSession() {
  session.end();
  clusterStream?.close();
  welcome("The session of this page has ended. Open the page again:");
}

function welcome(text) {
  view?.close?.();
  view = null;
  document.body.classList.add("closed");
  byId("main").replaceChildren(h("section.message-page", null,
    h("h1", null, "Weftline"), h("p", null, text), h("pre.command", null, "weft dashboard"),
    h("p.muted", null, "It opens this page with a ticket that is good for one minute and one tab; with ",
      h("code", null, "--control"), " the page has buttons, too.")));
}

// MARK: Keys

const keysOfPage = [
  ["1 – 4", "runs, stream, workers, tools"], ["/", "search"], ["Esc", "back"], ["↑ ↓", "along a list"],
  ["Enter", "open"], ["?", "this help"], ["t", "light or dark"],
];
const keysOfDrawing = [
  ["← →", "to and fro, with Shift in large steps"], ["↑ ↓", "from bar to bar, from node to node"],
  ["+ −", "zoom, as wheel and pinch do"], ["0", "all of it, or back to now"], ["Enter", "open what is chosen"],
];

function openHelp() {
  if (document.querySelector("dialog[open]")) return;
  const list = (keys) => h("dl.keys", null, keys.flatMap(([key, what]) => [h("dt", null, h("kbd", null, key)), h("dd", null, what)]));
  const legend = h("div.legend", null, Object.keys(states).slice(0, 11).map(pill));
  const dialog = h("dialog.help", { "aria-label": "Keys and colours" }, h("form", { method: "dialog" },
    h("h2", null, "Keys"), list(keysOfPage), h("h2", null, "In a drawing that has the focus"), list(keysOfDrawing),
    h("h2", null, "States"), legend,
    h("p.muted", null, "Bars of the stream have the colour of their tool; those that failed are hatched. The thick line of a plan is its critical path."),
    h("div.row", null, h("button.primary", { type: "submit", autofocus: true }, "Close"))));
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const isTyping = event.target.matches?.("input, select, textarea");
  if (event.key === "Escape") {
    if (isTyping) event.target.blur();
    else goBack();
    return;
  }
  if (isTyping) return;
  const tab = carried ? null : views.find((one) => one.key === event.key);
  if (tab) location.hash = `#/${tab.path}`;
  else if (event.key === "/") document.querySelector("#main input[type=search]")?.focus();
  else if (event.key === "?") openHelp();
  else if (event.key === "t") byId("theme").click();
  else if (event.key === "ArrowDown" || event.key === "ArrowUp") moveInList(event);
  else return;
  if (event.key === "/") event.preventDefault();
}

function goBack() {
  hideTip();
  if (!route || route[0] !== "runs" || route.length < 2) return;
  location.hash = route.length > 2 ? runLink(route[1]) : "#/runs";
}

/** Moves from row to row: rows that lead somewhere have a link in their first cell. */
function moveInList(event) {
  const links = [...document.querySelectorAll("#main [data-row]")].filter((link) => link.offsetParent);
  if (!links.length) return;
  const at = links.indexOf(document.activeElement);
  if (at < 0 && document.activeElement !== document.body && document.activeElement !== byId("main")) return;
  const next = links[at + (event.key === "ArrowDown" ? 1 : -1)] ?? (at < 0 ? links[0] : null);
  next?.focus();
  event.preventDefault();
}

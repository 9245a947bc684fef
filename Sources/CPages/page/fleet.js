// The cluster as a whole: the stream of all attempts, the workers, the launches, the tools, and what
// waits.

// MARK: Stream

/** Puts what ran shortly before this page was opened into the stream, as far as it is not much. */
async function addRecentRuns() {
  const since = cluster.now() - 1_800_000;
  let nodes = 0;
  for (const run of cluster.runs.slice(0, 20)) {
    const isSeen = cluster.seen.has(run.run) || models.get(run.run)?.seq >= 0;
    nodes += run.counts.total;
    if (isSeen || !run.ended_at || Date.parse(run.ended_at) < since || nodes > 5000) continue;
    cluster.seen.add(run.run);
    const model = new RunModel(run.run);
    await model.open().catch(() => {});
    cluster.lanes = cluster.lanes.with([...model.lanes.workers.values()].flatMap((worker) =>
      worker.lanes.flatMap((lane) => lane.bars.map((bar) => ({ ...bar, lane: null })))));
    changed("stream");
  }
}

function streamView() {
  const chart = new Timeline(() => ({
    lanes: cluster.lanes, slots: workerSlots(), origin: null, end: cluster.now(),
    isRunning: cluster.link === "live",
  }), { span: 60_000, ownsWheel: true, open: (bar) => (location.hash = nodeLink(bar.run, bar.node)) });
  const live = button(".chip", "Live", () => chart.follow(), { "aria-pressed": "true" });
  const spans = [["15 s", 15_000], ["1 min", 60_000], ["5 min", 300_000], ["30 min", 1_800_000]].map(([name, span]) =>
    button(".chip", name, (event) => {
      chart.span = span;
      chart.follow();
      for (const one of spans) one.setAttribute("aria-pressed", String(one === event.currentTarget));
    }, { "aria-pressed": String(span === 60_000) }));
  chart.tellView = (isLive) => live.setAttribute("aria-pressed", String(isLive));
  const legend = h("div.legend.tools-legend");
  const note = h("p.empty");
  const root = h("section.full", null, h("div.bar", null, h("h1", null, "Task stream"), h("div.chips", null, spans), live, drawingTools(chart)), h("div.card.grow", null, chart.frame), legend, note);
  return {
    title: "Stream",
    root,
    update(all) {
      if (all.has("runs") || all.has("all")) addRecentRuns();
      chart.redraw();
      if (performance.now() - (legend.drawn ?? -1000) < 500) return;
      legend.drawn = performance.now();
      const tools = new Set();
      for (const bar of cluster.lanes.open.values()) tools.add(bar.tool);
      for (const worker of cluster.lanes.workers.values()) for (const lane of worker.lanes) for (const bar of lane.bars.slice(-200)) tools.add(bar.tool);
      setLegend(legend, [...tools]);
      show(note, cluster.lanes.count === 0 && cluster.lanes.open.size === 0);
      put(note, "Nothing has run since this page was opened; what runs next appears here at once.");
    },
    close: () => chart.close(),
  };
}

const workerSlots = () =>
  new Map(cluster.workers.filter((worker) => worker.state !== "disconnected").map((worker) => [worker.name, worker.slots]));

// MARK: Workers

function workersView() {
  const search = searchField("workers", "name, host, label or tool");
  const cards = h("div.cards");
  const empty = h("p.empty");
  const launches = launchesPart();
  const pending = pendingPart();
  const root = h("section", null, h("div.bar", null, h("h1", null, "Workers"), search), cards, empty, launches.root, pending.root);
  const draw = () => {
    const list = cluster.workers.filter((worker) =>
      fits(search, worker.name, worker.host, worker.state, ...labelsOf(worker), ...worker.tools)
    ).sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
    keyed(cards, list.slice(0, 300), (worker) => worker.name, makeWorker, fillWorker);
    show(empty, list.length === 0);
    put(empty, cluster.workers.length ? "No worker fits." : "No worker is connected. Start one with weft worker, or several with weft launch.");
  };
  search.addEventListener("input", draw);
  return {
    title: "Workers",
    root,
    update(all) {
      if (all.has("workers") || all.has("all") || all.has("theme")) draw();
      if (all.has("launches") || all.has("all")) launches.draw();
      pending.update(all);
    },
    close: () => pending.close(),
  };
}

function makeWorker(worker) {
  const drain = session.mayOrder ? button(".small", "Drain", () => order({
    title: `Drain ${worker.name}?`, text: "It finishes what it has begun, gets nothing new, and leaves.", action: "Drain", isDangerous: true,
  }, `/v1/workers/${encodeURIComponent(worker.name)}/drain`, {}, "The worker is draining.")) : null;
  return h("article.card.worker", null, h("header", null, h("h2", null, worker.name), h("span.pill"), drain),
    h("div.squares", { role: "img" }), h("p.facts"), h("div.labels"), h("div.labels.tool-names"), h("ul.waits"));
}

const labelsOf = (worker) =>
  Object.entries(worker.labels ?? {}).map(([key, value]) => (value === "" ? key : `${key}=${value}`));

function fillWorker(card, worker) {
  const [header, squares, facts, labels, tools, troubles] = card.children;
  const state = header.children[1];
  setPill(state, worker.state);
  if (worker.state === "ready") state.style.setProperty("--colour", "var(--succeeded)");
  const drain = header.children[2];
  if (drain) show(drain, worker.state === "ready" || worker.state === "silent");
  const squareCount = min(worker.slots, 128);
  const used = min(worker.in_flight, worker.slots);
  if (squares.childElementCount !== squareCount) squares.replaceChildren(...Array.from({ length: squareCount }, () => h("i")));
  for (let index = 0; index < squareCount; index += 1) {
    squares.children[index].className = index < (used * squareCount) / worker.slots ? "used" : "";
  }
  squares.setAttribute("aria-label", `${used} of ${worker.slots} slots in use`);
  const queued = worker.in_flight - used;
  const words = [`${used} of ${counted(worker.slots, "slot")} in use`];
  if (queued > 0) words.push(`${count(queued)} queued there`);
  if (worker.host) words.push(`${shown(worker.host)}${worker.pid ? `, process ${worker.pid}` : ""}`);
  if (worker.software) words.push(shown(worker.software));
  words.push(`connected for ${duration(worker.connected_ms)}`);
  put(facts, words.join(" · "));
  keyed(labels, labelsOf(worker), (pair) => pair, (pair) => said("span.tag", pair));
  const cooling = new Set((worker.cooling_tools ?? []).map((one) => one.name));
  keyed(tools, worker.tools.slice(0, 60), (name) => `${name} ${cooling.has(name)} ${colours.version}`,
    (name) => h(`span.tag${cooling.has(name) ? ".cooling" : ""}`, { dir: "auto" }, swatch(name), shown(name)));
  const lines = [
    ...(worker.cooling_tools ?? []).map((one) => `${one.name} pauses${one.pause_ms ? ` for ${duration(one.pause_ms)}` : ""} after ${counted(one.refusals, "refusal")}: ${one.reason}`),
    ...(worker.refused_tools ?? []).map((one) => `${one.name} is not taken in: ${one.reason}`),
    ...(worker.withheld_tools ?? []).map((one) => `${one.name} cannot run there: ${one.reason}`),
  ];
  keyed(troubles, lines.slice(0, 20), (line) => line, (line) => said("li", line));
}

const launchColumns = ["Group", "Kind", "Running", "Pending", "Range"];

/** The groups of launches, and below each its workers that do not run. */
function launchesPart() {
  const list = h("tbody");
  const root = part("Launches", "launches", table(["Launch", ...launchColumns], list, "table.tools-table"));
  const make = ({ member }) => member
    ? h("tr.member", null, said("td.name", member.name, { colspan: 2 }), h("td", null, pill(member.state)), h("td.name", { colspan: 3, dir: "auto" }))
    : h("tr", null, h("td.name", null, h("b"), " ", pill("gone")), launchColumns.map((name) => h("td.number", { "data-name": name })));
  const fill = (row, { launch, group, member }) => {
    const [first, ...rest] = row.children;
    if (member) {
      setPill(rest[0].firstChild, member.state);
      put(rest[1], shown(member.note ? `${member.site}: ${member.note}` : member.site));
      return;
    }
    row.title = shown(`${launch.host}, process ${launch.pid}`);
    put(first.firstChild, launch.name);
    show(first.lastChild, launch.state === "gone");
    const range = group.max === undefined ? "" : `${count(group.min)} – ${count(group.max)}`;
    [group.name, group.kind, `${count(group.running)} of ${count(group.wanted)}`, group.pending ? count(group.pending) : "", range]
      .forEach((text, index) => put(rest[index], text));
  };
  return {
    root,
    draw() {
      const rows = cluster.launches.flatMap((launch) => launch.groups.flatMap((group) => {
        const key = [launch.reported_by, launch.host, launch.pid, launch.name, group.name].join(" ");
        const others = launch.members.filter((one) => one.group === group.name && one.state !== "running");
        return [{ key, launch, group }, ...others.map((member) => ({ key: `${key} ${member.name}`, member }))];
      }));
      keyed(list, rows.slice(0, 500), (row) => row.key, make, fill);
      show(root, rows.length > 0);
    },
  };
}

/** What waits in all active runs, by reason. */
function pendingPart() {
  const list = h("tbody");
  const root = part("What waits", "pending", table(["Nodes", "Why", "Run"], list));
  let isBusy = false;
  async function ask() {
    if (isBusy || document.hidden) return;
    isBusy = true;
    const groups = new Map();
    const active = cluster.runs.filter((run) => run.status === "running" && waitingNodes(run.counts) > 0).slice(0, 10);
    for (const run of active) {
      const answer = await get(`${runPath(run.run)}/explain?limit=500`).catch(() => null);
      for (const node of answer?.nodes ?? []) {
        for (const reason of node.reasons.slice(0, 1)) {
          if (["dependencies", "running", "sent"].includes(reason.code)) continue;
          const key = `${run.run} ${reason.code} ${node.tool}`;
          const group = groups.get(key) ?? { key, run, reason, tool: node.tool, number: 0, example: node.id };
          group.number += 1;
          groups.set(key, group);
        }
      }
    }
    isBusy = false;
    const groupList = [...groups.values()].sort((a, b) => b.number - a.number).slice(0, 40);
    show(root, groupList.length > 0);
    keyed(list, groupList, (group) => group.key, (group) => h("tr", null, h("td.number"),
      h("td", { dir: "auto" }, swatch(group.tool), h("b", null, shown(group.tool)), " ", h("span")),
      h("td", null, said("a", group.run.label || group.run.run, { href: runLink(group.run.run) }))),
    (row, group) => {
      put(row.children[0], count(group.number));
      put(row.children[1].lastChild, shown(group.reason.message));
    });
  }
  show(root, false);
  const clock = setInterval(ask, 2000);
  return {
    root,
    update: (all) => all.has("all") && ask(),
    close: () => clearInterval(clock),
  };
}

// MARK: Tools

const toolColumns = ["Calls", "Failed", "p50", "p95", "Queued p50", "Queued p95", "Workers"];

function toolsView() {
  const search = searchField("tools", "name or description");
  const body = h("tbody");
  const note = h("p.muted.more");
  const root = h("section", null, h("div.bar", null, h("h1", null, "Tools"), search), h("div.card", null, table(["Tool", ...toolColumns], body, "table.tools-table")), note);
  const draw = () => {
    const list = cluster.tools.filter((tool) => fits(search, tool.name, tool.description));
    keyed(body, list.slice(0, 500), (tool) => tool.name, makeTool, fillTool);
    put(note, list.length ? "Since the coordinator was started; half and 95 % of the times were at most so long." : cluster.tools.length ? "No tool fits." : "No worker offers a tool.");
  };
  search.addEventListener("input", draw);
  return {
    title: "Tools",
    root,
    update(all) {
      if (["tools", "all", "theme"].some((one) => all.has(one))) draw();
    },
  };
}

function makeTool(tool) {
  const traits = [tool.idempotent ? "repeatable" : null, tool.read_only ? "reads only" : null, tool.approval ? "needs approval" : null, tool.concurrency ? `${tool.concurrency} at a time` : null].filter(Boolean);
  return h("tr", null,
    h("td.name", null, h("details", null, h("summary", { dir: "auto" }, swatch(tool.name), h("b", null, shown(tool.name)), h("small", null, shown(tool.description ?? "").slice(0, 160))),
      h("div.labels", null, traits.map((trait) => h("span.tag", null, trait)), tool.timeout_ms ? h("span.tag", null, `at most ${duration(tool.timeout_ms)}`) : null),
      h("h3", null, "Parameters"), treeView(tool.parameters ?? {}), tool.output_schema ? [h("h3", null, "Output"), treeView(tool.output_schema)] : null)),
    toolColumns.map((name) => h("td.number", { "data-name": name })));
}

function fillTool(row, tool) {
  const { calls, failures, run_ms: ran, queue_ms: queued } = tool;
  const times = [ran?.p50, ran?.p95, queued?.p50, queued?.p95].map((ms) => (ms === undefined ? "" : duration(ms)));
  const values = [calls ? count(calls) : "", failures ? count(failures) : "", ...times, count(tool.workers.length)];
  const cells = [...row.children].slice(1);
  cells.forEach((cell, index) => put(cell, values[index]));
  cells[1].classList.toggle("bad", Boolean(failures));
  cells[6].title = tool.workers.slice(0, 30).join(", ");
}

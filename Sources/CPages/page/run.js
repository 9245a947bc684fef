// The page of a run: where it stands and what it costs, its task stream, its plan, progress by tool
// with a forecast, the planner's rounds, the answer, its nodes.

function runView(run) {
  const model = modelOf(run);
  const parts = runParts(model);
  const root = h("section.run", null, parts.map((part) => part.root));
  let isOpen = true;
  model.open().catch((error) => {
    if (!isOpen) return;
    if (error.status === 404) root.replaceChildren(h("div.message-page", null, h("h1", null, "No such run"), h("p", null, shown(error.message))));
    else toast(error.message, true);
  }).finally(() => changed(run));
  const draw = () => {
    if (model.document) for (const part of parts) part.update();
  };
  // Durations go on although nothing happens.
  const clock = setInterval(() => !model.isOver && draw(), 1000);
  return {
    title: "Run",
    root,
    update(all) {
      if (["all", run, "approvals", "theme", "tools"].some((one) => all.has(one))) throttled(root, model, draw);
      if (all.has("theme")) for (const part of parts) part.redraw?.();
    },
    close() {
      isOpen = false;
      model.isShown = false;
      clearInterval(clock);
      for (const part of parts) part.close?.();
    },
  };
}

/** Calls a function now or, if that was just done, a little later. */
function throttled(element, model, work) {
  if (element.pending) return;
  const since = performance.now() - (element.lastWork ?? -Infinity);
  const run = () => {
    element.pending = null;
    element.lastWork = performance.now();
    work();
  };
  // The more there is, the less often: what it costs must stay a small part of the time.
  const pause = 150 + min(model.nodes.length / 8, 350);
  if (since > pause) run();
  else element.pending = setTimeout(run, pause - since);
}

function runParts(model) {
  const nodes = nodesPart(model);
  const parts = [headPart(model), approvalsPart(model), streamPart(model), graphPart(model, nodes), pairPart(model, nodes), nodes];
  if (carried) parts.splice(2, 0, analysisPart(carried.analysis));
  return parts;
}

function part(title, className, ...children) {
  return h(`section.card.${className}`, { "aria-label": title }, h("header", null, h("h2", null, title)), children);
}

/** The tools beside what the planner and the joiner write, if they write anything. */
function pairPart(model, nodes) {
  const parts = [answerPart(model), roundsPart(model)];
  const tools = toolsPart(model, nodes);
  const words = h("div", null, parts.map((one) => one.root));
  const root = h("div.pair", null, tools.root, words);
  return {
    root,
    update() {
      for (const one of [tools, ...parts]) one.update();
      show(words, parts.some((one) => !one.root.hidden));
    },
  };
}

// MARK: Where it stands

function headPart(model) {
  const title = h("h1", { dir: "auto" });
  const state = h("span.pill");
  const facts = h("p.facts");
  const buttons = h("div.row.buttons");
  const bar = h("div.counts.large");
  const words = h("span.words");
  const forecast = h("span.forecast");
  const tiles = h("div.tiles");
  const error = h("div.problem", { hidden: true });
  const root = h("div.head", null,
    h("div.title", null, carried ? null : h("a.back", { href: "#/runs", "aria-label": "All runs" }, "‹"), title, state, buttons),
    facts, error,
    h("div.progress", null, bar, h("div.under", null, words, forecast)), tiles);
  return {
    root,
    update() {
      const document = withLiveCounts(model);
      put(title, shown(document.label || model.run));
      setPill(state, document.status);
      put(facts, runFacts(model, document).join(" · "));
      setCounts(bar, document.counts);
      put(words, countsText(document.counts));
      put(forecast, model.isOver ? "" : forecastOf(model, document));
      const problem = document.error ? `${document.error.code}: ${document.error.message}` : document.reason;
      if (show(error, Boolean(problem))) put(error, shown(problem));
      setTiles(tiles, runTiles(document));
      setButtons(buttons, model, document);
    },
  };
}

function runFacts(model, document) {
  const facts = [model.run];
  if (document.submitted_by) facts.push(`by ${shown(document.submitted_by)}`);
  facts.push(`started ${moment(new Date(document.started_at))}`);
  if (document.cancelled_by) facts.push(`cancelled by ${shown(document.cancelled_by)}`);
  facts.push(`joined by ${shown(document.join)}`);
  if (document.growing) facts.push("its plan still grows");
  return facts;
}

function runTiles(document) {
  const { timing, usage, planning } = document;
  const tiles = [["Took", duration(timing.wall_ms), document.status === "running" ? "so far" : "wall time"]];
  tiles.push(["Critical path", duration(timing.critical_path_ms), "longest chain"]);
  tiles.push(["Work", duration(timing.work_ms), timing.speedup ? `${timing.speedup.toFixed(1)} at a time` : "of all nodes"]);
  if (usage) tiles.push(["Tokens", count(usage.input + usage.output), `${count(usage.input)} in, ${count(usage.output)} out`]);
  if (usage?.cost) tiles.push(["Cost", cost(usage.cost), "of the models"]);
  if (planning) {
    const more = [counted(planning.calls, "call")];
    if (planning.repairs) more.push(counted(planning.repairs, "repair"));
    if (planning.replans) more.push(counted(planning.replans, "replan"));
    tiles.push(["Model", duration(planning.model_ms), more.join(", ")]);
    if (planning.first_node_ms) tiles.push(["First node", duration(planning.first_node_ms), "after the start"]);
  }
  return tiles;
}

/** How long it may go on: what is left by the averages of the tools, at the pace so far. */
function forecastOf(model, document) {
  if (cluster.approvals.some((one) => one.run === model.run)) return "waits for approval";
  if (document.growing || !model.isFollowed) return "";
  const missing = model.nodes.find((node) => node.isUnplaceable && !settled.has(node.status));
  const tools = [...toolFacts(model).values()];
  const sum = (field) => tools.reduce((all, tool) => all + tool[field], 0);
  const ran = sum("ran");
  const elapsed = cluster.now() - model.origin;
  if (missing && !document.counts.running) return `waits for a worker with ${shown(missing.tool)}`;
  if (ran < 3 || elapsed < 500 || !document.counts.running) return "";
  const mean = sum("work") / ran;
  const left = tools.reduce((all, tool) =>
    all + (tool.total - tool.settled) * (tool.ran ? tool.work / tool.ran : mean), 0);
  return `${about(max(left / max(sum("work") / elapsed, 0.2), 500))} left`;
}

function setButtons(container, model, document) {
  if (!session.mayOrder || container.dataset.status === document.status) return;
  container.dataset.status = document.status;
  const { run } = model;
  const cancel = button(".danger", "Cancel", () => order({
    title: "Cancel this run?", text: `What runs is stopped, and nothing more of ${shown(model.name)} begins.`,
    action: "Cancel the run", isDangerous: true, wantsReason: true,
  }, `${runPath(run)}/cancel`, {}, "The run is being cancelled."));
  const retry = retryButton(run, {}, "Retry", "Do it again?",
    "A new run begins. What has succeeded is taken over, everything else runs again.");
  const buttons = { running: [cancel], failed: [retry], cancelled: [retry] };
  container.replaceChildren(...(buttons[document.status] ?? []));
}

/** A button that does a run, or a part of it, again, and goes there. */
const retryButton = (run, body, name, title, text) => button("", name, async () => {
  const made = await order({ title, text, action: "Retry" }, `${runPath(run)}/retry`, body, "The new run has begun.");
  if (made?.run) location.hash = runLink(made.run);
});

function approvalsPart(model) {
  const list = h("div.approvals", { hidden: true });
  return {
    root: list,
    update: () => drawApprovals(list, cluster.approvals.filter((one) => one.run === model.run)),
  };
}

// MARK: Drawings

function drawingTools(chart) {
  const tool = (name, label, work) => button(".icon.small", name, work, { "aria-label": label, title: label });
  return h("div.row.drawing-tools", null,
    tool("−", "Zoom out", () => chart.zoom(1 / 1.5)), tool("+", "Zoom in", () => chart.zoom(1.5)),
    tool("⤢", "Show all", () => (chart.fit ? chart.fit() : chart.follow())));
}

function streamPart(model) {
  const legend = h("div.legend.tools-legend");
  const slots = new Map();
  const chart = new Timeline(() => ({
    lanes: model.lanes, slots, origin: model.origin, isRunning: !model.isOver,
    end: model.isOver ? max(model.lanes.last, model.origin + (model.document?.timing.wall_ms ?? 0)) : cluster.now(),
  }), { open: (bar) => (location.hash = nodeLink(bar.run, bar.node)) });
  const root = part("Task stream", "stream", chart.frame, legend);
  root.firstChild.append(drawingTools(chart));
  return {
    root,
    redraw: () => chart.redraw(),
    update() {
      setLegend(legend, [...toolFacts(model).keys()]);
      const lanes = [...model.lanes.workers.values()].reduce((sum, worker) => sum + worker.lanes.length, 0);
      const height = min(max(44 + lanes * 18 + model.lanes.workers.size * 9, 100), 320);
      if (chart.frame.dataset.height !== String(height)) {
        chart.frame.dataset.height = height;
        chart.frame.style.height = `${height}px`;
      }
      chart.redraw();
    },
    close: () => chart.close(),
  };
}

function setLegend(legend, tools) {
  const names = tools.filter(Boolean).sort();
  if (legend.dataset.names === names.join("\n") + colours.version) return;
  legend.dataset.names = names.join("\n") + colours.version;
  legend.replaceChildren(...names.slice(0, 24).map((name) => h("span", { dir: "auto" }, swatch(name), shown(name))));
}

function graphPart(model, nodes) {
  const graph = new Graph(model, {
    open: (node) => (location.hash = nodeLink(model.run, node.id)),
    openGroup: (tool) => nodes.filter({ tool }),
  });
  const note = h("span.muted");
  const root = part("Plan", "plan", graph.frame);
  root.firstChild.append(note, drawingTools(graph));
  return {
    root,
    redraw: () => graph.redraw(),
    update() {
      const { nodes: all } = model;
      graph.update();
      const words = model.hasGraph ? `${counted(model.total, "node")} in ${counted(graph.levels, "level")}` : "";
      // A small plan needs little room.
      graph.frame.style.height = `min(62vh, ${min(max(60 + 56 * graph.tallest, 170), 440)}px)`;
      if (model.total > nodesLimit) put(note, `The first ${count(nodesLimit)} of ${words}`);
      else put(note, all.length > groupsFrom ? `${words}, drawn by level and tool` : words);
    },
    close: () => graph.close(),
  };
}

// MARK: Tools

/** By tool: how many nodes there are and in which states, and how long they ran. */
function toolFacts(model) {
  // Several parts of the page want it in turn.
  if (model.tools && performance.now() - model.toolsAt < 50) return model.tools;
  const tools = new Map();
  model.tools = tools;
  model.toolsAt = performance.now();
  for (const node of model.nodes) {
    let tool = tools.get(node.tool);
    if (!tool) {
      tool = { total: 0, running: 0, succeeded: 0, failed: 0, skipped: 0, cancelled: 0, settled: 0, ran: 0, work: 0, times: [], waits: [] };
      tools.set(node.tool, tool);
    }
    tool.total += 1;
    if (node.status === "sent") tool.running += 1;
    else if (tool[node.status] !== undefined) tool[node.status] += 1;
    if (settled.has(node.status)) tool.settled += 1;
    if (node.runMs !== undefined) {
      tool.ran += 1;
      tool.work += node.runMs;
      tool.times.push(node.runMs);
      if (node.sentAt && node.readyAt) tool.waits.push(node.sentAt - node.readyAt);
    }
  }
  return tools;
}

function toolsPart(model, nodes) {
  const body = h("tbody");
  const root = part("Tools", "tools", table(["Tool", "Progress", "p50", "p95", "Work", "Queued p50"], body));
  return {
    root,
    update() {
      const tools = [...toolFacts(model)].sort((a, b) => b[1].work - a[1].work || a[0].localeCompare(b[0])).slice(0, 100);
      keyed(body, tools, ([name]) => name, ([name]) => h("tr", { onclick: () => nodes.filter({ tool: name }) },
        h("td.name", null, button(".plain", [swatch(name), shown(name)], null, { dir: "auto", "data-row": true })),
        h("td.nodes", null, h("div.counts"), h("small")), h("td.number"), h("td.number"), h("td.number"), h("td.number")),
      (row, [, tool]) => {
        tool.times.sort((a, b) => a - b);
        tool.waits.sort((a, b) => a - b);
        setCounts(row.children[1].firstChild, tool);
        put(row.children[1].lastChild, `${count(tool.settled)}/${count(tool.total)}${tool.failed ? ` · ${count(tool.failed)} failed` : ""}`);
        put(row.children[2], duration(quantile(tool.times, 0.5)));
        put(row.children[3], duration(quantile(tool.times, 0.95)));
        const left = tool.ran ? ((tool.total - tool.settled) * tool.work) / tool.ran : 0;
        put(row.children[4], tool.ran ? duration(tool.work) + (left ? ` + ${about(left)}` : "") : "–");
        put(row.children[5], duration(quantile(tool.waits, 0.5)));
      });
    },
  };
}

// MARK: Answer and rounds

function answerPart(model) {
  const body = h("div");
  const root = part("Answer", "answer", body);
  let drawn = "";
  let isAsked = false;
  async function ask() {
    isAsked = true;
    try {
      const { text, isWhole } = await peek(`${runPath(model.run)}/answer`, 16_000_000);
      model.answer = isWhole ? { value: parseExactly(text) } : { cut: text };
    } catch (error) {
      model.answer = { problem: error.message };
    }
    changed(model.run);
  }
  return {
    root,
    update() {
      if (model.isOver && !model.answer && !isAsked) ask();
      const state = model.answer ? "answer" : `${model.answering.length}`;
      show(root, Boolean(model.answer) || model.answering !== "");
      if (state === drawn) return;
      drawn = state;
      const { answer } = model;
      if (answer?.value !== undefined && answer.value !== "") body.replaceChildren(valueView(answer.value, `${model.run}-answer`));
      else if (answer?.cut) body.replaceChildren(textView(answer.cut), h("p.muted", null, "It is longer than this page shows; weft show has all of it."));
      else if (answer) body.replaceChildren(h("p.muted", null, answer.problem ? shown(answer.problem) : "It is empty."));
      else body.replaceChildren(said("pre.text", model.answering));
    },
  };
}

function roundsPart(model) {
  const list = h("ol.rounds");
  const calls = h("ol.model-calls", { "aria-label": "Calls of models" });
  const root = part("Planner", "planner", list, calls);
  const talk = new Talk(model);
  return {
    root,
    update() {
      talk.refresh();
      const isPlanned = model.document.planning || model.rounds.some((round) => round.tasks.length || round.problems.length || round.reason);
      if (!show(root, Boolean(isPlanned && model.rounds.length || talk.calls.length))) return;
      keyed(calls, talk.calls, (call) => call.number, makeCall, fillCall);
      keyed(list, model.rounds, (round) => `${round.number} ${round.nodes} ${round.problems.length}`, (round) => h("li", null,
        h("b", null, `Round ${round.number}`), ` planned ${counted(round.nodes, "node")}`,
        round.reason ? h("p", { dir: "auto" }, "Another plan, because: ", shown(round.reason)) : null,
        round.problems.length ? h("ul.problems", null, round.problems.map((problem) => h("li", { dir: "auto" },
          h("code", null, problem.code), problem.node ? ` ${problem.node}: ` : " ", shown(problem.message), problem.warning ? " (a warning)" : ""))) : null,
        round.tasks.length ? h("details", { open: round.tasks.length <= 12 }, h("summary", null, "Calls"), h("ul.calls", null, round.tasks.map((task) => h("li", null,
          h("a", { href: nodeLink(model.run, task.id) }, task.id), " ", said("code", `${task.tool_name}(${task.args === undefined ? "" : JSON.stringify(task.args).slice(0, 300)})`))))) : null));
    },
  };
}

/** What language models were asked for the run and what they wrote, asked for again while it goes on. */
class Talk {
  calls = [];
  #askedAt = -Infinity;
  #isLast = false;
  constructor(model) {
    this.model = model;
  }

  async refresh() {
    const { isOver, run } = this.model;
    const now = performance.now();
    // A run that has no call at its beginning is no goal; after its end it is asked once more.
    const isDue = isOver ? !this.#isLast : this.#askedAt === -Infinity || (this.calls.length && now - this.#askedAt > 900);
    if (carried || !isDue) return;
    this.#isLast = isOver;
    this.#askedAt = now;
    // The last one may go on.
    for (let from = max(this.calls.length - 1, 0); from !== undefined;) {
      const page = await get(`${runPath(run)}/conversation?from=${from}`).catch(() => null);
      if (!page) {
        setTimeout(() => {
          this.#isLast = false;
          changed(run);
        }, 3000);
        return;
      }
      this.calls.splice(from, Infinity, ...page.calls);
      from = page.next;
    }
    changed(run);
  }
}

/** A call: what it was for and its reply, and its prompt for those who want to read it. */
function makeCall(call) {
  const messages = call.prompt.flatMap((message) => [h("h4", null, message.role), said("pre.text", message.text + (message.cut ? " …" : ""))]);
  const before = call.shared ? h("p.muted", null, `${counted(call.shared, "message")} of call ${call.number - 1}, then:`) : null;
  return h("li", null, h("p", null, h("b", null, `Call ${call.number}`), " ", h("span.muted")), h("pre.text.reply", { dir: "auto" }),
    messages.length ? h("details", null, h("summary", null, `Prompt, ${counted(call.shared + call.prompt.length, "message")}`), before, messages) : null);
}

function fillCall(element, call) {
  const { usage, end } = call;
  const facts = [call.purpose, call.repair && "a repair", call.took_ms && duration(call.took_ms),
    usage && `${count(usage.input)} tokens in, ${count(usage.output)} out`, end !== "end" && shown(call.problem ?? end ?? "writing …")];
  put(element.firstChild.lastChild, facts.filter(Boolean).join(" · "));
  put(element.children[1], shown(call.left_out ? "Not kept any more." : call.reply + (call.cut ? " …" : "")));
  show(element.children[1], Boolean(call.left_out || call.reply));
}

// MARK: Nodes

const nodeRows = 150;

function nodesPart(model) {
  const search = searchField("nodes", "name, tool or worker");
  const status = h("select", { "aria-label": "State" }, h("option", { value: "" }, "any state"), Object.keys(states).slice(0, 11).map((one) => h("option", { value: one }, states[one][0])));
  const tool = h("select", { "aria-label": "Tool" }, h("option", { value: "" }, "any tool"));
  const sort = h("select", { "aria-label": "Order" }, [["plan", "as planned"], ["slow", "slowest first"], ["late", "latest first"], ["queue", "longest queued first"]].map(([value, name]) => h("option", { value }, name)));
  const body = h("tbody");
  const note = h("p.muted.more");
  const root = part("Nodes", "nodes", table(["Node", "State", "Tool", "Worker", "Queued", "Ran", "Tries"], body), note);
  root.firstChild.append(h("div.row.filters", null, search, status, tool, sort));
  if (carried) sort.value = "slow";
  for (const element of [search, status, tool, sort]) element.addEventListener("input", () => update());

  function update() {
    setOptions(tool, model.nodes.map((node) => node.tool));
    const list = model.nodes.filter((node) => (!status.value || node.status === status.value) &&
      (!tool.value || node.tool === tool.value) && fits(search, node.id, node.tool, node.worker));
    const queued = (node) => (node.sentAt ?? cluster.now()) - (node.readyAt ?? cluster.now());
    if (sort.value === "slow") list.sort((a, b) => (b.runMs ?? -1) - (a.runMs ?? -1));
    if (sort.value === "late") list.sort((a, b) => (b.endedAt ?? b.sentAt ?? 0) - (a.endedAt ?? a.sentAt ?? 0));
    if (sort.value === "queue") list.sort((a, b) => queued(b) - queued(a));
    keyed(body, list.slice(0, nodeRows), (node) => node.id, (node) => makeNodeRow(model, node), fillNodeRow);
    show(note, list.length > nodeRows || list.length === 0);
    put(note, list.length === 0 ? "No node fits." : `The first ${nodeRows} of ${count(list.length)}; search or filter for others.`);
  }

  return {
    root, update,
    filter(wanted) {
      setOptions(tool, model.nodes.map((node) => node.tool));
      tool.value = wanted.tool;
      update();
      root.scrollIntoView({ behavior: "smooth", block: "start" });
    },
  };
}

function makeNodeRow(model, node) {
  const href = nodeLink(model.run, node.id);
  return h("tr", { onclick: (event) => event.target.closest("a") || (location.hash = href) },
    h("td.name", null, h("a", { href, "data-row": true }, node.id)), h("td", null, h("span.pill")),
    h("td.tool", { dir: "auto" }), h("td.worker"), h("td.number"), h("td.number"), h("td.number"));
}

function fillNodeRow(row, node) {
  const [, state, tool, worker, queued, ran, tries] = row.children;
  setPill(state.firstChild, node.status);
  if (!tool.firstChild && node.tool) tool.append(swatch(node.tool), shown(node.tool));
  put(worker, node.worker ?? "");
  const isWaiting = node.status === "ready";
  put(queued, node.sentAt ? duration(node.sentAt - (node.readyAt ?? node.sentAt)) : isWaiting && node.readyAt ? duration(cluster.now() - node.readyAt) : "");
  put(ran, node.runMs !== undefined ? duration(node.runMs) : node.status === "running" && node.startedAt ? `${duration(cluster.now() - node.startedAt)}…` : node.isTakenOver ? "taken over" : "");
  put(tries, node.attempt > 1 ? node.attempt : "");
}

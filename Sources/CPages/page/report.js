// What only a report shows: why the run took as long as it did, and its nodes from the data that the
// file carries.

const partNames = {
  planning_ms: ["Planning", "no call was there to run: a model or a client was writing the plan", "approval"],
  approval_ms: ["Approval", "waiting for a person", "approval"],
  slots_ms: ["Slots", "ready, but every slot was taken", "pausing"],
  tools_ms: ["Tools", "at work", "succeeded"],
  retries_ms: ["Retries", "pauses before further attempts, and lost ones", "failed"],
  overhead_ms: ["Overhead", "ways to workers and back, starts of tools", "ready"],
  ending_ms: ["Ending", "from the last attempt to the end: joining, or nodes that could not run", "skipped"],
};

/** The wall time as a sum, the steps of the critical path, and what would have been faster. */
function analysisPart(analysis) {
  const parts = Object.entries(partNames).filter(([name]) => analysis.parts[name] > 0);
  const bar = h("div.sum", { role: "img", "aria-label": "The wall time as a sum" });
  for (const [name, [, , colour]] of parts) {
    const piece = h("i");
    piece.style.width = `${(100 * analysis.parts[name]) / Math.max(analysis.wall_ms, 0.001)}%`;
    piece.style.background = `var(--${colour})`;
    bar.append(piece);
  }
  const list = h("ul.sum-words", null, parts.map(([name, [words, more, colour]]) => {
    const dot = h("i.swatch");
    dot.style.background = `var(--${colour})`;
    const share = Math.round((100 * analysis.parts[name]) / Math.max(analysis.wall_ms, 0.001));
    return h("li", null, dot, h("b", null, `${words} ${duration(analysis.parts[name])}`), ` ${share || "below 1"} %, `, h("span.muted", null, more));
  }));
  const steps = [...analysis.critical_path].sort((a, b) => b.took_ms - a.took_ms).slice(0, 12);
  const rows = steps.map((step) => h("tr", null, h("td", null, h("a", { href: nodeLink(carried.run.run, step.node) }, step.node)),
    h("td", { dir: "auto" }, swatch(step.tool), shown(step.tool)),
    [step.took_ms, step.parts.tools_ms, step.parts.slots_ms, step.took_ms - step.parts.tools_ms - step.parts.slots_ms].map((ms) => h("td.number", null, duration(Math.max(ms, 0))))));
  const what = `With a slot for every node at once it would have taken about ${duration(analysis.wall_with_every_slot_ms)}; ` +
    `with all nodes in one level, on ${counted(analysis.slots, "slot")}, about ${duration(analysis.wall_with_one_level_ms)}.`;
  return {
    root: part("What bounded the wall time", "analysis", h("div", null, bar, list, h("p", null, what)),
      table(["On the critical path", "Tool", "Took", "Tool at work", "Waited for a slot", "Other"], h("tbody", null, rows))),
    update() {},
  };
}

/** Fills the model of the run from the data of the file. */
function takeCarried(model) {
  const bars = [];
  model.nodes = carried.nodes.map((entry) => {
    const last = entry.attempts.at(-1);
    const node = { id: entry.id, tool: entry.tool, status: entry.status, dependencies: entry.dependencies, error: entry.error, attempts: entry.attempts };
    if (last) {
      Object.assign(node, {
        worker: last.worker, attempt: entry.attempts.length, readyAt: model.origin + last.ready_ms,
        sentAt: model.origin + last.sent_ms, endedAt: model.origin + last.ended_ms, runMs: last.ended_ms - last.began_ms,
      });
    }
    for (const one of entry.attempts) {
      bars.push({
        run: model.run, node: entry.id, tool: entry.tool, attempt: one.number, worker: one.worker, lane: null,
        readyAt: model.origin + one.ready_ms, sentAt: model.origin + one.sent_ms, start: model.origin + one.began_ms,
        end: model.origin + one.ended_ms, state: one.outcome, message: one.message,
      });
    }
    return node;
  });
  model.places = new Map(model.nodes.map((node, index) => [node.id, index]));
  setLevels(model.nodes);
  model.shape += 1;
  model.lanes = Lanes.of(bars, 100_000);
  model.isOver = true;
  model.hasGraph = true;
  model.answer = carried.answer === undefined ? { problem: "It is not part of the report." } : { value: carried.answer };
}

/** What the file has of a node, in place of what a coordinator would say. */
function carriedNode(model, id) {
  const node = model.nodes[model.places.get(id)];
  if (!node) return null;
  return {
    node: { ...node, attempts: node.attempts.length, dependencies: node.dependencies.map((place) => model.nodes[place].id) },
    attempts: node.attempts.map((one) => ({
      number: one.number, worker: one.worker, state: one.outcome === "retried" ? "failed" : one.outcome, message: one.message,
      sent: one.sent_ms, queued: one.sent_ms - one.ready_ms, ran: one.ended_ms - one.began_ms,
    })),
  };
}

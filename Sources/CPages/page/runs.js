// The list of runs: what needs a person first, then the runs, filtered by state, label, identity and
// search. Older runs are asked for page by page.

function runsView() {
  const search = searchField("runs", "id, label or identity");
  const filters = [["", "All"], ["running", "Running"], ["succeeded", "Succeeded"], ["failed", "Failed"], ["cancelled", "Cancelled"]];
  let status = "";
  const chips = filters.map(([value, name]) => button(".chip", name, () => {
    status = value;
    for (const chip of chips) chip.setAttribute("aria-pressed", String(chip.dataset.status === value));
    older = [];
    draw();
  }, { "aria-pressed": String(value === status), "data-status": value }));
  const who = h("select", { "aria-label": "Submitted by" }, h("option", { value: "" }, "by anyone"));
  const label = h("select", { "aria-label": "Label" }, h("option", { value: "" }, "any label"));
  const body = h("tbody");
  const empty = h("p.empty", null);
  const more = button("", "Older runs", loadOlder, { hidden: true });
  const approvals = h("div.approvals");
  const tiles = h("div.tiles");
  const root = h("section", null,
    tiles, approvals,
    h("div.bar", null, h("div.chips", { role: "group", "aria-label": "State" }, chips), label, who, search),
    h("div.card", null, table(["Run", "State", "Nodes", "Took", "Cost", "By", "Started"], body, "table.runs")),
    empty, more);
  for (const element of [search, who, label]) element.addEventListener("input", () => draw());
  let older = [];
  let next;

  async function loadOlder() {
    more.disabled = true;
    const all = [...cluster.runs, ...older];
    const filter = status ? `&status=${status}` : "";
    try {
      const page = await get(`/v1/runs?limit=100&from=${next ?? (status ? 0 : all.length)}${filter}`);
      older.push(...page.runs);
      next = page.next;
      if (next === undefined) more.dataset.done = "yes";
    } catch (error) {
      toast(error.message, true);
    }
    more.disabled = false;
    draw();
  }

  function chosen() {
    const seen = new Set();
    return [...cluster.runs, ...older].filter((run) => {
      if (seen.has(run.run)) return false;
      seen.add(run.run);
      if (status && run.status !== status) return false;
      if (who.value && run.submitted_by !== who.value) return false;
      if (label.value && run.label !== label.value) return false;
      return fits(search, run.run, run.label, run.submitted_by, run.join_instruction);
    });
  }

  function draw() {
    const list = chosen();
    keyed(body, list, (run) => run.run, makeRow, fillRow);
    const all = cluster.runs.length + older.length;
    if (show(empty, list.length === 0)) {
      put(empty, all === 0 ? (cluster.status ? "No runs yet. Start one with weft run." : "Asking for runs…") : "No run fits.");
    }
    show(more, cluster.runs.length >= 100 && !more.dataset.done);
    setOptions(who, [...cluster.runs, ...older].map((run) => run.submitted_by));
    setOptions(label, [...cluster.runs, ...older].map((run) => run.label));
  }

  // Durations go on although nothing happens.
  const clock = setInterval(draw, 1000);
  return {
    title: "Runs",
    root,
    close: () => clearInterval(clock),
    update(all) {
      if (all.has("approvals") || all.has("all")) drawApprovals(approvals, cluster.approvals);
      if (all.has("runs") || all.has("all")) draw();
      else for (const run of all) if (models.has(run)) patchRow(body, models.get(run));
      drawTiles(tiles);
    },
  };
}

/** Keeps the options of a choice those that occur; the choice stays. */
function setOptions(select, values) {
  const names = [...new Set(values.filter(Boolean))].sort().slice(0, 200);
  const text = names.join("\n");
  if (select.dataset.names === text) return;
  select.dataset.names = text;
  const { value } = select;
  const first = select.firstElementChild;
  select.replaceChildren(first, ...names.map((name) => h("option", { value: name }, shown(name))));
  select.value = names.includes(value) ? value : "";
  show(select, names.length > 1 || select.value !== "");
}

function makeRow(run) {
  const open = () => (location.hash = runLink(run.run));
  return h("tr", { onclick: (event) => event.target.closest("a") || open() },
    h("td.name", null, h("a", { href: runLink(run.run), "data-row": true }, h("b", { dir: "auto" }), h("small"))),
    h("td", null, h("span.pill")),
    h("td.nodes", null, h("div.counts"), h("small")),
    h("td.number.took"), h("td.number.cost"), h("td.who", { dir: "auto" }), h("td.when"));
}

function fillRow(row, run) {
  const [name, state, nodes, took, price, who, when] = row.children;
  const link = name.firstChild;
  put(link.firstChild, shown(run.label || run.run));
  put(link.lastChild, run.label ? run.run : run.join_instruction ? shown(run.join_instruction).slice(0, 80) : "");
  setPill(state.firstChild, run.status);
  setCounts(nodes.firstChild, run.counts);
  const done = run.counts.succeeded + run.counts.failed + run.counts.skipped + run.counts.cancelled;
  put(nodes.lastChild, `${count(done)}/${count(run.counts.total)}${run.counts.failed ? ` · ${count(run.counts.failed)} failed` : ""}`);
  const isRunning = run.status === "running";
  put(took, duration(isRunning ? max(cluster.now() - Date.parse(run.started_at), 0) : run.timing?.wall_ms));
  put(price, run.usage?.cost ? cost(run.usage.cost) : run.usage ? `${count(run.usage.input + run.usage.output)} tok` : "");
  put(who, shown(run.submitted_by ?? ""));
  put(when, moment(new Date(run.started_at)));
}

function patchRow(body, model) {
  const row = [...body.children].find((one) => one.dataset.key === model.run);
  if (row && model.document) fillRow(row, withLiveCounts(model));
}

/** The document of a run with the counts that the events of its nodes give. */
function withLiveCounts(model) {
  const { document } = model;
  if (model.isOver || !model.isFollowed) return document;
  return { ...document, counts: model.liveCounts(), timing: { ...document.timing, wall_ms: cluster.now() - model.origin } };
}

function drawTiles(tiles) {
  const { status } = cluster;
  if (!status) return;
  const active = cluster.runs.filter((run) => run.status === "running");
  const spent = cluster.runs.reduce((sum, run) => sum + (run.usage?.cost ?? 0), 0);
  const tokens = cluster.runs.reduce((sum, run) => sum + (run.usage ? run.usage.input + run.usage.output : 0), 0);
  setTiles(tiles, [
    ["Active runs", count(status.runs.active), `${count(status.runs.accepted)} since the start`],
    ["Attempts now", count(status.workers.in_flight), `${count(status.workers.slots)} slots on ${counted(status.workers.connected, "worker")}`],
    ["Nodes settled", count(status.nodes_settled), `up for ${duration(status.uptime_ms)}`],
    ["Waiting", count(active.reduce((sum, run) => sum + waitingNodes(run.counts), 0)), "nodes of active runs"],
    tokens ? ["Tokens", count(tokens), spent ? `cost ${cost(spent)}` : "of the runs below"] : null,
  ].filter(Boolean));
}

const waitingNodes = (counts) =>
  counts.total - counts.running - counts.succeeded - counts.failed - counts.skipped - counts.cancelled;

/** Tiles of a name, a number and what it means. */
function setTiles(container, tiles) {
  keyed(container, tiles, ([name]) => name,
    ([name]) => h("div.tile", null, h("span.name", null, name), h("b"), h("small")),
    (tile, [, number, more]) => {
      put(tile.children[1], number);
      put(tile.children[2], more ?? "");
    });
}

// MARK: Approvals

/** What waits for a person, with buttons for those who may answer. */
function drawApprovals(container, list) {
  show(container, list.length > 0);
  keyed(container, list.slice(0, 50), (one) => `${one.run} ${one.node}`, makeApproval, (element, one) => {
    put(element.querySelector("small.left"), `since ${moment(new Date(one.asked_at))}, until ${moment(new Date(one.fails_at))}`);
  });
}

function makeApproval(one) {
  const answer = (approved) => order({
    title: approved ? `Approve ${one.node}?` : `Deny ${one.node}?`,
    text: approved ? `The tool ${shown(one.tool)} is then called with these arguments.` : "The node fails for good, and what depends on it is skipped.",
    action: approved ? "Approve" : "Deny", isDangerous: !approved, wantsReason: true,
  }, `${runPath(one.run)}/approve`, { nodes: [one.node], approved }, approved ? "Approved." : "Denied.");
  return h("div.approval", null,
    h("div", null,
      h("b", null, swatch(one.tool), shown(one.tool), " needs approval"),
      h("small.left"),
      h("p", null, h("a", { href: nodeLink(one.run, one.node) }, one.node), " of ", said("a", one.label || one.run, { href: runLink(one.run) })),
      one.args === undefined ? h("small", null, "Its arguments are long; the page of the node has them.") : said("code.args", JSON.stringify(one.args).slice(0, 400))),
    session.mayOrder ? h("div.row", null,
      button("", "Deny", () => answer(false)), button(".primary", "Approve", () => answer(true))) : null);
}

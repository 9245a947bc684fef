// One run in detail: its nodes by position, their attempts, the planner's rounds and the answer, made
// from documents and events. Not here: drawing any of it.

/** Nodes of a run that are kept one by one; of those beyond only counts are shown. */
const nodesLimit = 20_000;

class RunModel {
  constructor(run) {
    this.run = run;
    this.document = null;
    /** When it was accepted, in Unix time; null until its document is there. */
    this.origin = null;
    this.nodes = [];
    this.places = new Map();
    this.total = 0;
    this.lanes = new Lanes(30_000);
    this.rounds = [];
    this.answering = "";
    this.seq = -1;
    this.isOver = false;
    this.isShown = false;
    this.hasGraph = false;
    this.isLoading = false;
    this.early = [];
    /** Counts layouts that are out of date. */
    this.shape = 0;
  }

  get name() {
    return this.document?.label || this.run;
  }

  learn(document) {
    if (this.isOver && document.status === "running") return;
    const isNew = this.document === null;
    this.document = document;
    this.origin = Date.parse(document.started_at);
    this.total = max(this.total, document.counts.total);
    if (document.status !== "running") this.isOver = true;
    if (isNew) {
      const early = this.early;
      this.early = [];
      for (const event of early) this.handle(event);
    }
    changed(this.run);
  }

  /** Asks again after a stream was opened: the run may have ended, or be lost with its coordinator. */
  check() {
    get(runPath(this.run)).then((document) => this.learn(document), (error) => {
      if (error.status !== 404 || !this.document) return;
      this.isOver = true;
      Object.assign(this.document, { status: "cancelled", error: { code: error.code, message: error.message } });
      changed(this.run);
    });
  }

  // MARK: Events

  handle(event) {
    if (this.origin === null) {
      if (this.early.length === 0 && !carried) {
        get(runPath(this.run)).then((document) => this.learn(document), () => {});
      }
      if (this.early.length < 20_000) this.early.push(event);
      return;
    }
    const isNumbered = event.kind !== "snapshot" && event.kind !== "progress";
    // A stream that goes on may repeat itself; places of nodes are told again under one number.
    if (isNumbered && event.seq < this.seq) return;
    if (isNumbered) this.seq = event.seq;
    const at = this.origin + event.at_us / 1000;
    if (event.node && event.kind !== "chunk") this.#handleNode(event, at);
    else this.#handleRun(event);
  }

  #handleNode(event, at) {
    const { data } = event;
    // One of too many is shown in the lanes alone.
    const node = this.#node(event.node, data?.tool) ?? { id: event.node, tool: data?.tool ?? "" };
    const both = [this.lanes, cluster.lanes];
    switch (event.kind) {
      case "node_ready":
        // A node that is ready again was sent back, and nothing ran.
        for (const lanes of both) lanes.returned(this.run, node.id);
        Object.assign(node, { status: "ready", readyAt: at });
        break;
      case "dispatched":
        Object.assign(node, { status: "sent", sentAt: at, worker: event.worker });
        node.attempt = event.attempt;
        for (const lanes of both) {
          lanes.dispatched(
            this.run, node.id, node.tool, event.attempt, event.worker, node.readyAt ?? at, at);
        }
        break;
      case "started":
        Object.assign(node, { status: "running", startedAt: at, worker: event.worker });
        for (const lanes of both) lanes.started(this.run, node.id, at);
        break;
      case "progress":
        node.fraction = data?.fraction ?? node.fraction;
        node.note = data?.note ?? node.note;
        break;
      case "retrying":
        node.status = "backing_off";
        node.error = data;
        node.fraction = undefined;
        this.#end(node, event, at, "retried", data.message);
        if (!(data.after_ms > 0)) node.readyAt = at;
        break;
      case "unplaceable":
        node.isUnplaceable = true;
        break;
      case "approval_asked":
        node.status = "awaiting_approval";
        break;
      case "approved":
        node.status = "ready";
        node.readyAt = at;
        break;
      case "node_succeeded":
        node.runMs = data?.run_ms ?? node.runMs;
        node.isTakenOver = data?.taken_over;
        this.#settle(node, event, at, "succeeded", undefined, data?.run_ms);
        break;
      case "node_failed":
        node.error = data;
        this.#settle(node, event, at, "failed", data?.message);
        break;
      case "node_skipped":
        node.because = data?.because;
        this.#settle(node, event, at, "skipped");
        break;
      case "node_cancelled":
        this.#settle(node, event, at, "cancelled");
        break;
    }
  }

  #settle(node, event, at, status, message, work) {
    // A stream that was opened again tells what has settled once more.
    if (node.status === status && node.endedAt !== undefined) return;
    node.status = status;
    node.endedAt = at;
    node.fraction = undefined;
    this.#end(node, event, at, status, message, work);
  }

  #end(node, event, at, state, message, work) {
    // An attempt whose beginning this page has not seen.
    const isUnseen = !this.lanes.open.has(Lanes.key(this.run, node.id));
    if (isUnseen && event.worker && work !== undefined && state !== "skipped") {
      const sent = at - work;
      node.worker = event.worker;
      for (const lanes of [this.lanes, cluster.lanes]) {
        lanes.dispatched(
          this.run, node.id, node.tool, event.attempt, event.worker, node.readyAt ?? sent, sent);
      }
    }
    for (const lanes of [this.lanes, cluster.lanes]) {
      const bar = lanes.ended(this.run, node.id, at, state, work, message);
      if (bar && node.runMs === undefined && state === "failed") node.runMs = bar.end - bar.start;
    }
  }

  #handleRun(event) {
    const { data } = event;
    switch (event.kind) {
      case "planned":
        this.total += this.hasGraph || this.nodes.length ? data.nodes : 0;
        this.#round().nodes += data.nodes;
        if (data.tasks) this.#round().tasks.push(...data.tasks.slice(0, 200));
        for (const task of data.tasks ?? []) this.#node(task.id, task.tool_name);
        if (this.isShown) this.loadGraph();
        break;
      case "plan_problems":
        this.#round().problems.push(...data.problems.slice(0, 50));
        break;
      case "replanned":
        this.rounds.push({ number: data.round, reason: data.reason, nodes: 0, tasks: [], problems: [] });
        break;
      case "answering":
        this.answering += data.text;
        break;
      case "snapshot":
        // In place of events that were missed, if it is not the first that is told.
        if (this.seq >= 0) this.loadGraph();
        if (this.document) this.document.counts = data.counts;
        break;
      case "progress":
        if (this.document) {
          this.document.counts = data.counts;
          if (data.usage) this.document.usage = data.usage;
        }
        break;
      case "run_succeeded":
      case "run_failed":
      case "run_cancelled":
        this.#finish(event);
        break;
    }
  }

  #round() {
    if (!this.rounds.length) this.rounds.push({ number: 1, nodes: 0, tasks: [], problems: [] });
    return this.rounds.at(-1);
  }

  #finish(event) {
    this.isOver = true;
    const { counts, timing, usage, planning, error, reason } = event.data;
    Object.assign(this.document, { status: event.kind.slice(4), counts, timing });
    if (usage) this.document.usage = usage;
    if (planning) this.document.planning = planning;
    if (error) this.document.error = error;
    if (reason) this.document.reason = reason;
    if (event.data.answer !== undefined) this.answer = { value: event.data.answer };
    if (this.lanes.open.size > 0) this.loadGraph();
    this.document.ended_at = new Date(this.origin + event.at_us / 1000).toISOString();
    changed("runs");
  }

  // MARK: Nodes

  /** The counts as the states of the nodes give them. */
  liveCounts() {
    const counts = { total: max(this.total, this.nodes.length), running: 0, succeeded: 0, failed: 0, skipped: 0, cancelled: 0 };
    for (const node of this.nodes) {
      if (node.status === "sent" || node.status === "cancelling") counts.running += 1;
      else if (counts[node.status] !== undefined) counts[node.status] += 1;
    }
    return counts;
  }

  /** Whether every node is known, so that counts and tools can be made from them. */
  get isFollowed() {
    return this.nodes.length > 0 && this.nodes.length >= (this.document?.counts.total ?? Infinity);
  }

  #node(id, tool) {
    let node = this.nodes[this.places.get(id)];
    if (!node) {
      if (this.nodes.length >= nodesLimit) return null;
      node = { id, tool: tool ?? "", status: "waiting", dependencies: [], level: 0, isPlaced: false };
      this.places.set(id, this.nodes.length);
      this.nodes.push(node);
      this.shape += 1;
    }
    if (tool && !node.tool) node.tool = tool;
    return node;
  }

  /** Asks for what the graph has beyond what is known, and again if more came meanwhile. */
  async loadGraph() {
    if (this.isLoading) {
      this.isStale = true;
      return;
    }
    this.isLoading = true;
    try {
      const list = [];
      await pages(`${runPath(this.run)}/graph?limit=1000`, (page) => {
        list.push(...page.nodes);
        this.total = max(page.total, list.length);
        return list.length < nodesLimit;
      });
      this.#takeGraph(list);
      this.hasGraph = true;
    } catch (error) {
      this.problem = error;
    }
    this.isLoading = false;
    changed(this.run);
    if (this.isStale) {
      this.isStale = false;
      await new Promise((wake) => setTimeout(wake, 200));
      await this.loadGraph();
    }
  }

  /** Puts the nodes in the order of the plan. */
  #takeGraph(list) {
    const old = this.nodes;
    const nodes = list.slice(0, nodesLimit).map((entry) => {
      const known = old[this.places.get(entry.id)];
      const node = known ?? { id: entry.id, status: entry.status };
      node.tool = entry.tool;
      node.dependencies = entry.dependencies;
      // Events are ahead of what was asked for before they came.
      if (!node.endedAt && (this.seq < 0 || settled.has(entry.status))) this.#takeCourse(node, entry);
      return node;
    });
    const places = new Map(nodes.map((node, index) => [node.id, index]));
    for (const node of old) {
      if (places.has(node.id) || nodes.length >= nodesLimit) continue;
      places.set(node.id, nodes.length);
      nodes.push(node);
    }
    // Bars of attempts that came before it was known what they call.
    for (const bar of this.lanes.open.values()) bar.tool ||= nodes[places.get(bar.node)]?.tool ?? "";
    this.nodes = nodes;
    this.places = places;
    setLevels(nodes);
    this.shape += 1;
  }

  /** Makes lanes of what the graph tells of a run that this page has not followed. */
  async #makeLanes() {
    const bars = this.nodes.filter((node) => node.endedAt && node.attempt).map((node) => ({
      run: this.run, node: node.id, tool: node.tool, attempt: node.attempt, worker: node.worker ?? "?", lane: null,
      readyAt: node.readyAt, sentAt: node.sentAt, start: node.endedAt - min(node.runMs ?? Infinity, node.endedAt - node.sentAt),
      end: node.endedAt, state: node.status,
    }));
    this.lanes = Lanes.of(bars, 30_000);
    changed(this.run);
    const { length } = bars;
    await this.#addEarlierAttempts(bars);
    if (bars.length > length) this.lanes = Lanes.of(bars, 30_000);
    changed(this.run);
  }

  /** Only its story tells the attempts of a node before its last one. */
  async #addEarlierAttempts(bars) {
    const retried = this.nodes.filter((node) => node.attempt > 1).slice(0, 100);
    await Promise.all(retried.map(async (node) => {
      const story = await get(`${nodePath(this.run, node.id)}/story`).catch(() => null);
      for (const one of attemptsOf(story?.records ?? [])) {
        if (one.number >= node.attempt || one.ran === undefined) continue;
        const end = this.origin + one.ended;
        bars.push({
          run: this.run, node: node.id, tool: node.tool, attempt: one.number, worker: one.worker,
          readyAt: this.origin + one.sent - one.queued, sentAt: this.origin + one.sent,
          start: max(end - one.ran, this.origin + one.sent), end, lane: null, state: "retried", message: one.message,
        });
      }
    }));
  }

  /** Takes over the course of a node, as far as events have not told more. */
  #takeCourse(node, entry) {
    node.status = entry.status;
    node.because ??= entry.because;
    node.worker ??= entry.worker;
    node.attempt ??= entry.attempts;
    node.runMs ??= entry.run_ms;
    node.isTakenOver ??= entry.taken_over;
    if (entry.ready_at_ms === undefined || this.origin === null) return;
    node.readyAt ??= this.origin + entry.ready_at_ms;
    node.sentAt ??= node.readyAt + (entry.queued_ms ?? 0);
    if (entry.turnaround_ms === undefined) return;
    node.endedAt ??= node.sentAt + entry.turnaround_ms;
    // The event of its end was missed.
    for (const lanes of [this.lanes, cluster.lanes]) {
      lanes.ended(this.run, node.id, node.endedAt, node.status, node.runMs);
    }
  }

  /** Makes sure that all of the run is there, for a view of it. */
  async open() {
    this.isShown = true;
    if (carried) {
      if (this.hasGraph) return;
      this.learn(carried.run);
      takeCarried(this);
      return;
    }
    const document = await get(runPath(this.run));
    const wasFollowed = this.seq >= 0;
    this.learn(document);
    if (!this.hasGraph) await this.loadGraph();
    if (document.status === "running" || this.isWhole) return;
    if (!wasFollowed || this.lanes.count < this.nodes.filter((node) => node.attempt).length) {
      await this.#makeLanes();
      await this.#loadRounds();
    }
    this.isWhole = true;
  }

  /** What is kept of the planner's rounds of a run that has ended. */
  #loadRounds() {
    if (carried || !this.document.planning) return undefined;
    this.rounds = [];
    return new Promise((done) => {
      const stream = new Stream(`${runPath(this.run)}/events?level=progress`, {
        ends: true,
        take: (_, event) => {
          if (!event.node && !isEnd(event.kind)) this.#handleRun(event);
          if (isEnd(event.kind)) done();
        },
      });
      setTimeout(() => {
        stream.close();
        done();
      }, 5000);
    });
  }
}

/** The level of each node: how many others must come before it. */
function setLevels(nodes) {
  const missing = nodes.map((node) => node.dependencies.length);
  const dependents = nodes.map(() => []);
  nodes.forEach((node, index) => {
    node.level = 0;
    for (const other of node.dependencies) dependents[other]?.push(index);
  });
  const queue = [];
  missing.forEach((number, index) => number === 0 && queue.push(index));
  for (let next = 0; next < queue.length; next += 1) {
    const level = nodes[queue[next]].level + 1;
    for (const index of dependents[queue[next]]) {
      nodes[index].level = max(nodes[index].level, level);
      missing[index] -= 1;
      if (missing[index] === 0) queue.push(index);
    }
  }
}

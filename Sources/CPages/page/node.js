// The page of a node: arguments, result, attempts, what its tool writes, its story in words, and why
// it waits. All of it is asked for again when an event of the node comes.

const nodeLimit = 48_000_000;

function nodeView(run, id) {
  const model = modelOf(run);
  const title = h("h1", null, id);
  const state = h("span.pill");
  const facts = h("p.facts");
  const problem = h("div.problem", { hidden: true });
  const retry = h("div.row.buttons");
  const waits = h("ul.waits");
  const boxes = {
    approvals: h("div.approvals", { hidden: true }),
    why: part("Why it waits", "why", waits),
    args: part(carried ? "Dependencies" : "Arguments", "args"),
    output: part("Result", "output"),
    logs: part("What the tool wrote", "logs"),
    attempts: part("Attempts", "attempts"),
    story: part("Story", "story"),
  };
  for (const box of [boxes.why, boxes.output, boxes.logs, boxes.attempts, boxes.story]) show(box, false);
  const root = h("section.node", null,
    h("div.head", null, h("div.title", null, h("a.back", { href: runLink(run), "aria-label": "Its run" }, "‹"), title, state, retry), facts, problem),
    boxes.approvals,
    h("div.columns", null, h("div", null, boxes.why, boxes.args, boxes.output, boxes.logs), h("div", null, boxes.attempts, boxes.story)));
  const page = new NodePage(model, id, { state, facts, problem, waits, boxes, retry, root });
  page.begin();
  return {
    title: id,
    root,
    update(all) {
      if (all.has("approvals") || all.has("all")) {
        drawApprovals(boxes.approvals, cluster.approvals.filter((one) => one.run === run && one.node === id));
      }
      if (all.has(run)) page.follow();
    },
    close: () => page.close(),
  };
}

class NodePage {
  #asked = 0;
  #isBusy = false;
  #isStale = false;
  #seen = "";
  #stream = null;
  #isClosed = false;
  #drawn = {};
  #timer;

  constructor(model, id, parts) {
    this.model = model;
    this.id = id;
    this.parts = parts;
  }

  begin() {
    if (!this.model.document) this.model.open().catch(() => {}).finally(() => this.ask());
    else this.ask();
  }

  close() {
    this.#isClosed = true;
    this.#stream?.close();
    clearTimeout(this.#timer);
  }

  get known() {
    return this.model.nodes[this.model.places.get(this.id)];
  }

  /** Asks again if the state of the node has changed. */
  follow() {
    const node = this.known;
    if (!node) return;
    const seen = `${node.status} ${node.attempt} ${node.endedAt}`;
    if (seen !== this.#seen) this.ask();
    else this.#drawFacts();
    this.#seen = seen;
  }

  async ask() {
    if (this.#isBusy) {
      this.#isStale = true;
      return;
    }
    if (carried) {
      const found = carriedNode(this.model, this.id);
      this.document = found?.node ?? {};
      this.#drawFacts();
      this.#body(this.parts.boxes.args, "carried", () => [this.#depends(this.document)], this.document.dependencies?.length > 0);
      this.#drawAttempts(found?.attempts ?? []);
      return;
    }
    this.#isBusy = true;
    try {
      const path = nodePath(this.model.run, this.id);
      const [{ text, isWhole }, story, logs] = await Promise.all([
        peek(path, nodeLimit), get(`${path}/story`).catch(() => null), get(`${path}/logs`).catch(() => null),
      ]);
      if (this.#isClosed) return;
      this.#draw(isWhole ? parseExactly(text) : null, story, logs);
    } catch (error) {
      if (error.status === 404) this.parts.root.replaceChildren(h("div.message-page", null, h("h1", null, "No such node"), h("p", null, shown(error.message))));
      else toast(error.message, true);
    }
    this.#isBusy = false;
    if (this.#isStale && !this.#isClosed) {
      this.#isStale = false;
      this.#timer = setTimeout(() => this.ask(), 300);
    }
  }

  #draw(node, story, logs) {
    this.document = node;
    const { boxes } = this.parts;
    const attempts = story ? attemptsOf(story.records) : [];
    this.#drawFacts();
    this.#drawWhy(node);
    if (node) this.#drawValues(node);
    else this.#body(boxes.output, "long", () => [h("p.muted", null, "The result is longer than this page reads."), this.#downloadButton()]);
    this.#drawLogs(logs);
    this.#drawAttempts(attempts);
    this.#body(boxes.story, JSON.stringify(story), () => [storyList(story.records), story.complete === false ? h("p.muted", null, "Older records are not kept.") : null], Boolean(story?.records?.length));
    this.#drawRetry(node);
    if (node && !settled.has(node.status)) this.#listen();
    else this.#stream?.close();
  }

  #downloadButton() {
    const headers = { Authorization: `Bearer ${session.token}` };
    return button("", "Download", async () => {
      const reply = await send(nodePath(this.model.run, this.id), { headers });
      save(await reply.text(), `${this.id}.json`);
    });
  }

  /** Fills a box if what it shows has changed, so that folds and selections stay. */
  #body(box, key, make, isShown = true) {
    if (!show(box, isShown) || this.#drawn[box.className] === key) return;
    this.#drawn[box.className] = key;
    box.replaceChildren(box.firstChild, ...make().filter(Boolean));
  }

  #drawFacts() {
    const { state, facts, problem } = this.parts;
    const node = { ...this.document, ...this.known };
    node.tool ||= this.document?.tool;
    if (!node.status) return;
    setPill(state, node.status);
    const words = [swatch(node.tool), said("b", node.tool), " in ", said("a", this.model.name, { href: runLink(this.model.run) })];
    if (node.worker) words.push(` · on ${node.worker}`);
    if (node.runMs !== undefined) words.push(` · ran ${duration(node.runMs)}`);
    else if (node.status === "running" && node.startedAt) words.push(` · running for ${duration(cluster.now() - node.startedAt)}`);
    if (node.fraction > 0) words.push(` · ${Math.round(node.fraction * 100)} %`);
    if (node.note && node.status === "running") words.push(` · ${shown(node.note)}`);
    if (node.because) words.push(" · skipped because of ", h("a", { href: nodeLink(this.model.run, node.because) }, node.because));
    const text = words.map((word) => word.textContent ?? word).join("");
    if (facts.textContent !== text || !facts.firstChild) facts.replaceChildren(...words);
    const { error } = node;
    if (!show(problem, Boolean(error?.message) && node.status !== "succeeded")) return;
    const more = [error.exit_code !== undefined ? `exit code ${error.exit_code}` : null, error.signal ? `signal ${error.signal}` : null].filter(Boolean);
    put(problem, shown(`${error.code}: ${error.message}${more.length ? ` (${more.join(", ")})` : ""}`));
  }

  #drawWhy(node) {
    const reasons = node && !settled.has(node.status) ? node.reasons ?? [] : [];
    show(this.parts.boxes.why, reasons.length > 0 && node.status !== "running");
    keyed(this.parts.waits, reasons, (one) => `${one.code} ${one.message}`, (one) => said("li", one.message));
  }

  #drawValues(node) {
    const { boxes } = this.parts;
    this.#body(boxes.args, written(node.args ?? null).slice(0, 5000) + node.status, () => [
      this.#depends(node),
      node.args !== undefined ? valueView(node.args, `${this.id}-args`)
        : h("p.muted", null, node.args_omitted ? "They are longer than what is shown here." : "They are made when the outputs that they need are there."),
    ]);
    const hasOutput = node.output !== undefined;
    this.#body(boxes.output, `${node.status} ${node.attempts}`, () => [valueView(node.output, `${this.id}-output`)], hasOutput);
    const tail = node.error?.stderr_tail;
    if (tail && !hasOutput) this.#body(boxes.output, tail, () => [h("p.muted", null, "The end of its standard error:"), textView(shownLog(tail))]);
  }

  /** The nodes that it needs, as links. */
  #depends({ dependencies: all }) {
    if (!all?.length) return null;
    const links = all.slice(0, 60).flatMap((other, index) => [index ? ", " : "", h("a", { href: nodeLink(this.model.run, other) }, other)]);
    return h("p.depends", null, "Needs ", links, all.length > 60 ? ` and ${count(all.length - 60)} more` : "");
  }

  // MARK: What the tool writes

  #drawLogs(logs) {
    const list = logs?.output ?? [];
    const box = this.parts.boxes.logs;
    show(box, list.length > 0);
    const attempts = [...new Set(list.map((one) => one.attempt))];
    this.#body(box, JSON.stringify(list), () => attempts.map((attempt) => {
      const pre = h("pre.log", { tabindex: "0", "aria-label": `Output of attempt ${attempt}` });
      for (const one of list) if (one.attempt === attempt) pre.append(...logPieces(one));
      return h("div", { "data-attempt": attempt }, attempts.length > 1 ? h("h3", null, `Attempt ${attempt}`) : null, pre);
    }), list.length > 0);
    for (const pre of box.querySelectorAll("pre")) pre.scrollTop = pre.scrollHeight;
  }

  /** Follows what the tool writes from now on. */
  #listen() {
    if (this.#stream || carried) return;
    const from = max(this.model.seq, 0) + 1;
    this.#stream = new Stream(`${runPath(this.model.run)}/events?level=all&from=${from}`, {
      ends: true,
      take: (_, event) => {
        if (event.node !== this.id) return;
        if (event.kind === "chunk") this.#append(event);
        else if (event.kind === "progress") this.#progress(event);
      },
    });
  }

  #progress(event) {
    const node = this.known;
    if (!node) return;
    node.fraction = event.data?.fraction ?? node.fraction;
    node.note = event.data?.note ?? node.note;
    this.#drawFacts();
  }

  #append(event) {
    const pre = this.parts.boxes.logs.querySelector(`[data-attempt="${event.attempt}"] pre`);
    if (!pre) {
      this.ask();
      return;
    }
    const isAtEnd = pre.scrollTop + pre.clientHeight > pre.scrollHeight - 20;
    pre.append(...logPieces(event.data));
    while (pre.childNodes.length > 2000) pre.firstChild.remove();
    if (isAtEnd) pre.scrollTop = pre.scrollHeight;
  }

  // MARK: Attempts

  #drawAttempts(attempts) {
    const row = (one) => h("tr", null, h("td.number", null, one.number), h("td", null, one.worker),
      h("td", null, pill(one.state), one.message ? said("small.why", one.message) : null),
      [one.sent, one.queued, one.ran].map((ms) => h("td.number", null, duration(ms))));
    this.#body(this.parts.boxes.attempts, JSON.stringify(attempts), () => [
      table(["", "Worker", "State", "Left after", "Queued", "Ran"], h("tbody", null, attempts.map(row))),
    ], attempts.length > 0);
  }

  #drawRetry(node) {
    const { retry } = this.parts;
    const mayRetry = session.mayOrder && this.model.isOver && node && settled.has(node.status);
    if (!mayRetry || retry.firstChild) return;
    retry.append(retryButton(this.model.run, { nodes: [this.id] }, "Retry from here", `Do ${this.id} again?`,
      "A new run begins, in which this node and all that depends on it run again."));
  }
}

/** A piece of what a tool wrote; standard error has another colour. */
function logPieces(one) {
  const text = h(`span.${one.stream === "stderr" ? "stderr" : "stdout"}`, null, shownLog(logText(one)));
  return one.cut ? [h("span.gap", null, "… some of it is not kept …\n"), text] : [text];
}

function logText(one) {
  if (one.text !== undefined) return one.text;
  const raw = Uint8Array.from(atob(one.base64 ?? ""), (sign) => sign.charCodeAt(0));
  return new TextDecoder().decode(raw);
}

// MARK: The story

/** The attempts that the records of a node tell; times are milliseconds since the run was accepted. */
function attemptsOf(records) {
  const attempts = [];
  let readyAt = 0;
  let open = null;
  const end = (record, state) => {
    if (!open) return;
    open.ran ??= max((record.at - open.begun) / 1000, 0);
    Object.assign(open, { state, ended: record.at / 1000, message: record.error ? `${record.error.code}: ${record.error.message}` : record.reason });
    open = null;
  };
  for (const record of records) {
    switch (record.kind) {
      case "ready": case "pause_ended": readyAt = record.at; break;
      case "dispatched":
        open = { number: record.attempt, worker: record.worker, state: "sent", sent: record.at / 1000, queued: (record.at - readyAt) / 1000, begun: record.at };
        attempts.push(open);
        break;
      case "started":
        if (open) Object.assign(open, { state: "running", begun: record.at });
        break;
      case "returned": attempts.pop(); open = null; readyAt = record.at; break;
      case "worked": if (open) open.ran = record.work_us / 1000; break;
      case "retrying":
        if (record.cause === "never_ran") attempts.pop();
        end(record, "failed");
        if (!record.after_us) readyAt = record.at;
        break;
      case "succeeded":
        if (open) open.ran = record.work_us / 1000;
        end(record, "succeeded");
        break;
      case "failed": end(record, "failed"); break;
      case "cancelled": end(record, "cancelled"); break;
    }
  }
  for (const one of attempts) delete one.begun;
  return attempts;
}

const storyWords = {
  ready: () => "ready: everything that it needs is there",
  dispatched: (record) => `left for ${record.worker} as attempt ${record.attempt}`,
  started: () => "the tool began",
  called_back: (record) => `called back (${record.reason})`,
  returned: () => "came back without having run; ready again",
  tool_wrote: (record) => `the tool wrote to ${record.stream === "stderr" ? "standard error" : "standard output"}`,
  worked: (record) => `${duration(record.work_us / 1000)} of work were for nothing`,
  retrying: (record) => `${record.error?.message ?? "it failed"}; again ${record.after_us ? `in ${duration(record.after_us / 1000)}` : "at once"}`,
  pause_ended: () => "the pause is over; ready again",
  unplaceable: (record) => record.message,
  approval_asked: (record) => `asked a person, who has ${duration(record.within_ms)}`,
  approved: (record) => `approved${record.by ? ` by ${record.by}` : ""}${record.reason ? `: ${record.reason}` : ""}`,
  taken_over: () => "its output was taken over from an earlier run",
  succeeded: (record) => `succeeded after ${duration(record.work_us / 1000)} of work`,
  failed: (record) => `failed: ${record.error?.message ?? ""}`,
  skipped: () => "skipped, because a node that it needs did not succeed",
  cancelled: () => "cancelled",
};

function storyList(records) {
  const list = [];
  let wrote = 0;
  records.forEach((record, index) => {
    // What a tool writes comes in many pieces.
    if (record.kind === "tool_wrote" && records[index + 1]?.kind === "tool_wrote") {
      wrote += 1;
      return;
    }
    const words = storyWords[record.kind]?.(record) ?? record.kind.replaceAll("_", " ");
    list.push(h("li", { "data-kind": record.kind, dir: "auto" }, h("time", null, `${(record.at / 1_000_000).toFixed(3)} s`), shown(wrote ? `${words}, ${count(wrote + 1)} times` : words)));
    wrote = 0;
  });
  return h("ol.story-list", null, list.length > 300 ? [...list.slice(0, 150), h("li", null, "…"), ...list.slice(-150)] : list);
}

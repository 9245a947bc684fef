// Asking the coordinator: the session of this tab, requests, and streams that go on where they broke
// off. A report asks nobody: it carries its data.

/** The data that a report carries; null on a page that has a coordinator. */
const carried = (() => {
  const element = byId("weft-data");
  return element ? JSON.parse(element.textContent) : null;
})();

class Refusal extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const session = {
  token: null,
  role: "viewer",
  name: "",
  get mayOrder() {
    return this.role === "client" && !carried;
  },

  /** Takes over what this tab has, or changes the ticket in the address for a session. */
  async begin() {
    const ticket = new URLSearchParams(location.hash.slice(1)).get("ticket");
    if (ticket) {
      history.replaceState(null, "", location.pathname + "#/runs");
      const made = await request("/v1/session", { method: "POST", body: { ticket } });
      sessionStorage.setItem("weft-session", JSON.stringify(made));
    }
    Object.assign(this, JSON.parse(sessionStorage.getItem("weft-session") ?? "{}"));
    return this.token !== null;
  },

  end() {
    this.token = null;
    sessionStorage.removeItem("weft-session");
  },
};

function request(path, { method = "GET", body, headers, signal } = {}) {
  const all = { ...headers };
  if (session.token) all.Authorization = `Bearer ${session.token}`;
  if (body) all["Content-Type"] = "application/json";
  return send(path, { method, headers: all, signal, body: body && JSON.stringify(body) })
    .then((reply) => reply.json());
}

/** The reply if it is a good one; throws a Refusal for any other. */
async function send(path, options) {
  const reply = await fetch(path, { cache: "no-store", credentials: "omit", ...options });
  if (reply.ok) return reply;
  const error = await reply.json().then((data) => data.error, () => null);
  if (reply.status === 401 && session.token) lostSession();
  throw new Refusal(reply.status, error?.code ?? "failed", error?.message ?? reply.statusText);
}

/** A document. */
function get(path, options) {
  if (!carried) return request(path, options);
  return Promise.reject(new Refusal(404, "not_found", "This is not part of the report."));
}

const post = (path, body = {}) => request(path, { method: "POST", body });

const runPath = (run) => `/v1/runs/${encodeURIComponent(run)}`;
const nodePath = (run, node) => `${runPath(run)}/nodes/${encodeURIComponent(node)}`;

/** All pages of a list, one after the other; ends early if visit says false. */
async function pages(path, visit) {
  let from = 0;
  for (;;) {
    const page = await get(`${path}${path.includes("?") ? "&" : "?"}from=${from}`);
    if (visit(page) === false || page.next === undefined || page.next === null) return;
    from = page.next;
  }
}

/** The text of a reply up to a length, and whether that is all. */
async function peek(path, limit) {
  const stop = new AbortController();
  const headers = { Authorization: `Bearer ${session.token}` };
  const reply = await send(path, { headers, signal: stop.signal });
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  const parts = [];
  for (let length = 0; ; ) {
    const { value, done } = await reader.read();
    if (done) return { text: parts.join(""), isWhole: true };
    parts.push(value);
    length += value.length;
    if (length > limit) {
      stop.abort();
      return { text: parts.join("").slice(0, limit), isWhole: false };
    }
  }
}

/** Text that came without its end: only whole messages count, so the rest waits. */
class EventReader {
  rest = "";

  /** Calls visit(name, data, id) for each whole event; data is undefined for a comment. */
  read(text, visit) {
    const blocks = (this.rest + text).split("\n\n");
    this.rest = blocks.pop();
    for (const block of blocks) {
      let name = "message";
      let id;
      const data = [];
      for (const line of block.split("\n")) {
        if (line.startsWith("data:")) data.push(line.slice(line[5] === " " ? 6 : 5));
        else if (line.startsWith("event:")) name = line.slice(6).trim();
        else if (line.startsWith("id:")) id = line.slice(3).trim();
      }
      visit(name, data.length ? JSON.parse(data.join("\n")) : undefined, id);
    }
  }
}

/**
 * A stream of events that is opened again whenever it breaks, after what came last. It tells its
 * state: "live", or the seconds until it tries again.
 */
class Stream {
  #path;
  #take;
  #tell;
  #id;
  #stop = new AbortController();
  #isClosed = false;
  #wake;
  #ends;

  /** With `ends` the stream is over after the last event of a run. */
  constructor(path, { take, tell = () => {}, ends = false }) {
    this.#path = path;
    this.#ends = ends;
    this.#take = take;
    this.#tell = tell;
    if (!carried) this.#run();
  }

  close() {
    this.#isClosed = true;
    this.#stop.abort();
    this.#wake?.();
  }

  /** Tries again at once. */
  hurry() {
    this.#wake?.();
  }

  /** Stops reading for as long as the page cannot be seen; it goes on where it was. */
  pause(isPaused) {
    if (this.isPaused === isPaused) return;
    this.isPaused = isPaused;
    if (isPaused) this.#stop.abort();
    else this.#wake?.();
  }

  async #run() {
    let pause = 500;
    while (!this.#isClosed) {
      const began = performance.now();
      let isOver = false;
      try {
        isOver = await this.#read();
      } catch (error) {
        // Another try would be refused, too.
        if (error instanceof Refusal && error.status < 500 && error.status !== 429) break;
      }
      if (isOver || this.#isClosed) break;
      if (this.isPaused) {
        await new Promise((wake) => (this.#wake = wake));
        continue;
      }
      if (performance.now() - began > 5000) pause = 500;
      this.#tell(max(1, Math.round(pause / 1000)));
      await this.#sleep(pause * (0.75 + Math.random() / 2));
      pause = min(pause * 2, 8000);
    }
  }

  #sleep(ms) {
    return new Promise((wake) => {
      this.#wake = wake;
      setTimeout(wake, ms);
    });
  }

  /** Reads until the stream ends; true if its end was meant. */
  async #read() {
    this.#stop = new AbortController();
    const headers = { Authorization: `Bearer ${session.token}` };
    if (this.#id) headers["Last-Event-ID"] = this.#id;
    const reply = await send(this.#path, { headers, signal: this.#stop.signal });
    this.#tell("live");
    const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
    const events = new EventReader();
    let isOver = false;
    for (;;) {
      // The coordinator says something every ten seconds.
      const watch = setTimeout(() => this.#stop.abort(), 30_000);
      const { value, done } = await reader.read().finally(() => clearTimeout(watch));
      if (done) return isOver;
      events.read(value, (name, data, id) => {
        if (id) this.#id = id;
        if (data === undefined) return;
        this.#take(name, data);
        isOver = isOver || (this.#ends && isEnd(data.kind));
      });
    }
  }
}

const isEnd = (kind) => kind === "run_succeeded" || kind === "run_failed" || kind === "run_cancelled";

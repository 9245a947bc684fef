// Attempts as bars in lanes: each worker has as many lanes as it had attempts at a time, and those of
// a lane follow each other. Times are milliseconds of Unix time by the coordinator's clock.

/** How much an attempt may begin before the end of the one before it: clocks are read in turns. */
const slack = 3;

class Lanes {
  /** The workers by name, each with lanes of bars in the order of time. */
  workers = new Map();
  /** Bars by attempt, for those that have not ended. */
  open = new Map();
  count = 0;
  /** Whether attempts came out of order, so that other lanes would do. */
  isMixed = false;
  first = Infinity;
  last = 0;

  constructor(limit) {
    this.limit = limit;
  }

  /** Attempts that have ended, in lanes. */
  static of(bars, limit) {
    const lanes = new Lanes(limit);
    for (const bar of bars.sort((a, b) => a.start - b.start)) lanes.#place(bar);
    return lanes;
  }

  static key(run, node) {
    return `${run} ${node}`;
  }

  /** An attempt left for its worker; it gets a lane when its tool begins. */
  dispatched(run, node, tool, attempt, worker, readyAt, at) {
    const key = Lanes.key(run, node);
    const old = this.open.get(key);
    if (old && old.attempt >= attempt) return;
    if (old) this.#drop(key, old);
    this.open.set(key, {
      run, node, tool, attempt, worker, readyAt, sentAt: at, start: 0, end: Infinity, lane: null,
      state: "sent",
    });
  }

  started(run, node, at) {
    const bar = this.open.get(Lanes.key(run, node));
    if (!bar || bar.lane) return;
    bar.start = at;
    bar.state = "running";
    this.#place(bar);
  }

  /** The attempt ended; work is how long its tool ran, if that is known. */
  ended(run, node, at, state, work, message) {
    const key = Lanes.key(run, node);
    const bar = this.open.get(key);
    if (!bar) return null;
    this.open.delete(key);
    bar.end = at;
    bar.state = state;
    bar.message = message;
    if (!bar.lane) {
      // What was never started and says no time did not run.
      if (work === undefined && state !== "failed" && state !== "retried") return null;
      bar.start = work === undefined ? bar.sentAt : max(at - work, bar.sentAt);
      this.#place(bar);
    } else {
      bar.lane.end = at;
    }
    this.last = max(this.last, at);
    return bar;
  }

  /** The same lanes with attempts that ended before this page was open. */
  with(bars) {
    const all = [...bars];
    for (const lane of this.#all()) for (const bar of lane.bars) if (bar.end !== Infinity) all.push(bar);
    const lanes = Lanes.of(all, this.limit);
    lanes.open = this.open;
    for (const bar of this.open.values()) if (bar.lane) lanes.#place(bar);
    return lanes;
  }

  /** It never ran: the node is ready again. */
  returned(run, node) {
    const key = Lanes.key(run, node);
    const bar = this.open.get(key);
    if (bar) this.#drop(key, bar);
  }

  #drop(key, bar) {
    this.open.delete(key);
    if (!bar.lane) return;
    bar.lane.bars.splice(bar.lane.bars.indexOf(bar), 1);
    bar.lane.end = bar.lane.bars.at(-1)?.end ?? 0;
    this.count -= 1;
  }

  #place(bar) {
    let worker = this.workers.get(bar.worker);
    if (!worker) {
      worker = { name: bar.worker, lanes: [] };
      this.workers.set(bar.worker, worker);
    }
    // The lane that was used last of those that are free: gaps stay where they were.
    let best = null;
    for (const lane of worker.lanes) {
      if (lane.end <= bar.start + slack && (!best || lane.end > best.end)) best = lane;
    }
    if (!best) {
      // What is told late may fit where lanes were free.
      this.isMixed ||= bar.start < this.last - 50;
      best = { bars: [], end: 0, index: worker.lanes.length };
      worker.lanes.push(best);
    }
    bar.start = max(bar.start, best.end);
    bar.lane = best;
    best.bars.push(bar);
    best.end = bar.end;
    this.first = min(this.first, bar.start);
    if (bar.end !== Infinity) this.last = max(this.last, bar.end);
    this.count += 1;
    if (this.count > this.limit * 1.2) this.#trim();
  }

  /** Forgets the oldest bars. */
  #trim() {
    const ends = [];
    for (const lane of this.#all()) for (const bar of lane.bars) ends.push(bar.end);
    ends.sort((a, b) => a - b);
    const before = ends[ends.length - this.limit];
    this.first = Infinity;
    this.count = 0;
    for (const lane of this.#all()) {
      lane.bars = lane.bars.filter((bar) => bar.end >= before);
      this.count += lane.bars.length;
      if (lane.bars.length) this.first = min(this.first, lane.bars[0].start);
    }
  }

  *#all() {
    for (const worker of this.workers.values()) yield* worker.lanes;
  }

  /** Forgets workers that have nothing to show. */
  keepOnly(names) {
    for (const [name, worker] of this.workers) {
      if (!names.has(name) && worker.lanes.every((lane) => lane.bars.length === 0)) {
        this.workers.delete(name);
      }
    }
  }
}

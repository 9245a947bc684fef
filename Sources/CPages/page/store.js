// What this page knows of the cluster, kept up to date by its stream. Views are told what has changed,
// at most once a frame. Not here: a run in detail (model.js).

const cluster = {
  /** "live", "connecting", or the seconds until the next try. */
  link: "connecting",
  epoch: 0,
  software: "",
  status: null,
  workers: [],
  launches: [],
  tools: [],
  runs: [],
  approvals: [],
  /** How far the coordinator's clock is ahead of this one, in milliseconds. */
  ahead: 0,
  /** The attempts of all runs, as far as this page has seen them. */
  lanes: new Lanes(20_000),
  /** Runs that ended before this page was opened and are in the lanes all the same. */
  seen: new Set(),

  /** Now by the clock of the coordinator. */
  now() {
    return carried ? Date.parse(carried.run.started_at) + carried.run.timing.wall_ms : Date.now() + this.ahead;
  },
};

/** Runs in detail, the last used ones last. */
const models = new Map();
const modelsLimit = 40;

/** The model of a run; made when it is first asked for. */
function modelOf(run) {
  let model = models.get(run);
  if (model) {
    models.delete(run);
  } else {
    model = new RunModel(run);
  }
  models.set(run, model);
  for (const [name, old] of models) {
    if (models.size <= modelsLimit) break;
    if (!old.isShown && old.isOver) models.delete(name);
  }
  return model;
}

// MARK: Changes

const changes = new Set();
let isAnnounced = false;

/**
 * Says that something has changed: "status", "workers", "launches", "tools", "runs", "approvals",
 * "link", or a run.
 */
function changed(what) {
  changes.add(what);
  if (isAnnounced) return;
  isAnnounced = true;
  requestAnimationFrame(() => {
    isAnnounced = false;
    const all = new Set(changes);
    changes.clear();
    refresh(all);
  });
}

// MARK: The stream of the cluster

let clusterStream = null;

function followCluster() {
  clusterStream = new Stream("/v1/events", {
    tell(state) {
      cluster.link = state;
      changed("link");
    },
    take: takeOver,
  });
}

function takeOver(name, data) {
  switch (name) {
    case "hello":
      cluster.epoch = data.epoch;
      cluster.software = data.software;
      for (const model of models.values()) if (!model.isOver) model.check();
      break;
    case "status":
      cluster.status = data;
      changed("status");
      break;
    case "workers":
    case "launches":
    case "tools":
    case "approvals":
      cluster[name] = data[name];
      if (name === "workers") cluster.lanes.keepOnly(new Set(data.workers.map((one) => one.name)));
      changed(name);
      break;
    case "runs":
      cluster.runs = data.runs;
      for (const run of data.runs) learn(run);
      changed("runs");
      break;
    case "run":
      takeEvent(data);
      break;
  }
}

/** Takes over the document of a run. */
function learn(document) {
  if (document.status === "running" && !carried) {
    // The latest answer is the nearest to its arrival.
    cluster.ahead = Date.parse(document.started_at) + document.age_ms - Date.now();
  }
  const known = models.get(document.run);
  if (!known && document.status !== "running") return;
  (known ?? modelOf(document.run)).learn(document);
}

let mixing = null;

function takeEvent(event) {
  const model = modelOf(event.run);
  model.handle(event);
  changed(event.run);
  // Past events of several runs come one run after the other.
  if (!cluster.lanes.isMixed || mixing) return;
  mixing = setTimeout(() => {
    mixing = null;
    cluster.lanes = cluster.lanes.with([]);
    changed("stream");
  }, 400);
}

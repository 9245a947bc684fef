// Where the nodes of a plan are drawn: by levels, in an order with few crossings, in a block that fits
// its frame. Plans of thousands of nodes become groups of one level and tool. Not here: drawing.

/** Plans with more nodes are drawn as groups. */
const groupsFrom = 2500;

/**
 * The things to draw: {id, tool, level, dependencies, node} or, of a group, {…, members}. Places in
 * `dependencies` are those of the list.
 */
function graphItems(nodes) {
  if (nodes.length <= groupsFrom) {
    return nodes.map((node) => ({
      id: node.id, tool: node.tool, level: node.level, dependencies: node.dependencies, node,
    }));
  }
  const places = new Map();
  const items = [];
  const placeOf = nodes.map((node) => {
    const key = `${node.level} ${node.tool}`;
    if (!places.has(key)) {
      places.set(key, items.length);
      items.push({ id: key, tool: node.tool, level: node.level, dependencies: new Set(), members: [] });
    }
    const place = places.get(key);
    items[place].members.push(node);
    return place;
  });
  nodes.forEach((node, index) => {
    const item = items[placeOf[index]];
    for (const other of node.dependencies) {
      if (placeOf[other] !== undefined && placeOf[other] !== placeOf[index]) {
        item.dependencies.add(placeOf[other]);
      }
    }
  });
  // A deep plan of many tools is still too much: then a level is one group.
  for (const item of items) item.dependencies = [...item.dependencies];
  return items;
}

/** Gives every item x, y (its middle) and the whole its size; sideways levels are columns. */
function layOut(items, width, height, isSideways) {
  const levels = [];
  items.forEach((item, index) => {
    (levels[item.level] ??= []).push(index);
  });
  for (let level = 0; level < levels.length; level += 1) levels[level] ??= [];
  orderLevels(items, levels);
  const isGrouped = items.some((item) => item.members);
  const [box, gap] = items.length <= 64 || isGrouped ? [{ w: isGrouped ? 170 : 138, h: 36 }, { along: 44, across: 10 }]
    : items.length <= 280 ? [{ w: 88, h: 26 }, { along: 34, across: 7 }]
      : [{ w: 20, h: 20 }, { along: 26, across: 6 }];
  const along = isSideways ? box.w : box.h;
  const across = isSideways ? box.h : box.w;
  const frame = isSideways ? { along: width, across: height } : { along: height, across: width };
  const rows = bestRows(levels, along, across, gap, frame);
  const inner = min(gap.across + 2, gap.along);
  let start = 0;
  const wholeAcross = min(rows, max(...levels.map((level) => level.length), 1)) *
    (across + gap.across) - gap.across;
  for (const level of levels) {
    const columns = max(1, Math.ceil(level.length / rows));
    const each = Math.ceil(level.length / columns);
    level.forEach((index, position) => {
      const column = floor(position / each);
      const row = position % each;
      const inColumn = min(each, level.length - column * each);
      const span = inColumn * (across + gap.across) - gap.across;
      const a = start + column * (along + inner) + along / 2;
      const b = (wholeAcross - span) / 2 + row * (across + gap.across) + across / 2;
      items[index].x = isSideways ? a : b;
      items[index].y = isSideways ? b : a;
    });
    start += columns * (along + inner) - inner + gap.along;
  }
  const wholeAlong = max(start - gap.along, along);
  return {
    box,
    width: isSideways ? wholeAlong : wholeAcross,
    height: isSideways ? wholeAcross : wholeAlong,
  };
}

/** How many items of a level stand beside each other so that the whole is drawn as large as can be. */
function bestRows(levels, along, across, gap, frame) {
  const most = max(...levels.map((level) => level.length), 1);
  let best = { rows: most, scale: 0 };
  for (let rows = 1; rows <= most; rows = max(rows + 1, floor(rows * 1.12))) {
    let whole = -gap.along;
    for (const level of levels) {
      const columns = max(1, Math.ceil(level.length / rows));
      whole += columns * (along + min(gap.across + 2, gap.along)) + gap.along;
    }
    const scale = min(frame.along / whole, frame.across / (rows * (across + gap.across)));
    if (scale > best.scale) best = { rows, scale };
  }
  return best.rows;
}

/** Orders each level by the middle of what its items are connected with, to and fro. */
function orderLevels(items, levels) {
  const dependents = items.map(() => []);
  items.forEach((item, index) => {
    for (const other of item.dependencies) dependents[other]?.push(index);
  });
  const place = new Float64Array(items.length);
  const setPlaces = (level) => level.forEach((index, position) => {
    place[index] = (position + 0.5) / level.length;
  });
  levels.forEach(setPlaces);
  const sweep = (level, neighbours) => {
    const weight = new Map();
    level.forEach((index) => {
      const near = neighbours(index);
      let sum = 0;
      for (const other of near) sum += place[other];
      weight.set(index, near.length ? sum / near.length : place[index]);
    });
    level.sort((a, b) => weight.get(a) - weight.get(b) || a - b);
    setPlaces(level);
  };
  const sweeps = items.length > 1000 ? 2 : 4;
  for (let number = 0; number < sweeps; number += 1) {
    for (let at = 1; at < levels.length; at += 1) {
      sweep(levels[at], (index) => items[index].dependencies);
    }
    for (let at = levels.length - 2; at >= 0; at -= 1) {
      sweep(levels[at], (index) => dependents[index]);
    }
  }
}

/**
 * The places of the nodes that bound how long the run takes. Of a run that has ended it is the node
 * that ended last, the one that it waited for, and so on; of one that goes on the longest chain, with
 * the average of a tool for what has not run yet.
 */
function criticalPath(nodes, isOver, now) {
  if (!nodes.length) return [];
  const chain = isOver ? lastChain(nodes) : longestChain(nodes, now);
  return chain.length > 1 ? chain : [];
}

function lastChain(nodes) {
  const end = (index) => nodes[index]?.endedAt ?? -1;
  let current = -1;
  nodes.forEach((node, index) => {
    if (node.attempt && (current < 0 || end(index) > end(current))) current = index;
  });
  const path = [];
  while (current >= 0 && path.length <= nodes.length) {
    path.push(current);
    let next = -1;
    for (const other of nodes[current].dependencies) {
      if (end(other) >= 0 && (next < 0 || end(other) > end(next))) next = other;
    }
    current = next;
  }
  return path.reverse();
}

function longestChain(nodes, now) {
  const means = new Map();
  for (const node of nodes) {
    if (node.runMs === undefined) continue;
    const mean = means.get(node.tool) ?? { sum: 0, number: 0 };
    mean.sum += node.runMs;
    mean.number += 1;
    means.set(node.tool, mean);
  }
  const weight = (node) => {
    if (node.runMs !== undefined) return node.runMs;
    if (node.status === "skipped" || node.status === "cancelled") return 0;
    const mean = means.get(node.tool);
    const guess = mean ? mean.sum / mean.number : 1;
    return node.status === "running" ? max(now - (node.startedAt ?? now), guess) : guess;
  };
  const sums = new Float64Array(nodes.length);
  const before = new Int32Array(nodes.length).fill(-1);
  const order = nodes.map((_, index) => index).sort((a, b) => nodes[a].level - nodes[b].level);
  let last = 0;
  for (const index of order) {
    for (const other of nodes[index].dependencies) {
      if (sums[other] > 0 && (before[index] < 0 || sums[other] > sums[before[index]])) {
        before[index] = other;
      }
    }
    sums[index] = weight(nodes[index]) + (before[index] >= 0 ? sums[before[index]] : 0);
    if (sums[index] > sums[last]) last = index;
  }
  const path = [];
  for (let current = last; current >= 0; current = before[current]) path.push(current);
  return path.reverse();
}

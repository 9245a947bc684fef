// The plan graph: nodes by level in the colours of their states, the critical path thick. Edges are
// drawn once into a layer of their own, because there are many and they seldom change. Not here: where
// nodes are placed (layout.js).

class Graph extends Chart {
  #items = [];
  #shape = -1;
  #size = { width: 1, height: 1, box: { w: 1, h: 1 } };
  #critical = new Set();
  #criticalEdges = new Set();
  #criticalAt = -Infinity;
  #hovered = null;
  #chosen = null;
  #layer = document.createElement("canvas");
  #layerOf = "";
  #flashes = new Map();
  #isFitted = true;
  /** How many levels there are, and the most items of one. */
  levels = 0;
  tallest = 1;
  #view = { x: 0, y: 0, scale: 1 };

  /** open(node) is called for a node that is chosen, openGroup(tool, level) for a group. */
  constructor(model, { open, openGroup }) {
    super("graph", "Plan graph: nodes by level, coloured by state");
    this.model = model;
    this.open = open;
    this.openGroup = openGroup;
  }

  get isSideways() {
    return this.width >= 560;
  }

  isMoving() {
    return this.#flashes.size > 0;
  }

  // MARK: Contents

  /** The model has changed. */
  update() {
    const { model } = this;
    if (model.shape !== this.#shape) this.#arrange();
    const now = performance.now();
    for (const item of this.#items) {
      const status = item.node ? item.node.status : groupStatus(item);
      if (status !== item.status) {
        // In a large plan something changes all the time.
        if (item.status !== undefined && this.#items.length < 400) this.#flashes.set(item, now);
        item.status = status;
      }
    }
    if (now - this.#criticalAt > 400 || model.isOver) this.#findCriticalPath(now);
    this.redraw();
  }

  #findCriticalPath(now) {
    this.#criticalAt = now;
    const path = this.#items.some((item) => item.members)
      ? [] : criticalPath(this.model.nodes, this.model.isOver, cluster.now());
    const text = path.join();
    if (text === [...this.#critical].join()) return;
    this.#critical = new Set(path);
    this.#criticalEdges = new Set(path.slice(1).map((node, index) => `${path[index]} ${node}`));
    this.#layerOf = "";
  }

  #arrange() {
    if (this.width === 0) return;
    const isFirst = this.#shape < 0;
    const old = new Map(this.#items.map((item) => [item.id, item]));
    this.#shape = this.model.shape;
    this.#items = graphItems(this.model.nodes);
    const levels = [];
    for (const item of this.#items) levels[item.level] = (levels[item.level] ?? 0) + 1;
    this.levels = levels.length;
    this.tallest = max(...levels, 1);
    this.#size = layOut(this.#items, this.width - 32, this.height - 32, this.isSideways);
    const now = performance.now();
    for (const item of this.#items) {
      const before = old.get(item.id);
      if (before) item.status = before.status;
      else if (!isFirst) this.#flashes.set(item, now);
    }
    this.#hovered = null;
    this.#chosen = this.#items.find((item) => item.id === this.#chosen?.id) ?? null;
    this.#layerOf = "";
    this.#criticalAt = -Infinity;
    if (this.#isFitted) this.fit();
  }

  resized() {
    this.#shape = -1;
    this.#arrange();
  }

  // MARK: The view

  fit() {
    const { width, height } = this.#size;
    const scale = min((this.width - 32) / width, (this.height - 32) / height, this.#size.box.w > 20 ? 1.2 : 2);
    this.#view = {
      scale,
      x: (this.width - width * scale) / 2,
      y: (this.height - height * scale) / 2,
    };
    this.#isFitted = true;
    this.redraw();
  }

  zoom(factor, x = this.width / 2, y = this.height / 2) {
    const view = this.#view;
    const scale = min(max(view.scale * factor, 0.02), 8);
    view.x = x - ((x - view.x) * scale) / view.scale;
    view.y = y - ((y - view.y) * scale) / view.scale;
    view.scale = scale;
    this.#isFitted = false;
    this.redraw();
  }

  pan(x, y) {
    this.#view.x += x;
    this.#view.y += y;
    this.#isFitted = false;
    this.redraw();
  }

  key(key, isShifted) {
    switch (key) {
      case "+": case "=": this.zoom(1.3); return true;
      case "-": this.zoom(1 / 1.3); return true;
      case "0": case "Home": this.fit(); return true;
      case "Enter":
        if (this.#chosen) this.#openItem(this.#chosen);
        return this.#chosen !== null;
    }
    if (!key.startsWith("Arrow")) return false;
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
    if (isShifted) this.pan(-step[0] * 80, -step[1] * 80);
    else this.#walk(...step);
    return true;
  }

  /** Chooses the nearest node in a direction. */
  #walk(dx, dy) {
    const from = this.#chosen;
    let best = null;
    let nearest = Infinity;
    for (const item of this.#items) {
      if (item === from) continue;
      const x = item.x - (from?.x ?? -1);
      const y = item.y - (from?.y ?? -1);
      const ahead = x * dx + y * dy;
      if (from && ahead <= 1) continue;
      const distance = ahead + 2.5 * Math.abs(x * dy + y * dx);
      if (distance < nearest) [best, nearest] = [item, distance];
    }
    if (!best) return;
    this.#chosen = best;
    const { x, y } = this.#screen(best);
    if (x < 40 || x > this.width - 40) this.pan(this.width / 2 - x, 0);
    if (y < 30 || y > this.height - 30) this.pan(0, this.height / 2 - y);
    const box = this.canvas.getBoundingClientRect();
    const place = this.#screen(best);
    showTip({ clientX: box.left + place.x, clientY: box.top + place.y }, ...this.#tip(best));
    this.redraw();
  }

  #screen(item) {
    const { x, y, scale } = this.#view;
    return { x: item.x * scale + x, y: item.y * scale + y };
  }

  // MARK: Under the pointer

  #at(x, y) {
    const { box } = this.#size;
    const view = this.#view;
    const worldX = (x - view.x) / view.scale;
    const worldY = (y - view.y) / view.scale;
    const spare = 3 / view.scale;
    return this.#items.find((item) =>
      Math.abs(item.x - worldX) <= box.w / 2 + spare && Math.abs(item.y - worldY) <= box.h / 2 + spare
    ) ?? null;
  }

  point(x, y, event) {
    const item = x < 0 ? null : this.#at(x, y);
    if (item !== this.#hovered) {
      this.#hovered = item;
      this.#layerOf = "";
      this.redraw();
    }
    this.canvas.style.cursor = item ? "pointer" : "";
    if (!item) return hideTip();
    showTip(event, ...this.#tip(item));
  }

  #tip(item) {
    if (item.members) {
      const counts = new Map();
      for (const node of item.members) counts.set(node.status, (counts.get(node.status) ?? 0) + 1);
      return [
        h("div.title", null, swatch(item.tool), shown(item.tool)),
        tipLine("level", item.level + 1),
        ...[...counts].map(([status, number]) => tipLine(states[status][0], count(number))),
      ];
    }
    const { node } = item;
    return [
      h("div.title", null, swatch(node.tool), node.id, pill(node.status)),
      tipLine("tool", shown(node.tool)),
      node.worker ? tipLine("worker", node.worker) : null,
      node.runMs !== undefined ? tipLine("ran", duration(node.runMs)) : null,
      node.attempt > 1 ? tipLine("attempts", node.attempt) : null,
      node.note ? tipLine("says", shown(node.note).slice(0, 80)) : null,
      node.because ? tipLine("because of", node.because) : null,
      node.error ? h("div.message", null, shown(node.error.message).slice(0, 200)) : null,
    ].filter(Boolean);
  }

  pick(x, y) {
    const item = this.#at(x, y);
    if (item) this.#openItem(item);
  }

  #openItem(item) {
    if (item.members) this.openGroup(item.tool);
    else this.open(item.node);
  }

  // MARK: Drawing

  draw() {
    if (this.model.shape !== this.#shape) this.#arrange();
    const { pen, width, height } = this;
    pen.clearRect(0, 0, width, height);
    this.#drawEdges();
    const now = performance.now();
    const { scale } = this.#view;
    const { box } = this.#size;
    const w = box.w * scale;
    const t = box.h * scale;
    pen.textBaseline = "middle";
    pen.textAlign = "left";
    const seen = [];
    this.#items.forEach((item, index) => {
      const { x, y } = this.#screen(item);
      if (x + w >= 0 && x - w <= width && y + t >= 0 && y - t <= height) seen.push([item, index, x, y]);
    });
    if (w < 44) this.#drawDots(seen, w, t);
    for (const [item, index, x, y] of seen) {
      if (w >= 44) this.#drawBox(item, x - w / 2, y - t / 2, w, t);
      this.#drawRings(item, index, x - w / 2, y - t / 2, w, t);
      this.#drawFlash(item, x, y, w, t, now);
    }
  }

  /** Small nodes, those of a state at once. */
  #drawDots(seen, w, t) {
    const { pen } = this;
    const paths = new Map();
    for (const [item, , x, y] of seen) {
      if (!paths.has(item.status)) paths.set(item.status, new Path2D());
      const path = paths.get(item.status);
      if (w < 7) path.rect(x - w / 2, y - t / 2, max(w, 1.5), max(t, 1.5));
      else path.roundRect(x - w / 2, y - t / 2, w, t, min(w / 4, 4));
    }
    for (const [status, path] of paths) {
      pen.fillStyle = colours.state(status);
      pen.fill(path);
    }
  }

  #drawEdges() {
    const { x, y, scale } = this.#view;
    const key = [x, y, scale, this.width, this.height, colours.version, this.#shape].join();
    if (key !== this.#layerOf) {
      this.#layerOf = key;
      const { canvas } = this;
      this.#layer.width = canvas.width;
      this.#layer.height = canvas.height;
      const pen = this.#layer.getContext("2d");
      pen.setTransform(this.pen.getTransform());
      pen.translate(x, y);
      pen.scale(scale, scale);
      this.#strokeEdges(pen, scale);
    }
    this.pen.drawImage(this.#layer, 0, 0, this.width, this.height);
  }

  #strokeEdges(pen, scale) {
    const items = this.#items;
    const plain = new Path2D();
    const near = new Path2D();
    const thick = new Path2D();
    let number = 0;
    items.forEach((item, index) => {
      for (const other of item.dependencies) {
        if (!items[other]) continue;
        number += 1;
        const isCritical = this.#criticalEdges.has(`${other} ${index}`);
        const isNear = this.#hovered && (item === this.#hovered || items[other] === this.#hovered);
        this.#addEdge(isCritical ? thick : isNear ? near : plain, items[other], item);
      }
    });
    pen.lineWidth = 1 / scale;
    pen.strokeStyle = colours.names.faint;
    pen.globalAlpha = number > 2000 ? 0.35 : number > 400 ? 0.6 : 1;
    pen.stroke(plain);
    pen.globalAlpha = 1;
    pen.strokeStyle = colours.names.muted;
    pen.lineWidth = 1.5 / scale;
    pen.stroke(near);
    pen.strokeStyle = colours.names.critical;
    pen.lineWidth = 3 / scale;
    pen.lineCap = "round";
    pen.stroke(thick);
  }

  #addEdge(path, from, to) {
    const { box } = this.#size;
    if (this.isSideways) {
      const [a, b] = [from.x + box.w / 2, to.x - box.w / 2];
      const bend = min(max((b - a) / 2, 8), 60);
      path.moveTo(a, from.y);
      path.bezierCurveTo(a + bend, from.y, b - bend, to.y, b, to.y);
    } else {
      const [a, b] = [from.y + box.h / 2, to.y - box.h / 2];
      const bend = min(max((b - a) / 2, 8), 60);
      path.moveTo(from.x, a);
      path.bezierCurveTo(from.x, a + bend, to.x, b - bend, to.x, b);
    }
  }

  #drawBox(item, x, y, w, t) {
    const { pen } = this;
    const colour = colours.state(item.status);
    const isQuiet = item.status === "waiting" || item.status === "skipped" || item.status === "cancelled";
    pen.beginPath();
    pen.roundRect(x, y, w, t, min(7, t / 4));
    pen.fillStyle = colours.names.panel;
    pen.fill();
    pen.globalAlpha = item.status === "waiting" ? 0.25 : colours.isDark ? 0.24 : 0.16;
    pen.fillStyle = colour;
    pen.fill();
    pen.globalAlpha = 1;
    pen.strokeStyle = colour;
    pen.lineWidth = item.status === "running" || item.status === "failed" ? 2 : 1.2;
    pen.setLineDash(item.status === "skipped" ? [4, 3] : []);
    pen.stroke();
    pen.setLineDash([]);
    pen.fillStyle = toolColour(item.tool).fill;
    pen.globalAlpha = isQuiet ? 0.45 : 1;
    const size = min(t * 0.26, 10);
    pen.beginPath();
    pen.roundRect(x + size, y + (t - size) / 2, size, size, 2);
    pen.fill();
    pen.globalAlpha = 1;
    this.#drawWords(item, x + size * 2.6, y, w - size * 3.4, t, isQuiet);
  }

  #drawRings(item, index, x, y, w, t) {
    if (this.#critical.has(index) && w >= 7) this.#ring(x, y, w, t, colours.names.critical, 2);
    if (item === this.#hovered || item === this.#chosen) {
      this.#ring(x - 1.5, y - 1.5, w + 3, t + 3, colours.names.text, 1.5);
    }
  }

  #drawWords(item, x, y, room, t, isQuiet) {
    const { pen } = this;
    const isTall = t >= 30;
    const size = min(max(t * (isTall ? 0.33 : 0.44), 8), 13);
    pen.font = `500 ${size}px ${fontOfCanvas}`;
    pen.fillStyle = isQuiet ? colours.names.muted : colours.names.text;
    const letters = room / (size * 0.54);
    const name = item.members ? `${count(item.members.length)} × ${item.tool}` : item.id;
    pen.fillText(clipped(shown(name), letters), x, y + t * (isTall ? 0.35 : 0.5) + 0.5, room);
    if (!isTall) return;
    if (item.members) return this.#drawShares(item, x, y + t * 0.66, room, t * 0.14);
    pen.font = `${size * 0.86}px ${fontOfCanvas}`;
    pen.fillStyle = colours.names.muted;
    const { node } = item;
    const more = node.status === "running" && node.fraction > 0
      ? `${Math.round(node.fraction * 100)} %`
      : node.runMs !== undefined ? duration(node.runMs) : node.status === "waiting" ? "" : states[node.status][0];
    const tool = clipped(shown(item.tool), letters * 1.1 - more.length - (more ? 2 : 0));
    pen.fillText(more ? `${tool} · ${more}` : tool, x, y + t * 0.7, room);
    return undefined;
  }

  /** How many members of a group are in which state, as a bar. */
  #drawShares(item, x, y, room, tall) {
    const { pen } = this;
    const counts = {};
    for (const node of item.members) counts[node.status] = (counts[node.status] ?? 0) + 1;
    let left = x;
    for (const status of ["succeeded", "failed", "cancelled", "skipped", "running", "sent", "ready", "waiting"]) {
      const wide = (room * (counts[status] ?? 0)) / item.members.length;
      pen.fillStyle = colours.state(status);
      pen.fillRect(left, y, wide, tall);
      left += wide;
    }
  }

  #drawFlash(item, x, y, w, t, now) {
    const since = now - (this.#flashes.get(item) ?? -Infinity);
    if (since > 700) {
      this.#flashes.delete(item);
      return;
    }
    const share = since / 700;
    this.pen.globalAlpha = (1 - share) * 0.7;
    const grown = 2 + share * 8;
    this.#ring(x - w / 2 - grown, y - t / 2 - grown, w + 2 * grown, t + 2 * grown,
      colours.state(item.status), 2);
    this.pen.globalAlpha = 1;
  }

  #ring(x, y, w, t, colour, thickness) {
    const { pen } = this;
    pen.strokeStyle = colour;
    pen.lineWidth = thickness;
    pen.beginPath();
    pen.roundRect(x, y, w, t, min(8, t / 3));
    pen.stroke();
  }
}

/** The state of a group: what is most urgent among its members. */
function groupStatus(item) {
  const seen = new Set(item.members.map((node) => node.status));
  return ["failed", "running", "sent", "ready", "waiting", "succeeded"].find((one) => seen.has(one)) ?? "skipped";
}

function clipped(text, letters) {
  return text.length <= letters ? text : `${text.slice(0, max(floor(letters) - 1, 1))}…`;
}

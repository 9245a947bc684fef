// The task stream: a lane for each slot of each worker, a bar for each attempt in the colour of its
// tool, what failed hatched, gaps left open. Not here: which attempts there are (lanes.js).

const axisHeight = 24;
const stripHeight = 30;
const workerGap = 9;

class Timeline extends Chart {
  /** Whether the end of the axis is now. */
  isLive = true;
  #hovered = null;
  #chosen = null;

  /**
   * source() gives {lanes, slots, origin, end, isRunning}: `slots` are the slots of workers by name,
   * `origin` is zero of the axis or null for times of the day, `end` what is shown at the latest.
   */
  constructor(source, { span, ownsWheel = false, open }) {
    super("timeline", "Task stream: a lane for each slot, a bar for each attempt");
    this.source = source;
    this.span = span;
    this.ownsWheel = ownsWheel;
    this.open = open;
    this.rows = [];
  }

  get gutter() {
    return this.width < 560 ? 64 : 112;
  }

  isMoving() {
    return this.isLive && this.source().isRunning;
  }

  wantedHeight(height) {
    this.#arrange(height);
    const { rows } = this;
    return max(height, rows.length ? rows.at(-1).bottom + 8 : 0);
  }

  /** Gives each lane its place. */
  #arrange(height) {
    const { lanes, slots } = this.source();
    const names = [...new Set([...slots.keys(), ...lanes.workers.keys()])].sort((a, b) =>
      a.localeCompare(b, "en", { numeric: true }));
    const numbers = names.map((name) => {
      const used = lanes.workers.get(name)?.lanes.length ?? 0;
      const all = slots.get(name) ?? 0;
      return max(used, all <= 64 ? all : 0, 1);
    });
    const sum = numbers.reduce((a, b) => a + b, 0);
    const strip = this.ownsWheel ? stripHeight + 10 : 0;
    const room = height - axisHeight - 10 - strip - workerGap * names.length;
    const lane = min(max(floor(room / max(sum, 1)), sum > 400 ? 3 : 7), 34);
    this.laneHeight = lane;
    this.slotCount = sum;
    let top = axisHeight + 6 + strip;
    this.rows = names.map((name, index) => {
      const row = { name, top, number: numbers[index], bottom: top + numbers[index] * lane };
      row.lanes = lanes.workers.get(name)?.lanes ?? [];
      top = row.bottom + workerGap;
      return row;
    });
  }

  // MARK: The axis

  /** The interval that is shown, as [from, to]. */
  view() {
    const { lanes, origin, end } = this.source();
    if (this.isLive) {
      if (this.span) return [end - this.span, end + this.span * 0.02];
      const from = origin ?? lanes.first;
      const length = max(end - from, 1);
      return [from - length * 0.005, end + length * 0.015];
    }
    return this.fixed;
  }

  #scale() {
    const [from, to] = this.view();
    const pixels = this.width - this.gutter - 10;
    return { from, to, pixels, perMs: pixels / (to - from) };
  }

  zoom(factor, x) {
    const { from, to, perMs } = this.#scale();
    const middle = x === undefined ? (from + to) / 2 : from + (x - this.gutter) / perMs;
    const length = min(max((to - from) / factor, 0.05), 86_400_000 * 7);
    if (this.isLive && this.span && x === undefined) {
      this.span = length;
    } else {
      const share = (middle - from) / (to - from);
      this.isLive = false;
      this.fixed = [middle - length * share, middle + length * (1 - share)];
    }
    this.changedView();
  }

  pan(x) {
    const { from, to, perMs } = this.#scale();
    this.isLive = false;
    this.fixed = [from - x / perMs, to - x / perMs];
    this.changedView();
  }

  /** Back to all of a run, or to now. */
  follow() {
    this.isLive = true;
    this.changedView();
  }

  changedView() {
    this.tellView?.(this.isLive);
    this.redraw();
  }

  key(key, isShifted) {
    const step = isShifted ? 240 : 60;
    switch (key) {
      case "ArrowLeft": this.pan(step); break;
      case "ArrowRight": this.pan(-step); break;
      case "ArrowUp": case "ArrowDown": return this.#walk(key === "ArrowUp" ? -1 : 1);
      case "+": case "=": this.zoom(1.4); break;
      case "-": this.zoom(1 / 1.4); break;
      case "0": case "Home": this.follow(); break;
      case "Enter": if (this.#chosen) this.open(this.#chosen); break;
      default: return false;
    }
    return true;
  }

  // MARK: Bars under the pointer

  #at(x, y) {
    const { from, perMs } = this.#scale();
    const row = this.rows.find((one) => y >= one.top && y < one.bottom);
    if (!row || x < this.gutter) return null;
    const lane = row.lanes[floor((y - row.top) / this.laneHeight)];
    if (!lane) return null;
    const time = from + (x - this.gutter) / perMs;
    const near = 3 / perMs;
    let best = null;
    for (let index = firstAfter(lane.bars, time - near); index < lane.bars.length; index += 1) {
      const bar = lane.bars[index];
      if (bar.start > time + near) break;
      if (bar.start <= time && bar.end >= time) return bar;
      best ??= bar;
    }
    return best;
  }

  point(x, y, event) {
    const bar = x < 0 ? null : this.#at(x, y);
    if (bar !== this.#hovered) {
      this.#hovered = bar;
      this.redraw();
    }
    this.canvas.style.cursor = bar ? "pointer" : "";
    if (!bar) return hideTip();
    showTip(event, ...this.#tip(bar));
  }

  #tip(bar) {
    const end = bar.end === Infinity ? cluster.now() : bar.end;
    const name = models.get(bar.run)?.name;
    return [
      h("div.title", null, swatch(bar.tool), shown(bar.tool), pill(bar.state === "retried" ? "failed" : bar.state)),
      tipLine("node", bar.node + (bar.attempt > 1 ? ` · attempt ${bar.attempt}` : "")),
      name && this.source().origin === null ? tipLine("run", shown(name)) : null,
      tipLine("worker", bar.worker),
      tipLine("ran", duration(end - bar.start)),
      tipLine("waited", duration(max(bar.start - bar.readyAt, 0))),
      bar.message ? h("div.message", null, shown(bar.message).slice(0, 200)) : null,
    ].filter(Boolean);
  }

  pick(x, y) {
    const bar = this.#at(x, y);
    if (bar) this.open(bar);
  }

  /** The next bar by its beginning. */
  #walk(step) {
    const { from, to } = this.#scale();
    const bars = this.rows.flatMap((row) => row.lanes.flatMap((lane) => lane.bars))
      .filter((bar) => bar.end >= from && bar.start <= to)
      .sort((a, b) => a.start - b.start);
    if (!bars.length) return false;
    const place = bars.indexOf(this.#chosen);
    const next = place < 0 ? (step > 0 ? 0 : bars.length - 1) : place + step;
    this.#chosen = bars[min(max(next, 0), bars.length - 1)];
    const { x, y } = this.#place(this.#chosen);
    const box = this.canvas.getBoundingClientRect();
    showTip({ clientX: box.left + x, clientY: box.top + y }, ...this.#tip(this.#chosen));
    this.redraw();
    return true;
  }

  #place(bar) {
    const { from, perMs } = this.#scale();
    const row = this.rows.find((one) => one.name === bar.worker);
    return {
      x: max(this.gutter, this.gutter + (bar.start - from) * perMs),
      y: row.top + bar.lane.index * this.laneHeight,
    };
  }

  // MARK: Drawing

  draw() {
    const { pen, width, height } = this;
    this.#arrange(this.frame.clientHeight);
    const wanted = this.rows.length ? this.rows.at(-1).bottom + 8 : 0;
    if (max(this.frame.clientHeight, wanted) !== height) return this.refit();
    const scale = this.#scale();
    pen.clearRect(0, 0, width, height);
    pen.font = `11px ${fontOfCanvas}`;
    pen.textBaseline = "middle";
    if (this.ownsWheel) this.#drawUse(scale);
    this.#drawTracks();
    pen.save();
    pen.beginPath();
    pen.rect(this.gutter, 0, width - this.gutter, height);
    pen.clip();
    this.#drawAxis(scale);
    const now = min(this.source().end, cluster.now());
    for (const row of this.rows) {
      row.lanes.forEach((lane, index) => {
        this.#drawLane(lane, row.top + index * this.laneHeight, scale, now);
      });
    }
    this.#drawNow(scale, now);
    pen.restore();
    return undefined;
  }

  /** How many slots were in use, as an area above the lanes. */
  #drawUse({ from, perMs, pixels }) {
    const { pen, gutter } = this;
    const now = cluster.now();
    const changes = new Float32Array(Math.ceil(pixels) + 2);
    const at = (time) => min(max((time - from) * perMs, 0), pixels);
    const add = (x, number) => {
      changes[floor(x)] += number * (1 - (x % 1));
      changes[floor(x) + 1] += number * (x % 1);
    };
    for (const row of this.rows) {
      for (const lane of row.lanes) {
        for (let index = firstAfter(lane.bars, from); index < lane.bars.length; index += 1) {
          add(at(lane.bars[index].start), 1);
          add(at(min(lane.bars[index].end, now)), -1);
        }
      }
    }
    const bottom = axisHeight + stripHeight + 2;
    pen.beginPath();
    pen.moveTo(gutter, bottom);
    let used = 0;
    for (let x = 0; x <= pixels; x += 1) {
      used += changes[x];
      pen.lineTo(gutter + x, bottom - (stripHeight * min(used, this.slotCount)) / max(this.slotCount, 1));
    }
    pen.lineTo(gutter + pixels, bottom);
    pen.fillStyle = colours.names.running;
    pen.globalAlpha = 0.3;
    pen.fill();
    pen.globalAlpha = 1;
    pen.fillStyle = colours.names.muted;
    pen.textAlign = "left";
    pen.fillText(this.width < 560 ? "in use" : "slots in use", 2, bottom - stripHeight / 2);
  }

  #drawTracks() {
    const { pen, width, laneHeight } = this;
    for (const row of this.rows) {
      pen.fillStyle = colours.names.track;
      const inset = laneHeight > 6 ? 1 : 0.5;
      for (let index = 0; index < row.number; index += 1) {
        pen.fillRect(this.gutter, row.top + index * laneHeight + inset, width - this.gutter - 2,
          laneHeight - 2 * inset);
      }
      pen.fillStyle = colours.names.muted;
      pen.textAlign = "left";
      const middle = (row.top + row.bottom) / 2;
      pen.fillText(fitted(pen, row.name, this.gutter - 14), 2, middle, this.gutter - 10);
    }
  }

  #drawAxis({ from, to, perMs, pixels }) {
    const { pen, height } = this;
    const { origin } = this.source();
    const step = niceStep(to - from, pixels, 90);
    const zero = origin ?? -new Date(from).getTimezoneOffset() * -60_000;
    pen.fillStyle = colours.names.muted;
    pen.strokeStyle = colours.names.line;
    pen.lineWidth = 1;
    pen.textAlign = "left";
    pen.beginPath();
    for (let time = zero + Math.ceil((from - zero) / step) * step; time <= to; time += step) {
      const x = Math.round(this.gutter + (time - from) * perMs) + 0.5;
      pen.moveTo(x, axisHeight - 4);
      pen.lineTo(x, height);
      const text = origin === null ? clockMark(time, step) : mark(time - origin, step);
      pen.fillText(text, x + 4, axisHeight / 2);
    }
    pen.stroke();
  }

  #drawLane(lane, top, { from, to, perMs }, now) {
    const { pen, laneHeight, gutter } = this;
    const inset = laneHeight > 6 ? 1 : 0.5;
    const barHeight = laneHeight - 2 * inset;
    // What ends within the pixel that was drawn last is not drawn again.
    let drawn = -1;
    for (let index = firstAfter(lane.bars, from); index < lane.bars.length; index += 1) {
      const bar = lane.bars[index];
      if (bar.start > to) break;
      const isRunning = bar.end === Infinity;
      const end = isRunning ? now : bar.end;
      const x = gutter + (bar.start - from) * perMs;
      const right = gutter + (end - from) * perMs;
      if (right < drawn + 0.5 && bar !== this.#chosen) continue;
      const wide = max(right - x - (right - x > 4 ? 1 : 0), 1);
      drawn = x + wide;
      this.#drawBar(bar, x, top + inset, wide, barHeight, isRunning);
    }
  }

  #drawBar(bar, x, y, wide, tall, isRunning) {
    const { pen } = this;
    const colour = toolColour(bar.tool);
    const isFailed = bar.state === "failed" || bar.state === "retried";
    const round = wide > 8 && tall > 8;
    pen.fillStyle = isFailed || bar.state === "cancelled" ? colour.soft : colour.fill;
    if (round) {
      pen.beginPath();
      pen.roundRect(x, y, wide, tall, 3);
      pen.fill();
    } else {
      pen.fillRect(x, y, wide, tall);
    }
    if (isFailed) {
      pen.fillStyle = hatching(pen);
      if (round) pen.fill();
      else pen.fillRect(x, y, wide, tall);
    }
    if (isRunning && wide > 2) {
      pen.fillStyle = colours.names.text;
      pen.globalAlpha = 0.55;
      pen.fillRect(x + wide - 2, y, 2, tall);
      pen.globalAlpha = 1;
    }
    if (wide > 22 && tall >= 12 && !isFailed) {
      pen.fillStyle = bar.state === "cancelled" ? colours.names.muted : colour.ink;
      pen.textAlign = "left";
      const left = max(x, this.gutter);
      const text = fitted(pen, bar.node, x + wide - left - 10);
      if (text) pen.fillText(text, left + 5, y + tall / 2 + 0.5);
    }
    if (bar === this.#hovered || bar === this.#chosen) {
      pen.strokeStyle = colours.names.text;
      pen.lineWidth = 1.5;
      pen.strokeRect(x - 0.5, y - 0.5, wide + 1, tall + 1);
    }
  }

  #drawNow({ from, to, perMs }, now) {
    if (!this.source().isRunning || now < from || now > to) return;
    const { pen } = this;
    const x = Math.round(this.gutter + (now - from) * perMs) + 0.5;
    pen.strokeStyle = colours.names.accent;
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(x, 4);
    pen.lineTo(x, this.height);
    pen.stroke();
  }
}

const fontOfCanvas = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";

/** The first of the bars, which are in order, that ends after a time. */
function firstAfter(bars, time) {
  let low = 0;
  let high = bars.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (bars[middle].end < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A text, cut so that it fits. */
function fitted(pen, text, width) {
  const letters = floor(width / 6);
  if (text.length <= letters) return text;
  return letters > 3 ? `${text.slice(0, letters - 1)}…` : "";
}

function clockMark(time, step) {
  const date = new Date(time);
  const text = date.toLocaleTimeString([], { hour12: false });
  return step < 1000 ? `${text}.${String(date.getMilliseconds()).padStart(3, "0")}` : text;
}

// What the drawings share: a canvas in the size of its frame, a loop that draws when something has
// changed, and fingers, wheel and keys that move it. Not here: what is drawn.

class Chart {
  /** The element to put into the page. */
  frame;
  width = 0;
  height = 0;
  isDirty = true;
  #observer;
  #pointers = new Map();
  #isOpen = true;
  #isSeen = true;
  #seeing;

  constructor(kind, label) {
    this.canvas = h("canvas", { role: "img", tabindex: "0", "aria-label": label });
    this.frame = h(`div.chart.${kind}`, null, this.canvas);
    this.pen = this.canvas.getContext("2d");
    this.#observer = new ResizeObserver(() => this.#fit());
    this.#observer.observe(this.frame);
    this.#seeing = new IntersectionObserver(([entry]) => (this.#isSeen = entry.isIntersecting));
    this.#seeing.observe(this.frame);
    this.#listen();
    let last = 0;
    let usual = 16;
    let drawn = 0;
    const tick = (now) => {
      if (!this.#isOpen) return;
      usual += (min(now - last, 200) - usual) * 0.1;
      last = now;
      // Where frames are late, what merely moves is drawn less often.
      const isDue = this.isDirty || (this.isMoving() && (usual < 22 || now - drawn > 3 * usual));
      if (this.#isSeen && this.width > 0 && isDue) {
        this.isDirty = false;
        drawn = now;
        this.draw();
      }
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  close() {
    this.#isOpen = false;
    this.#observer.disconnect();
    this.#seeing.disconnect();
    hideTip();
  }

  /** The height that the drawing wants in a frame of that height. */
  wantedHeight(height) {
    return height;
  }

  /** Whether the next picture differs although nothing has happened. */
  isMoving() {
    return false;
  }

  redraw() {
    this.isDirty = true;
  }

  refit() {
    const wanted = Math.round(this.wantedHeight(this.frame.clientHeight));
    if (wanted !== this.height) this.#fit();
    else this.redraw();
  }

  #fit() {
    const scale = min(devicePixelRatio || 1, 3);
    this.width = this.frame.clientWidth;
    this.height = Math.round(this.wantedHeight(this.frame.clientHeight));
    this.canvas.width = Math.round(this.width * scale);
    this.canvas.height = Math.round(this.height * scale);
    this.canvas.style.height = `${this.height}px`;
    this.pen.setTransform(scale, 0, 0, scale, 0, 0);
    this.resized?.();
    this.redraw();
  }

  #listen() {
    const { canvas } = this;
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      this.#pointers.set(event.pointerId, { x: event.offsetX, y: event.offsetY, moved: 0 });
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    const lift = (event) => {
      const pointer = this.#pointers.get(event.pointerId);
      this.#pointers.delete(event.pointerId);
      canvas.classList.remove("dragged");
      if (event.type === "pointerup" && pointer && pointer.moved < 5) {
        this.pick(event.offsetX, event.offsetY);
      }
    };
    canvas.addEventListener("pointerup", lift);
    canvas.addEventListener("pointercancel", lift);
    canvas.addEventListener("pointerleave", () => this.#pointers.size || this.point(-1, -1));
    canvas.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (this.key(event.key, event.shiftKey)) {
        event.preventDefault();
        event.stopPropagation();
      }
    });
  }

  #wheel(event) {
    const unit = event.deltaMode === 1 ? 16 : 1;
    const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
    const isPinch = event.ctrlKey || event.metaKey;
    // On a page that scrolls the wheel belongs to the page until the drawing was chosen.
    const isOurs = isPinch || this.ownsWheel || document.activeElement === this.canvas;
    if (Math.abs(sideways) > Math.abs(event.deltaY) || event.shiftKey) {
      this.pan(-sideways * unit, 0);
    } else if (isOurs) {
      this.zoom(Math.exp(-event.deltaY * unit * (isPinch ? 0.01 : 0.002)), event.offsetX, event.offsetY);
    } else {
      return;
    }
    event.preventDefault();
  }

  #move(event) {
    const pointer = this.#pointers.get(event.pointerId);
    if (!pointer) {
      if (event.pointerType !== "touch") this.point(event.offsetX, event.offsetY, event);
      return;
    }
    const [x, y] = [event.offsetX, event.offsetY];
    if (this.#pointers.size === 2) {
      const other = [...this.#pointers].find(([id]) => id !== event.pointerId)[1];
      const before = Math.hypot(pointer.x - other.x, pointer.y - other.y);
      const after = Math.hypot(x - other.x, y - other.y);
      if (before > 10) this.zoom(after / before, (x + other.x) / 2, (y + other.y) / 2);
      pointer.moved = 99;
    } else {
      pointer.moved += Math.abs(x - pointer.x) + Math.abs(y - pointer.y);
      if (pointer.moved >= 5) {
        this.canvas.classList.add("dragged");
        hideTip();
        this.pan(x - pointer.x, y - pointer.y);
      }
    }
    pointer.x = x;
    pointer.y = y;
  }
}

// MARK: What is shown beside the pointer

function showTip(event, ...lines) {
  const tip = byId("tip");
  tip.replaceChildren(...lines);
  show(tip, true);
  const { width, height } = tip.getBoundingClientRect();
  const left = event.clientX + 14 + width > innerWidth ? event.clientX - width - 10 : event.clientX + 14;
  const top = event.clientY + 16 + height > innerHeight ? event.clientY - height - 10 : event.clientY + 16;
  tip.style.transform = `translate(${max(4, left)}px, ${max(4, top)}px)`;
}

function hideTip() {
  show(byId("tip"), false);
}

/** A line of a tip: a name and a value. */
const tipLine = (name, value) => h("div.line", null, h("span", null, name), h("b", null, value));

// MARK: Axes

/** A step of an axis that gives a mark about every so many pixels. */
function niceStep(span, pixels, apart) {
  const rough = (span * apart) / max(pixels, 1);
  const units = [
    0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 15_000,
    30_000, 60_000, 120_000, 300_000, 600_000, 900_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000,
    43_200_000, 86_400_000,
  ];
  return units.find((unit) => unit >= rough) ?? 86_400_000 * Math.ceil(rough / 86_400_000);
}

/** How a time since the beginning of a run is written on an axis with that step. */
function mark(ms, step) {
  if (ms === 0) return "0";
  if (step < 100) return `${step < 1 ? ms.toFixed(2) : Math.round(ms)} ms`;
  if (step < 1000) return `${(ms / 1000).toFixed(1)} s`;
  if (Math.abs(ms) < 60_000) return `${Math.round(ms / 1000)} s`;
  const seconds = Math.round(ms / 1000);
  const rest = String(seconds % 60).padStart(2, "0");
  if (seconds < 3600) return `${floor(seconds / 60)}:${rest}`;
  return `${floor(seconds / 3600)}:${String(floor(seconds / 60) % 60).padStart(2, "0")}:${rest}`;
}

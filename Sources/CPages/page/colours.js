// The colours of the canvases: those of the style for states, one of their own for each tool. Not
// here: the colours of everything else (style.css).

/** Hues that are told apart easily, with their share of chroma. */
const hues = [255, 165, 45, 310, 90, 205, 350, 130, 280, 65, 230, 20];

const colours = {
  /** Counts themes, so that what is drawn from them is made again. */
  version: 0,
  names: {},
  isDark: false,

  /** Reads the style's colours; call it when the theme changes. */
  read() {
    const style = getComputedStyle(document.documentElement);
    // A canvas knows colours, not variables or the choice between light and dark.
    const probe = h("i", { hidden: true });
    document.body.append(probe);
    const all = [
      "bg", "panel", "line", "faint", "text", "muted", "accent", "critical", "track", "waiting", "ready",
      "running", "succeeded", "failed", "skipped", "cancelled", "pausing", "approval",
    ];
    for (const name of all) {
      probe.style.color = `var(--${name})`;
      this.names[name] = getComputedStyle(probe).color;
    }
    probe.remove();
    this.isDark = style.colorScheme === "dark" ||
      (style.colorScheme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
    this.version += 1;
  },

  state(status) {
    return this.names[states[status]?.[1] ?? "waiting"];
  },
};

/** The tools in the order of their hues; a tool keeps its place as long as the page is open. */
const toolPlaces = new Map();
const takenPlaces = new Set();

function toolPlace(tool) {
  let place = toolPlaces.get(tool);
  if (place !== undefined) return place;
  // By the name alone, so that a tool looks the same everywhere; the next free one if two clash.
  let hash = 2166136261;
  for (let index = 0; index < tool.length; index += 1) {
    hash = Math.imul(hash ^ tool.charCodeAt(index), 16777619);
  }
  place = (hash >>> 8) % hues.length;
  // A few tools should not look alike; many of them must.
  if (takenPlaces.size < 6 && distance(place) < 40) {
    place = hues.reduce((best, _, other) => (distance(other) > distance(best) ? other : best), place);
  }
  if (takenPlaces.size < hues.length) while (takenPlaces.has(place)) place = (place + 1) % hues.length;
  else while (takenPlaces.has(place) && place < 5 * hues.length) place += hues.length;
  takenPlaces.add(place);
  toolPlaces.set(tool, place);
  return place;
}

/** How far a hue is from those that are taken, in degrees. */
function distance(place) {
  let least = 360;
  for (const other of takenPlaces) {
    const apart = Math.abs(hues[place] - hues[other % hues.length]);
    least = min(least, apart, 360 - apart);
  }
  return least;
}

const toolCache = new Map();

/** The colour of a tool: `fill` for bars, `ink` for text on them. */
function toolColour(tool) {
  const found = toolCache.get(tool);
  if (found?.version === colours.version) return found;
  const place = toolPlace(tool);
  // From the second round on the same hues are paler, then darker.
  const round = floor(place / hues.length) % 3;
  const hue = hues[place % hues.length];
  const light = (colours.isDark ? 0.68 : 0.7) + [0, 0.12, -0.13][round];
  const made = {
    version: colours.version,
    fill: `oklch(${light} ${round ? 0.085 : 0.115} ${hue})`,
    soft: `oklch(${light} 0.115 ${hue} / 0.3)`,
    ink: round === 2 ? `oklch(0.98 0.02 ${hue})` : `oklch(0.22 0.05 ${hue})`,
  };
  toolCache.set(tool, made);
  return made;
}

/** A small square in the colour of a tool. */
function swatch(tool) {
  const element = h("i.swatch");
  element.style.background = toolColour(tool).fill;
  return element;
}

/** Sets the ids of places by all tools that are known, so that clashes end alike on every page. */
function placeTools(tools) {
  for (const name of [...new Set(tools.map((tool) => tool.name))].sort()) toolPlace(name);
}

/** Diagonal lines for what failed. */
function hatching(context) {
  if (hatching.version === colours.version) return hatching.pattern;
  const tile = document.createElement("canvas");
  tile.width = 8;
  tile.height = 8;
  const pen = tile.getContext("2d");
  pen.strokeStyle = colours.names.failed;
  pen.lineWidth = 2.6;
  for (const shift of [-8, 0, 8]) {
    pen.beginPath();
    pen.moveTo(shift - 1, 9);
    pen.lineTo(shift + 9, -1);
    pen.stroke();
  }
  hatching.pattern = context.createPattern(tile, "repeat");
  hatching.version = colours.version;
  return hatching.pattern;
}

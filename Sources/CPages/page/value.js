// Showing values of any size: JSON as a tree that unfolds, text, and the images of MCP content. What
// is long is cut, with buttons for more and for the whole as a file.

const lettersAtOnce = 2000;
const lettersMore = 200_000;
const lettersAtMost = 2_000_000;
const entriesAtOnce = 100;

/** A number that is not what a double makes of it, in its own digits. */
class Digits {
  constructor(text) {
    this.text = text;
  }
}

/** JSON with numbers as they are written; throws what JSON.parse throws. */
function parseExactly(text) {
  if (text.length > 1_000_000) return JSON.parse(text);
  return JSON.parse(text, (_, value, context) =>
    typeof value === "number" && context?.source !== undefined && String(value) !== context.source
      ? new Digits(context.source) : value);
}

/** A value as JSON again, for files and copies. */
function written(value, indent) {
  if (value instanceof Digits) return value.text;
  const text = JSON.stringify(value, (_, one) => (one instanceof Digits ? `\u0000${one.text}\u0000` : one), indent);
  return text?.replace(/"\\u0000([^"\\]*)\\u0000"/g, "$1") ?? "null";
}

/** The whole value with its buttons; name is that of a file. */
function valueView(value, name) {
  const text = typeof value === "string" ? value : null;
  const body = text !== null ? textView(text) : mcpView(value) ?? treeView(value);
  const whole = () => text ?? written(value, 2);
  return h("div.value", null, body, h("div.tools", null,
    button(".small", "Copy", (event) => copy(event.currentTarget, whole())),
    button(".small", "Download", () => save(whole(), name + (text !== null ? ".txt" : ".json"))),
  ));
}

async function copy(button, text) {
  const done = await navigator.clipboard?.writeText(text).then(() => true, () => false);
  put(button, done ? "Copied" : "Not allowed");
  setTimeout(() => put(button, "Copy"), 1500);
}

/** Gives a text to the user as a file. */
function save(text, name) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  h("a", { href: address, download: name.replace(/[^A-Za-z0-9._-]/g, "_") }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

// MARK: Text

function textView(text) {
  const pre = h("pre.text", { dir: "auto", tabindex: "0" }, shown(text.slice(0, lettersAtOnce)));
  if (text.length <= lettersAtOnce) return pre;
  let length = lettersAtOnce;
  const more = button(".small");
  const note = h("span.muted");
  const say = () => {
    const left = text.length - length;
    show(more, left > 0 && length < lettersAtMost);
    put(more, left <= lettersMore ? "Show all" : "Show more");
    put(note, left > 0 ? `${bytes(length)} of ${bytes(text.length)} shown` : bytes(text.length));
  };
  more.addEventListener("click", () => {
    const next = min(text.length, length + lettersMore);
    pre.append(shown(text.slice(length, next)));
    length = next;
    say();
  });
  say();
  return h("div", null, pre, h("div.tools", null, more, note));
}

// MARK: Trees

function treeView(value) {
  return h("div.tree", null, branch(null, value, 0));
}

/** A line of a tree, with what is in it if it has parts. */
function branch(name, value, depth) {
  const label = name === null ? null : h("span.key", null, shown(name).slice(0, 200), h("i", null, ": "));
  if (value === null || typeof value !== "object" || value instanceof Digits) {
    return h("div.leaf", null, label, leaf(value));
  }
  const isList = Array.isArray(value);
  const keys = isList ? null : Object.keys(value);
  const size = isList ? value.length : keys.length;
  if (size === 0) return h("div.leaf", null, label, h("span.punctuation", null, isList ? "[ ]" : "{ }"));
  const words = isList ? counted(size, "entry", "entries") : counted(size, "field");
  const hint = isList ? "" : shown(keys.slice(0, 4).join(", ")).slice(0, 60) + (size > 4 ? ", …" : "");
  const summary = h("summary", null, label, h("span.punctuation", null, words), h("span.hint", null, hint));
  const fold = h("details", null, summary);
  let isFilled = false;
  const fill = () => {
    if (!isFilled) addEntries(fold, value, keys, 0, depth);
    isFilled = true;
  };
  fold.addEventListener("toggle", fill);
  if (depth < 2 && size <= 30) {
    fill();
    fold.open = true;
  }
  return fold;
}

function addEntries(fold, value, keys, from, depth) {
  const size = keys?.length ?? value.length;
  const to = min(size, from + entriesAtOnce);
  for (let index = from; index < to; index += 1) {
    fold.append(branch(keys ? keys[index] : String(index), value[keys ? keys[index] : index], depth + 1));
  }
  if (to === size) return;
  const more = button(".small", `${count(size - to)} more`, () => {
    more.remove();
    addEntries(fold, value, keys, to, depth);
  });
  fold.append(more);
}

function leaf(value) {
  if (value instanceof Digits) return h("span.number", null, value.text);
  if (typeof value !== "string") return h(`span.${value === null ? "null" : typeof value}`, null, String(value));
  if (value.length <= 400) return said("span.string", value);
  return h("div.long", null, textView(value));
}

// MARK: Content of MCP

const imageTypes = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);

/** Content blocks as tools of MCP servers return them; null for anything else. */
function mcpView(value) {
  const blocks = Array.isArray(value?.content) ? value.content : Array.isArray(value) ? value : null;
  if (!blocks?.length || !blocks.some((block) => isBlock(block)) || blocks.length > 200) return null;
  const list = h("div.blocks");
  for (const block of blocks) {
    if (block?.type === "text") list.append(textView(String(block.text)));
    else if (isBlock(block)) list.append(picture(block));
    else list.append(treeView(block));
  }
  return h("div", null, list, h("details.raw", null, h("summary", null, "As JSON"), treeView(withoutData(value))));
}

const isBlock = (block) =>
  block?.type === "image" && imageTypes.has(block.mimeType) && /^[A-Za-z0-9+/=\s]*$/.test(block.data ?? "-");

function picture(block) {
  const size = floor((block.data.length * 3) / 4);
  const image = h("img.picture", { alt: `An image of ${bytes(size)}`, src: `data:${block.mimeType};base64,${block.data}` });
  return h("figure", null, image, h("figcaption.muted", null, `${block.mimeType}, ${bytes(size)}`));
}

/** The same without the bytes of images, which are shown above. */
function withoutData(value) {
  const blocks = value.content ?? value;
  const short = blocks.map((block) => (isBlock(block) ? { ...block, data: `${block.data.slice(0, 24)}…` } : block));
  return value.content ? { ...value, content: short } : short;
}

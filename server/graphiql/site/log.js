/**
 * Log lines as lines. The response pane is JSON, and shows only a subscription's last event, in
 * which a chunk of log is one long string full of \n; so whatever log passes is gathered here.
 */

const { createElement, useEffect, useRef, useState, useSyncExternalStore } = React;

/** Lines kept for display; the whole log is at `logUrl`. */
const KEPT = 2000;
// Colours and cursor movements of a terminal.
const TERMINAL_CODES = /\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])/g;

/** The log lines that the current operation has brought so far. */
export class BuildLog {
  #listeners = new Set();
  #announced = false;
  state = { lines: [], end: null };

  subscribe = (listener) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  snapshot = () => this.state;

  clear() {
    this.#become({ lines: [], end: null });
  }

  /** Take the chunks out of a result, wherever in it they are, and give it back. */
  seen(result) {
    const lines = [];
    let end = null;
    for (const found of objectsIn(result?.data)) {
      if (isChunk(found)) lines.push(...linesOf(found));
      else if (found.__typename === "BuildLogEnd") end = found;
    }
    if (lines.length || end) {
      this.#become({ lines: this.state.lines.concat(lines).slice(-KEPT), end });
    }
    return result;
  }

  /** At most one announcement a frame: a finished log is replayed faster than a page can draw. */
  #become(state) {
    this.state = state;
    if (this.#announced) return;
    this.#announced = true;
    requestAnimationFrame(() => {
      this.#announced = false;
      for (const listener of this.#listeners) listener();
    });
  }
}

function* objectsIn(value) {
  if (value === null || typeof value !== "object") return;
  if (!Array.isArray(value)) yield value;
  for (const inner of Object.values(value)) yield* objectsIn(inner);
}

function isChunk(found) {
  return typeof found.text === "string" && ("firstLine" in found || "cursor" in found);
}

function linesOf({ text, firstLine, cursor }) {
  const texts = text.replace(/\n$/, "").split("\n");
  const first = firstLine ?? cursor - texts.length + 1;
  return texts.map((line, index) => ({ number: first + index, text: plain(line) }));
}

/** A line as a terminal would leave it: the last state of a progress bar, without colours. */
function plain(line) {
  return line.replace(/\r+$/, "").replace(/^.*\r/, "").replace(TERMINAL_CODES, "");
}

/** The pane under the response; nothing until there are lines. */
export function LogPane({ log }) {
  const { lines, end } = useSyncExternalStore(log.subscribe, log.snapshot);
  const [follow, setFollow] = useState(true);
  const box = useRef(null);
  useEffect(() => {
    if (follow && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines, end, follow]);
  if (!lines.length && !end) return null;

  const onScroll = ({ currentTarget: at }) =>
    setFollow(at.scrollHeight - at.scrollTop - at.clientHeight < 24);
  return createElement(
    "section",
    { className: "darkroom-log", "aria-label": "Build log" },
    createElement(
      "header",
      null,
      createElement("h2", null, "Build log"),
      createElement("span", { role: "status" }, summary(lines, end)),
      createElement("button", { type: "button", onClick: () => log.clear() }, "Close"),
    ),
    createElement(
      "ol",
      { ref: box, onScroll, tabIndex: 0 },
      lines.map(({ number, text }) =>
        createElement("li", { key: number, "data-line": number }, text || "\u00a0"),
      ),
    ),
  );
}

function summary(lines, end) {
  const last = lines.at(-1)?.number ?? end?.cursor ?? 0;
  const first = lines[0]?.number ?? 0;
  const range = first > 1 ? `lines ${first} – ${last}` : `${last} lines`;
  return end?.status ? `${range} · ${end.status}` : range;
}

// Text of strangers, made visible: control characters, and what turns or hides text, by their numbers. The same rule as in
// text.rs; everything goes into the page as text, never as markup.

const HIDING = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\udb40[\udc00-\udc7f]/g;

export function visible(text) {
  return String(text).replace(/\r/g, "").replace(HIDING, (hidden) =>
    hidden === "\u001b" ? "\u27e8ESC\u27e9" : `\u27e8U+${hidden.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}\u27e9`);
}

export function ms(value) {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size < 100) return `${value.toFixed(2)} ms`;
  if (size < 10_000) return `${Math.round(value).toLocaleString("en")} ms`;
  if (size < 120_000) return `${(value / 1_000).toFixed(1)} s`;
  if (size < 7_200_000) return `${(value / 60_000).toFixed(1)} min`;
  return `${(value / 3_600_000).toFixed(1)} h`;
}

// The time of day in UTC, to the millisecond.
export function timeOfDay(epochMs) {
  const date = new Date(epochMs);
  return Number.isNaN(date.getTime()) ? "" : date.toISOString().slice(11, 23);
}

export function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

const REASONS = {
  "first-invocation": "first call since the function or the server was there",
  "all-busy": "every environment was busy",
  "function-updated": "code or configuration was updated",
  "idle-timeout": "nobody called for the idle time-out",
  evicted: "evicted to make room for another function",
  "runtime-exited": "the runtime had exited",
  "extension-failed": "an extension had failed",
  "timed-out": "the call before timed out",
  "init-failed": "Init had failed, and is repeated",
  provisioned: "made ahead of calls (provisioned)",
};

export function reason(word) {
  const said = typeof word === "string" ? word : word?.text ?? word?.reason ?? "";
  return REASONS[said] ?? visible(said);
}

export function logLine(at, text, before) {
  const line = element("div", "line");
  line.append(element("span", "time", timeOfDay(at)));
  if (before) line.append(element("span", "of", before));
  line.append(element("span", "text", visible(text).trimEnd()));
  return line;
}

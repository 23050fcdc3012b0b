// Painting: lanes, axis and concurrency on three canvases. Where more spans lie in one column than it has room for, the one
// that matters most is painted, so that a picture costs no more than its width times its lanes.

import { ticks } from "./clock.js";
import { NAMES } from "./lanes.js";
import { ms } from "./text.js";

export const AXIS_HEIGHT = 30;
export const CONCURRENCY_HEIGHT = 64;

// What is painted when several things share a column.
const WEIGHT = {
  frozen: 0, idle: 1, "extension-wait": 2, "extension-overhead": 3, shutdown: 4, "runtime-shutdown": 4,
  "extension-shutdown": 4, reset: 5, invoke: 6, init: 7, "extension-init": 7, "runtime-init": 7, "function-init": 7,
};
// How much of a lane's height each takes: a difference that needs no colour.
const HEIGHT = { frozen: 0, idle: 0.22, "extension-wait": 0.55, "extension-overhead": 0.55 };

const SHUTDOWNS = new Set(["shutdown", "runtime-shutdown", "extension-shutdown"]);

// The look of a phase: the name of its colour and of its pattern.
function look(span) {
  if (span.failed) return "failed";
  return SHUTDOWNS.has(span.phase) ? "shutdown" : span.phase;
}

// How many steps of a lane are looked at for figures, and how many of them are few.
const LABELS_MAX = 2_000;
const LABELS_FEW = 60;

let made = { key: "", of: {} };

function looks(scale) {
  const style = getComputedStyle(document.documentElement);
  const names = [
    "extension-init", "runtime-init", "function-init", "init", "extension-wait", "invoke", "failed", "extension-overhead",
    "idle", "frozen", "reset", "shutdown", "work", "text", "soft", "line", "surface", "accent", "hatch",
  ];
  const colours = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  const key = `${scale} ${Object.values(colours).join()}`;
  if (made.key === key) return made.of;
  const fills = Object.fromEntries(names.map((name) => [name, pattern(name, colours[name], colours.hatch, scale)]));
  made = { key, of: { colours, fills } };
  return made.of;
}

const HATCHES = {
  "extension-init": "dots", "runtime-init": "rising", init: "rising", "function-init": "level", failed: "cross",
  "extension-overhead": "falling", "extension-wait": "dots", reset: "upright", shutdown: "grid",
};

function pattern(name, colour, hatch, scale) {
  const kind = HATCHES[name];
  if (!kind) return colour;
  const size = 8;
  const tile = document.createElement("canvas");
  tile.width = tile.height = Math.round(size * scale);
  const paint = tile.getContext("2d");
  paint.scale(tile.width / size, tile.height / size);
  paint.fillStyle = colour;
  paint.fillRect(0, 0, size, size);
  paint.strokeStyle = paint.fillStyle = hatch;
  paint.lineWidth = 1.3;
  const line = (...points) => {
    paint.beginPath();
    paint.moveTo(points[0], points[1]);
    paint.lineTo(points[2], points[3]);
    paint.stroke();
  };
  if (kind === "dots") for (const [x, y] of [[2, 2], [6, 6]]) paint.fillRect(x - 1, y - 1, 2, 2);
  if (kind === "rising" || kind === "cross") for (const at of [-8, 0, 8]) line(at, 8, at + 8, 0);
  if (kind === "falling" || kind === "cross") for (const at of [-8, 0, 8]) line(at, 0, at + 8, 8);
  if (kind === "level" || kind === "grid") line(0, 4, 8, 4);
  if (kind === "upright" || kind === "grid") line(4, 0, 4, 8);
  const filled = paint.createPattern(tile, "repeat");
  filled.setTransform(new DOMMatrix().scale(1 / scale));
  return filled;
}

// Makes a canvas as large as it is shown, and returns its context.
function prepare(canvas, width, height) {
  const scale = devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const paint = canvas.getContext("2d");
  paint.setTransform(scale, 0, 0, scale, 0, 0);
  paint.clearRect(0, 0, width, height);
  paint.textAlign = "left";
  return paint;
}

export const FONT = "12px system-ui, -apple-system, 'Segoe UI', sans-serif";
const MONO = "12px ui-monospace, 'DejaVu Sans Mono', monospace";

function text(paint, said, x, y, width) {
  let shown = said;
  while (shown.length > 1 && paint.measureText(shown).width > width) shown = `${shown.slice(0, -2)}…`;
  paint.fillText(shown, x, y);
}

export function paintAxis(canvas, model, view) {
  const { width, left } = view;
  const paint = prepare(canvas, width, AXIS_HEIGHT);
  const { colours } = looks(devicePixelRatio || 1);
  const perPixel = (view.to - view.from) / (width - left);
  const x = (place) => left + (place - view.from) / perPixel;
  paint.font = FONT;
  paint.fillStyle = colours.soft;
  paint.textBaseline = "middle";
  const day = new Date(model.clock.moment(Math.max(view.from, 0)));
  text(paint, Number.isNaN(day.getTime()) ? "UTC" : `${day.toISOString().slice(0, 10)} UTC`, 12, 12, left - 20);
  paint.textAlign = "center";
  // Cut-out times first: their length is worth more than a mark beside them.
  let free = -Infinity;
  const taken = [];
  for (const gap of model.clock.gaps) {
    const middle = (x(gap.at) + x(gap.end)) / 2;
    const said = `↔ ${ms(gap.to - gap.from).replace(/\.00 /, " ")}`;
    const half = paint.measureText(said).width / 2 + 6;
    if (middle - half < Math.max(free, left) || middle + half > width) continue;
    paint.fillStyle = colours.accent;
    paint.fillText(said, middle, 12);
    taken.push([middle - half, middle + half]);
    free = middle + half;
  }
  paint.fillStyle = colours.soft;
  paint.strokeStyle = colours.line;
  let last = left;
  for (const { place, label } of ticks(model.clock, view.from, view.to, 76 * perPixel)) {
    const at = x(place);
    const half = paint.measureText(label).width / 2 + 4;
    paint.beginPath();
    paint.moveTo(at, AXIS_HEIGHT - 7);
    paint.lineTo(at, AXIS_HEIGHT);
    paint.stroke();
    if (at - half < last || at + half > width) continue;
    if (taken.some(([from, to]) => at + half > from && at - half < to)) continue;
    paint.fillText(label, at, 12);
    last = at + half;
  }
}

// `view` is what is shown: places from and to, width, left edge of time, height of a lane, what is scrolled away above,
// height of the canvas, and the chosen span.
export function paintLanes(canvas, model, view) {
  const { width, height, left, laneHeight, scrolled } = view;
  const paint = prepare(canvas, width, height);
  const { colours, fills } = looks(devicePixelRatio || 1);
  const perPixel = (view.to - view.from) / (width - left);
  const x = (place) => left + (place - view.from) / perPixel;
  paint.save();
  paint.beginPath();
  paint.rect(left, 0, width - left, height);
  paint.clip();
  for (const gap of model.clock.gaps) {
    const [from, to] = [x(gap.at), x(gap.end)];
    if (to < left || from > width) continue;
    paint.fillStyle = colours.surface;
    paint.fillRect(from, 0, to - from, height);
    paint.strokeStyle = colours.line;
    paint.setLineDash([3, 3]);
    paint.strokeRect(from + 0.5, -1, to - from, height + 2);
    paint.setLineDash([]);
  }
  paint.restore();
  const first = Math.max(0, Math.floor(scrolled / laneHeight));
  const last = Math.min(model.lanes.length, Math.ceil((scrolled + height) / laneHeight));
  for (let at = first; at < last; at += 1) {
    const top = at * laneHeight - scrolled;
    paint.strokeStyle = colours.line;
    paint.beginPath();
    paint.moveTo(0, Math.round(top + laneHeight) - 0.5);
    paint.lineTo(width, Math.round(top + laneHeight) - 0.5);
    paint.stroke();
    laneLabel(paint, model.lanes[at], view, top, colours);
    paint.save();
    paint.beginPath();
    paint.rect(left, top, width - left, laneHeight);
    paint.clip();
    lane(paint, model.lanes[at], view, top, x, perPixel, colours, fills);
    paint.restore();
  }
  const now = x(model.clock.place(model.now));
  if (now >= left && now <= width) {
    paint.strokeStyle = colours.accent;
    paint.beginPath();
    paint.moveTo(now, 0);
    paint.lineTo(now, height);
    paint.stroke();
  }
}

function laneLabel(paint, lane, view, top, colours) {
  const room = view.left - 24;
  const isTall = view.laneHeight >= 56;
  paint.textAlign = "left";
  paint.textBaseline = "middle";
  paint.font = MONO;
  paint.fillStyle = colours.text;
  const middle = top + view.laneHeight / 2;
  text(paint, lane.environment_id.slice(0, 8), 12, isTall ? middle - 18 : middle, room);
  if (!isTall) return;
  paint.font = FONT;
  paint.fillStyle = colours.soft;
  const calls = lane.calls.size === 1 ? "1 call" : `${lane.calls.size.toLocaleString("en")} calls`;
  text(paint, view.isOfAll ? lane.function_name : `version ${lane.version}`, 12, middle, room);
  text(paint, lane.ended_ms === null ? calls : `${calls}, ended`, 12, middle + 18, room);
}

function lane(paint, lane, view, top, x, perPixel, colours, fills) {
  const isTall = view.laneHeight >= 56;
  const tracks = isTall ? Math.min(lane.extensions.length, 4) : 0;
  const begins = top + (isTall ? 26 : 4);
  const full = view.laneHeight - (isTall ? 26 + 10 + tracks * 9 : 8);
  const middle = begins + full / 2;
  const { spans } = lane;
  // Spans of a lane follow each other, so that both their ends are in order.
  let [low, high] = [0, spans.length];
  while (low < high) {
    const half = (low + high) >> 1;
    if (spans[half].to < view.from) low = half + 1;
    else high = half;
  }
  const draw = (span, from, wide) => {
    const name = look(span);
    if (span.phase === "frozen") {
      paint.strokeStyle = colours.frozen;
      paint.lineWidth = 2;
      paint.setLineDash([2, 4]);
      paint.beginPath();
      paint.moveTo(from, middle);
      paint.lineTo(from + wide, middle);
      paint.stroke();
      paint.setLineDash([]);
      paint.lineWidth = 1;
      return;
    }
    const high = full * (HEIGHT[span.phase] ?? 1);
    paint.fillStyle = fills[name];
    paint.fillRect(from, middle - high / 2, wide, high);
  };
  if (spans.length > 0) {
    // Between calls that only the journal knows, nothing is known but that the environment was there.
    const there = Math.max(x(spans[0].from), view.left);
    paint.fillStyle = colours.line;
    paint.fillRect(there, Math.round(middle), Math.min(x(spans[spans.length - 1].to), view.width) - there, 1);
  }
  let column = null;
  let labels = [];
  const flush = () => {
    if (column) draw(column.span, column.at, column.wide);
    column = null;
  };
  for (let at = low; at < spans.length; at += 1) {
    const span = spans[at];
    if (span.from > view.to) break;
    const [from, to] = [x(span.from), x(span.to)];
    if (to - from >= 1.5) {
      flush();
      draw(span, Math.max(from, view.left - 2), Math.min(to, view.width + 2) - Math.max(from, view.left - 2));
    } else if (!column || from - column.at >= 1.5) {
      flush();
      column = { span, at: from, wide: 1.5 };
    } else if ((WEIGHT[span.phase] ?? 0) + (span.failed ? 9 : 0) >= (WEIGHT[column.span.phase] ?? 0)) {
      column.span = span;
    }
    if (isTall && WEIGHT[span.phase] >= 3 && labels.length < LABELS_MAX) labels.push([span, from, to]);
  }
  flush();
  // Where a great many steps are, the figures of a few that happen to have room say nothing.
  if (labels.length > LABELS_FEW) labels = labels.filter(([, from, to]) => to - from >= 24);
  if (isTall) {
    label(paint, labels, view, top + 13, middle, colours);
    tracksOf(paint, lane.extensions.slice(0, tracks), view, begins + full + 4, x, colours, fills);
  }
  const chosen = view.chosen?.lane === lane.environment_id ? spans[view.chosen.span] : null;
  if (chosen) {
    const [from, to] = [x(chosen.from), x(chosen.to)];
    paint.strokeStyle = colours.text;
    paint.lineWidth = 2;
    paint.strokeRect(from - 2, begins - 2, Math.max(to - from, 1.5) + 4, full + 4);
    paint.lineWidth = 1;
  }
}

// The figures of steps: above them, where they do not run into each other. What matters more comes first.
function label(paint, labels, view, above, middle, colours) {
  paint.font = FONT;
  paint.textAlign = "center";
  paint.textBaseline = "middle";
  const taken = [];
  const worth = (span) => (span.phase === "invoke" ? 9 : WEIGHT[span.phase]);
  const ordered = [...labels].sort((one, other) => worth(other[0]) - worth(one[0]) || one[1] - other[1]);
  for (const [span, from, to] of ordered) {
    const took = ms(span.end - span.start).replace(/\.00 /, " ");
    const named = `${NAMES[span.phase]} ${took}`;
    const said = paint.measureText(named).width < to - from - 8 ? named : took;
    const centre = Math.min(Math.max((Math.max(from, view.left) + Math.min(to, view.width)) / 2, view.left), view.width);
    const half = paint.measureText(said).width / 2 + 4;
    const at = Math.min(Math.max(centre, view.left + half), view.width - half);
    if (taken.some(([begins, ends]) => at + half > begins && at - half < ends)) continue;
    taken.push([at - half, at + half]);
    paint.fillStyle = colours.text;
    paint.fillText(said, at, above);
    paint.strokeStyle = colours.soft;
    paint.beginPath();
    paint.moveTo(centre, above + 8);
    paint.lineTo(centre, above + 12);
    paint.stroke();
  }
}

const TRACK_LOOKS = { registration: "extension-init", init: "extension-init", invoke: "invoke", "after-call": "extension-overhead", shutdown: "shutdown" };

function tracksOf(paint, extensions, view, top, x, colours, fills) {
  extensions.forEach((extension, row) => {
    const y = top + row * 9;
    for (const span of extension.placed) {
      const name = TRACK_LOOKS[span.phase];
      if (!name || span.to < view.from || span.from > view.to) continue;
      paint.fillStyle = fills[name];
      paint.fillRect(x(span.from), y, Math.max(1.5, x(span.to) - x(span.from)), 6);
    }
  });
  if (extensions.length === 0) paint.fillStyle = colours.soft;
}

export function paintConcurrency(canvas, model, view) {
  const { width, left } = view;
  const paint = prepare(canvas, width, CONCURRENCY_HEIGHT);
  const { colours } = looks(devicePixelRatio || 1);
  const { places, numbers, most } = model.concurrency;
  const perPixel = (view.to - view.from) / (width - left);
  const [top, base] = [8, CONCURRENCY_HEIGHT - 10];
  const y = (number) => base - ((base - top) * number) / Math.max(most, 1);
  paint.font = FONT;
  paint.textBaseline = "middle";
  paint.fillStyle = colours.text;
  text(paint, "At work at once", 12, 18, left - 40);
  paint.fillStyle = colours.soft;
  text(paint, `at most ${most}`, 12, 36, left - 40);
  paint.textAlign = "right";
  paint.fillText(String(most), left - 8, y(most) + 2);
  paint.fillText("0", left - 8, base);
  paint.strokeStyle = colours.line;
  for (const at of [Math.round(y(most)) + 0.5, Math.round(base) + 0.5]) {
    paint.beginPath();
    paint.moveTo(left, at);
    paint.lineTo(width, at);
    paint.stroke();
  }
  let [low, high] = [0, places.length];
  while (low < high) {
    const half = (low + high) >> 1;
    if (places[half] <= view.from) low = half + 1;
    else high = half;
  }
  // Of what shares a column, the highest is seen.
  const columns = new Float64Array(Math.max(0, Math.ceil(width - left)));
  let number = low > 0 ? numbers[low - 1] : 0;
  let begins = 0;
  for (let at = low; at <= places.length; at += 1) {
    const ends = at < places.length ? Math.min((places[at] - view.from) / perPixel, columns.length) : columns.length;
    const last = Math.min(Math.max(Math.floor(begins) + 1, Math.ceil(ends)), columns.length);
    for (let column = Math.floor(begins); column < last; column += 1) columns[column] = Math.max(columns[column], number);
    if (ends >= columns.length) break;
    begins = Math.max(ends, 0);
    number = numbers[at] ?? 0;
  }
  paint.fillStyle = colours.work;
  for (let column = 0; column < columns.length;) {
    let end = column + 1;
    while (end < columns.length && columns[end] === columns[column]) end += 1;
    if (columns[column] > 0) paint.fillRect(left + column, y(columns[column]), end - column, base - y(columns[column]));
    column = end;
  }
}

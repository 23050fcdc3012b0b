// The lifecycle page: gets the data, follows what happens, and turns what is pointed at, pressed and scrolled into a view.

import { NAMES, isInit, makeModel, spanAt } from "./lanes.js";
import { AXIS_HEIGHT, CONCURRENCY_HEIGHT, paintAxis, paintConcurrency, paintLanes } from "./paint.js";
import { element, logLine, ms, reason, timeOfDay, visible } from "./text.js";

const DAY_MS = 86_400_000;
const SHORTEST_MS = 1;
const LANES_HEIGHT_MAX = 440;

const section = document.querySelector("[data-lifecycle]");
const find = (selector) => section.querySelector(selector);
const [axis, picture, strip] = [find(".axis"), find(".picture"), find(".concurrency")];
const [scroll, tip, told] = [find(".lanes-scroll"), find(".tip"), find("[data-told]")];
const [quiet, following] = [find("[data-quiet]"), find("[data-follow]")];
const isOfAll = !section.dataset.lifecycle.includes("function=");

let answer = null;
let fetched = 0;
let model = null;
let chosen = null;
// `fit` shows everything; otherwise so much of the scale, up to its end while it is followed.
let view = { fit: true, from: 0, to: 1 };

// Getting the data.

let loading = false;
let again = false;
let rest = 0;

async function load() {
  if (loading) {
    again = true;
    return;
  }
  loading = true;
  const begun = performance.now();
  try {
    const from = Math.floor(Date.now() - DAY_MS);
    const separator = section.dataset.lifecycle.includes("?") ? "&" : "?";
    const response = await fetch(`${section.dataset.lifecycle}${separator}from_ms=${from}`);
    const said = await response.json();
    if (!response.ok) throw new Error(said.message);
    answer = said;
    fetched = performance.now();
    rebuild();
    section.dataset.loads = String(Number(section.dataset.loads ?? 0) + 1);
  } catch (error) {
    told.classList.remove("hidden");
    told.textContent = `The lanes cannot be shown: ${error.message}`;
  } finally {
    // A page with a great many calls does not keep the server busy.
    rest = 3 * (performance.now() - begun);
    setTimeout(() => {
      loading = false;
      if (again) {
        again = false;
        load();
      }
    }, rest);
  }
}

const now = () => answer.now_ms + (performance.now() - fetched);

function rebuild() {
  const moment = model && !view.fit && !following.checked ? model.clock.moment(view.from) : null;
  const length = view.to - view.from;
  model = makeModel(answer, now(), quiet.checked);
  if (moment !== null) {
    view.from = model.clock.place(moment);
    view.to = view.from + length;
  }
  summarise();
  show();
}

function summarise() {
  const { lanes, inits, calls, cold, failed, streams } = model.counts;
  const figures = [
    ["Environments", lanes], ["Inits", inits], ["Calls", calls], ["Cold", cold], ["Failed", failed],
    ["Log streams", streams],
  ];
  const list = find("[data-summary]");
  const said = figures.map(([, number]) => number).join();
  if (list.dataset.said !== said) {
    list.dataset.said = said;
    list.replaceChildren(...figures.map(([name, number]) => {
      const figure = element("div", "figure");
      figure.append(element("dt", "", name), element("dd", "", number.toLocaleString("en")));
      return figure;
    }));
  }
  Object.assign(section.dataset, { lanes, inits, calls, streams });
}

// Showing it.

let asked = false;
function show() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    if (model) paint();
  });
}

function laneHeight() {
  const number = model.lanes.length;
  const tracks = Math.max(0, ...model.lanes.map((lane) => Math.min(lane.extensions.length, 4)));
  if (number <= 3) return 100 + tracks * 9;
  if (number <= 8) return 66 + tracks * 9;
  return number <= 16 ? 30 : 22;
}

function geometry() {
  const width = section.querySelector(".lanes").clientWidth;
  const height = Math.min(Math.max(model.lanes.length, 1) * laneHeight(), LANES_HEIGHT_MAX);
  return { width, height, left: width < 640 ? 92 : 148, laneHeight: laneHeight(), scrolled: scroll.scrollTop, isOfAll };
}

function paint() {
  const begun = performance.now();
  const { length } = model.clock;
  if (view.fit) {
    const margin = Math.max(length * 0.025, 0.5);
    [view.from, view.to] = [-margin, length + margin];
  } else if (following.checked) {
    const long = view.to - view.from;
    view.to = length + long * 0.03;
    view.from = view.to - long;
  }
  const shown = { ...geometry(), from: view.from, to: view.to, chosen };
  scroll.style.height = `${shown.height}px`;
  spacer.style.height = `${model.lanes.length * shown.laneHeight}px`;
  paintAxis(axis, model, shown);
  paintLanes(picture, model, shown);
  paintConcurrency(strip, model, shown);
  for (const button of section.querySelectorAll("[data-length]")) {
    button.setAttribute("aria-pressed", String(!view.fit && Math.abs(button.dataset.length - (view.to - view.from)) < 1e-6));
  }
  find("[data-fit]").setAttribute("aria-pressed", String(view.fit));
  const took = performance.now() - begun;
  section.dataset.paintMs = took.toFixed(2);
  section.dataset.paints = String(Number(section.dataset.paints ?? 0) + 1);
}

function zoom(factor, share = 0.5) {
  const long = view.to - view.from;
  const wanted = Math.min(Math.max(long * factor, SHORTEST_MS), Math.max(DAY_MS, model.clock.length * 1.1));
  const at = view.from + share * long;
  view = { fit: false, from: at - share * wanted, to: at + (1 - share) * wanted };
  if (share !== 1) following.checked = false;
  show();
}

function move(share) {
  const by = share * (view.to - view.from);
  view = { fit: false, from: view.from + by, to: view.to + by };
  following.checked = false;
  show();
}

// What is chosen.

function laneOfChosen() {
  return model.lanes.find((lane) => lane.environment_id === chosen?.lane);
}

function describe(lane, span) {
  const call = span.request ? lane.calls.get(span.request) : null;
  const lines = [`${span.failed ? "Failed: " : ""}${NAMES[span.phase] ?? span.phase}${span.isOpen ? ", still going on" : ""}`];
  lines.push(`${ms(span.end - span.start)} from ${timeOfDay(span.start)} UTC`);
  if (call && span.phase === "invoke") {
    lines.push(`duration ${ms(call.duration_ms)}, billed ${call.billed_ms} ms, ${call.max_memory_used_mb} MB`);
    lines.push(call.why_cold ? `cold: ${reason(call.why_cold)}` : "warm");
    if (call.status !== "success") lines.push(`${call.status} ${visible(call.error_type ?? "")}`.trim());
  }
  if (isInit(span.phase)) lines.push(`made because: ${reason(lane.why_cold)}`);
  if (span.request) lines.push(`request ${span.request}`);
  lines.push(`environment ${lane.environment_id.slice(0, 8)}${isOfAll ? ` of ${visible(lane.function_name)}` : ""}`);
  return lines;
}

function choose(lane, at, isShown) {
  chosen = { lane: lane.environment_id, span: at };
  const span = lane.spans[at];
  told.textContent = describe(lane, span).join(", ");
  if (isShown) {
    const long = view.to - view.from;
    if (span.to < view.from || span.from > view.to) {
      const middle = (span.from + span.to) / 2;
      view = { fit: false, from: middle - long / 2, to: middle + long / 2 };
      following.checked = false;
    }
    const top = model.lanes.indexOf(lane) * laneHeight();
    if (top < scroll.scrollTop || top + laneHeight() > scroll.scrollTop + scroll.clientHeight) scroll.scrollTop = top;
  }
  show();
}

async function showLog() {
  const lane = laneOfChosen();
  const span = lane?.spans[chosen.span];
  const log = document.querySelector("[data-log]");
  if (!span || !log) return;
  const query = new URLSearchParams({
    group: lane.log_group, stream: lane.log_stream,
    from_ms: Math.floor(span.start) - 2, to_ms: Math.ceil(span.end) + (span.request ? 1_000 : 2),
  });
  const title = document.querySelector("[data-log-of]");
  title.textContent = `${NAMES[span.phase] ?? span.phase} at ${timeOfDay(span.start)} UTC. `;
  if (span.request) {
    const link = element("a", "", "The invocation");
    const at = lane.calls.get(span.request)?.journal_ms;
    link.href = `${section.dataset.invocations}/${encodeURIComponent(span.request)}?${new URLSearchParams({
      function: lane.function_name, ...(at === undefined ? {} : { at }),
    })}`;
    title.append(link);
  }
  const response = await fetch(`${section.dataset.logs}?${query}`);
  const said = await response.json();
  if (!response.ok) {
    log.replaceChildren(element("p", "note bad", said.message));
    return;
  }
  // What is written of a call after its end names it; what others wrote then is not of this moment.
  const events = said.events.filter(
    (event) => event.timestamp <= span.end + 2 || (span.request && event.message.includes(span.request)),
  );
  log.replaceChildren(...events.map((event) => logLine(event.timestamp, event.message)));
  if (events.length === 0) log.append(element("p", "note", "Nothing was logged in that moment."));
  log.dataset.moments = String(Number(log.dataset.moments ?? 0) + 1);
}

// Pointing.

function pointed(event) {
  const box = picture.getBoundingClientRect();
  const { width, left, laneHeight: high, scrolled } = geometry();
  const [x, y] = [event.clientX - box.left, event.clientY - box.top];
  const lane = model.lanes[Math.floor((y + scrolled) / high)];
  const perPixel = (view.to - view.from) / (width - left);
  const place = view.from + (x - left) * perPixel;
  const at = lane && x >= left ? spanAt(lane, place, 5 * perPixel) : null;
  return { x, y, share: (x - left) / (width - left), lane, at };
}

let dragged = null;
picture.addEventListener("pointerdown", (event) => {
  dragged = { x: event.clientX, from: view.from, to: view.to, hasMoved: false };
  picture.setPointerCapture(event.pointerId);
});
picture.addEventListener("pointermove", (event) => {
  if (!model) return;
  if (dragged) {
    const away = event.clientX - dragged.x;
    if (Math.abs(away) > 4) dragged.hasMoved = true;
    if (dragged.hasMoved) {
      const { width, left } = geometry();
      const by = (away * (dragged.to - dragged.from)) / (width - left);
      view = { fit: false, from: dragged.from - by, to: dragged.to - by };
      following.checked = false;
      tip.hidden = true;
      show();
      return;
    }
  }
  const { x, y, lane, at } = pointed(event);
  tip.hidden = at === null;
  if (at === null) return;
  tip.replaceChildren(...describe(lane, lane.spans[at]).map((line, row) => element(row ? "div" : "strong", "", line)));
  const { width } = geometry();
  tip.style.left = `${Math.min(x + 14, Math.max(0, width - tip.offsetWidth - 8))}px`;
  tip.style.top = `${y + AXIS_HEIGHT + 16}px`;
});
picture.addEventListener("pointerleave", () => { tip.hidden = true; });
picture.addEventListener("pointerup", (event) => {
  const hasMoved = dragged?.hasMoved;
  dragged = null;
  if (hasMoved || !model) return;
  const { lane, at } = pointed(event);
  if (at === null) return;
  choose(lane, at, false);
  showLog();
});
picture.addEventListener("wheel", (event) => {
  if (!model) return;
  event.preventDefault();
  if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
    move((event.deltaX || event.deltaY) / 1_000);
    return;
  }
  zoom(Math.exp(Math.min(Math.max(event.deltaY, -200), 200) / 300), Math.min(Math.max(pointed(event).share, 0), 1));
}, { passive: false });
scroll.addEventListener("scroll", show);

// Keys.

const STEPS = new Set(["idle", "frozen"]);

function step(by) {
  const lane = laneOfChosen() ?? model.lanes[0];
  if (!lane) return;
  let at = chosen && laneOfChosen() ? chosen.span + by : by > 0 ? 0 : lane.spans.length - 1;
  // What lies between steps is passed over.
  while (lane.spans[at] && STEPS.has(lane.spans[at].phase)) at += by;
  if (lane.spans[at]) choose(lane, at, true);
}

function changeLane(by) {
  const current = model.lanes.indexOf(laneOfChosen());
  const lane = model.lanes[current < 0 ? 0 : current + by];
  if (!lane || lane.spans.length === 0) return;
  const place = laneOfChosen()?.spans[chosen.span]?.from ?? view.from;
  choose(lane, spanAt(lane, place, Infinity) ?? 0, true);
}

const KEYS = {
  ArrowRight: () => step(1),
  ArrowLeft: () => step(-1),
  ArrowDown: () => changeLane(1),
  ArrowUp: () => changeLane(-1),
  "+": () => zoom(0.5),
  "=": () => zoom(0.5),
  "-": () => zoom(2),
  Home: () => { following.checked = false; const long = view.to - view.from; view = { fit: false, from: -0.03 * long, to: 0.97 * long }; show(); },
  End: () => { following.checked = true; show(); },
  0: fit,
  Enter: showLog,
  " ": showLog,
};
picture.addEventListener("keydown", (event) => {
  if (!model || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.shiftKey && event.key === "ArrowRight") move(0.25);
  else if (event.shiftKey && event.key === "ArrowLeft") move(-0.25);
  else if (Object.hasOwn(KEYS, event.key)) KEYS[event.key]();
  else return;
  event.preventDefault();
});

// Buttons.

function fit() {
  view = { ...view, fit: true };
  show();
}

section.querySelector(".toolbar").addEventListener("click", (event) => {
  const { length, zoom: factor, move: share, fit: all } = event.target.dataset;
  if (!model) return;
  if (length) {
    const end = following.checked ? model.clock.length : view.to;
    view = { fit: false, from: end - Number(length), to: end };
    show();
  } else if (factor) zoom(Number(factor));
  else if (share) move(Number(share));
  else if (all !== undefined) fit();
});
quiet.addEventListener("change", () => { if (answer) rebuild(); });
following.addEventListener("change", show);

const spacer = element("div", "spacer");
scroll.append(spacer);
spacer.append(picture);
strip.style.height = `${CONCURRENCY_HEIGHT}px`;
new ResizeObserver(show).observe(section);
document.addEventListener("hearth-theme", show);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);

// From the page of an invocation: show its moment.
const wanted = new URLSearchParams(location.hash.slice(1));
load().then(() => {
  const [at, length] = [Number(wanted.get("at")), Number(wanted.get("length"))];
  if (!model || !at || !length) return;
  const place = model.clock.place(at);
  following.checked = false;
  view = { fit: false, from: place - length / 2, to: place + length / 2 };
  show();
});

const changes = new EventSource(section.dataset.changes);
changes.addEventListener("changed", load);
addEventListener("pagehide", () => changes.close());
// What still goes on grows.
setInterval(() => {
  if (model && following.checked && document.visibilityState === "visible" &&
      model.lanes.some((lane) => lane.spans.some((span) => span.isOpen && !STEPS.has(span.phase)))) rebuild();
}, 1_000);

// What the picture is of: lanes with their spans, in the shape in which they are painted, and what is counted of them.

import { makeClock } from "./clock.js";

// Phases in which no environment works.
const QUIET = new Set(["idle", "frozen"]);
const INIT = new Set(["extension-init", "runtime-init", "function-init", "init", "extension-wait"]);

export const NAMES = {
  "extension-init": "Extension init",
  "runtime-init": "Runtime init",
  "function-init": "Function init",
  init: "Init",
  "extension-wait": "Wait for extensions",
  invoke: "Call",
  "extension-overhead": "Overhang: extensions still work",
  idle: "Warm",
  frozen: "Frozen",
  reset: "Reset",
  shutdown: "Shutdown",
  "runtime-shutdown": "Shutdown of the runtime",
  "extension-shutdown": "Shutdown of extensions",
};

export const isInit = (phase) => INIT.has(phase);

// `answer` is what `/_hearth/lanes` says; `now` may be later than it was then.
export function makeModel(answer, now, cutsQuiet) {
  const lanes = answer.lanes.map((lane) => {
    const calls = new Map(lane.calls.map((call) => [call.request_id, call]));
    const spans = lane.spans
      .map(([phase, start, end, request, status]) => {
        const failed = (phase === "invoke" || isInit(phase)) && Boolean(status) && status !== "success";
        return { phase, start, end: end ?? now, isOpen: end === null, request, status, failed };
      })
      .sort((one, other) => one.start - other.start);
    return { ...lane, calls, spans };
  });
  const busy = [];
  let first = now;
  for (const lane of lanes) {
    for (const span of lane.spans) {
      first = Math.min(first, span.start);
      if (!QUIET.has(span.phase)) busy.push([span.start, span.end]);
    }
  }
  const clock = makeClock(busy, first, now, cutsQuiet);
  for (const lane of lanes) {
    for (const span of lane.spans) {
      span.from = clock.place(span.start);
      span.to = clock.place(span.end);
    }
    for (const extension of lane.extensions) {
      extension.placed = extension.spans.map(([phase, start, end]) => ({
        phase, start, end: end ?? now, from: clock.place(start), to: clock.place(end ?? now),
      }));
    }
  }
  return { lanes, clock, now, concurrency: concurrency(lanes), counts: counts(lanes), isComplete: answer.is_complete };
}

// How many environments work at once: places at which that changes, and the number from there on.
function concurrency(lanes) {
  const steps = [];
  for (const lane of lanes) {
    for (const span of lane.spans) {
      if (QUIET.has(span.phase)) continue;
      steps.push([span.from, 1], [span.to, -1]);
    }
  }
  // What ends makes room before something begins at the same place.
  steps.sort((one, other) => one[0] - other[0] || one[1] - other[1]);
  const [places, numbers] = [[], []];
  let number = 0;
  let most = 0;
  for (const [place, change] of steps) {
    number += change;
    if (places[places.length - 1] === place) numbers[numbers.length - 1] = number;
    else {
      places.push(place);
      numbers.push(number);
    }
  }
  for (const one of numbers) most = Math.max(most, one);
  return { places, numbers, most };
}

function counts(lanes) {
  const streams = new Set();
  let [inits, calls, cold, failed] = [0, 0, 0, 0];
  for (const lane of lanes) {
    streams.add(`${lane.log_group} ${lane.log_stream}`);
    let before = null;
    const running = new Set();
    for (const span of lane.spans) {
      if (isInit(span.phase) && !isInit(before)) inits += 1;
      before = span.phase;
      if (span.phase === "invoke" && span.isOpen) running.add(span.request);
    }
    for (const call of lane.calls.values()) {
      calls += 1;
      if (call.why_cold) cold += 1;
      if (call.status !== "success") failed += 1;
    }
    calls += [...running].filter((request) => !lane.calls.has(request)).length;
  }
  return { lanes: lanes.length, inits, calls, cold, failed, streams: streams.size };
}

// The span at a place of a lane: the one that is there, or the nearest that works, no further away than `tolerance`.
export function spanAt(lane, place, tolerance) {
  const { spans } = lane;
  let [low, high] = [0, spans.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (spans[middle].from <= place) low = middle + 1;
    else high = middle;
  }
  let found = null;
  let away = Infinity;
  for (let at = Math.max(0, low - 4); at < Math.min(spans.length, low + 3); at += 1) {
    const span = spans[at];
    const distance = Math.max(span.from - place, place - span.to, 0);
    // What works is meant rather than what lies between.
    const handicap = QUIET.has(span.phase) ? tolerance * 0.999 : 0;
    if (distance <= tolerance && distance + handicap < away) {
      found = at;
      away = distance + handicap;
    }
  }
  return found;
}

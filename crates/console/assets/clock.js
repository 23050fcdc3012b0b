// The time of the picture. A moment has a place on a scale of milliseconds that begins with the first step; quiet times, in
// which no environment works, take little of it when they are cut out, however long they were.

// How much of the scale a quiet time takes at most: this share of what is busy.
const QUIET_SHARE = 0.07;
const QUIET_MIN_MS = 2;

// `busy` are spans of time [from, to], in any order. Moments are milliseconds since 1970.
export function makeClock(busy, first, now, cutsQuiet) {
  const gaps = [];
  const sorted = busy.filter(([from, to]) => to >= from).sort((one, other) => one[0] - other[0]);
  let together = 0;
  let until = first;
  const quiet = [];
  for (const [from, to] of sorted) {
    if (from > until) quiet.push([until, from]);
    together += Math.max(0, to - Math.max(from, until));
    until = Math.max(until, to);
  }
  if (now > until) quiet.push([until, now]);
  if (cutsQuiet) {
    const room = Math.max(QUIET_MIN_MS, (together * QUIET_SHARE) || 1_000);
    let cut = 0;
    for (const [from, to] of quiet) {
      if (to - from <= room * 1.5) continue;
      const at = from - first - cut;
      gaps.push({ from, to, at, end: at + room });
      cut += to - from - room;
    }
  }

  // The last gap that begins at or before something.
  const find = (value, member) => {
    let [low, high] = [0, gaps.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (gaps[middle][member] <= value) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  };

  const place = (moment) => {
    const gap = gaps[find(moment, "from")];
    if (!gap) return moment - first;
    if (moment >= gap.to) return gap.end + moment - gap.to;
    return gap.at + ((moment - gap.from) / (gap.to - gap.from)) * (gap.end - gap.at);
  };
  const moment = (at) => {
    const gap = gaps[find(at, "at")];
    if (!gap) return at + first;
    if (at >= gap.end) return gap.to + at - gap.end;
    return gap.from + ((at - gap.at) / (gap.end - gap.at)) * (gap.to - gap.from);
  };
  return { gaps, place, moment, length: place(Math.max(now, until)), first };
}

const STEPS = [
  0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 3e4, 6e4, 12e4, 3e5, 6e5, 12e5, 18e5, 36e5, 72e5,
  216e5, 432e5, 864e5,
];

// Returns the marks of an axis between two places: their places and labels, no closer than `apart`.
export function ticks(clock, from, to, apart) {
  const step = STEPS.find((candidate) => candidate >= apart) ?? STEPS[STEPS.length - 1];
  const found = [];
  // Between two gaps time runs evenly; within a gap there are no marks.
  const edges = [[from, to]];
  for (const gap of clock.gaps) {
    const last = edges[edges.length - 1];
    if (gap.end <= last[0] || gap.at >= last[1]) continue;
    edges.pop();
    if (gap.at > last[0]) edges.push([last[0], gap.at]);
    edges.push([gap.end, last[1]]);
  }
  for (const [begins, ends] of edges) {
    const origin = clock.moment(begins);
    let at = Math.ceil(origin / step) * step;
    for (let count = 0; count < 400; count += 1) {
      const place = begins + at - origin;
      if (place > ends) break;
      found.push({ place, label: label(at, step) });
      at += step;
    }
  }
  return found;
}

function label(moment, step) {
  const date = new Date(moment);
  if (Number.isNaN(date.getTime())) return "";
  const text = date.toISOString();
  if (step < 1) return `${text.slice(17, 19)}.${(((moment % 1000) + 1000) % 1000).toFixed(1).padStart(5, "0")}`;
  if (step < 1_000) return text.slice(17, 23);
  if (step < 60_000) return text.slice(14, 19);
  if (step < 864e5) return text.slice(11, 16);
  return text.slice(5, 10);
}

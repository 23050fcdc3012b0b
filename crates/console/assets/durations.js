// Durations over time, on a logarithmic scale: warm calls as dots, cold ones as diamonds on the stem of their Init, failed
// ones as crosses.

import { ms, timeOfDay } from "./text.js";

const HEIGHT = 220;
const LEFT = 64;
const RIGHT = 14;
const TOP = 10;
const BOTTOM = 26;

function chart(box) {
  const canvas = box.querySelector("canvas");
  let calls = [];

  async function load() {
    const answer = await fetch(box.dataset.durations);
    if (!answer.ok) return;
    calls = (await answer.json()).invocations ?? [];
    draw();
  }

  function draw() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const scale = devicePixelRatio || 1;
    const width = Math.max(box.clientWidth, 200);
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(HEIGHT * scale);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${HEIGHT}px`;
    const paint = canvas.getContext("2d");
    paint.scale(scale, scale);
    paint.font = "12px system-ui, sans-serif";
    paint.fillStyle = colour("soft");
    if (calls.length === 0) {
      paint.fillText("No calls in the last 24 hours.", LEFT, HEIGHT / 2);
      return;
    }
    const first = calls[0].started_epoch_ms;
    const last = Math.max(calls[calls.length - 1].started_epoch_ms, first + 1_000);
    const tops = calls.map((call) => (call.init_ms ?? 0) + call.duration_ms);
    const low = Math.floor(Math.log10(Math.max(0.1, Math.min(...calls.map((call) => call.duration_ms)))));
    const high = Math.max(low + 1, Math.ceil(Math.log10(tops.reduce((most, top) => Math.max(most, top), 0.1))));
    const x = (at) => LEFT + ((at - first) / (last - first)) * (width - LEFT - RIGHT);
    const y = (value) =>
      HEIGHT - BOTTOM - ((Math.log10(Math.max(value, 10 ** low)) - low) / (high - low)) * (HEIGHT - TOP - BOTTOM);

    paint.strokeStyle = colour("line");
    paint.textAlign = "right";
    for (let power = low; power <= high; power += 1) {
      paint.beginPath();
      paint.moveTo(LEFT, Math.round(y(10 ** power)) + 0.5);
      paint.lineTo(width - RIGHT, Math.round(y(10 ** power)) + 0.5);
      paint.stroke();
      paint.fillText(ms(10 ** power).replace(/\.0+ /, " "), LEFT - 8, y(10 ** power) + 4);
    }
    paint.textAlign = "left";
    paint.fillText(timeOfDay(first), LEFT, HEIGHT - 8);
    paint.textAlign = "right";
    paint.fillText(timeOfDay(last), width - RIGHT, HEIGHT - 8);

    for (const call of calls) {
      const [at, end] = [x(call.started_epoch_ms), y(call.duration_ms)];
      const isCold = call.why_cold !== null;
      if (isCold && call.init_ms) {
        paint.strokeStyle = colour("runtime-init");
        paint.lineWidth = 2;
        paint.beginPath();
        paint.moveTo(at, end);
        paint.lineTo(at, y(call.init_ms + call.duration_ms));
        paint.stroke();
      }
      paint.lineWidth = 2;
      if (call.status !== "success") {
        paint.strokeStyle = colour("failed");
        paint.beginPath();
        paint.moveTo(at - 4, end - 4);
        paint.lineTo(at + 4, end + 4);
        paint.moveTo(at + 4, end - 4);
        paint.lineTo(at - 4, end + 4);
        paint.stroke();
      } else if (isCold) {
        paint.fillStyle = colour("runtime-init");
        paint.beginPath();
        paint.moveTo(at, end - 6);
        paint.lineTo(at + 6, end);
        paint.lineTo(at, end + 6);
        paint.lineTo(at - 6, end);
        paint.fill();
      } else {
        paint.fillStyle = colour("invoke");
        paint.beginPath();
        paint.arc(at, end, 3, 0, 2 * Math.PI);
        paint.fill();
      }
    }
  }

  let asked = 0;
  document.addEventListener("hearth-changed", () => {
    clearTimeout(asked);
    asked = setTimeout(load, 300);
  });
  document.addEventListener("hearth-theme", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  new ResizeObserver(draw).observe(box);
  load();
}

for (const box of document.querySelectorAll("[data-durations]")) chart(box);

// Log lines as they come: filtered, paused, and never more than fit.

import { element, logLine, visible } from "./text.js";

const LINES_MAX = 2_000;

function tail(log) {
  const filter = document.querySelector("[data-filter]");
  const pause = document.querySelector("[data-pause]");
  const count = document.querySelector("[data-count]");
  const isOfAll = !log.dataset.tail.includes("?function=");
  let waiting = [];
  let paused = false;

  const wanted = (line) => !filter?.value || line.textContent.toLowerCase().includes(filter.value.toLowerCase());
  const tell = () => {
    if (!count) return;
    const shown = log.querySelectorAll(".line:not([hidden])").length;
    count.textContent = paused ? `Paused; ${waiting.length} lines wait` : `${shown} lines`;
  };
  const append = (lines) => {
    const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    for (const line of lines) {
      const shown = line.left_out
        ? element("div", "line note", `${line.left_out} lines came too fast, and are left out`)
        : logLine(line.at, line.text, isOfAll ? visible(line.function) : null);
      if (line.stream) shown.title = visible(line.stream);
      shown.hidden = !wanted(shown);
      log.append(shown);
    }
    while (log.childElementCount > LINES_MAX) log.firstElementChild.remove();
    if (isAtEnd) log.scrollTop = log.scrollHeight;
    tell();
  };

  const source = new EventSource(log.dataset.tail);
  source.addEventListener("open", () => { log.dataset.open = "true"; });
  source.addEventListener("lines", (event) => {
    const lines = JSON.parse(event.data);
    if (!paused) return append(lines);
    waiting = waiting.concat(lines).slice(-LINES_MAX);
    tell();
  });
  addEventListener("pagehide", () => source.close());

  filter?.addEventListener("input", () => {
    for (const line of log.children) line.hidden = !wanted(line);
    tell();
  });
  pause?.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    pause.textContent = paused ? "Go on" : "Pause";
    if (!paused) {
      append(waiting);
      waiting = [];
    }
    tell();
  });
  document.querySelector("[data-clear]")?.addEventListener("click", () => {
    log.replaceChildren();
    tell();
  });
  tell();
}

for (const log of document.querySelectorAll("[data-tail]")) tail(log);

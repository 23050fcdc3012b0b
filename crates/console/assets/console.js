// What every page does: follow what happens, send forms without leaving the page, switch between light and dark.

function themeSwitch() {
  const button = document.querySelector("[data-theme-switch]");
  if (!button) return;
  button.hidden = false;
  button.addEventListener("click", () => {
    const root = document.documentElement;
    const isDark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = isDark ? "light" : "dark";
    try { localStorage.setItem("hearth-theme", root.dataset.theme); } catch { /* it counts for this page then */ }
    document.dispatchEvent(new Event("hearth-theme"));
  });
}

// Puts new markup of the server's in the place of old, and keeps the focus and what was scrolled to.
function replace(part, markup) {
  const focused = part.contains(document.activeElement) ? document.activeElement : null;
  const place = focused?.getAttribute("href") ?? focused?.getAttribute("aria-label");
  const scrolled = [...part.querySelectorAll(".scroll")].map((region) => [region.scrollLeft, region.scrollTop]);
  part.innerHTML = markup;
  [...part.querySelectorAll(".scroll")].forEach((region, at) => {
    if (scrolled[at]) [region.scrollLeft, region.scrollTop] = scrolled[at];
  });
  if (place) {
    [...part.querySelectorAll("a, [tabindex]")]
      .find((candidate) => (candidate.getAttribute("href") ?? candidate.getAttribute("aria-label")) === place)
      ?.focus({ preventScroll: true });
  }
}

// A stream that is refused for good would be asked for again and again by nobody; where it ends because nobody is signed in
// any more, the page goes there.
function follow(part) {
  const source = new EventSource(part.dataset.live);
  source.addEventListener("part", (event) => {
    replace(part, JSON.parse(event.data));
    part.dataset.updates = String(Number(part.dataset.updates ?? 0) + 1);
    document.dispatchEvent(new Event("hearth-changed"));
  });
  addEventListener("pagehide", () => source.close());
}

function forms() {
  for (const select of document.querySelectorAll("[data-submit]")) {
    select.addEventListener("change", () => select.form.submit());
    for (const button of select.form.querySelectorAll("[data-without-script]")) button.hidden = true;
  }
  for (const form of document.querySelectorAll("form[data-part]")) {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const part = document.getElementById(form.dataset.part);
      const button = form.querySelector("button[type=submit]");
      button.disabled = true;
      part.setAttribute("aria-busy", "true");
      try {
        const answer = await fetch(form.action, {
          method: "POST",
          headers: { "x-hearth-part": "1" },
          body: new URLSearchParams(new FormData(form)),
        });
        if (answer.redirected) location.assign(answer.url);
        else if (answer.headers.get("content-type")?.startsWith("text/html")) {
          const text = await answer.text();
          if (answer.ok) part.innerHTML = text;
          else part.textContent = new DOMParser().parseFromString(text, "text/html").querySelector("main")?.textContent;
        }
      } catch {
        part.textContent = "The server did not answer.";
      } finally {
        button.disabled = false;
        part.removeAttribute("aria-busy");
      }
    });
  }
}

themeSwitch();
forms();
for (const part of document.querySelectorAll("[data-live]")) follow(part);

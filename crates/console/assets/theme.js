// Light or dark, as it was chosen before: set before the page is painted. Without a choice the system decides.
"use strict";
(() => {
  let chosen = null;
  try { chosen = localStorage.getItem("hearth-theme"); } catch { /* a browser that keeps nothing */ }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();

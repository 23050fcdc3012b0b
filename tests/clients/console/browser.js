// A Chromium for one script: it counts what goes wrong on any page, takes pictures, and looks for what keeps people out.
// The address of the server is in AWS_ENDPOINT_URL; pictures go to HEARTH_PICTURES.

const fs = require("node:fs");
const path = require("node:path");
const { chromium } = require("playwright-core");

const axeSource = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const server = process.env.AWS_ENDPOINT_URL;
const CONSOLE = `${server}/_hearth/console`;
// Only waited out by what fails: the machine may be slow.
const LIMIT_MS = 60_000;

async function open(settings = {}) {
  const browser = await chromium.launch({
    executablePath: process.env.HEARTH_CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync",
    ],
  });
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...settings });
  context.setDefaultTimeout(LIMIT_MS);
  const page = await context.newPage();
  const faults = [];
  page.on("console", (message) => {
    if (message.type() === "error") faults.push(`${page.url()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => faults.push(`${page.url()}: ${error}`));
  return { browser, context, page, faults };
}

async function picture(page, name, settings = {}) {
  const folder = process.env.HEARTH_PICTURES;
  if (!folder) return;
  fs.mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: path.join(folder, `${name}.png`), ...settings });
}

// Serious and critical faults for people who do not see, hear or point, as axe finds them. axe is put into the page by the
// debugger, which the page's own policy does not bind.
async function barriers(page) {
  await page.evaluate(axeSource);
  const found = await page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { resultTypes: ["violations"] });
    return violations.filter(({ impact }) => impact === "serious" || impact === "critical")
      .map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(({ html }) => html.slice(0, 160)).join(" | ")}`);
  });
  return found.map((fault) => `${page.url()}: ${fault}`);
}

// Waits until the picture of the lifecycle has so many calls.
async function lifecycleWith(page, calls) {
  await page.waitForFunction(
    (wanted) => Number(document.querySelector("[data-lifecycle]")?.dataset.calls) >= wanted
      && document.querySelector("[data-lifecycle]").dataset.paintMs !== undefined,
    calls,
  );
}

function run(main) {
  main().then((seen) => {
    console.log(JSON.stringify(seen));
    process.exit(0);
  }, (error) => {
    console.error(error);
    process.exit(1);
  });
}

module.exports = { CONSOLE, server, open, picture, barriers, lifecycleWith, run };

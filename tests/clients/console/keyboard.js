// A walk without a mouse: from the link over the navigation to a function, into the picture, from step to step, and to the
// log of one. Argument: the name of a function.

const { CONSOLE, open, lifecycleWith, run } = require("./browser.js");

const [name] = process.argv.slice(2);

async function main() {
  const { browser, page, faults } = await open();
  const focused = () => page.evaluate(() => document.activeElement.textContent.trim() || document.activeElement.getAttribute("aria-label"));
  const seen = { order: [] };
  await page.goto(CONSOLE, { waitUntil: "domcontentloaded" });
  await page.waitForSelector(".functions tbody tr");
  for (let presses = 0; presses < 7; presses += 1) {
    await page.keyboard.press("Tab");
    seen.order.push(await focused());
  }
  // A ring shows where one is.
  seen.ring = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  const link = page.locator(`.functions a[href$="/lifecycle?function=${name}"]`);
  await link.focus();
  await page.keyboard.press("Enter");
  await lifecycleWith(page, 1);

  await page.locator("canvas.picture").focus();
  const told = () => page.textContent("[data-told]");
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction(() => document.querySelector("[data-told]").textContent !== "");
  seen.first = await told();
  for (let presses = 0; presses < 12 && !(await told()).startsWith("Call"); presses += 1) {
    await page.keyboard.press("ArrowRight");
  }
  seen.call = await told();
  await page.keyboard.press("Enter");
  await page.waitForSelector("[data-log][data-moments]");
  seen.log = await page.textContent("[data-log]");
  await page.keyboard.press("+");
  await page.waitForFunction(() => document.querySelector("[data-fit]").getAttribute("aria-pressed") === "false");
  await page.keyboard.press("0");
  await page.waitForFunction(() => document.querySelector("[data-fit]").getAttribute("aria-pressed") === "true");

  // The switch between light and dark keeps its word on the next page.
  await page.locator("[data-theme-switch]").focus();
  await page.keyboard.press("Enter");
  const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
  seen.theme = await theme();
  await page.goto(CONSOLE, { waitUntil: "domcontentloaded" });
  seen.themeAfter = await theme();
  seen.faults = faults;
  await browser.close();
  return seen;
}

run(main);

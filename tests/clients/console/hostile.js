// Invokes from a page what answers and logs like an attacker, and what fails; and points at a moment of the picture.
// Arguments: a function that is hostile, one that can fail, and one that was called.

const { CONSOLE, open, picture, barriers, lifecycleWith, run } = require("./browser.js");

const [hostile, failing, called] = process.argv.slice(2);

async function main() {
  const seen = { intruders: 0 };
  // What the hostile function says is in its answer, its log and its live log.
  const { browser, page, faults } = await open();
  page.on("dialog", (dialog) => {
    seen.intruders += 1;
    dialog.dismiss();
  });
  await page.goto(`${CONSOLE}/functions/${hostile}`, { waitUntil: "domcontentloaded" });
  await page.waitForSelector("[data-tail][data-open]");
  await page.fill("#payload", '"</textarea><script>alert(3)</script>"');
  await page.click("form.invoke button");
  await page.waitForSelector("#answer pre.log");
  seen.answer = await page.textContent("#answer pre.answer");
  seen.tail = await page.textContent("#answer pre.log");
  await page.waitForFunction(() => document.querySelector("[data-tail]").textContent.includes("<script>"));
  seen.live = await page.textContent("[data-tail]");
  seen.configuration = await page.textContent("dl.pairs");
  seen.intruders += await page.locator("main script, main img").count();
  seen.barriers = await barriers(page);
  await picture(page, "function-hostile", { fullPage: true });

  // A function that fails is shown as one that fails.
  await page.goto(`${CONSOLE}/functions/${failing}`, { waitUntil: "domcontentloaded" });
  await page.fill("#payload", '{"fail": true}');
  await page.click("form.invoke button");
  await page.waitForSelector("#answer .note.bad");
  seen.functionError = await page.textContent("#answer .note.bad");

  // A moment of the picture, its figures and its log lines, by pointing.
  await page.goto(`${CONSOLE}/lifecycle?function=${called}`, { waitUntil: "domcontentloaded" });
  await lifecycleWith(page, 1);
  const canvas = page.locator("canvas.picture");
  const box = await canvas.boundingBox();
  for (let share = 0.15; share < 0.95 && !(await page.locator(".tip:visible").count()); share += 0.02) {
    await canvas.hover({ position: { x: box.width * share, y: 60 } });
  }
  seen.tip = await page.textContent(".tip");
  seen.before = await page.evaluate(() => document.querySelector("[data-fit]").getAttribute("aria-pressed"));
  await page.mouse.wheel(0, -200);
  await page.waitForFunction(() => document.querySelector("[data-fit]").getAttribute("aria-pressed") === "false");
  await page.click('[data-length="1000"]');
  await page.waitForFunction(() => document.querySelector('[data-length="1000"]').getAttribute("aria-pressed") === "true");
  await page.click("[data-fit]");
  await page.waitForFunction(() => document.querySelector("[data-fit]").getAttribute("aria-pressed") === "true");
  seen.faults = faults;
  await browser.close();
  return seen;
}

run(main);

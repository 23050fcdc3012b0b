// Goes through every page on a server with traffic, in light or in dark: nothing fails, nobody is kept out, and what
// strangers wrote stays text. Argument: JSON with the functions, a request id, how many calls there were, and the colours.

const { CONSOLE, open, picture, barriers, lifecycleWith, run } = require("./browser.js");

const { functions, request, calls, colorScheme } = JSON.parse(process.argv[2]);

const PAGES = [
  ["functions", ""],
  ...functions.map((name) => [`function-${name}`, `/functions/${name}`]),
  ["lifecycle-all", "/lifecycle"],
  ...functions.map((name) => [`lifecycle-${name}`, `/lifecycle?function=${name}`]),
  ["invocation", `/invocations/${request}`],
  ["cost", "/cost"],
  ["cost-of-one", `/cost?function=${functions[0]}`],
  ["tail", "/tail"],
  ["delete", `/functions/${functions[0]}/delete`],
];

async function main() {
  const seen = { faults: [], barriers: [], titles: {}, intruders: 0 };
  const { browser, page, faults } = await open({ colorScheme });
  page.on("dialog", (dialog) => {
    seen.intruders += 1;
    dialog.dismiss();
  });
  for (const [name, path] of PAGES) {
    await page.goto(CONSOLE + path, { waitUntil: "domcontentloaded" });
    await page.waitForSelector("main h1");
    if (name.startsWith("lifecycle")) await lifecycleWith(page, name === "lifecycle-all" ? calls : 1);
    if (name.startsWith("function-")) await page.waitForSelector(".calls tbody tr");
    seen.titles[name] = await page.textContent("main h1");
    seen.barriers.push(...(await barriers(page)));
    seen.intruders += await page.locator("main script, main img, main iframe").count();
    await picture(page, `${name}-${colorScheme}`, { fullPage: true });
  }
  seen.faults.push(...faults);
  await browser.close();

  // On a telephone nothing runs out of the page to the side.
  const small = await open({ viewport: { width: 390, height: 760 }, colorScheme });
  for (const path of ["", `/functions/${functions[0]}`, "/lifecycle", "/tail"]) {
    await small.page.goto(CONSOLE + path, { waitUntil: "domcontentloaded" });
    await small.page.waitForSelector("main h1");
    const surplus = await small.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (surplus > 0) seen.faults.push(`${path} is ${surplus} pixels too wide for a telephone`);
  }
  await picture(small.page, `tail-small-${colorScheme}`);
  await small.browser.close();

  return seen;
}

run(main);

// The experiment of the article on one screen. Arguments: the name of the function, and where its picture goes, if anywhere.

const { CONSOLE, open, barriers, lifecycleWith, run } = require("./browser.js");

const [name, file] = process.argv.slice(2);

async function main() {
  const { browser, page, faults } = await open({ deviceScaleFactor: file ? 1.2 : 1, colorScheme: "light" });
  await page.goto(`${CONSOLE}/lifecycle?function=${name}`, { waitUntil: "domcontentloaded" });
  await lifecycleWith(page, 3);
  await page.waitForFunction(() => (document.querySelector("[data-log]").textContent.match(/REPORT/g) ?? []).length === 3);
  await page.waitForFunction(() => document.querySelectorAll(".calls tbody tr").length === 3);
  const seen = await page.evaluate(() => {
    const { lanes, inits, calls, streams } = document.querySelector("[data-lifecycle]").dataset;
    const log = document.querySelector("[data-log]").textContent;
    const cells = [...document.querySelectorAll(".calls tbody tr")].map((row) => ({
      hasInit: row.children[2].textContent !== "–", ended: row.children[6].textContent, why: row.children[7].textContent,
    }));
    return {
      lanes, inits, calls, streams, cells,
      outOfHandler: log.split("out of handler").length - 1,
      inHandler: log.split("in handler").length - 1,
      isOneScreen: document.querySelector("[data-log]").getBoundingClientRect().bottom <= innerHeight,
    };
  });
  if (file) await page.screenshot({ path: file });
  seen.barriers = await barriers(page);
  seen.faults = faults;
  await browser.close();
  return seen;
}

run(main);

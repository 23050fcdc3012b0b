// Pages that are open hear of what happens without being loaded again. Argument: the name of a function.

const { CONSOLE, server, open, lifecycleWith, run } = require("./browser.js");

const [name] = process.argv.slice(2);

async function call() {
  const answer = await fetch(`${server}/2015-03-31/functions/${name}/invocations`, { method: "POST", body: "{}" });
  if (answer.status !== 200) throw new Error(await answer.text());
  await answer.text();
}

async function main() {
  const { browser, context, page, faults } = await open();
  const [functions, lifecycle, tail] = [page, await context.newPage(), await context.newPage()];
  await functions.goto(CONSOLE, { waitUntil: "domcontentloaded" });
  await lifecycle.goto(`${CONSOLE}/lifecycle?function=${name}`, { waitUntil: "domcontentloaded" });
  await tail.goto(`${CONSOLE}/tail`, { waitUntil: "domcontentloaded" });
  await lifecycleWith(lifecycle, 1);
  await tail.waitForSelector("[data-tail][data-open]");
  for (const one of [functions, lifecycle, tail]) await one.evaluate(() => { window.sameDocument = true; });
  const callsOf = (one) => one.evaluate(
    (wanted) => [...document.querySelectorAll(".functions tbody tr")]
      .find((row) => row.querySelector("a").textContent === wanted)?.children[4].textContent,
    name,
  );
  const before = Number(await callsOf(functions));
  await call();
  await call();
  await functions.waitForFunction(
    ([wanted, number]) => [...document.querySelectorAll(".functions tbody tr")]
      .some((row) => row.querySelector("a").textContent === wanted && Number(row.children[4].textContent) === number),
    [name, before + 2],
  );
  await lifecycleWith(lifecycle, before + 2);
  await lifecycle.waitForFunction((rows) => document.querySelectorAll(".calls tbody tr").length === rows, before + 2);
  await tail.waitForFunction(() => (document.querySelector("[data-tail]").textContent.match(/REPORT/g) ?? []).length >= 3);

  // A filter hides the rest; a pause holds back what comes, and loses nothing.
  await tail.fill("[data-filter]", "REPORT");
  const shown = await tail.evaluate(() =>
    [...document.querySelectorAll("[data-tail] .line:not([hidden])")].map((line) => line.textContent));
  const filtered = shown.length > 0 && shown.every((line) => line.includes("REPORT"));
  await tail.click("[data-pause]");
  await call();
  await tail.waitForFunction(() => /Paused; [1-9]/.test(document.querySelector("[data-count]").textContent));
  const held = (await tail.locator("[data-tail] .line:not([hidden])").count()) === shown.length;
  await tail.click("[data-pause]");
  await tail.waitForFunction(
    (number) => document.querySelectorAll("[data-tail] .line:not([hidden])").length > number, shown.length,
  );
  const same = [];
  for (const one of [functions, lifecycle, tail]) same.push(await one.evaluate(() => window.sameDocument === true));
  await browser.close();
  return { same, filtered, held, faults };
}

run(main);

// Signing in, what a key that may only look can do, and leaving. Arguments: id and secret of a key that may only look, of
// one that may everything, and the name of a function.

const { CONSOLE, open, picture, barriers, run } = require("./browser.js");

const [id, secret, adminId, adminSecret, name] = process.argv.slice(2);

async function signIn(page, [key, word]) {
  await page.fill("#access_key_id", key);
  await page.fill("#secret_access_key", word);
  await page.click("main button[type=submit]");
}

async function main() {
  const seen = {};
  const { browser, context, page } = await open();
  await page.goto(`${CONSOLE}/functions/${name}`, { waitUntil: "domcontentloaded" });
  seen.askedAt = new URL(page.url()).pathname;
  seen.barriers = await barriers(page);
  await picture(page, "sign-in");
  await signIn(page, [id, "wrong"]);
  await page.waitForSelector(".note.bad");
  seen.wrong = await page.textContent(".note.bad");
  await signIn(page, [id, secret]);
  await page.waitForSelector(".viewer");
  seen.backAt = new URL(page.url()).pathname;
  seen.owner = await page.textContent(".viewer span");
  const [cookie] = await context.cookies(CONSOLE);
  seen.cookie = { httpOnly: cookie.httpOnly, sameSite: cookie.sameSite, path: cookie.path };

  await page.click("form.invoke button");
  await page.waitForSelector("#answer .note.bad");
  seen.invoke = await page.textContent("#answer .note.bad");
  await page.goto(`${CONSOLE}/functions/${name}/delete`, { waitUntil: "domcontentloaded" });
  await page.click("main button.bad");
  await page.waitForSelector("main .note.bad");
  seen.delete = await page.textContent("main .note.bad");

  await page.click(".viewer button");
  await page.waitForSelector("#access_key_id");
  // The cookie of a session that was left opens nothing.
  await context.addCookies([{ ...cookie }]);
  await page.goto(CONSOLE, { waitUntil: "domcontentloaded" });
  seen.afterLeaving = new URL(page.url()).pathname;
  await signIn(page, [adminId, adminSecret]);
  await page.waitForSelector(".functions tbody tr");
  await page.goto(`${CONSOLE}/functions/${name}`, { waitUntil: "domcontentloaded" });
  await page.click("form.invoke button");
  await page.waitForSelector("#answer .note.good");
  await page.goto(`${CONSOLE}/functions/${name}/delete`, { waitUntil: "domcontentloaded" });
  await page.click("main button.bad");
  await page.waitForFunction((path) => location.pathname === path, new URL(CONSOLE).pathname);
  seen.left = await page.textContent("main");
  await browser.close();
  return seen;
}

run(main);

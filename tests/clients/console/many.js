// How long the picture of a great many calls takes to paint while it is zoomed. Arguments: the name of a
// function, and the number of calls.

const { CONSOLE, open, picture, lifecycleWith, run } = require("./browser.js");

const [name, number] = process.argv.slice(2);

async function main() {
  const { browser, page, faults } = await open();
  await page.goto(`${CONSOLE}/lifecycle?function=${name}`, { waitUntil: "domcontentloaded" });
  await lifecycleWith(page, Number(number));
  await picture(page, "many");
  const paints = await page.evaluate(async () => {
    const section = document.querySelector("[data-lifecycle]");
    const canvas = document.querySelector("canvas.picture");
    const box = canvas.getBoundingClientRect();
    const taken = [];
    for (let frame = 0; frame < 60; frame += 1) {
      const before = section.dataset.paints;
      canvas.dispatchEvent(new WheelEvent("wheel", {
        deltaY: frame < 40 ? -60 : 120, clientX: box.left + box.width / 2, clientY: box.top + 20, bubbles: true, cancelable: true,
      }));
      while (section.dataset.paints === before) await new Promise(requestAnimationFrame);
      taken.push(Number(section.dataset.paintMs));
    }
    return taken.sort((one, other) => one - other);
  });
  await browser.close();
  return { median: paints[30], slowest: paints[59], faults };
}

run(main);

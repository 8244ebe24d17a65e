// Checks the page with axe on a phone: node check.mjs CHROMIUM URL
// Each side of it is checked light, and dark if MILEPOST_TEST_THOROUGH is set, with all
// forms open, and what a link or Tab leads to must be in sight. Before that, a press must
// count though the page changes meanwhile. A line is printed for each violation, and then
// the status is 1.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [executablePath, address] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
let passed = 0;
try {
	const page = await browser.newPage({ viewport: { width: 390, height: 844 }, reducedMotion: "reduce" });
	await page.goto(address);

	// A card changes while somebody presses something in it: the press counts.
	const changed = page.locator("#contacts > .card").first(), form = changed.locator("details").first();
	await form.locator("summary").hover();
	await page.mouse.down();
	const answer = page.waitForResponse((r) => new URL(r.url()).pathname === "/" && r.request().method() === "GET");
	await page.request.post(new URL((await changed.getAttribute("id")).replace("contact-", "/contacts/") + "/tags", address).href, { form: { tag: "pressed" } });
	await (await answer).finished();
	await page.evaluate(() => new Promise((done) => { requestAnimationFrame(() => requestAnimationFrame(done)); }));
	await page.mouse.up();
	if (!await form.evaluate((d) => d.open)) { console.log("a press while the card changes is lost"); process.exitCode = 1; }
	await changed.getByText("pressed").first().waitFor();

	await page.evaluate(axe);
	await page.evaluate(() => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
	for (const side of ["highlevel", "calendarhero"])
		for (const colorScheme of process.env.MILEPOST_TEST_THOROUGH ? ["light", "dark"] : ["light"]) {
			const say = (what) => { console.log(`${side}, ${colorScheme}: ${what}`); process.exitCode = 1; };
			await page.emulateMedia({ colorScheme });
			await page.evaluate((side) => { location.hash = side; }, side);
			if (!await page.locator("#" + side).isVisible()) say("is not in sight");
			const { violations, passes } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
			for (const rule of violations)
				for (const node of rule.nodes) say(`${rule.id} (${rule.impact}): ${node.target.join(" ")}: ${node.failureSummary.replaceAll("\n", " ")}`);
			const wide = await page.evaluate(() => document.documentElement.scrollWidth);
			if (wide > 390) say(`${wide} pixels wide`);
			const hidden = await page.evaluate((side) => {
				const card = document.querySelector(`#${side} [data-list] > .card`);
				location.hash = card.id;
				return document.querySelector(".switch").getBoundingClientRect().bottom - card.getBoundingClientRect().top;
			}, side);
			if (hidden > 0) say(`${hidden} pixels of the card that the address names are under the switch`);
			for (let i = 0; i < 40; i++) {
				await page.keyboard.press("Tab");
				const focused = await page.evaluate(() => {
					const at = document.activeElement.getBoundingClientRect(), edge = (part) => document.querySelector(part).getBoundingClientRect();
					const hidden = document.activeElement.closest("main") && (at.bottom < edge(".switch").bottom || at.top > edge("#latest").top);
					return hidden ? document.activeElement.outerHTML.slice(0, 100) : "";
				});
				if (focused) say(`the focus is not in sight: ${focused}`);
			}
			passed += passes.length;
		}
} finally {
	await browser.close();
}
console.log(`${passed} rules passed`);

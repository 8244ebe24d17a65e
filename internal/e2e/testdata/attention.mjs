// Looks at what needs attention in a real Chromium: node attention.mjs CHROMIUM ADDRESS
// STEP, with the admin token in the environment. "found" finds the cause and
// acknowledges it; "retried" replays it after its dry run. A line is printed for each
// fault, and then the status is 1. axe checks the pages if MILEPOST_TEST_THOROUGH is set.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [executablePath, address, step] = process.argv.slice(2);
const axe = process.env.MILEPOST_TEST_THOROUGH && readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const fault = (what) => { console.log(what); process.exitCode = 1; };
const page = await (await browser.newContext({ viewport: { width: 360, height: 740 }, reducedMotion: "reduce" })).newPage();
page.setDefaultTimeout(20000);
page.on("console", (m) => { if (m.type() === "error") fault(m.text()); });
page.on("pageerror", (e) => fault(e.message));

// Clicks what leads to another page, and waits until that is there.
const follow = (link) => Promise.all([page.waitForEvent("load"), link.click()]);

async function check() {
	const wide = await page.evaluate(() => document.documentElement.scrollWidth);
	if (wide > 360) fault(`${page.url()}: ${wide} pixels wide`);
	if (!axe) return;
	await page.evaluate(axe);
	const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
	for (const rule of violations) for (const node of rule.nodes) fault(`${page.url()}: ${rule.id}: ${node.target.join(" ")}`);
}

try {
	await page.goto(address + "/console/sign-in");
	await page.fill("[name=token]", process.env.ADMIN_TOKEN);
	await page.press("[name=token]", "Enter");
	await page.waitForURL(address + "/console/");
	await follow(page.locator("nav[aria-label=Main] >> text=Attention"));
	const cause = page.locator("main h2 a", { hasText: "CalendarHero" });
	if (step === "found") {
		await check();
		await follow(cause.first());
		await check();
		await page.click("main button:has-text('Acknowledge')");
		await page.waitForSelector("text=You acknowledged it.");
		await page.click("main button:has-text('Open it again')");
		await page.waitForSelector("text=It is open again.");
	} else {
		await follow(cause.first());
		await follow(page.locator("main button:has-text('First see what would change')"));
		while (await page.locator("text=See how far it is").count() > 0) await follow(page.locator("text=See how far it is"));
		await page.waitForSelector("text=Replay now");
		await check();
		await page.click("text=Replay now");
		await page.waitForSelector("text=The replay has begun.");
		await check();
	}
	if (!process.exitCode) console.log(step);
} finally {
	await browser.close();
}

// Walks the console in a real Chromium: node walk.mjs CHROMIUM URL NAME PASSWORD FOLDER [PATH...]
// It signs in, opens each path on a phone in light and dark, checks it with axe, and
// opens it once more without script. The dark sheet differs in colours alone, so that
// only the rules on colours are checked a second time. A line is printed for each fault, and then the
// status is 1. A screenshot of each page is left in FOLDER, unless that is "-".
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [executablePath, address, name, password, folder, ...paths] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const schemes = process.env.MILEPOST_TEST_THOROUGH ? ["light", "dark"] : ["light"];
let where = "", passed = 0;
const fault = (what) => { console.log(`${where}: ${what}`); process.exitCode = 1; };

async function open(options) {
	const context = await browser.newContext({ viewport: { width: 360, height: 740 }, reducedMotion: "reduce", ...options });
	const page = await context.newPage();
	page.on("console", (m) => { if ((m.type() === "error" || m.type() === "warning") && !m.text().includes("status of 422")) fault(m.text()); }); // a form with a mistake
	page.on("pageerror", (e) => fault(e.message));
	page.on("dialog", (d) => { fault("a dialog: " + d.message()); d.dismiss(); });
	where = "sign-in";
	await page.goto(address + "/console/deliveries?outcome=failed");
	await page.fill("#name", name);
	await page.fill("#password", password);
	await page.press("#password", "Enter");
	await page.waitForURL(address + "/console/deliveries?outcome=failed");
	return page;
}

async function check(page, scheme) {
	if (!await page.evaluate(() => window.axe)) await page.evaluate(axe);
	const { violations, passes } = await page.evaluate((scheme) => window.axe.run(document, {
		resultTypes: ["violations"], ...(scheme === "dark" && { runOnly: ["color-contrast", "link-in-text-block"] }),
	}), scheme);
	for (const rule of violations)
		for (const node of rule.nodes) fault(`${rule.id} (${rule.impact}): ${node.target.join(" ")}: ${node.failureSummary.replaceAll("\n", " ")}`);
	const wide = await page.evaluate(() => document.documentElement.scrollWidth);
	if (wide > 360) fault(`${wide} pixels wide`);
	passed += passes.length;
}

try {
	const page = await open({});
	for (const path of paths) {
		where = path;
		const answer = await page.goto(address + path);
		if (answer.status() !== 200) fault(`status ${answer.status()}`);
		await page.evaluate(() => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
		for (const colorScheme of schemes) {
			where = `${path}, ${colorScheme}`;
			await page.emulateMedia({ colorScheme });
			if (folder !== "-") await page.screenshot({ path: `${folder}/${path.replace(/[^a-z0-9]+/gi, "_")}_${colorScheme}.png`, fullPage: true });
			await check(page, colorScheme);
		}
	}
	const edit = paths.find((path) => path.endsWith("/yaml"));
	if (edit) {
		where = "a mistake in an automation";
		await page.goto(address + edit);
		await page.fill("#text", "- name: " + "x".repeat(80) + "\n  on: nothing\n  do: [<b>]\n");
		await page.click("text=Save as a draft");
		await page.locator("#wrong").waitFor();
		for (const colorScheme of schemes) {
			await page.emulateMedia({ colorScheme });
			if (folder !== "-") await page.screenshot({ path: `${folder}/mistake_${colorScheme}.png`, fullPage: true });
			await check(page, colorScheme);
		}
	}
	where = "skip link";
	await page.goto(address + "/console/");
	await page.keyboard.press("Tab");
	if (await page.evaluate(() => document.activeElement.className) !== "skip") fault("the first stop of the keyboard is another");
	where = "sign out";
	await page.click("text=Sign out");
	await page.waitForURL(address + "/console/sign-in");
	await check(page);

	const plain = await open({ javaScriptEnabled: false });
	for (const path of paths) {
		where = `${path}, without script`;
		const answer = await plain.goto(address + path);
		if (answer.status() !== 200 || !await plain.locator("h1").isVisible()) fault(`status ${answer.status()}`);
	}
	where = "filter, without script";
	await plain.goto(address + "/console/deliveries");
	await plain.selectOption("#outcome", "skipped");
	await plain.click("text=Filter");
	await plain.waitForURL("**outcome=skipped**");
	await plain.goBack();
	if (plain.url() !== address + "/console/deliveries") fault(`back leads to ${plain.url()}`);
} finally {
	await browser.close();
}
console.log(`${passed} rules passed`);

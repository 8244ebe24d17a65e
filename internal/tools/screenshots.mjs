// Takes the pictures of docs/console.md: node screenshots.mjs MILEPOST CHROMIUM FOLDER. It
// starts the sandbox, waits until its scenario is played, breaks one automation, and
// writes a WebP of each main page. Only the dates differ from run to run.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [milepost, executablePath, folder] = process.argv.slice(2);
const scratch = mkdtempSync(join(tmpdir(), "milepost-screenshots-"));
const addresses = join(scratch, "addresses.json");
const sandbox = spawn(milepost, ["sandbox", "--addresses", addresses, "--log-level", "error"], { stdio: ["ignore", "pipe", "inherit"] });
let browser;

try {
	await says("Now it is your turn");
	const at = JSON.parse(readFileSync(addresses, "utf8"));
	const api = call(at.admin + "/api/v1", at.admin_token);
	const highlevel = call(at.highlevel, at.highlevel_token, { Version: "2021-07-28" });
	await breakAnAutomation(at, api, highlevel);

	browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
	const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, reducedMotion: "reduce", timezoneId: "America/New_York" });
	const page = await context.newPage();
	page.setDefaultTimeout(20000);
	await page.goto(at.console);
	if (await page.locator("main form button").count()) await page.locator("main form button").first().click();
	const open = (path) => page.goto(at.admin + "/console/" + path, { waitUntil: "load" });

	const week = new Date(Date.now() + 7 * 24 * 3600 * 1000).toISOString().slice(0, 10);
	await open("");
	await take(page, "overview", "light", "dark");
	await open("attention");
	await take(page, "attention", "light");
	await open("deliveries?outcome=done");
	await take(page, "deliveries", "light");
	await page.locator("a.rowlink", { hasText: "NoteCreate" }).first().click();
	await page.waitForURL(/deliveries\/\d+$/);
	await take(page, "delivery", "light");
	await open("contacts/" + at.location_id + "/nwContactPriya000001");
	await take(page, "contact", "light");
	await open(`calendar?location=${at.location_id}&day=${week}`);
	await take(page, "calendar", "light", "dark");
	await open("automations/milestone-to-calendar-event/edit");
	await take(page, "editor", "light");
	await open("recipes");
	await take(page, "recipes", "light");
	await open("connections/" + at.location_id);
	await take(page, "connection", "light");
	await page.setViewportSize({ width: 390, height: 780 });
	await open("");
	await take(page, "phone", "dark");
} finally {
	await browser?.close();
	if (sandbox.exitCode === null) {
		const ended = new Promise((resolve) => sandbox.once("exit", resolve));
		sandbox.kill("SIGTERM");
		await ended;
	}
	rmSync(scratch, { recursive: true });
}

// Waits until the sandbox has written a text.
function says(text) {
	return new Promise((resolve, reject) => {
		let said = "";
		sandbox.stdout.on("data", (part) => { said += part; if (said.includes(text)) resolve(); });
		sandbox.once("exit", (status) => reject(new Error(`the sandbox ended with status ${status}:\n${said}`)));
		setTimeout(() => reject(new Error(`the sandbox never says ${text}:\n${said}`)), 180000).unref();
	});
}

function call(base, token, headers = {}) {
	return async (method, path, body) => {
		const answer = await fetch(base + path, {
			method, body: body && JSON.stringify(body),
			headers: { Authorization: "Bearer " + token, ...(body && { "Content-Type": "application/json" }), ...headers },
		});
		const text = await answer.text();
		if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
		return text && JSON.parse(text);
	};
}

// Has something to see under Attention: an automation that reads a date from a text.
async function breakAnAutomation(at, api, highlevel) {
	const { customField } = await highlevel("POST", `/locations/${at.location_id}/customFields`, { name: "Handover", dataType: "TEXT", model: "contact" });
	await api("POST", "/automations", { why: "keys", text: `name: Key handover
on: milestone.changed
milestone: { name: "Key handover", date: contact.handover }
do:
  - event: { title: "Keys for {{ contact.name }}", start: "{{ milestone.date }}", duration: 30m, invite: owner }
` });
	for (const [id, value] of [["nwContactPriya000001", "after the holidays"], ["nwContactJose0000001", "soon"]])
		await highlevel("PUT", "/contacts/" + id, { customFields: [{ id: customField.id, field_value: value }] });
	for (const until = Date.now() + 60000; ;) {
		const { items } = await api("GET", "/attention");
		if (items.length > 0 && items[0].count > 1) return;
		if (Date.now() > until) throw new Error("nothing needs attention: " + JSON.stringify(items));
		await new Promise((resolve) => setTimeout(resolve, 250));
	}
}

// Writes what the window shows as FOLDER/NAME-SCHEME.webp.
async function take(page, name, ...schemes) {
	await page.evaluate(() => document.fonts.ready);
	for (const colorScheme of schemes) {
		await page.emulateMedia({ colorScheme });
		const session = await page.context().newCDPSession(page);
		const { data } = await session.send("Page.captureScreenshot", { format: "webp", quality: 82 });
		await session.detach();
		writeFileSync(join(folder, `${name}-${colorScheme}.webp`), Buffer.from(data, "base64"));
	}
}

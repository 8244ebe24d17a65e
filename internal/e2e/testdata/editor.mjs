// Builds automations in a real Chromium: node editor.mjs CHROMIUM ADDRESS FOLDER, with
// the admin token in the environment. The first is built with the mouse, the second by
// keyboard alone. The editor is checked at 360 pixels, in light and dark, with axe
// if MILEPOST_TEST_THOROUGH is set. A line is printed for each fault, and then the status is 1.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [executablePath, address, folder] = process.argv.slice(2);
const axe = process.env.MILEPOST_TEST_THOROUGH && readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
let where = "sign-in", shots = 0;
const fault = (what) => { console.log(`${where}: ${what}`); process.exitCode = 1; };
const context = await browser.newContext({ viewport: { width: 360, height: 740 }, reducedMotion: "reduce" });
const page = await context.newPage();
page.setDefaultTimeout(20000);
page.on("console", (m) => { if (m.type() === "error" && !m.text().includes("status of 422")) fault(m.text()); });
page.on("pageerror", (e) => fault(e.message));

const field = (name) => page.locator(`#editor [name="${name}"]`);

async function check(name) {
	where = name;
	for (const colorScheme of ["dark", "light"]) {
		await page.emulateMedia({ colorScheme });
		if (folder !== "-") await page.screenshot({ path: `${folder}/editor_${String(++shots).padStart(2, "0")}_${name.replace(/[^a-z0-9]+/gi, "_")}_${colorScheme}.png`, fullPage: true });
		const wide = await page.evaluate(() => document.documentElement.scrollWidth);
		if (wide > 360) fault(`${wide} pixels wide`);
		if (!axe) continue;
		if (!await page.evaluate(() => window.axe)) await page.evaluate(axe);
		const runOnly = colorScheme === "dark" ? ["color-contrast", "link-in-text-block"] : undefined; // the dark sheet differs in colours alone
		const { violations } = await page.evaluate((runOnly) => window.axe.run(document, { resultTypes: ["violations"], ...(runOnly && { runOnly }) }), runOnly);
		for (const rule of violations) for (const node of rule.nodes) fault(`${rule.id}: ${node.target.join(" ")}: ${node.failureSummary.replaceAll("\n", " ")}`);
	}
}

// Waits for the answers to earlier choices, which replace the editor.
const settled = () => page.locator("#editor:not([aria-busy])").waitFor();

// Makes a choice whose answer is kept back. What it returns lets the answer come.
async function late(choose) {
	let release;
	const kept = new Promise((resolve) => { release = resolve; });
	await page.route("**/automations/new", async (route) => { await kept; await route.continue(); }, { times: 1 });
	await choose();
	await page.locator("#editor[aria-busy]").waitFor();
	return async () => {
		const answer = page.waitForResponse("**/automations/new");
		release();
		await (await answer).finished();
		await page.evaluate(() => new Promise((done) => { requestAnimationFrame(() => requestAnimationFrame(done)); }));
	};
}

// Goes with the tab key to what is named, and no further than a person would.
async function tabTo(selector) {
	for (let i = 0; i < 150; i++) {
		if (await page.evaluate((s) => document.activeElement.matches(s), selector)) return;
		await page.keyboard.press("Tab");
	}
	throw new Error(`the tab key does not reach ${selector}`);
}
const named = (name) => `#editor [name="${name}"]`;
const step = (value) => `button[value="${value}"]`;

async function press(selector) {
	await tabTo(selector);
	await page.keyboard.press("Enter");
}

// Chooses from a list by the beginning of what it says.
async function choose(name, text, value) {
	await tabTo(named(name));
	await page.keyboard.type(text);
	await page.waitForFunction(([n, v]) => document.querySelector(`#editor [name="${n}"]`).value === v, [name, value]);
}

async function write(name, text) {
	await tabTo(named(name));
	await page.keyboard.type(text);
}

try {
	await page.goto(address + "/console/sign-in");
	await page.fill("[name=token]", process.env.ADMIN_TOKEN);
	await page.press("[name=token]", "Enter");
	await page.waitForURL("**/console/**");

	where = "with the mouse";
	await page.goto(address + "/console/automations");
	await page.click("text=New automation");
	await page.waitForURL("**/automations/new");
	await check("a new automation");
	where = "with the mouse";
	await field("f.name").fill("Clicked");
	await field("f.on").selectOption("contact.tagged");
	await field("f.tag").selectOption("vip");
	await page.click(step("row.add"));
	await field("if.0.field").selectOption("contact.first_name");
	await field("if.0.value").fill("Priya");
	await settled();
	await field("add").selectOption("highlevel_note");
	await settled();
	// The answer to an earlier choice comes while the button is pressed, and replaces it.
	const answer = await late(() => field("if.0.field").selectOption("contact.first_name"));
	await page.locator(step("action.add")).hover();
	await page.mouse.down();
	await answer();
	await page.mouse.up();
	await field("a.0.f.text").fill("Call  today");
	await field("a.0.f.text").evaluate((t) => { t.focus(); t.setSelectionRange(5, 5); });
	// The answer to an earlier choice comes late: the list of fields stays open.
	const shown = await late(() => field("if.0.field").selectOption("contact.first_name"));
	await field("a.0.f.text").evaluate((t) => { t.focus(); t.setSelectionRange(5, 5); });
	await page.click(step("pick:a.0.f.text"));
	await field("pick.path").selectOption("contact.first_name");
	await shown();
	await settled();
	await check("a list of fields");
	where = "with the mouse";
	await page.click("[data-put]");
	const text = await field("a.0.f.text").inputValue();
	if (text !== "Call {{ contact.first_name }} today") fault(`the text is ${text}`);
	await page.click(step("live"));
	await page.waitForURL("**/automations/clicked?said=created");
	await page.click("main >> text=Edit >> nth=0");
	await page.waitForURL("**/automations/clicked/edit");
	await field("q").fill("priya");
	await page.click(step("find"));
	await page.click(".plainlist button >> nth=0");
	await page.locator("#preview").waitFor();
	const preview = await page.locator("#preview").innerText();
	if (!preview.includes("nobody")) fault(`the preview says ${preview}`);
	if (!(await page.locator('[name="if.0.field"] option:checked').innerText()).includes("(Priya)")) fault("the field shows no example");
	await check("a preview");
	where = "with the mouse";
	await field("f.on").selectOption("milestone.approaching");
	await field("m.kind").waitFor();
	await field("add").selectOption("request");
	await page.click(step("action.add"));
	await field("a.1.f.operation").selectOption("highlevel.create_task");
	await field("a.1.f.fields.title").waitFor();
	await page.click(step("check") + ":visible >> nth=-1");
	await page.locator("#wrong").waitFor();
	await page.evaluate(() => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
	await check("mistakes and an operation");

	where = "by keyboard";
	await page.evaluate(() => { window.onbeforeunload = null; });
	page.once("dialog", (d) => d.accept());
	await page.goto(address + "/console/automations/new");
	await write("f.name", "Typed");
	await choose("f.on", "A contact has a tag", "contact.tagged");
	await field("f.tag").waitFor();
	await choose("f.tag", "vip", "vip");
	await page.waitForTimeout(300);
	await press(step("row.add"));
	await field("if.0.field").waitFor();
	await choose("if.0.field", "First name", "contact.first_name");
	await page.waitForTimeout(500);
	await write("if.0.value", "Priya");
	await choose("add", "Note in HighLevel", "highlevel_note");
	await press(step("action.add"));
	await field("a.0.f.text").waitFor();
	await write("a.0.f.text", "Hello ");
	await press(step("pick:a.0.f.text"));
	await page.keyboard.type("First");
	await page.keyboard.press("Enter");
	if (!await page.evaluate(() => document.activeElement.name === "a.0.f.text")) fault("after inserting, the focus is elsewhere");
	await page.keyboard.type("!");
	await write("q", "priya");
	await page.keyboard.press("Enter");
	await page.locator(".plainlist button").first().waitFor();
	await press(".plainlist button");
	await page.locator("#preview").waitFor();
	await press(step("live"));
	await page.waitForURL("**/automations/typed?said=created");
} catch (e) {
	fault(`${e.message}`);
} finally {
	await browser.close();
}
console.log("built");

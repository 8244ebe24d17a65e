// Walks the first steps in a real Chromium, by keyboard: node firstrun.mjs CHROMIUM LINK
// FOLDER, with the tokens in the environment. Each page is checked at 360 pixels, in
// light, and in dark where a page has parts of its own, with axe if MILEPOST_TEST_THOROUGH is
// set. A line is printed for each fault, and then the status is 1.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [executablePath, link, folder] = process.argv.slice(2);
const { HL_TOKEN, CH_TOKEN, LOCATION, CLIENT_ID, CLIENT_SECRET, PUBLIC_URL } = process.env;
const axe = process.env.MILEPOST_TEST_THOROUGH && readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
let where = "", shots = 0;
const fault = (what) => { console.log(`${where}: ${what}`); process.exitCode = 1; };
const context = await browser.newContext({ viewport: { width: 360, height: 740 }, reducedMotion: "reduce" });
const page = await context.newPage();
page.setDefaultTimeout(20000);
page.on("console", (m) => { if (m.type() === "error" && !m.text().includes("status of 422")) fault(m.text()); });
page.on("pageerror", (e) => fault(e.message));

const inDark = ["account", "needs", "preview", "on", "a new link", "the app is set", "connection", "webhooks"];
async function check(name) {
	where = name;
	for (const colorScheme of inDark.includes(name) ? ["dark", "light"] : ["light"]) {
		await page.emulateMedia({ colorScheme });
		if (folder !== "-") await page.screenshot({ path: `${folder}/firstrun_${String(++shots).padStart(2, "0")}_${name.replace(/[^a-z0-9]+/gi, "_")}_${colorScheme}.png`, fullPage: true });
		const wide = await page.evaluate(() => document.documentElement.scrollWidth);
		if (wide > 360) fault(`${wide} pixels wide`);
		if (!axe) continue;
		if (!await page.evaluate(() => window.axe)) await page.evaluate(axe);
		const runOnly = colorScheme === "dark" ? ["color-contrast", "link-in-text-block"] : undefined; // the dark sheet differs in colours alone
		const { violations } = await page.evaluate((runOnly) => window.axe.run(document, { resultTypes: ["violations"], ...(runOnly && { runOnly }) }), runOnly);
		for (const rule of violations) for (const node of rule.nodes) fault(`${rule.id}: ${node.target.join(" ")}: ${node.failureSummary.replaceAll("\n", " ")}`);
	}
}
// Types into fields and sends their form with Enter.
async function fill(fields) {
	for (const [selector, text] of fields) {
		await page.locator(selector).focus();
		await page.keyboard.type(text);
	}
	await page.keyboard.press("Enter");
}
// Presses what has the focus after it is given to a link or button of a name.
async function press(role, name) {
	await page.getByRole(role, { name, exact: true }).first().focus();
	await page.keyboard.press("Enter");
}

try {
	await page.goto(link);
	await page.waitForURL("**/console/");
	await check("empty overview");
	await press("link", "Go on with the first steps");
	await page.waitForURL("**/start/account*");
	await check("account");
	await fill([["#name", "olivia"], ["#password", "correct horse"], ["#again", "correct horse"]]);
	await page.waitForURL("**/start/highlevel*");
	await check("highlevel");
	await fill([["#typed", LOCATION], ["#hltoken", "pit-wrong"]]);
	await page.getByRole("alert").waitFor();
	await check("a wrong token");
	await page.locator("#typed").fill("");
	await fill([["#typed", `https://app.gohighlevel.com/v2/location/${LOCATION}/dashboard`], ["#hltoken", HL_TOKEN]]);
	await page.waitForURL("**/start/calendarhero*");
	await check("calendarhero");
	await fill([["#chtoken", CH_TOKEN]]);
	await page.waitForURL("**/start/recipe*");
	await page.locator('input[value="milestone-to-calendar-event"]').focus();
	await page.keyboard.press("Space");
	await press("button", "Choose it");
	await page.waitForURL("**recipe=milestone-to-calendar-event*");
	await check("needs");
	await press("button", "Go on to the preview");
	await page.waitForURL("**/start/preview*");
	await fill([["#q", "Priya"]]);
	await page.waitForURL("**q=Priya*");
	await press("link", "Priya Raman");
	await page.waitForURL("**contact=*");
	await check("preview");
	if (!(await page.textContent("main")).includes("Home inspection: Priya Raman")) fault("the preview does not name the event");
	await press("button", "Sync this contact");
	await page.waitForURL("**/start/on*");
	for (let i = 0; i < 100 && !(await page.textContent("h2")).includes("is in step"); i++) { await page.waitForTimeout(100); await page.reload(); }
	await check("on");
	if (!(await page.textContent("main")).includes("The first contact is in step")) fault("the contact is not in step");

	// The same location by OAuth: its links and history stay.
	const origin = new URL(link).origin, connection = `${origin}/console/connections/${LOCATION}`;
	await page.goto(connection + "/links");
	await press("button", "Create a workflow link");
	await page.locator("#link").waitFor();
	await check("a new link");
	await page.goto(origin + "/console/start/highlevel");
	await page.locator("summary").focus();
	await page.keyboard.press("Enter");
	await fill([["#url", PUBLIC_URL], ["#client", CLIENT_ID], ["#secret", CLIENT_SECRET]]);
	await page.waitForURL("**said=app-set*");
	await check("the app is set");
	await page.goto(connection);
	await check("connection");
	await press("link", "Authorize it in HighLevel");
	await page.waitForURL("**/chooselocation*");
	await page.locator(`button[value="${LOCATION}"]`).first().focus();
	await page.keyboard.press("Enter");
	await page.getByRole("heading", { name: "Connected" }).waitFor();
	await page.goto(connection);
	const state = await page.textContent("main");
	for (const want of ["Works", "By OAuth", "Milepost renews it before"]) if (!state.includes(want)) fault(`it does not say "${want}"`);
	await press("button", "Check it now");
	await page.locator("#checked").waitFor();
	await check("checked");
	if ((await page.textContent("#checked")).includes("Failed")) fault("a check failed");
	await page.goto(connection + "/links");
	if (!(await page.textContent("main")).includes("It works until you end it")) fault("the workflow link is gone");
	await page.goto(connection + "/webhooks");
	await check("webhooks");
	await page.goto(connection + "/disconnect");
	await check("disconnect");
} catch (e) {
	fault(`${e.message}\n${await page.textContent("body").catch(() => "")}`);
} finally {
	await browser.close();
}
console.log("walked");

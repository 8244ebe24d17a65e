// The editor of automations works without this file: each button sends the form, and
// the page comes back with what was typed. With it, only what changed is exchanged,
// and a field that is picked goes to where the caret is.
"use strict";

document.documentElement.classList.add("js");

const path = location.pathname;
let turn = 0; // of what was typed: an answer to an earlier one is dropped
let timer = 0, mailTimer = 0;
let caret = null; // the text that a field goes into

const form = () => document.getElementById("editor");

// ask sends the form as if a button was pressed, and returns the page that comes back.
async function ask(step) {
  const body = new URLSearchParams();
  for (const [name, value] of new FormData(form())) if (typeof value === "string") body.append(name, value);
  body.append("step", step);
  const answer = await fetch(path, { method: "POST", body, headers: { Accept: "text/html" } });
  if (answer.redirected || answer.status !== 200 && answer.status !== 422) throw new Error("status " + answer.status);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

// released waits until no button is pressed: one that is replaced before the release gets no click.
async function released() {
  while (document.querySelector(":is(button, summary, a, label, input):active")) await new Promise(requestAnimationFrame);
}

// exchange shows the page that comes back, with the focus, the open details and the open
// list of fields of this one.
async function exchange(step, keep) {
  clearTimeout(timer);
  const mine = ++turn;
  form().setAttribute("aria-busy", "true");
  let page;
  try {
    page = await ask(step);
    await released();
  } catch {
    if (mine === turn) send(step); // as without this file
    return;
  }
  if (mine !== turn) { // somebody went on typing
    form().removeAttribute("aria-busy");
    if (step.startsWith("refresh:")) { later(step, true); return; }
    return exchange(step, keep);
  }
  const focused = document.activeElement && document.activeElement.id, was = at(document.activeElement), wrote = at(caret);
  const fresh = page.getElementById("editor");
  if (!fresh) { send(step); return; }
  const open = new Set([...form().querySelectorAll("details[open]")].map((d) => whose(d)));
  const picker = document.getElementById("picker"), list = document.getElementById("pick.path");
  const picked = picker && !picker.hidden && { from: picker.dataset.from, path: list.value };
  form().replaceWith(document.adoptNode(fresh));
  for (const d of form().querySelectorAll("details")) if (open.has(whose(d))) d.open = true;
  for (const note of document.querySelectorAll("main > .note")) note.remove();
  const h1 = document.querySelector("main > h1");
  for (const note of page.querySelectorAll("main > .note")) h1.after(document.adoptNode(note));
  if (window.localTimes) window.localTimes(form());
  caret = back(wrote);
  const from = picked && opener(picked.from);
  if (from) {
    pick(from);
    document.getElementById("pick.path").value = picked.path;
  }
  const result = step === "preview" || step.startsWith("contact:") ? document.getElementById("preview") : null;
  const to = result || step === "check" && document.querySelector("section.bad") || !keep && form().querySelector("[autofocus]") || focused && document.getElementById(focused);
  if (to) {
    if (!to.matches("input, select, textarea, button, a, [tabindex]")) to.tabIndex = -1;
    to.focus({ preventScroll: keep });
    if (was && was.id === to.id) back(was);
  }
}

// at is where the caret of a text is, and back puts it there in the text of the same id.
function at(text) {
  if (!text || !text.isConnected || !text.id || !("selectionStart" in text) || text.selectionStart === null) return null;
  return { id: text.id, start: text.selectionStart, end: text.selectionEnd };
}
function back(place) {
  const text = place && document.getElementById(place.id);
  if (!text || !("selectionStart" in text) || text.selectionStart === null) return null;
  text.setSelectionRange(place.start, place.end);
  return text;
}

// later exchanges the page once a person has stopped for a moment.
function later(step, keep) {
  clearTimeout(timer);
  timer = setTimeout(() => exchange(step, keep), 200);
}

// whose names details by what they are in.
function whose(d) {
  const box = d.closest("[id]");
  return (box ? box.id : "") + d.querySelector("summary").textContent;
}

// send sends the form and leaves the page.
function send(step) {
  const field = document.createElement("input");
  field.type = "hidden";
  field.name = "step";
  field.value = step;
  form().append(field);
  form().submit();
}

const leaves = new Set(["draft", "live", "yaml"]);

document.addEventListener("submit", (event) => {
  if (event.target !== form()) return;
  const button = event.submitter;
  const active = document.activeElement;
  let step = button && button.name === "step" ? button.value : "check";
  if (step === "check" && active && active.dataset && active.dataset.step) step = active.dataset.step; // Enter in the search box
  if (leaves.has(step)) return;
  event.preventDefault();
  if (step.startsWith("pick:")) { pick(button); return; }
  if (button && "put" in button.dataset) { put(); return; }
  if (button && "close" in button.dataset) { close(); return; }
  exchange(step, false);
});

document.addEventListener("change", (event) => {
  if (!event.target.closest("#editor") || !("refresh" in event.target.dataset)) return;
  turn++;
  later("refresh:" + (event.target.value === "*" ? event.target.id : ""), event.target.value !== "*");
});

// Whom it mails is said anew while a person writes.
document.addEventListener("input", (event) => {
  if (!event.target.closest("#editor") || event.target.closest("#picker") || event.target.id === "q") return;
  turn++;
  clearTimeout(mailTimer);
  mailTimer = setTimeout(async () => {
    const mine = turn;
    try {
      const now = (await ask("refresh:")).getElementById("mailed"), old = document.getElementById("mailed");
      if (mine !== turn || !now || !old || old.textContent === now.textContent) return;
      old.className = now.className;
      old.replaceChildren(...now.childNodes);
    } catch { /* it is said when the page is exchanged */ }
  }, 700);
});

document.addEventListener("focusin", (event) => {
  if (event.target.matches && event.target.matches("#editor [data-insert], #editor [name$='.own']")) caret = event.target;
});

// pick opens the list of fields below a box.
function pick(button) {
  const box = button.closest(".boxed"), picker = document.getElementById("picker");
  const texts = [...box.querySelectorAll("[data-insert], [name$='.own']")];
  if (!texts.includes(caret)) caret = texts.find((t) => t.value === "") || texts[texts.length - 1];
  if (!caret) return;
  picker.querySelector("label").textContent = "Field to insert";
  box.append(picker);
  picker.hidden = false;
  picker.dataset.from = button.dataset.pick;
  const list = document.getElementById("pick.path");
  if (list.selectedIndex < 0) list.selectedIndex = 0;
  list.focus();
}

// put inserts the field that is picked at the caret.
function put() {
  const list = document.getElementById("pick.path"), into = caret;
  if (!list.value || !into || !into.isConnected) return;
  const text = "{{ " + list.value + " }}";
  into.focus();
  into.setRangeText(text, into.selectionStart ?? into.value.length, into.selectionEnd ?? into.value.length, "end");
  into.dispatchEvent(new Event("input", { bubbles: true }));
  close();
  into.focus();
}

// opener is the button that opens the list of fields for a box.
function opener(name) { return document.querySelector(`[data-pick="${CSS.escape(name || "")}"]`); }

function close() {
  const picker = document.getElementById("picker");
  const button = opener(picker.dataset.from);
  picker.hidden = true;
  form().append(picker);
  if (button) button.focus();
}

document.addEventListener("keydown", (event) => {
  if (!event.target.closest || !event.target.closest("#picker")) return;
  if (event.key === "Escape") { event.preventDefault(); close(); }
  if (event.key === "Enter" && event.target.id === "pick.path") { event.preventDefault(); put(); }
});
document.addEventListener("dblclick", (event) => { if (event.target.closest && event.target.closest("#picker option")) put(); });

// What was typed is not lost by a slip.
let dirty = false;
document.addEventListener("input", (event) => { if (event.target.closest("#editor")) dirty = true; });
document.addEventListener("submit", (event) => { if (event.target === form() && event.submitter && leaves.has(event.submitter.value)) dirty = false; });
addEventListener("beforeunload", (event) => { if (dirty) event.preventDefault(); });

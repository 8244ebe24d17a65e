// Keeps the page live: after each change the server's page is fetched and what
// differs is put in place. A card that someone types in is left alone until they are done.
"use strict";

const served = new Map(); // id -> HTML as last served
let wanted = false, running = false, skipped = false;

function remember(root) {
  for (const list of root.querySelectorAll("[data-list]"))
    for (const child of list.children) served.set(child.id, child.outerHTML);
  for (const part of root.querySelectorAll("[data-live]")) served.set(part.id, part.outerHTML);
}

const inUse = (card) => card.dataset.typed === "yes" ||
  (card.contains(document.activeElement) && document.activeElement.matches("input, select, textarea"));

function place(old, fresh) {
  const html = fresh.outerHTML;
  if (served.get(old.id) === html) return old;
  if (inUse(old)) { skipped = true; return old; } // tried again when it is left
  const open = [...old.querySelectorAll("details[open]")].map((d) => d.dataset.key);
  const active = old.contains(document.activeElement) ? document.activeElement : null;
  const key = active?.matches("summary") ? CSS.escape(active.parentElement.dataset.key) : "";
  const next = document.importNode(fresh, true);
  for (const d of next.querySelectorAll("details")) if (open.includes(d.dataset.key)) d.open = true;
  old.replaceWith(next);
  served.set(next.id, html);
  if (active) {
    const again = key ? next.querySelector(`[data-key="${key}"] > summary`) : active.id && document.getElementById(active.id);
    (again || next).focus({ preventScroll: true });
  }
  return next;
}

function patch(doc, submitted) {
  skipped = false;
  for (const fresh of doc.querySelectorAll("[data-live]")) {
    if (fresh.id === "problem" && !submitted) continue; // stays until the next try
    const old = document.getElementById(fresh.id);
    if (old) place(old, fresh);
  }
  for (const list of doc.querySelectorAll("[data-list]")) {
    const here = document.getElementById(list.id);
    const ids = new Set([...list.children].map((c) => c.id));
    for (const child of [...here.children]) if (!ids.has(child.id)) { served.delete(child.id); child.remove(); }
    let before = null;
    for (const fresh of list.children) {
      let old = document.getElementById(fresh.id);
      if (old) {
        old = place(old, fresh);
      } else {
        served.set(fresh.id, fresh.outerHTML);
        old = document.importNode(fresh, true);
        old.classList.add("fresh");
      }
      const at = before ? before.nextElementSibling : here.firstElementChild;
      if (at !== old) here.insertBefore(old, at);
      before = old;
    }
  }
}

// released waits until no button is pressed: one that is replaced before the release gets no click.
async function released() {
  while (document.querySelector(":is(button, summary, a, label, input):active")) await new Promise(requestAnimationFrame);
}

const parse = (text) => new DOMParser().parseFromString(text, "text/html");

async function refresh() {
  wanted = true;
  if (running) return;
  running = true;
  try {
    while (wanted) {
      wanted = false;
      const answer = await fetch("/", { cache: "no-store" });
      if (!answer.ok) continue;
      const doc = parse(await answer.text());
      await released();
      patch(doc);
    }
  } catch { /* the server is away; the event stream says when it is back */ } finally { running = false; }
}

document.addEventListener("input", (e) => {
  const card = e.target.closest("[data-list] > *");
  if (card) card.dataset.typed = "yes";
});
document.addEventListener("focusout", () => setTimeout(() => { if (skipped) refresh(); }, 0));
document.addEventListener("toggle", (e) => { // closing a form gives it up
  if (e.target.open) return;
  const card = e.target.closest("[data-list] > *");
  e.target.querySelector("form")?.reset();
  if (!away) say("");
  if (card && !card.querySelector("details[open]")) delete card.dataset.typed;
  if (skipped) refresh();
}, true);
document.addEventListener("submit", async (e) => {
  e.preventDefault();
  const form = e.target, card = form.closest("[data-list] > *"), side = form.closest(".side");
  const cards = () => [...side.querySelectorAll("[data-list] > *")];
  const before = new Set(cards().map((c) => c.id));
  const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) }).catch(() => null);
  if (!answer) return lost(true); // what was typed stays
  const doc = parse(await answer.text());
  if (answer.ok) {
    const around = form.closest("details");
    if (around) { around.open = false; around.querySelector("summary").focus({ preventScroll: true }); }
    if (card) delete card.dataset.typed;
    form.reset();
  }
  patch(doc, true);
  if (!answer.ok) return;
  const made = cards().find((c) => !before.has(c.id));
  if (made) {
    made.focus({ preventScroll: true });
    made.scrollIntoView({ block: "nearest" });
  } else if (!document.activeElement || document.activeElement === document.body) side.focus({ preventScroll: true });
});

// say shows a problem; "" takes it away.
function say(text) {
  const problem = document.getElementById("problem");
  served.delete("problem"); // what the server says next is shown
  problem.replaceChildren();
  if (!text) return;
  const p = problem.appendChild(document.createElement("p"));
  p.className = "problem";
  p.textContent = text;
}

let away = false;
function lost(now) {
  if (now === away) return;
  away = now;
  say(now ? "The sandbox does not answer, so this page may be out of date. It goes on by itself once the sandbox answers." : "");
  if (!now) refresh();
}

remember(document);
const events = new EventSource("/events");
events.addEventListener("message", refresh);
events.addEventListener("open", () => lost(false));
events.addEventListener("error", () => lost(true));

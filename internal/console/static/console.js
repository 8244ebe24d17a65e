// Every page works without this file. It shows times in the reader's own zone, and
// says when there is something new, without moving what the reader is looking at.
"use strict";

const format = { year: "numeric", month: "short", day: "numeric", hour: "numeric", minute: "2-digit", second: "2-digit", timeZoneName: "short" };

function localTimes(root) {
  for (const t of root.querySelectorAll("time[datetime]")) {
    const at = new Date(t.dateTime);
    if (isNaN(at)) continue;
    t.title = t.textContent;
    t.textContent = at.toLocaleString(undefined, format);
  }
}

localTimes(document);

// Numbers that change in place. Their new values come from the page itself.
async function refresh() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const old of document.querySelectorAll("[data-live]")) {
    const now = fresh.getElementById(old.id);
    if (!now || old.contains(document.activeElement)) continue;
    old.className = now.className;
    old.replaceChildren(...now.childNodes);
    localTimes(old);
  }
}

const news = document.querySelector("[data-newest]");
const live = document.querySelector("[data-live]");
if (news || live) {
  let last = "", stream = null;
  const watch = () => {
    stream = new EventSource("/console/events");
    stream.onmessage = (event) => {
      const now = JSON.parse(event.data);
      if (news && now.newest > Number(news.dataset.newest)) news.hidden = false;
      if (live && last !== "" && last !== event.data) refresh().catch(() => {});
      last = event.data;
    };
  };
  const stop = () => { if (stream) stream.close(); stream = null; };
  document.addEventListener("visibilitychange", () => { document.hidden ? stop() : stream || watch(); });
  if (!document.hidden) watch();
}

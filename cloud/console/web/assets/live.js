// Keeps an open page up to date: it listens for notices and, when one is about something that a part
// of the page shows, fetches the page again and puts the new part in the old one's place. Without it
// every page can be read as it is.

const state = document.getElementById("link-state");
const gather = 40; // ms in which notices are gathered
const pause = 400; // ms at least between two looks
let last = document.body.dataset.last;
let timer = 0;
let looked = -pause;
let asked = false;

function parts() {
  return [...document.querySelectorAll("[data-part]")];
}

function concerns(what) {
  return parts().some((part) => (part.dataset.about ?? "edge").split(" ").includes(what));
}

// A part that somebody is typing in, or has filled in, is left alone until the next time.
function busy(part) {
  const at = document.activeElement;
  if (at && part.contains(at) && at.matches("input, select, textarea")) return true;
  return [...part.querySelectorAll("input")].some((field) => field.value !== field.defaultValue);
}

async function refresh() {
  timer = 0;
  looked = performance.now();
  if (document.hidden) {
    asked = true;
    return;
  }
  asked = false;
  let fresh;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) throw new Error(answer.status);
    if (answer.redirected) return location.reload(); // to log in
    fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  } catch {
    later(5000);
    return;
  }
  for (const part of parts()) {
    const next = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
    if (!next || busy(part) || next.innerHTML === part.innerHTML) continue;
    const focused = part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    part.innerHTML = next.innerHTML;
    if (focused) part.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus();
  }
}

function later(wait) {
  if (!timer) timer = setTimeout(refresh, wait);
}

function listen() {
  const stream = new EventSource(`/api/v1/stream?last=${last}`);
  stream.onopen = () => {
    state.textContent = "";
  };
  stream.addEventListener("change", (event) => {
    last = event.lastEventId;
    if (concerns(JSON.parse(event.data).what)) later(Math.max(gather, looked + pause - performance.now()));
  });
  stream.addEventListener("reset", (event) => {
    last = event.lastEventId;
    later(0);
  });
  stream.onerror = () => {
    state.textContent = "not connected, trying again";
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 3000);
  };
  addEventListener("pagehide", () => stream.close(), { once: true });
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && asked) later(0);
});
addEventListener("pageshow", (event) => {
  if (event.persisted) {
    listen();
    later(0);
  }
});
// How long ago something was grows without any notice.
setInterval(() => later(0), 30000);
listen();

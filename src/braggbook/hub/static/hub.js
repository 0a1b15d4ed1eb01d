"use strict";
/* Every page works without this file. It renews parts that say data-live, and makes menus close as menus do. */
const SLOWEST = 5000; // milliseconds between two looks at something that does not change
const RETRY = 15000; // milliseconds between two looks when the hub does not answer; four times as many when it says that it is busy
const PATIENCE = 20000; // milliseconds after which an unanswered look counts as lost
const said = document.getElementById("said");

function say(text) {
  if (text && said.textContent !== text) said.textContent = text;
}

function placeIn(part, element) {
  return element && part.contains(element) ? [...part.querySelectorAll("a, button, summary, input, select, textarea, [tabindex]")].indexOf(element) : -1;
}

function swap(part, fresh) {
  const held = document.activeElement;
  const place = placeIn(part, held);
  const opened = [...part.querySelectorAll("details")].map((one) => one.open);
  part.replaceChildren(...fresh.childNodes);
  part.querySelectorAll("details").forEach((one, at) => { if (opened[at] !== undefined) one.open = opened[at]; });
  if (place < 0) return;
  const named = held.id && document.getElementById(held.id);
  const next = named || part.querySelectorAll("a, button, summary, input, select, textarea, [tabindex]")[place];
  if (!next && !part.hasAttribute("tabindex")) part.tabIndex = -1;
  (next || part).focus({ preventScroll: true });
}

function renew(part) {
  const often = Number(part.dataset.every) || 1000;
  const lost = document.createElement("p");
  lost.className = "lost";
  lost.hidden = true;
  part.before(lost);
  let wait = often;
  let seen = "";
  let told = part.querySelector("[data-say]")?.dataset.say;
  let fresh = new Date();
  let timer = 0;
  let busy = false;
  let over = false;

  function lose(text) {
    if (lost.hidden) say(text);
    lost.textContent = `${text} What you see is from ${fresh.toLocaleTimeString("en-GB")}.`;
    lost.hidden = false;
  }
  function show(text) {
    fresh = new Date();
    const same = text === seen && lost.hidden;
    if (!lost.hidden) say("Connected again.");
    lost.hidden = true;
    wait = same ? Math.min(wait * 1.3, Math.max(SLOWEST, often)) : often;
    if (text === seen) return;
    seen = text;
    swap(part, new DOMParser().parseFromString(text, "text/html").body);
    const news = part.querySelector("[data-say]")?.dataset.say;
    if (news !== told) say(news);
    told = news;
    const title = part.querySelector("[data-title]")?.dataset.title;
    if (title) document.title = title;
  }
  async function look() {
    if (busy) return;
    busy = true;
    let goOn = true;
    try {
      const answer = await fetch(part.dataset.live, { headers: { Accept: "text/html" }, cache: "no-cache", redirect: "manual", signal: AbortSignal.timeout(PATIENCE) });
      if (answer.ok) {
        show(await answer.text());
        goOn = !part.querySelector("[data-done]");
      } else if (answer.status === 429 || answer.status >= 500) {
        wait = Math.min(Math.max(wait * 2, 1000 * (Number(answer.headers.get("Retry-After")) || 0)), 4 * RETRY);
        lose("The hub is busy; trying again.");
      } else {
        goOn = false;
        lose("This cannot be renewed any more; load the page again.");
      }
    } catch {
      wait = Math.min(wait * 2, RETRY);
      lose("The connection is lost; trying again.");
    }
    busy = false;
    if (goOn) timer = setTimeout(() => (document.hidden ? undefined : look()), wait);
    else over = true;
  }
  function back() {
    if (document.hidden || over) return;
    clearTimeout(timer);
    look();
  }
  if (part.querySelector("[data-done]")) return;
  document.addEventListener("visibilitychange", back);
  addEventListener("online", back);
  timer = setTimeout(look, often);
}

document.querySelectorAll("[data-live]").forEach(renew);
for (const menu of document.querySelectorAll("details.menu")) {
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  document.addEventListener("click", (event) => { if (!menu.contains(event.target)) menu.open = false; });
  menu.addEventListener("focusout", (event) => { if (event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false; });
}
for (const place of document.querySelectorAll("[data-viewer]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button";
  button.textContent = "Look through all slices";
  button.setAttribute("aria-label", `Look through all slices of ${JSON.parse(place.dataset.viewer).name}`);
  button.addEventListener("click", async () => {
    button.disabled = true;
    button.textContent = "Loading the slices ...";
    try {
      await (await import(place.dataset.code)).show(place);
    } catch {
      button.disabled = false;
      button.textContent = "It did not load; try again";
    }
  });
  place.append(button);
}

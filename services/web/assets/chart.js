// What the pages do better with a script than without: stepping through a trend, closing with Escape, telling in time
// that the session ends. Everything else works without it. No patient data is stored, sent or logged here.
"use strict";

// Trends: two buttons and the arrow keys walk from value to value.
function stepper(figure) {
  const points = Array.from(figure.querySelectorAll("circle[data-label]"));
  if (points.length === 0) return;
  points.sort((a, b) => Number(a.getAttribute("cx")) - Number(b.getAttribute("cx")));
  const group = document.createElement("div");
  group.className = "stepper";
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", "Step through the values");
  const said = document.createElement("output");
  let at = points.length;
  const go = (to) => {
    points[at]?.classList.remove("at");
    at = Math.max(0, Math.min(points.length - 1, to));
    points[at].classList.add("at");
    said.textContent = points[at].dataset.label;
  };
  const button = (words, by) => {
    const one = document.createElement("button");
    one.type = "button";
    one.textContent = words;
    one.addEventListener("click", () => go(at + by));
    return one;
  };
  group.append(button("Earlier", -1), button("Later", 1), said);
  group.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    go(at + by);
  });
  figure.querySelector("svg").after(group);
}

// Escape closes what is open and gives the focus back to where it was opened.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const inner = event.target instanceof Element ? event.target.closest("details[open]") : null;
  const open = inner ?? document.querySelector("details[name=origin][open]");
  if (!open) return;
  open.open = false;
  open.querySelector("summary").focus();
});

// The session: warns two minutes ahead. Only the button, which a person presses, keeps it.
function watchSession(box) {
  const WARN_MS = 120000;
  const started = performance.now();
  const until = (name) => (box.dataset[name] === undefined ? Infinity : started + Number(box.dataset[name]));
  const ends = { idle: until("idle"), absolute: until("absolute"), token: until("token") };
  const warning = box.querySelector(".session-warning");
  const left = box.querySelector(".session-left");
  const stay = box.querySelector(".stay");
  let saidMinutes = -1;

  const take = (state) => {
    const now = performance.now();
    ends.idle = now + state.idleSeconds * 1000;
    ends.absolute = now + state.absoluteSeconds * 1000;
  };
  const leave = () => location.replace(box.dataset.ended);
  // Asked by the script, this keeps nothing alive: another tab of the same launch may have been used meanwhile.
  const check = async () => {
    try {
      const answer = await fetch(box.dataset.state, { headers: { accept: "application/json" }, cache: "no-store" });
      if (!answer.ok) return leave();
      take(await answer.json());
    } catch {
      // No answer is no proof that the session ended; at its end the chart goes all the same.
      if (performance.now() >= Math.min(ends.idle, ends.absolute, ends.token)) leave();
    }
  };
  stay.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const body = new URLSearchParams(new FormData(stay));
      const answer = await fetch(stay.action, { method: "POST", body, headers: { accept: "application/json" } });
      if (!answer.ok) return leave();
      take(await answer.json());
      isChecked = true;
      tick();
    } catch {
      leave();
    }
  });
  // What the page was told when it was made is checked before anybody is warned, and again at the end.
  let checking = false;
  let isChecked = false;
  const tick = async () => {
    if (checking) return;
    const now = performance.now();
    const end = Math.min(ends.idle, ends.absolute, ends.token);
    if (ends.token - now <= 0) return leave();
    if (end - now <= 0 || (end - now <= WARN_MS && !isChecked)) {
      checking = true;
      await check();
      isChecked = true;
      checking = false;
      return;
    }
    if (end - now > WARN_MS) isChecked = false;
    const canStay = ends.idle <= ends.absolute && ends.idle <= ends.token;
    warning.hidden = end - now > WARN_MS;
    stay.hidden = !canStay;
    if (warning.hidden) return;
    const minutes = Math.ceil((end - now) / 60000);
    if (minutes === saidMinutes) return;
    saidMinutes = minutes;
    const why = canStay ? "because the page was not used" : "and cannot be made longer";
    left.textContent = `This session ends in ${minutes === 1 ? "one minute" : `${minutes} minutes`} ${why}.`;
  };
  setInterval(tick, 1000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) tick(); });
  tick();
}

document.querySelectorAll("figure[data-trend]").forEach(stepper);
const box = document.getElementById("session");
if (box) watchSession(box);

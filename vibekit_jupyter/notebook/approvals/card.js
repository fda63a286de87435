// The card that asks before a tool changes something.
//
// Everything the kernel sends is other people's words: it is set as text, never as HTML.

const BUTTONS = [
  ["once", "Allow once", "Y"],
  ["session", "Allow for this session", "A"],
  ["refused", "Refuse", "N"],
  ["stopped", "Stop", "Esc"],
];
const KEYS = { y: "once", a: "session", n: "refused", Escape: "stopped" };
// A second click that was meant for the card before must not answer this one.
const GUARD = 500; // milliseconds
// How often the kernel is told that the question still stands somewhere.
const SIGN_OF_LIFE = 60_000; // milliseconds
const SIGNS = { "+": "vibekit-approval-added", "-": "vibekit-approval-removed" };

function make(tag, className, text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.textContent = text;
  return element;
}

function clock(milliseconds) {
  const seconds = Math.floor(milliseconds / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** All of what is asked; a difference line by line. */
function whole(parts) {
  const text = make("pre", "vibekit-approval-text");
  text.tabIndex = 0; // a long one is scrolled with the keyboard, too
  if (!parts.is_diff) {
    text.textContent = parts.text;
    return text;
  }
  const lines = parts.text.replace(/\n$/, "").split("\n");
  if (lines[0].startsWith("@@")) lines.shift();
  for (const line of lines) {
    if (line.startsWith("@@")) text.append(make("span", "vibekit-approval-quiet", "⋯"));
    else text.append(make("span", SIGNS[line[0]] ?? "", line || " "));
  }
  return text;
}

function render({ model, el }) {
  const parts = model.get("parts");
  const began = Date.now();
  const card = make("div", "vibekit-approval");
  card.tabIndex = 0;
  card.setAttribute("role", "group");
  card.setAttribute("aria-label", `${parts.agent} asks: ${parts.title}`);
  card.setAttribute("data-lm-suppress-shortcuts", "true");

  const head = make("div", "vibekit-approval-head");
  head.append(make("b", "", parts.agent), " asks");
  if (parts.session) head.append(" · session ", make("b", "", parts.session));
  const waits = make("span", "vibekit-approval-waits", "waiting for you, 0:00");
  head.append(" · ", waits);
  card.append(head, make("div", "vibekit-approval-title", parts.title));
  if (parts.text) card.append(whole(parts));
  if (parts.facts) card.append(make("div", "vibekit-approval-quiet", parts.facts));
  if (parts.reason) {
    const said = make("div", "vibekit-approval-head", `${parts.agent} says: “${parts.reason}”`);
    card.append(said);
  }

  const row = make("div", "vibekit-approval-buttons");
  let isAnswered = false;
  const answer = (word) => {
    if (isAnswered || Date.now() - began < GUARD) return;
    isAnswered = true;
    for (const button of row.children) button.disabled = true;
    model.send({ kind: "answer", id: parts.id, answer: word });
  };
  for (const [word, label, key] of BUTTONS) {
    const button = make("button", "", label);
    button.type = "button";
    button.disabled = true;
    button.append(" ", make("kbd", "", key));
    button.addEventListener("click", () => answer(word));
    row.append(button);
  }
  card.append(row, make("div", "vibekit-approval-quiet", parts.session_means));
  card.append(make("div", "vibekit-approval-quiet", "Keys work while this card has the focus."));

  card.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    const word = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (word) {
      event.preventDefault();
      answer(word);
    }
  });
  el.append(card);
  const page = crypto.getRandomValues(new Uint32Array(4)).join("-");
  const show = () => model.send({ kind: "shown", page });
  const leave = () => model.send({ kind: "left", page });
  window.addEventListener("pagehide", leave);
  show();

  const guard = setTimeout(() => {
    for (const button of row.children) button.disabled = isAnswered;
  }, GUARD);
  const tick = setInterval(() => {
    waits.textContent = `waiting for you, ${clock(Date.now() - began)}`;
  }, 1000);
  const beat = setInterval(show, SIGN_OF_LIFE);
  return () => {
    window.removeEventListener("pagehide", leave);
    clearTimeout(guard);
    clearInterval(tick);
    clearInterval(beat);
  };
}

export default { render };

// What a sandbox serves on a port, in a frame of its own origin; the browser says where it is.
//
// The address comes in a message, never in the widget's state: that would be saved with the notebook.

const HERE = new Set(["localhost", "127.0.0.1", "[::1]"]);
const RIGHTS = "allow-scripts allow-forms allow-same-origin allow-popups allow-downloads";

function onThisMachine() {
  return HERE.has(location.hostname) || location.hostname.endsWith(".localhost");
}

function link(address, words) {
  const anchor = document.createElement("a");
  anchor.href = address;
  anchor.target = "_blank";
  anchor.rel = "noopener noreferrer";
  anchor.textContent = words;
  return anchor;
}

function framed({ address, port }) {
  const frame = document.createElement("iframe");
  frame.setAttribute("sandbox", RIGHTS);
  frame.setAttribute("allow", "local-network-access");
  frame.referrerPolicy = "no-referrer";
  frame.title = `port ${port} of the sandbox`;
  frame.src = address;
  frame.style.cssText =
    "box-sizing:border-box;width:100%;height:420px;border:1px solid rgba(128,128,128,.3);" +
    "border-radius:4px;background-color:white;color-scheme:light";
  return frame;
}

function forwarded({ line }) {
  const box = document.createElement("div");
  const words = document.createElement("div");
  words.textContent =
    "This page comes from another machine than your browser's. Type this in a terminal of yours, then open the link:";
  const command = document.createElement("pre");
  command.textContent = line;
  command.style.cssText = "margin:4px 0;white-space:pre-wrap";
  box.append(words, command);
  return box;
}

function render({ model, el }) {
  el.classList.add("vibekit-preview");
  el.style.cssText = "font-family:system-ui,sans-serif;font-size:13px";
  const take = (told) => {
    if (told.kind !== "preview") return;
    const shown = told.line && !onThisMachine() ? forwarded(told) : framed(told);
    el.replaceChildren(shown, link(told.address, told.url));
  };
  model.on("msg:custom", take);
  model.send({ kind: "ready" });
  return () => model.off("msg:custom", take);
}

export default { render };

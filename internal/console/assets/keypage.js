"use strict";

// The page on which a browser's keys are made, shown and thrown away.

const place = document.getElementById("browser-keys");
const form = document.getElementById("make-key");

// element makes an element with text; text never becomes markup.
function element(name, text, className) {
  const e = document.createElement(name);
  e.textContent = text || "";
  if (className) {
    e.className = className;
  }
  return e;
}

// shown is one key: its fingerprint, and its public key as "rollproof trust" takes it.
function shown(key) {
  const item = element("li", "", "pad");
  item.append(element("h3", key.label));
  const facts = element("dl", "", "facts");
  facts.append(element("dt", "Fingerprint"));
  const print = element("dd");
  print.append(element("code", key.keyid));
  facts.append(print, element("dt", "Made"), element("dd", key.made.slice(0, 16).replace("T", " ") + " UTC"));
  const line = element("pre", key.line + " " + key.label);
  line.tabIndex = 0;
  line.dataset.publicKey = key.keyid;
  const remove = element("button", "Throw away", "danger");
  remove.type = "button";
  remove.addEventListener("click", async () => {
    if (confirm("Throw " + key.label + " away? No copy exists. What it signed stays good.")) {
      await browserKeys.remove(key.keyid);
      await render();
    }
  });
  const actions = element("p", "", "actions");
  actions.append(remove);
  item.append(facts, element("p", "Public key, for rollproof trust edit --add-key:"), line, actions);
  return item;
}

async function render() {
  const keys = await browserKeys.list();
  const list = element("ul");
  list.append(...keys.map(shown));
  if (keys.length === 0) {
    list.append(element("li", "This browser has no key yet.", "empty"));
  }
  place.replaceChildren(list);
}

async function begin() {
  if (!await browserKeys.able()) {
    place.replaceChildren(element("p", "This browser can't make Ed25519 keys, or this page did not come over https. Sign with a key file or an agent on the command line.", "pad"));
    return;
  }
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const input = form.elements.namedItem("label");
    await browserKeys.make(input.value.trim());
    input.value = "";
    await render();
  });
  await render();
}

begin();

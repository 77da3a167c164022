"use strict";

// Signing in the browser. What is signed is shown first, byte for byte, and compared
// with what the page is about: a draft about anything else is refused. The signature is
// made here, and the envelope is all that is sent.

const payloadType = "application/vnd.in-toto+json";
const namespace = "https://github.com/rollproof/rollproof/schemas/";

function element(name, text, className) {
  const e = document.createElement(name);
  e.textContent = text || "";
  if (className) {
    e.className = className;
  }
  return e;
}

// hidden characters are shown, as on every page.
function printable(text) {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu, (c) => c === "\n" ? c : "\\u{" + c.codePointAt(0).toString(16) + "}");
}

async function sha256(bytes) {
  const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return "sha256:" + Array.from(sum, (b) => b.toString(16).padStart(2, "0")).join("");
}

// preAuthentication is what a DSSE signature covers.
function preAuthentication(payload) {
  const head = new TextEncoder().encode("DSSEv1 " + payloadType.length + " " + payloadType + " " + payload.length + " ");
  const bytes = new Uint8Array(head.length + payload.length);
  bytes.set(head);
  bytes.set(payload, head.length);
  return bytes;
}

// differs says where a draft is not about what this page is about, "" for nowhere.
async function differs(form, draft, payload, keyid) {
  const statement = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
  const typed = new FormData(form);
  const first = statement.subject[0].digest.sha256;
  const said = statement.predicate;
  const expected = [
    ["the digest of the draft", draft.digest, await sha256(payload)],
    ["the kind of act", statement.predicateType, namespace + (form.dataset.sign === "closing" ? "approval" : form.dataset.sign) + "/v1"],
    ["the first subject", "sha256:" + first, form.dataset.subject],
    ["the signer", said.actor.keyid, keyid],
    ["the reason", said.reason, typed.get("reason").trim()],
  ];
  if (form.dataset.sign === "approval" || form.dataset.sign === "denial") {
    expected.push(["the request", said.request, form.dataset.subject]);
  }
  if (form.dataset.sign === "closing") {
    expected.push(["the execution", said.execution, form.dataset.subject], ["the request", said.request, ""]);
  }
  if (form.dataset.sign === "approval" || form.dataset.sign === "closing") {
    expected.push(["the meaning", said.meaning, typed.get("meaning")]);
  }
  if (form.dataset.sign === "promotion-request") {
    expected.push(["the rollout", said.rollout, form.dataset.rollout], ["the target ring", said.targetRing, form.dataset.ring]);
  }
  for (const [what, got, want] of expected) {
    if (got !== want) {
      return what + " is " + got + ", expected " + want;
    }
  }
  return "";
}

// subject fetches the bytes of the act that is signed over, and compares their digest
// with the one on the page.
async function subject(form) {
  if (form.dataset.sign === "promotion-request") {
    return null;
  }
  const digest = form.dataset.subject;
  const answer = await fetch("/record/" + digest.slice("sha256:".length) + "/statement");
  if (!answer.ok) {
    throw new Error("the bytes that this is about did not come: " + answer.status);
  }
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const got = await sha256(bytes);
  if (got !== digest) {
    throw new Error("what the server has under it has the digest " + got + ", and this page is about " + digest);
  }
  return JSON.parse(new TextDecoder().decode(bytes)).predicate;
}

// told is what the bytes of a request, or of an execution that broke glass, say in words.
function told(request) {
  const list = element("ul");
  if (request.breakglass) {
    list.append(element("li", request.actor.person + " broke the glass, incident " + request.breakglass.incident));
  }
  list.append(element("li", request.version + " into ring " + (request.targetRing || request.ring) + " of " + request.environment));
  for (const step of Array.isArray(request.plan) ? request.plan : []) {
    list.append(element("li", step.id + ": " + (step.outgoing.version || "nothing") + " → " + (step.incoming.version || "nothing")));
  }
  return list;
}

// problem is an answer that is no success, in words.
async function problem(answer) {
  try {
    const said = await answer.json();
    return said.title + ": " + said.detail + (said.hint ? " (" + said.hint + ")" : "");
  } catch {
    return "the server answered " + answer.status;
  }
}

function say(form, text) {
  let note = form.querySelector(".refused");
  if (!note) {
    note = element("p", "", "note bad refused");
    note.setAttribute("role", "alert");
    form.append(note);
  }
  note.textContent = printable(text);
}

// confirmed shows the exact bytes and waits for a second press.
function confirmed(form, payload, digest, request) {
  return new Promise((resolve) => {
    const panel = element("section", "", "sheet confirm");
    panel.tabIndex = -1;
    const head = element("header");
    head.append(element("h3", "This is what you sign"));
    const body = element("div", "", "pad");
    if (request) {
      body.append(element("p", "The bytes that this is about came again, and have the digest that this page shows. They say:"), told(request));
    }
    const facts = element("dl", "", "facts");
    const code = element("dd");
    code.append(element("code", digest, "digest draft-digest"));
    facts.append(element("dt", "Digest of your statement"), code);
    const text = element("pre", printable(new TextDecoder().decode(payload)), "document");
    text.tabIndex = 0;
    const actions = element("p", "", "actions");
    const yes = element("button", "Sign these bytes", "primary sign-now");
    const no = element("button", "Not now");
    yes.type = no.type = "button";
    const end = (answer) => { panel.remove(); resolve(answer); };
    yes.addEventListener("click", () => end(true));
    no.addEventListener("click", () => end(false));
    actions.append(yes, no);
    body.append(facts, text, actions);
    panel.append(head, body);
    form.closest(".pad").append(panel);
    panel.focus();
  });
}

// envelope signs a statement and wraps it, in the one exact encoding of a bundle.
async function envelope(key, payload) {
  const signature = new Uint8Array(await crypto.subtle.sign({ name: "Ed25519" }, key.key, preAuthentication(payload)));
  return JSON.stringify({
    mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
    verificationMaterial: { publicKey: { hint: key.keyid } },
    dsseEnvelope: {
      payload: browserKeys.base64(payload),
      payloadType,
      signatures: [{ sig: browserKeys.base64(signature), keyid: key.keyid }],
    },
  });
}

async function act(form, keys) {
  const key = keys.find((k) => k.keyid === form.elements.namedItem("keyid").value);
  const request = await subject(form);
  const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { Accept: "application/json" } });
  if (!answer.ok) {
    throw new Error(await problem(answer));
  }
  const draft = await answer.json();
  const payload = Uint8Array.from(atob(draft.payload), (c) => c.charCodeAt(0));
  const difference = await differs(form, draft, payload, key.keyid);
  if (difference !== "") {
    throw new Error("The server's draft is about something else than this page: " + difference + ". Nothing was signed. Tell whoever runs this server.");
  }
  if (!await confirmed(form, payload, draft.digest, request)) {
    return;
  }
  const sent = await fetch("/submit/" + form.dataset.sign, { method: "POST", body: await envelope(key, payload), headers: { Accept: "application/json", "Content-Type": "application/json" } });
  if (!sent.ok) {
    throw new Error(await problem(sent));
  }
  location.assign((await sent.json()).location);
}

// enhance lets a form sign here with one of this browser's keys.
function enhance(form, keys) {
  const typed = form.elements.namedItem("keyid");
  const select = element("select");
  select.name = "keyid";
  select.id = typed.id;
  for (const k of keys) {
    const option = element("option", k.label + " · " + k.keyid.slice(0, 19) + "…");
    option.value = k.keyid;
    select.append(option);
  }
  typed.replaceWith(select);
  for (const e of form.querySelectorAll("[data-plain]")) {
    e.hidden = true;
  }
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const buttons = form.querySelectorAll("button");
    for (const b of buttons) {
      b.disabled = true;
    }
    form.querySelector(".refused")?.remove();
    try {
      await act(form, keys);
    } catch (e) {
      say(form, e.message);
    }
    for (const b of buttons) {
      b.disabled = false;
    }
  });
  form.dataset.ready = "browser";
}

async function begin() {
  const keys = await browserKeys.able() ? await browserKeys.list() : [];
  for (const form of document.querySelectorAll("form[data-sign]")) {
    if (keys.length > 0) {
      enhance(form, keys);
    } else {
      form.dataset.ready = "plain";
    }
  }
}

begin();

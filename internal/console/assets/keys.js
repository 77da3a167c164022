"use strict";

// The signing keys of this browser: Ed25519 keys that WebCrypto makes as ones that it
// does not give out, kept in IndexedDB. What leaves this file is a public key, a keyid
// or a signature.

const browserKeys = (() => {
  const database = "rollproof";
  const store = "keys";

  // opened returns the database of this origin.
  function opened() {
    return new Promise((resolve, reject) => {
      const request = indexedDB.open(database, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(store, { keyPath: "keyid" });
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  }

  // asked runs one request in a transaction of its own.
  async function asked(mode, make) {
    const db = await opened();
    try {
      return await new Promise((resolve, reject) => {
        const transaction = db.transaction(store, mode);
        const request = make(transaction.objectStore(store));
        transaction.oncomplete = () => resolve(request.result);
        transaction.onerror = () => reject(transaction.error);
      });
    } finally {
      db.close();
    }
  }

  // base64 of bytes, with padding.
  function base64(bytes) {
    let text = "";
    for (const b of bytes) {
      text += String.fromCharCode(b);
    }
    return btoa(text);
  }

  // wire is a public key as OpenSSH writes it (RFC 4253, section 6.6).
  function wire(raw) {
    const name = new TextEncoder().encode("ssh-ed25519");
    const bytes = new Uint8Array(4 + name.length + 4 + raw.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, name.length);
    bytes.set(name, 4);
    view.setUint32(4 + name.length, raw.length);
    bytes.set(raw, 8 + name.length);
    return bytes;
  }

  // make makes a key that this browser keeps and nobody can take out.
  async function make(label) {
    const pair = await crypto.subtle.generateKey({ name: "Ed25519" }, false, ["sign", "verify"]);
    const raw = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
    const blob = wire(raw);
    const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", blob));
    const keyid = "SHA256:" + base64(sum).replace(/=+$/, "");
    const made = { keyid, label, line: "ssh-ed25519 " + base64(blob), made: new Date().toISOString(), key: pair.privateKey };
    await asked("readwrite", (keys) => keys.add(made));
    return made;
  }

  const list = () => asked("readonly", (keys) => keys.getAll());
  const remove = (keyid) => asked("readwrite", (keys) => keys.delete(keyid));

  // able says whether this browser can sign at all.
  async function able() {
    try {
      await crypto.subtle.generateKey({ name: "Ed25519" }, false, ["sign", "verify"]);
      return true;
    } catch {
      return false;
    }
  }

  return { make, list, remove, able, base64 };
})();

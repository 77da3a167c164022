"use strict";

// What pages also do where script runs: local times on hover, choices that need no
// button, and digests that are copied with one press.

for (const time of document.querySelectorAll("time[datetime]")) {
  const instant = new Date(time.dateTime);
  if (!Number.isNaN(instant.getTime())) {
    time.title = "here: " + instant.toLocaleString(undefined, { dateStyle: "full", timeStyle: "long" });
  }
}

for (const select of document.querySelectorAll("select[data-submit]")) {
  select.addEventListener("change", () => select.form.requestSubmit());
  for (const button of select.form.querySelectorAll("[data-plain]")) {
    button.hidden = true;
  }
}

// copied puts text on the clipboard and says so, to everybody.
async function copied(button, text) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Not allowed";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
}

for (const place of document.querySelectorAll(".command, .print")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  const print = place.classList.contains("print");
  const text = print
    ? Array.from(place.querySelectorAll("span"), (part) => part.textContent).join("")
    : place.querySelector("code").textContent;
  button.addEventListener("click", () => copied(button, text));
  place.append(button);
}

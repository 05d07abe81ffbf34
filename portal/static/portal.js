// What the pages do beyond forms and links. Everything works without it: an upload is a plain form, htmx only saves a
// reload. No inline code, nothing from outside, no cookie is read.
"use strict";

// What needs this script is shown only where it runs.
function reveal(root) {
  for (const one of root.querySelectorAll("[data-needs-script]")) one.hidden = false;
}

// --- focus ----------------------------------------------------------------------------------------------------------

// New content is where the reader goes on: its first [data-focus], else the element itself.
function focusOn(root) {
  const target = root.matches("[data-focus]") ? root : root.querySelector("[data-focus]") || root;
  if (!target.hasAttribute("tabindex") && !target.matches("a[href], button, input, select, textarea, summary")) {
    target.setAttribute("tabindex", "-1");
  }
  target.focus();
}

function announce(text) {
  const live = document.getElementById("live");
  if (live && live.textContent !== text) live.textContent = text;
}

// --- uploads --------------------------------------------------------------------------------------------------------

const SIZES = new Intl.NumberFormat("sv-SE", { maximumFractionDigits: 1 });

function sizeText(bytes) {
  if (bytes < 1e3) return `${bytes} byte`;
  return bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB` : `${SIZES.format(bytes / 1e6)} MB`;
}

function showChosen(form) {
  const input = form.querySelector("input[type=file]");
  const list = form.querySelector("[data-chosen-files]");
  if (!input || !list) return;
  list.replaceChildren(
    ...Array.from(input.files, (file) => {
      const item = document.createElement("li");
      item.textContent = `${file.name} (${sizeText(file.size)})`;
      return item;
    }),
  );
  list.hidden = input.files.length < 2 && !input.dataset.dropped;
}

// The limit is the server's; saying it before the file has travelled saves the time.
function tooLarge(input) {
  const limit = Number(input.dataset.maxMb) * 1e6;
  const total = Array.from(input.files).reduce((sum, file) => sum + file.size, 0);
  return limit && total > limit
    ? `Filerna är ${sizeText(total)}. Högst ${input.dataset.maxMb} MB tas emot på en gång.`
    : "";
}

function progressOf(form) {
  const area = form.querySelector("[data-progress]");
  const bar = area.querySelector("progress");
  const text = area.querySelector("[data-progress-text]");
  let said = -1;
  return {
    show(percent) {
      area.hidden = false;
      bar.value = percent;
      text.textContent = percent < 100 ? `Skickar: ${percent} %` : "Skickat. Väntar på svar.";
      const tenth = Math.floor(percent / 25);
      if (tenth !== said) announce(text.textContent);
      said = tenth;
    },
    hide() {
      area.hidden = true;
    },
  };
}

// The answer is a page: shown in place of this one, so that an error stands beside the form as without a script.
function showPage(html) {
  const page = new DOMParser().parseFromString(html, "text/html");
  const main = page.querySelector("main");
  if (!main) return false;
  document.title = page.title;
  document.querySelector("main").replaceWith(main);
  prepare(main);
  if (window.htmx) window.htmx.process(main);
  focusOn(main);
  return true;
}

function failed(form, text) {
  const area = form.querySelector("[data-drop]");
  area.querySelector("[data-upload-error]")?.remove();
  const error = document.createElement("p");
  error.className = "field-error";
  error.setAttribute("role", "alert");
  error.setAttribute("data-upload-error", "");
  error.textContent = text;
  area.querySelector("input").before(error);
}

function send(form, address) {
  const progress = progressOf(form);
  const request = new XMLHttpRequest();
  const done = () => {
    form.removeAttribute("aria-busy");
    progress.hide();
  };
  request.upload.addEventListener("progress", (event) => {
    if (event.lengthComputable) progress.show(Math.floor((event.loaded / event.total) * 100));
  });
  request.addEventListener("load", () => {
    const moved = request.responseURL && request.responseURL.split("#")[0] !== address.split("#")[0];
    if (request.status < 400 && moved) {
      window.location.assign(request.responseURL);
      return;
    }
    done();
    if (!showPage(request.responseText)) failed(form, "Filerna kom inte fram. Försök igen om en stund.");
  });
  for (const event of ["error", "timeout", "abort"]) {
    request.addEventListener(event, () => {
      done();
      failed(form, "Anslutningen bröts innan filerna var framme. Inget är inlämnat. Försök igen.");
    });
  }
  form.setAttribute("aria-busy", "true");
  progress.show(0);
  request.open("POST", address);
  request.send(new FormData(form));
}

// A page that the browser had put by shows its form as it was left: in the middle of sending.
function onShow(event) {
  if (!event.persisted) return;
  for (const form of document.querySelectorAll("form[data-upload][aria-busy]")) {
    form.removeAttribute("aria-busy");
    progressOf(form).hide();
  }
}

function onSubmit(event) {
  const form = event.target;
  if (!form.matches("form[data-upload]")) return;
  event.preventDefault();
  if (form.getAttribute("aria-busy") === "true") return;
  const problem = tooLarge(form.querySelector("input[type=file]"));
  if (problem) {
    failed(form, problem);
    return;
  }
  const button = event.submitter;
  send(form, button && button.hasAttribute("formaction") ? button.formAction : form.action);
}

function onDrag(event) {
  const area = event.target.closest?.("[data-drop]");
  if (!area || !event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  area.classList.toggle("is-over", event.type === "dragover");
  if (event.type !== "drop") return;
  const input = area.querySelector("input[type=file]");
  input.files = event.dataTransfer.files;
  input.dataset.dropped = "yes";
  input.dispatchEvent(new Event("change", { bubbles: true }));
  announce(`${input.files.length} filer valda`);
}

// --- the rest -------------------------------------------------------------------------------------------------------

function onChange(event) {
  const form = event.target.closest("form[data-upload]");
  if (form && event.target.type === "file") showChosen(form);
  // Ticking a row means that the explanation is for the ticked ones.
  const chosen = event.target.closest("[data-choices]") && event.target.closest("[data-chosen]");
  if (chosen && event.target.checked) chosen.querySelector("input[value=chosen]").checked = true;
  if (event.target.name === "scope" && event.target.value === "chosen") {
    const choices = event.target.closest("[data-chosen]")?.querySelector("[data-choices]");
    if (choices) choices.open = true;
  }
}

function onClick(event) {
  if (event.target.closest("[data-print]")) window.print();
  for (const menu of document.querySelectorAll(".user-menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
}

function onKey(event) {
  if (event.key !== "Escape") return;
  const menu = document.querySelector(".user-menu[open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
}

// After a swap that the reader asked for, the focus is on what came. A poll ([data-quiet]) takes it from nobody; its last
// answer, which polls no more, is said aloud.
const quiet = new WeakSet();

function onSwap(event) {
  const context = event.detail.ctx;
  const target = context.target?.isConnected ? context.target : document.getElementById(context.target?.id);
  if (!target) return;
  reveal(target);
  if (!quiet.has(context)) focusOn(target);
  else if (!target.matches("[data-quiet]")) announce(target.innerText.replace(/\s+/g, " ").trim());
}

function prepare(root) {
  reveal(root);
  const first = root.querySelector(".error-summary[data-focus]");
  if (first) focusOn(first);
}

window.addEventListener("pageshow", onShow);
document.addEventListener("submit", onSubmit);
document.addEventListener("change", onChange);
document.addEventListener("click", onClick);
document.addEventListener("keydown", onKey);
for (const event of ["dragover", "dragleave", "drop"]) document.addEventListener(event, onDrag);
document.addEventListener("htmx:before:swap", (event) => {
  if (event.target.closest?.("[data-quiet]")) quiet.add(event.detail.ctx);
});
document.addEventListener("htmx:after:swap", onSwap);

prepare(document);

/*
 * <form data-keep="person">: what was typed outlives a sign-in, a page gone stale and the way back, for that person
 * and where the form is sent to; never a password, nor what the form brings itself.
 */
(() => {
  "use strict";
  const PREFIX = "kept:";
  const SENT = "kept-sent";

  const store = (() => {
    try {
      return sessionStorage;
    } catch {
      return null; // storage is switched off
    }
  })();
  if (!store) return;

  const forget = () => {
    for (const key of Object.keys(store)) {
      if (key.startsWith(PREFIX)) store.removeItem(key);
    }
    store.removeItem(SENT);
  };

  const typed = (form) => [...form.elements].filter(
    (control) => control.name && !["hidden", "password", "submit", "button"].includes(control.type),
  );

  const values = (form) => Object.fromEntries(
    typed(form)
      .filter((control) => !["radio", "checkbox"].includes(control.type) || control.checked)
      .map((control) => [control.name, control.value]),
  );

  const putBack = (form, kept) => {
    let changed = false;
    for (const control of typed(form)) {
      if (!(control.name in kept)) continue;
      if (control.type === "radio") {
        const chosen = control.value === kept[control.name];
        changed ||= chosen !== control.checked;
        control.checked = chosen;
      } else if (control.type !== "checkbox" && control.value !== kept[control.name]) {
        control.value = kept[control.name];
        changed = true;
      }
    }
    return changed;
  };

  const tell = (form, key) => {
    const note = document.createElement("div");
    note.className = "note";
    note.setAttribute("role", "status");
    const words = document.createElement("p");
    const except = form.querySelector("[type=password]") ? ", except a password" : "";
    words.textContent = `What you had typed here was put back${except}.`;
    const afresh = document.createElement("button");
    afresh.type = "button";
    afresh.className = "button small";
    afresh.textContent = "Start afresh";
    afresh.addEventListener("click", () => {
      store.removeItem(key);
      form.reset();
      note.remove();
    });
    note.append(words, afresh);
    form.before(note);
    const folded = form.closest("details");
    if (folded) folded.open = true;
  };

  /* What was sent has arrived: a form became the page of a request, or the portal says that it is done. */
  const sent = store.getItem(SENT);
  const arrived = (sent || "").includes(":/requests/new/")
    ? location.pathname.startsWith("/requests/") && document.querySelector("#live[data-id]")
    : document.querySelector(".messages .note.good");
  if (sent && arrived) {
    store.removeItem(sent);
    store.removeItem(SENT);
  }

  for (const form of document.querySelectorAll("form[data-keep]")) {
    // Several forms stand on one page, and one of them on several pages.
    const to = new URL(form.getAttribute("action") || "", location.href);
    const key = `${PREFIX}${form.dataset.keep}:${to.pathname}${to.search}`;
    const kept = JSON.parse(store.getItem(key) || "null");
    // A form that comes back with errors holds what was typed already.
    if (kept && !form.querySelector(".invalid") && putBack(form, kept)) tell(form, key);
    const save = () => store.setItem(key, JSON.stringify(values(form)));
    form.addEventListener("input", save);
    form.addEventListener("change", save);
    form.addEventListener("submit", () => {
      save();
      store.setItem(SENT, key);
    });
  }

  document.addEventListener("submit", (event) => {
    if (event.target.matches("form[action$='/logout/']")) forget();
  });
})();

/*
 * <form data-keep="person">: what was typed, chosen and ticked outlives a sign-in, a page gone stale and the way back, for that person
 * and where the form is sent to; never a password, nor what the form brings itself.
 */
(() => {
  "use strict";
  const PREFIX = "kept:";
  const SENT = "kept-sent";
  const GONE = " Some of it is no longer offered: please choose again.";

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

  const ticked = (control) => ["radio", "checkbox"].includes(control.type);

  /* By name, each with its values: several boxes of one name may be ticked, or none. */
  const values = (form) => {
    const found = {};
    for (const control of typed(form)) {
      const list = found[control.name] ??= [];
      if (!ticked(control) || control.checked) list.push(control.value);
    }
    return found;
  };

  const putBack = (form, kept) => {
    for (const control of typed(form)) {
      const before = kept[control.name];
      if (!Array.isArray(before)) continue; // not asked then, or kept by an older portal
      if (ticked(control)) control.checked = before.includes(control.value);
      else if (before.length) [control.value] = before;
    }
  };

  const tell = (form, key, gone) => {
    const note = document.createElement("div");
    note.className = "note";
    note.setAttribute("role", "status");
    const words = document.createElement("p");
    const except = form.querySelector("[type=password]") ? ", except a password" : "";
    words.textContent = `What you had typed here was put back${except}.${gone ? GONE : ""}`;
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
    if (kept && !form.querySelector(".invalid")) {
      const brought = JSON.stringify(values(form));
      putBack(form, kept);
      const now = values(form);
      const gone = Object.keys(now).some((name) => kept[name]?.some?.((value) => !now[name].includes(value)));
      if (gone || JSON.stringify(now) !== brought) tell(form, key, gone);
    }
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

/*
 * Fragments that refresh themselves: nothing is asked while nobody looks, errors come to one announced place,
 * a changed status is spoken once, and focus and opened details survive a swap.
 */
(() => {
  "use strict";
  const LONGEST_PAUSE = 30000; // milliseconds between two polls while the server does not answer
  let failures = 0;
  let quietUntil = 0;

  const polls = (element) => (element.getAttribute("hx-trigger") || "").includes("every");

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (polls(event.detail.elt) && (document.hidden || Date.now() < quietUntil)) event.preventDefault();
  });

  /* Errors */
  const region = () => document.getElementById("errors");

  const complain = (words) => {
    const place = region();
    const shown = place.querySelector("p");
    if (shown && shown.textContent === words) return; // said already: a poll that fails again is no news
    const note = document.getElementById("error-note").content.cloneNode(true);
    note.querySelector("p").textContent = words;
    note.querySelector("button").addEventListener("click", () => place.replaceChildren());
    place.replaceChildren(note);
  };

  const failed = (event) => {
    const polling = polls(event.detail.elt) || event.detail.elt.id === "banners";
    if (polling) {
      failures += 1;
      quietUntil = Date.now() + Math.min(LONGEST_PAUSE, 1000 * 2 ** failures);
    }
    const again = polling ? " This page keeps trying by itself." : " Nothing was changed on this page; please try again.";
    const status = event.type === "htmx:responseError" ? event.detail.xhr.status : 0;
    if (status === 401) complain("You were signed out meanwhile. What you sent may be done already: reload the page, sign in and look.");
    else if (status === 403) complain("You may not do or see this any more. Reload the page to see what you may.");
    else if (status === 404) complain("What this page shows is gone, or no longer yours to see. Reload the page.");
    else if (status === 409) complain("Somebody was faster: this has changed in the meantime. Reload the page to see how it stands.");
    else if (status) complain(`The portal answered with an error (${status}).${again}`);
    else if (event.type === "htmx:timeout") complain(`The portal did not answer in time.${again}`);
    else complain(`The portal cannot be reached.${again}`);
  };
  for (const type of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) document.addEventListener(type, failed);

  document.addEventListener("htmx:afterRequest", (event) => {
    if (!event.detail.successful) return;
    if (failures) region().replaceChildren();
    failures = 0;
    quietUntil = 0;
  });

  /* Banners: a page that polls looks at them too, more rarely; another one asks nothing. */
  const BANNERS_PAUSE = 5000; // milliseconds
  let lookedAt = Date.now();
  document.addEventListener("htmx:afterRequest", ({ detail }) => {
    const place = document.getElementById("banners");
    if (!place || !detail.successful || !polls(detail.elt) || Date.now() - lookedAt < BANNERS_PAUSE) return;
    lookedAt = Date.now();
    const { address, seen } = place.dataset;
    htmx.ajax("GET", `${address}?seen=${seen}`, { source: place, target: place, swap: "outerHTML" }).then(() => {
      const now = document.getElementById("banners");
      if (now !== place) document.getElementById("status-words").textContent = now.textContent.trim();
    }, () => {}); // told as every failed poll is
  });

  /* What a swap must not lose */
  const words = () => new Map(
    [...document.querySelectorAll(".status[id]")].map((status) => [status.id, status.querySelector(".word").textContent]),
  );
  const FOCUSABLE = "a[href], button, input, select, textarea, summary, [tabindex]";
  const same = (one, other) => one.tagName === other.tagName
    && one.getAttribute("href") === other.getAttribute("href")
    && one.textContent.trim() === other.textContent.trim();
  let before = new Map();
  let focused = null;
  let opened = new Set();

  const summaryOf = (details) => details.id || (details.querySelector("summary") || details).textContent.trim();

  document.addEventListener("htmx:beforeSwap", (event) => {
    if (!event.detail.shouldSwap) return;
    before = words();
    opened = new Set([...event.detail.target.querySelectorAll("details[open]")].map(summaryOf));
    const active = document.activeElement;
    // htmx itself keeps the focus of an element with an id.
    focused = active && !active.id && event.detail.target.contains(active) ? active : null;
  });

  document.addEventListener("htmx:afterSwap", () => {
    for (const details of document.querySelectorAll("details:not([open])")) {
      if (opened.has(summaryOf(details))) details.open = true;
    }
    opened.clear();
    if (focused && !document.contains(focused)) {
      const twin = [...document.querySelectorAll(FOCUSABLE)].find((element) => same(element, focused));
      if (twin) twin.focus({ preventScroll: true });
    }
    focused = null;
    const news = [...words()].filter(([id, word]) => before.has(id) && before.get(id) !== word);
    if (news.length) {
      document.getElementById("status-words").textContent = news
        .map(([id, word]) => [document.getElementById(id).dataset.about, word].filter(Boolean).join(": "))
        .join(". ");
    }
  });
})();

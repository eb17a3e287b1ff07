/* Help while filling in a form. Each part only anticipates what the server checks or does anyway. */
(() => {
  "use strict";

  const valueOf = (form, name) => {
    const control = form.elements.namedItem(name);
    return control ? control.value : "";
  };

  const say = (input, kind, words) => {
    let place = input.parentElement.querySelector(":scope > output");
    if (!place && words) {
      place = document.createElement("output");
      place.htmlFor = input.id;
      input.after(place);
    }
    if (!place) return;
    place.className = kind;
    place.textContent = words;
  };

  /* data-when-NAME="A|B": shown, and sent, only while the field NAME has one of these values. */
  const conditions = (element) => [...element.attributes]
    .filter((attribute) => attribute.name.startsWith("data-when-"))
    .map((attribute) => [attribute.name.slice("data-when-".length), attribute.value.split("|")]);

  const showParts = (form) => {
    for (const part of form.querySelectorAll("*")) {
      const needed = conditions(part);
      if (!needed.length) continue;
      part.hidden = !needed.every(([name, values]) => values.includes(valueOf(form, name)));
    }
    for (const control of form.elements) {
      if (control.dataset.kept === undefined && control.disabled) continue; // the server disabled it
      const away = control.closest("[hidden]") !== null;
      control.disabled = away;
      if (away) control.dataset.kept = "";
      else delete control.dataset.kept;
    }
  };

  /* <select data-filter-by="area">, <option data-for-area="A|B">: options that do not fit are put away. */
  const filterOptions = (form) => {
    for (const select of form.querySelectorAll("select[data-filter-by]")) {
      const names = select.dataset.filterBy.split(" ");
      for (const option of select.options) {
        const fits = names.every((name) => {
          const belongs = option.getAttribute(`data-for-${name}`);
          const wanted = valueOf(form, name);
          return belongs === null || wanted === "" || belongs.split("|").includes(wanted);
        });
        option.hidden = option.disabled = !fits;
      }
      const current = select.selectedOptions[0];
      if (current && current.disabled) {
        select.value = "";
        say(select, "hint", "Please choose again: the earlier choice does not fit the others.");
      }
    }
  };

  const refresh = (form) => {
    showParts(form);
    filterOptions(form);
  };

  /* <input data-lowercase>: small letters, visibly. */
  document.addEventListener("focusout", (event) => {
    const input = event.target;
    if (!input.matches?.("input[data-lowercase]")) return;
    const small = input.value.trim().toLowerCase();
    if (small === input.value) return;
    input.value = small;
    say(input, "hint", "Capitals became small letters.");
  });

  /* <input data-warn-over="20" data-warning="sentence">: accepted, with a reservation. */
  document.addEventListener("input", (event) => {
    const input = event.target;
    if (!input.matches?.("input[data-warn-over]")) return;
    const tooLong = [...input.value].length > Number(input.dataset.warnOver);
    say(input, "warning", tooLong ? input.dataset.warning : "");
  });

  document.addEventListener("change", (event) => {
    const { form } = event.target;
    if (!form) return;
    if (event.target.matches("select[data-filter-by]")) say(event.target, "hint", "");
    refresh(form);
  });

  /* A second click sends nothing. The button stays enabled until then: its name and value belong to the form. */
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    if (form.dataset.sent !== undefined) {
      event.preventDefault();
      event.stopImmediatePropagation();
      return;
    }
    if (!event.defaultPrevented) form.dataset.sent = "";
  }, true);
  const release = () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  };
  addEventListener("pageshow", (event) => {
    if (event.persisted) release(); // back to a page kept by the browser
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    delete event.detail.elt.dataset.sent;
  });

  const start = () => {
    for (const form of document.forms) refresh(form);
  };
  start();
  document.addEventListener("htmx:afterSwap", start);
  document.addEventListener("reset", (event) => setTimeout(() => refresh(event.target)));
})();

/* <div data-moment data-days="7">: a moment, and the zone that it is read in. The reader's own zone is offered too, the
   moment is told in UTC while one types, and sent with its offset. The server reads and checks it all again. */
(() => {
  "use strict";
  const MINUTE = 60_000, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
  const READER = "reader"; // portal/web/moments.py knows it
  const skew = Date.parse(document.documentElement.dataset.now) - Date.now() || 0;
  const now = () => Date.now() + skew;
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;

  /* What clocks in the zone show at an instant; written as the instant at which they show it in Greenwich. */
  const clocks = (zone, instant) => {
    const format = new Intl.DateTimeFormat("en-US", {
      timeZone: zone, hourCycle: "h23",
      year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric",
    });
    const part = Object.fromEntries(format.formatToParts(instant).map(({ type, value }) => [type, Number(value)]));
    return Date.UTC(part.year, part.month - 1, part.day, part.hour, part.minute, part.second);
  };

  const offset = (text) => {
    const [hours, minutes] = text.slice(1).split(":").map(Number);
    return (text[0] === "-" ? -1 : 1) * (hours * HOUR + minutes * MINUTE);
  };

  const spelled = (length) => {
    const minutes = Math.round(Math.abs(length) / MINUTE);
    const two = (number) => String(number).padStart(2, "0");
    return `${length < 0 ? "-" : "+"}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
  };

  const spaced = (instant) => new Date(instant).toISOString().slice(0, 19);

  /* Each instant at which the clocks of the chosen zone show this: one, or two or none where they are put back or on. */
  const instants = (option, shown) => {
    const { zone } = option.dataset;
    if (!zone) return [shown - offset(option.value)];
    const whole = Math.floor(shown / 1000) * 1000;
    const lengths = new Set([-DAY, DAY].map((away) => clocks(zone, whole + away) - (whole + away)));
    return [...lengths].map((length) => shown - length).filter((instant) => clocks(zone, instant) === whole);
  };

  const parts = (box) => {
    const [input, select] = [box.querySelector("input"), box.querySelector("select")];
    return { input, select, option: select.selectedOptions[0], shown: Date.parse(`${input.value}Z`) };
  };

  const add = (select, value, words, zone) => {
    const option = [...select.options].find((each) => each.value === value) ?? document.createElement("option");
    option.value = value;
    option.textContent = words;
    if (zone) option.dataset.zone = zone;
    if (!option.parentElement) select.append(option);
    return option;
  };

  const words = (box) => {
    const { select, option, shown } = parts(box);
    if (!option || Number.isNaN(shown)) return ["hint", ""];
    const name = option.dataset.zone || option.textContent;
    const found = instants(option, shown);
    if (!found.length) return ["error", `In ${name} this hour is left out on that day: choose another one, or its offset from UTC.`];
    if (found.length > 1) {
      const lengths = found.map((instant) => spelled(shown - instant));
      for (const length of lengths) add(select, length, `UTC${length}`);
      return ["error", `In ${name} this hour comes twice on that day: choose its offset from UTC, ${lengths.join(" or ")}.`];
    }
    const [instant] = found, { days } = box.dataset;
    const told = `Read in ${name}: ${spaced(instant).replace("T", " ")} UTC.`;
    if (instant > now()) return ["error", `${told} This moment has not come yet.`];
    if (instant < now() - days * DAY) return ["error", `${told} This is more than ${days} days ago: the backup does not reach that far.`];
    return ["hint", told];
  };

  const tell = (box) => {
    const { input, option } = parts(box);
    if (option) {
      const length = (instant) => (option.dataset.zone ? clocks(option.dataset.zone, instant) - Math.floor(instant / 1000) * 1000 : offset(option.value));
      [input.min, input.max] = [now() - box.dataset.days * DAY, now()].map((instant) => spaced(instant + length(instant)));
    }
    let place = box.parentElement.querySelector(":scope > output");
    if (!place) {
      place = document.createElement("output");
      place.htmlFor = input.id;
      box.after(place);
    }
    [place.className, place.textContent] = words(box);
  };

  const choose = (box) => {
    const { input, select } = parts(box);
    if (box.dataset.own === undefined && input.value) return; // typed before, in the zone that is chosen
    const mine = [...select.options].find((option) => option.dataset.zone === own) ?? (own === "UTC" ? add(select, "+00:00", "UTC") : null);
    if (mine) mine.selected = true;
  };

  const boxes = document.querySelectorAll("[data-moment]");
  for (const box of boxes) {
    const { input, select } = parts(box);
    const portal = select.options[0];
    if (portal.dataset.zone === own) portal.textContent = `${own}, yours`;
    else if (own && own !== "UTC") select.prepend(add(select, READER, `${own}, yours`, own));
    choose(box);
    box.addEventListener("input", () => tell(box));
    box.addEventListener("change", () => tell(box));
    box.addEventListener("focusin", () => tell(box));
    input.form.addEventListener("reset", () => setTimeout(() => {
      choose(box);
      tell(box);
    }));
    input.form.addEventListener("formdata", ({ formData }) => {
      const { option, shown } = parts(box);
      if (option?.value !== READER || Number.isNaN(shown)) return;
      const found = instants(option, shown);
      if (found.length !== 1) return; // the server asks for the offset too
      formData.set(input.name, `${input.value}${spelled(shown - found[0])}`);
      formData.set(select.name, "");
    });
  }
  // Only now has js/keep.js put back what was typed.
  document.addEventListener("DOMContentLoaded", () => {
    for (const box of boxes) tell(box);
  });
})();

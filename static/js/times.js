/* Times in the reader's own zone, and times that tick. The words are those of portal/web/times.py. */
(() => {
  "use strict";
  const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const MINUTE = 60, HOUR = 3600, DAY = 86400;
  // The reader's clock may be wrong; what ticks counts from the server's.
  const skew = Date.parse(document.documentElement.dataset.now) - Date.now() || 0;
  const now = () => Date.now() + skew;
  const two = (number) => String(number).padStart(2, "0");

  const local = (moment, style) => {
    const minutes = `${two(moment.getHours())}:${two(moment.getMinutes())}`;
    if (style === "clock") return `${minutes}:${two(moment.getSeconds())}`;
    const year = moment.getFullYear() === new Date(now()).getFullYear() ? "" : ` ${moment.getFullYear()}`;
    return `${moment.getDate()} ${MONTHS[moment.getMonth()]}${year}, ${minutes}`;
  };

  const length = (seconds) => {
    for (const [unit, word, smaller, smallerWord] of [[DAY, "d", HOUR, "h"], [HOUR, "h", MINUTE, "min"], [MINUTE, "min", 1, "s"]]) {
      if (seconds < unit) continue;
      const rest = Math.floor((seconds % unit) / smaller);
      return `${Math.floor(seconds / unit)} ${word}${rest ? ` ${rest} ${smallerWord}` : ""}`;
    }
    return `${seconds} s`;
  };

  const distance = (seconds) => {
    const size = Math.abs(seconds);
    if (size < 5) return "just now";
    const whole = seconds < 0 ? Math.ceil : Math.floor; // seven days less a second ahead are not six
    let words = `${size} s`;
    if (size >= 2 * DAY) words = `${whole(size / DAY)} days`;
    else if (size >= HOUR) words = `${whole(size / HOUR)} h`;
    else if (size >= MINUTE) words = `${whole(size / MINUTE)} min`;
    return seconds > 0 ? `${words} ago` : `in ${words}`;
  };

  const write = (element, words) => {
    if (element.textContent !== words) element.textContent = words;
  };

  const localise = (root) => {
    for (const time of root.querySelectorAll("time[data-local]")) {
      const moment = new Date(time.dateTime);
      if (!Number.isNaN(moment.getTime())) write(time, local(moment, time.dataset.local));
    }
  };

  const tick = () => {
    if (document.hidden) return;
    for (const time of document.querySelectorAll("time[data-since]")) {
      const seconds = Math.trunc((now() - Date.parse(time.dataset.since)) / 1000);
      if (Number.isNaN(seconds)) continue;
      write(time, "took" in time.dataset ? length(Math.max(0, seconds)) : distance(seconds));
    }
  };

  localise(document);
  tick();
  setInterval(tick, 1000);
  document.addEventListener("visibilitychange", tick);
  document.addEventListener("htmx:afterSwap", () => {
    localise(document);
    tick();
  });
})();

/* The person's theme: auto, light or dark, kept in this browser. Loaded before the first paint. */
(() => {
  "use strict";
  const KEY = "theme";

  const chosen = () => {
    try {
      const value = localStorage.getItem(KEY);
      return value === "light" || value === "dark" ? value : "auto";
    } catch {
      return "auto"; // storage is switched off
    }
  };

  const show = () => {
    const theme = chosen();
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    for (const button of document.querySelectorAll("[data-theme-choice]")) {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === theme));
    }
  };

  show();
  addEventListener("storage", (event) => {
    if (event.key === KEY) show();
  });
  document.addEventListener("DOMContentLoaded", () => {
    for (const group of document.querySelectorAll(".theme")) group.hidden = false;
    show();
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-theme-choice]");
    if (!button) return;
    try {
      localStorage.setItem(KEY, button.dataset.themeChoice);
    } catch {
      return;
    }
    show();
  });
})();

/* A button that copies, for every <pre class="copy">. Without a clipboard (plain http) there is no button. */
(() => {
  "use strict";
  if (!navigator.clipboard) return;

  const offer = (pre) => {
    const box = document.createElement("div");
    box.className = "copy-box";
    pre.replaceWith(box);
    box.append(pre, document.getElementById("copy-button").content.cloneNode(true));
    const button = box.querySelector("button");
    const word = button.querySelector("span");
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(pre.textContent);
      } catch {
        word.textContent = "Not allowed";
        return;
      }
      word.textContent = "Copied";
      document.getElementById("status-words").textContent = "Copied";
      setTimeout(() => { word.textContent = "Copy"; }, 2000);
    });
  };

  const start = () => {
    for (const pre of document.querySelectorAll("pre.copy")) {
      if (!pre.parentElement.classList.contains("copy-box")) offer(pre);
    }
  };
  start();
  document.addEventListener("htmx:afterSwap", start);
})();

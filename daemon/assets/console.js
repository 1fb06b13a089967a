// Keeps a page fresh: asks for it again, and puts what changed in its place. Without this the page is the
// same, and refreshes as a whole.
"use strict";
(() => {
  const REFRESH_SECONDS = 15;
  const OLD_SECONDS = 60;
  let since = performance.now();
  let asking = false;

  const seconds = () => Math.floor((performance.now() - since) / 1000);

  const tellAge = () => {
    const age = document.getElementById("age");
    if (!age) return;
    age.textContent = `${seconds()} s`;
    age.classList.toggle("no", seconds() > OLD_SECONDS);
  };

  // Somebody who writes, or reads with the keyboard, keeps what is under their hands.
  const isBusy = () => {
    const active = document.activeElement;
    return active instanceof HTMLInputElement && document.getElementById("live").contains(active);
  };

  const addressOf = (element) =>
    element instanceof HTMLAnchorElement ? `a[href="${CSS.escape(element.getAttribute("href"))}"]`
      : element.id ? `#${CSS.escape(element.id)}` : null;

  const refresh = async () => {
    if (asking || document.hidden || isBusy()) return;
    asking = true;
    const asked = performance.now();
    try {
      const answer = await fetch(location.href, { headers: { "X-Refresh": "1" }, redirect: "error" });
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("live");
      if (!fresh || isBusy()) return;
      const live = document.getElementById("live");
      for (const open of live.querySelectorAll("details[open][id]")) {
        fresh.querySelector(`#${CSS.escape(open.id)}`)?.setAttribute("open", "");
      }
      const focused = live.contains(document.activeElement) ? addressOf(document.activeElement) : null;
      live.replaceChildren(...fresh.childNodes);
      if (focused) live.querySelector(focused)?.focus({ preventScroll: true });
      since = asked;
    } catch {
      // The age goes on growing, and says so.
    } finally {
      asking = false;
    }
  };

  setInterval(tellAge, 1000);
  setInterval(refresh, REFRESH_SECONDS * 1000);
  document.addEventListener("visibilitychange", refresh);
})();

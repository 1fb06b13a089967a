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

  // What was opened stays open, and the keyboard stays where it was.
  const replace = (old, fresh) => {
    if (!old || !fresh) return;
    for (const open of old.querySelectorAll("details[open][id]")) {
      fresh.querySelector(`#${CSS.escape(open.id)}`)?.setAttribute("open", "");
    }
    const focused = old.contains(document.activeElement) ? addressOf(document.activeElement) : null;
    old.replaceChildren(...fresh.childNodes);
    if (focused) old.querySelector(focused)?.focus({ preventScroll: true });
  };

  const refresh = async () => {
    if (asking || document.hidden || isBusy()) return;
    asking = true;
    const asked = performance.now();
    try {
      const answer = await fetch(location.href, { headers: { "X-Refresh": "1" }, redirect: "error" });
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (isBusy()) return;
      for (const id of ["menu", "live"]) replace(document.getElementById(id), fresh.getElementById(id));
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

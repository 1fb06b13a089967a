// Keeps a page fresh: requests it again and replaces the elements that changed. Without this script the page
// is the same, and refreshes as a whole.
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

  // A visitor who types, or has selected text to copy it, is not interrupted.
  const isBusy = () => {
    const [active, marked] = [document.activeElement, document.getSelection()];
    const live = document.getElementById("live");
    return (active instanceof HTMLInputElement && live.contains(active))
      || (!marked.isCollapsed && live.contains(marked.anchorNode));
  };

  // An element that did not change is kept, so that the keyboard, a selection, a screen reader and a scrolled
  // table stay where they are.
  const morph = (old, fresh) => {
    if (old.isEqualNode(fresh)) return;
    if (old.nodeType !== Node.ELEMENT_NODE || old.nodeName !== fresh.nodeName) {
      old.replaceWith(fresh);
      return;
    }
    // Details that the visitor opened stay open, and text that this script wrote is kept.
    const isKept = (name) => name === "open" && old instanceof HTMLDetailsElement;
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name) && !isKept(name)) old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    const [before, after] = [[...old.childNodes], [...fresh.childNodes]];
    after.forEach((node, n) => (n < before.length ? morph(before[n], node) : old.append(node)));
    before.slice(after.length).forEach((node) => node.remove());
  };

  // New rows move the others: the keyboard's focus follows its link, or goes to none.
  const replace = (old, fresh) => {
    if (!old || !fresh) return;
    const active = document.activeElement;
    const href = active instanceof HTMLAnchorElement && old.contains(active) ? active.getAttribute("href") : null;
    morph(old, fresh);
    if (href === null || document.activeElement?.getAttribute("href") === href) return;
    document.activeElement?.blur();
    old.querySelector(`a[href="${CSS.escape(href)}"]`)?.focus({ preventScroll: true });
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
      // The page could not be read: its age goes on growing.
    } finally {
      asking = false;
    }
  };

  setInterval(tellAge, 1000);
  setInterval(refresh, REFRESH_SECONDS * 1000);
  document.addEventListener("visibilitychange", refresh);
})();

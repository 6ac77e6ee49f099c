/* What the theme leaves to be said to a keyboard or a screen reader: the name of the search, and that
   tables and code which are wider than the page can be scrolled. */
"use strict";
(() => {
  const wide = ".md-typeset__scrollwrap, .md-typeset pre > code, .diagram";
  const mend = () => {
    document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
    for (const place of document.querySelectorAll(wide)) {
      if (place.scrollWidth > place.clientWidth) place.tabIndex = 0;
    }
  };
  new MutationObserver(mend).observe(document.body, { childList: true, subtree: true });
  addEventListener("resize", mend);
  mend();
})();

// Sets the theme before anything is drawn, so that a dark page never flashes white. Without a choice it follows the
// system's.
"use strict";
try {
  const chosen = localStorage.getItem("alagg-theme");
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
} catch {
  // No storage: the system's theme it is.
}

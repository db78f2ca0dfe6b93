// Before anything is drawn: what the user has chosen against what the system says. Without it a dark page would flash white.
try {
  const theme = localStorage.getItem("conclave.theme")
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme
} catch {
  // The system decides.
}

// Before anything is drawn: what the user has chosen against what the system says. Without it a dark page would flash white,
// and a German one would load in English.
{
  const read = (key) => {
    try {
      return localStorage.getItem(key)
    } catch {
      return null
    }
  }
  const { documentElement } = document
  const theme = read("conclave.theme")
  if (theme === "light" || theme === "dark") documentElement.dataset.theme = theme
  const isHere = (language) => language === "en" || language === "de"
  const chosen = read("conclave.language")
  const asked = navigator.languages.map((tag) => tag.toLowerCase().split("-")[0])
  documentElement.lang = isHere(chosen) ? chosen : (asked.find(isHere) ?? "en")
}

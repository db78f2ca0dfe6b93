import "./polyfill.js"
import { render } from "preact"
import { applyLanguage, applyTheme, readSettings } from "./page/settings.js"
import { followTakeOver } from "./page/versions.js"
import { readChosenName } from "./profile/chosen-name.js"
import { pageProvider } from "./profile/provider.js"
import { App } from "./view/app.js"
import "./style/tokens.css"
import "./style/base.css"
import "./style/start.css"
import "./style/shell.css"
import "./style/people.css"
import "./style/chat.css"
import "./style/bubble.css"
import "./style/group.css"
import "./style/tree.css"
import "./style/settings.css"
import "./style/trust.css"
import "./style/forced-colors.css"

const root = document.getElementById("app")
if (root === null) throw new TypeError("the document has no place for the page")
followTakeOver()
// Who has a name needs it soon: it is compiled while the rest begins. At the first start the line is for the page.
if (readChosenName() !== undefined) void pageProvider().catch(() => {})
const { theme, language } = readSettings()
applyTheme(theme)
// In English where the words of the other language do not come. Not awaited: they need what is here, which is not there before.
applyLanguage(language)
  .catch(() => {
    document.documentElement.lang = "en"
  })
  .then(() => render(<App />, root))

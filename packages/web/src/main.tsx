import "./polyfill.js"
import { render } from "preact"
import { App } from "./view/app.js"
import "./style/tokens.css"
import "./style/base.css"
import "./style/start.css"
import "./style/shell.css"
import "./style/chat.css"
import "./style/group.css"
import "./style/tree.css"

const root = document.getElementById("app")
if (root === null) throw new TypeError("the document has no place for the page")
render(<App />, root)

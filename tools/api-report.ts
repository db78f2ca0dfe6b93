/** Writes what each entry of the packages exports, as the compiler prints it: `npm run docs:api`. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { entriesOf } from "./api.js"
import { apiReports, reportFolder } from "./api-reports.js"
import { publicPackages, root } from "./repository.js"

const entries = entriesOf(publicPackages())
const reports = apiReports(entries)
rmSync(join(root, reportFolder), { recursive: true, force: true })
mkdirSync(join(root, reportFolder))
for (const [file, text] of reports) writeFileSync(join(root, reportFolder, file), text)
console.log(`${reports.size} reports written to ${reportFolder}`)

import { agreements, testFiles } from "./wycheproof.js"

testFiles(agreements)

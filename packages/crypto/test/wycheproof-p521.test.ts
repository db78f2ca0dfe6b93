import { agreementsOfP521, testFiles } from "./wycheproof.js"

testFiles(agreementsOfP521)

import { signatures, testFiles } from "./wycheproof.js"

testFiles(signatures)

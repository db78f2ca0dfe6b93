export { signWithLabel, verifyWithLabel } from "./suite/labels.js"
export { type CipherSuite, type CipherSuiteName, cipherSuite, cipherSuiteNumbers, type Random } from "./suite/suite.js"

/** Who a key belongs to, as two people can compare it. X.509 is in `/x509`. */
export { type Person, personCode, safetyCode } from "./safety-code.js"

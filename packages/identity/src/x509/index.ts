/** X.509 credentials (RFC 9420 §5.3) as verdicts on the claims of a commit or a join. */
export { type ChainJudgement, type ChainOptions, judgeChain, judgeRoot } from "./chain.js"
export { type ChainFault, Refusal } from "./faults.js"
export { type RevocationOptions, revocationLists } from "./revocation.js"
export { type X509Verdict, type X509VerdictOptions, x509Verdicts } from "./verdicts.js"

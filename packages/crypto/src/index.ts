export type { SignatureToVerify, Spans, Verification } from "./batch.js"
export { concat, equalBytes, wipe } from "./bytes.js"
export { sealTo } from "./checked/aead.js"
export { hkdfExpand, hkdfExtract } from "./hkdf.js"
export {
  type Hpke,
  type HpkeKeyPair,
  type HpkeReceiver,
  type HpkeSealed,
  type HpkeSender,
  type HpkeSuite,
  hpke,
  type PreparedInfo,
} from "./hpke.js"
export { hasKem } from "./kem.js"
export type {
  Aead,
  AeadName,
  CryptoProvider,
  Hash,
  HashName,
  HpkeParts,
  Kem,
  KemGroup,
  KemGroupName,
  OneCallHpke,
  SignatureName,
  SignatureScheme,
  SigningKey,
} from "./provider.js"

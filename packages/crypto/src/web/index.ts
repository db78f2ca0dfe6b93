export * from "./provider.js"
export { type SignatureToVerify, verifyBatch } from "./verify-batch.js"

export * from "./provider.js"
export { type SignatureToVerify, type VerifyBatchOptions, verifyBatch } from "./verify-batch.js"

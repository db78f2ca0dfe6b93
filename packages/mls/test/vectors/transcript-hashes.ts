import assert from "node:assert/strict"
import { confirmedTranscriptHash, interimTranscriptHash } from "../../src/schedule/transcript.js"
import { AuthenticatedContent } from "../../src/wire.js"
import { assertBytes, bytes, decodeExactly, type Hex, hex, type Suites } from "./vector.js"

export interface TranscriptHashesVector {
  readonly cipher_suite: number
  readonly confirmation_key: Hex
  readonly authenticated_content: Hex
  readonly interim_transcript_hash_before: Hex
  readonly confirmed_transcript_hash_after: Hex
  readonly interim_transcript_hash_after: Hex
}

export function verify(vector: TranscriptHashesVector, suites: Suites): void {
  const suite = suites(vector.cipher_suite)
  const authenticated = decodeExactly(AuthenticatedContent, vector.authenticated_content, "AuthenticatedContent")
  const { wireFormat, content, auth } = authenticated
  assert.equal(content.contentType.type, "commit")
  const before = bytes(vector.interim_transcript_hash_before)
  const confirmed = confirmedTranscriptHash(suite, before, { wireFormat, content, signature: auth.signature })
  assertBytes(confirmed, vector.confirmed_transcript_hash_after, "confirmed_transcript_hash")
  assert(auth.confirmationTag, "a commit has a confirmation tag")
  const tag = suite.hash.hmac(bytes(vector.confirmation_key), confirmed)
  assertBytes(tag, hex(auth.confirmationTag), "confirmation_tag")
  const interim = interimTranscriptHash(suite, confirmed, auth.confirmationTag)
  assertBytes(interim, vector.interim_transcript_hash_after, "interim_transcript_hash")
}

import assert from "node:assert/strict"
import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { after, test } from "node:test"
import { fileURLToPath } from "node:url"
import { nodeProvider } from "@conclave/crypto/node"
import { type ChainJudgement, judgeChain, revocationLists } from "@conclave/identity/x509"
import { alwaysOtherwise, byDefaultOtherwise } from "./x509-limbo-exceptions.js"

/*
 * The cases of x509-limbo (github.com/C2SP/x509-limbo). Its intermediates are a pool, as the certificates of a credential
 * are here; its peer names are not looked at, for a member is no host.
 */

interface Case {
  readonly id: string
  readonly trusted_certs: readonly string[]
  readonly untrusted_intermediates: readonly string[]
  readonly peer_certificate: string
  readonly validation_time: string | null
  readonly expected_result: "SUCCESS" | "FAILURE"
  readonly max_chain_depth: number | null
  readonly crls: readonly string[]
}

const CASES = 194
const official = process.env.CONCLAVE_VECTORS
const beside = official === undefined ? undefined : join(dirname(official), "x509-limbo/limbo.json")
const nearby = fileURLToPath(new URL("../../../../../shared/vectors/x509-limbo/limbo.json", import.meta.url))
const file = process.env.CONCLAVE_LIMBO ?? [beside, nearby].find((it) => it !== undefined && existsSync(it)) ?? nearby
const leftOut = existsSync(file)
  ? undefined
  : `there is no ${process.env.CONCLAVE_LIMBO ?? "../shared/vectors/x509-limbo/limbo.json"}: take limbo.json from ` +
    "github.com/C2SP/x509-limbo and set CONCLAVE_LIMBO to it"
const vectors = leftOut === undefined || process.env.CONCLAVE_VECTORS_REQUIRED === "1" ? {} : { skip: leftOut }
const lines: string[] = []

const modes = [
  { conforming: true, name: "conforming", otherwise: alwaysOtherwise },
  { conforming: false, name: "default", otherwise: { ...alwaysOtherwise, ...byDefaultOtherwise } },
]
for (const { conforming, name, otherwise } of modes) {
  test(
    `all ${CASES} cases of x509-limbo are judged as expected, but for the listed ones (${name})`,
    vectors,
    async () => {
      const { testcases } = JSON.parse(readFileSync(file, "utf8")) as { testcases: readonly Case[] }
      assert.equal(testcases.length, CASES)
      const wrong = new Map<string, string>()
      for (const it of testcases) {
        const judgement = await judge(it, conforming)
        if (judgement.valid !== (it.expected_result === "SUCCESS")) wrong.set(it.id, JSON.stringify(judgement))
      }
      lines.push(
        `x509-limbo (${name}): right ${CASES - wrong.size} of ${CASES}, ${wrong.size} otherwise, each with a reason`,
      )
      const unlisted = [...wrong].filter(([id]) => !Object.hasOwn(otherwise, id))
      assert.deepEqual(unlisted, [], "judged otherwise, and not listed")
      const right = Object.keys(otherwise).filter((id) => !wrong.has(id))
      assert.deepEqual(right, [], "listed, and judged as expected")
    },
  )
}

after(() => {
  if (leftOut !== undefined) console.log(`${CASES} cases of x509-limbo are left out: ${leftOut}`)
  for (const line of lines) console.log(line)
})

async function judge(it: Case, conforming: boolean): Promise<ChainJudgement> {
  const leaf = fromPem(it.peer_certificate)
  const at = new Date(it.validation_time ?? "2026-11-01T00:00:00Z")
  const provider = nodeProvider()
  return judgeChain([leaf, ...it.untrusted_intermediates.map(fromPem)], subjectPublicKey(leaf), {
    roots: it.trusted_certs.map(fromPem),
    at,
    provider,
    conforming,
    ...(it.max_chain_depth !== null && { pathLengthMax: it.max_chain_depth }),
    ...(it.crls.length > 0 && { isRevoked: async (...pair) => revocationLists(it.crls.map(fromPem), { at })(...pair) }),
  })
}

function fromPem(text: string): Buffer {
  return Buffer.from(text.replace(/-----[^-]+-----|\s/g, ""), "base64")
}

/** The bytes of the subjectPublicKey, whatever the key is: the seventh field of the TBSCertificate. */
function subjectPublicKey(der: Buffer): Buffer {
  const field = (from: number) => {
    const first = der[from + 1]!
    const size = first < 0x80 ? 0 : first - 0x80
    const length = size === 0 ? first : der.readUIntBE(from + 2, size)
    return { start: from + 2 + size, end: from + 2 + size + length }
  }
  let at = field(field(0).start).start
  for (let i = 0; i < 6; i++) at = field(at).end
  const algorithm = field(field(at).start)
  const bits = field(algorithm.end)
  return der.subarray(bits.start + 1, bits.end)
}

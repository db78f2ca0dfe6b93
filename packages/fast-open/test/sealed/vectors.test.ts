import assert from "node:assert/strict"
import { createDecipheriv, createHash, createHmac } from "node:crypto"
import { readFileSync, writeFileSync } from "node:fs"
import { connect, createServer } from "node:net"
import { test } from "node:test"
import { decode } from "@conclave/codec"
import { nodeProvider } from "@conclave/crypto/node"
import { ClientConnection, type ServerFrame, sealFlight } from "../../src/sealed/client-connection.js"
import { KeyRing, SealedServer } from "../../src/sealed/index.js"
import { OpeningReader } from "../../src/sealed/opening.js"
import { Suite } from "../../src/sealed/session.js"
import { FrameType, Offer } from "../../src/sealed/wire.js"
import { makeVectors, scripted, unhex, type Vector } from "./vectors.js"

const file = new URL("../../../../../docs/fast-open-vectors.json", import.meta.url)
if (process.env.WRITE_VECTORS) writeFileSync(file, `${JSON.stringify(makeVectors(), null, 2)}\n`)
const vectors = JSON.parse(readFileSync(file, "utf8")) as Vector[]
const provider = nodeProvider()

test("the published vectors are what this implementation makes", () => {
  assert.deepEqual(makeVectors(), vectors)
})

test("every published flight is opened with its key, and its length is one of few", () => {
  for (const vector of vectors) {
    const flight = Buffer.from(vector.flight, "hex")
    const suite = new Suite(provider)
    const keys = { privateKey: unhex(vector.serverPrivateKey), publicKey: unhex(vector.serverPublicKey) }
    const receiver = suite.openFlight(keys, flight.subarray(36, 68))!
    let reader: OpeningReader | undefined
    for (let at = 68; at < flight.length; ) {
      const length = flight.readUInt16BE(at)
      const authenticatedData = reader ? new Uint8Array(0) : flight.subarray(0, 36)
      const plaintext = receiver.open({ ciphertext: flight.subarray(at + 2, at + 2 + length), authenticatedData })
      assert.ok(plaintext, vector.description)
      if (reader) reader.add(plaintext)
      else reader = new OpeningReader(plaintext)
      at += 2 + length
    }
    assert.equal(reader?.complete, true)
    assert.equal(Buffer.from(reader!.body).toString("hex"), vector.body)
    assert.equal(Buffer.from(reader!.fields.requestId).toString("hex"), vector.requestId)
    assert.ok([256, 512, 1200].includes(Math.min(flight.length, 1200)), `${flight.length} bytes`)
  }
})

test("a client that is given a vector's random bytes sends its flight, and reads its reply", async () => {
  for (const vector of vectors) {
    let arrived = Buffer.alloc(0)
    const server = createServer((socket) => {
      socket.on("error", () => {})
      socket.on("data", (chunk) => {
        arrived = Buffer.concat([arrived, chunk])
        if (arrived.length === vector.flight.length / 2) socket.write(unhex(vector.reply))
      })
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const { port } = server.address() as { port: number }
    const { kind, tokensWanted, time } = vector
    const body = unhex(vector.body)
    const flight = {
      key: { id: vector.keyId, publicKey: unhex(vector.serverPublicKey), useUntil: 0n },
      token: unhex(vector.token),
      opening: { kind, tokensWanted, requestId: unhex(vector.requestId), time: BigInt(time), bodyLength: body.length },
      body,
    }
    const suite = new Suite(scripted(unhex(vector.ephemeralSeed)))
    const connection = new ClientConnection(suite, flight, { host: "127.0.0.1", port, fast: false })

    const frame: ServerFrame = await connection.next()

    assert.equal(arrived.toString("hex"), vector.flight)
    assert.equal(frame.type, FrameType.message)
    assert.equal(Buffer.from(frame.content).toString("hex"), vector.response)
    connection.close()
    server.close()
  }
})

test("a flight with any bit altered, cut or sealed to another key is answered with silence and never run", async (t) => {
  let ran = 0
  const server = new SealedServer({
    provider,
    async *handler(request) {
      ran++
      yield request
    },
    requestTimeoutMilliseconds: 300,
  })
  const port = await server.listen({ port: 0, host: "127.0.0.1" })
  t.after(() => server[Symbol.asyncDispose]())
  const [key] = decode(Offer, server.offer({ host: "127.0.0.1" })).supply.keys
  const suite = new Suite(provider)
  const make = (publicKey = key!.publicKey) => {
    const opening = {
      kind: 1,
      tokensWanted: 0,
      requestId: provider.random(16),
      time: BigInt(Date.now()),
      bodyLength: 3,
    }
    const sender = suite.startFlight(publicKey, provider.random(32))
    return sealFlight(suite, { key: key!, token: undefined, opening, body: provider.random(3) }, sender).bytes
  }
  const flip = (bit: number) => {
    const flight = make()
    flight[bit >> 3]! ^= 1 << (bit & 7)
    return flight
  }
  const other = new KeyRing({ provider }).publicKeys()[0]!.publicKey
  const bits = Array.from({ length: 256 }, (_, n) => n * 8 + (n % 8))
  const flights = [make(other), make().subarray(0, 67), make().subarray(0, 200), ...bits.map(flip)]

  const answers = await Promise.all(flights.map((flight) => say(port, flight)))

  assert.equal(ran, 0)
  const keyIdOctets = new Set([32, 33, 34, 35])
  answers.forEach((answer, n) => {
    const ofKeyId = n >= 3 && keyIdOctets.has(bits[n - 3]! >> 3)
    assert.equal(answer.toString("hex"), ofKeyId ? "01" : "", `flight ${n}`)
  })
  assert.equal((await say(port, make())).length > 33, true)
  assert.equal(ran, 1, "and one that is whole runs")
})

async function say(port: number, flight: Uint8Array): Promise<Buffer> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1")
    const heard: Buffer[] = []
    socket.on("data", (chunk) => heard.push(chunk))
    socket.on("error", () => {})
    socket.on("close", () => resolve(Buffer.concat(heard)))
    socket.write(flight)
  })
}

test("the keys of a connection, derived once more from the specification's words, open what both sides said", async () => {
  // The specification's §4, written out once more from its text.
  for (const vector of vectors) {
    const flight = Buffer.from(vector.flight, "hex")
    const reply = Buffer.from(vector.reply, "hex")
    const suite = new Suite(provider)
    const keys = { privateKey: unhex(vector.serverPrivateKey), publicKey: unhex(vector.serverPublicKey) }
    const exported = suite.openFlight(keys, flight.subarray(36, 68))!.export(Buffer.from("conclave sealed 1 reply"), 32)
    const shared = provider.groups.X25519!.diffieHellman(
      unhex(vector.serverEphemeralPrivateKey),
      flight.subarray(36, 68),
    )!
    const ephemeral = reply.subarray(1, 33)
    const firstFrame = flight.subarray(68, 70 + flight.readUInt16BE(68))
    const digest = createHash("sha256").update(flight.subarray(0, 68)).update(firstFrame).update(ephemeral).digest()
    const secret = createHmac("sha256", exported).update(shared).digest()
    const expand = (label: string, length: number) =>
      createHmac("sha256", secret)
        .update(`conclave sealed 1 ${label}`)
        .update(digest)
        .update(Uint8Array.of(1))
        .digest()
        .subarray(0, length)
    const open = (side: string, frame: Buffer) => {
      const decipher = createDecipheriv("aes-128-gcm", expand(`${side} key`, 16), expand(`${side} nonce`, 12))
      decipher.setAuthTag(frame.subarray(-16))
      return Buffer.concat([decipher.update(frame.subarray(2, -16)), decipher.final()])
    }
    const said = open("server", reply.subarray(33))
    assert.equal(said[0], FrameType.message)
    assert.equal(said.subarray(3, 3 + said.readUInt16BE(1)).toString("hex"), vector.response)
    const asked = Buffer.from(vector.asked, "hex")
    const opening = open("client", asked.subarray(0, 2 + asked.readUInt16BE(0)))
    assert.equal(opening.subarray(2, 18).toString("hex"), vector.requestId)
  }
})

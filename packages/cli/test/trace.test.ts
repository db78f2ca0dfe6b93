import assert from "node:assert/strict"
import { readFileSync, writeFileSync } from "node:fs"
import { describe, it } from "node:test"
import { assertReadable, conclave, Folder, runHere } from "./support.js"

/** A pcap of raw IPv4 (draft-ietf-opsawg-pcap): one SYN with a Fast Open cookie (RFC 7413 §4.1.1) for each address. */
function captureOf(cookie: Uint8Array, addresses: readonly (readonly number[])[]): Buffer {
  const header = Buffer.alloc(24)
  header.writeUInt32LE(0xa1b2c3d4, 0)
  header.writeUInt16LE(2, 4)
  header.writeUInt16LE(4, 6)
  header.writeUInt32LE(65_535, 16)
  header.writeUInt32LE(101, 20)
  return Buffer.concat([
    header,
    ...addresses.flatMap((address, at) => record(synOf(cookie, address, 40_000 + 977 * at), at)),
  ])
}

function record(packet: Buffer, second: number): Buffer[] {
  const header = Buffer.alloc(16)
  header.writeUInt32LE(1_760_000_000 + second, 0)
  header.writeUInt32LE(packet.length, 8)
  header.writeUInt32LE(packet.length, 12)
  return [header, packet]
}

function synOf(cookie: Uint8Array, address: readonly number[], port: number): Buffer {
  const options = Buffer.concat([Buffer.of(34, 2 + cookie.length), cookie, Buffer.of(1, 1)])
  const tcp = Buffer.alloc(20)
  tcp.writeUInt16BE(port, 0)
  tcp.writeUInt16BE(443, 2)
  tcp.writeUInt32BE(port * 7919, 4)
  tcp[12] = ((20 + options.length) / 4) << 4
  tcp[13] = 0x02
  tcp.writeUInt16BE(64_240, 14)
  const ip = Buffer.alloc(20)
  ip[0] = 0x45
  ip.writeUInt16BE(20 + tcp.length + options.length, 2)
  ip[8] = 64
  ip[9] = 6
  ip.set(address, 12)
  ip.set([198, 51, 100, 7], 16)
  return Buffer.concat([ip, tcp, options])
}

describe("conclave trace", () => {
  it("finds the cookie that links connections from two addresses, in a table and on a page", async () => {
    using folder = new Folder()
    const cookie = Buffer.from("c0ffee00deadbeef", "hex")
    writeFileSync(
      folder.file("a.pcap"),
      captureOf(cookie, [
        [192, 0, 2, 1],
        [192, 0, 2, 1],
        [203, 0, 113, 9],
      ]),
    )
    const { code, output, errors } = await conclave(["trace", folder.file("a.pcap"), "--html", folder.file("a.html")])
    assert.equal(code, 0, errors)
    assert.match(output.toString(), /c0ffee00deadbeef +3 +2 /)
    assert.match(output.toString(), /3 packets, 3 connections, of which 3 carry a Fast Open cookie/)
    const written = await conclave(["trace", folder.file("a.pcap"), "--json"])
    assert.equal(written.code, 0)
    const report = JSON.parse(written.output.toString())
    assert.deepEqual([report.conclusion, report.packets, report.connections.length], ["linked", 3, 3])
    assert.match(JSON.stringify(report.links), /"c0ffee00deadbeef"/)
    assert.match(readFileSync(folder.file("a.html"), "utf8"), /^<!doctype html>[\s\S]*c0ffee00deadbeef/)
  })

  it("ends with 4 and names the reasons where nothing was found and a part was not read", async () => {
    using folder = new Folder()
    const unknownLinkType = Buffer.from(captureOf(Buffer.alloc(8, 1), [[192, 0, 2, 1]]))
    unknownLinkType.writeUInt32LE(147, 20)
    writeFileSync(folder.file("unread.pcap"), unknownLinkType)
    const ran = await conclave(["trace", folder.file("unread.pcap"), "--html", folder.file("unread.html")])
    assert.equal(ran.code, 4, ran.errors)
    assert.match(
      ran.output.toString(),
      /^The only packet of this capture could not be read\.\n\nNot read: 1 of 1 packet\n {2}1 {2}link type 147\n/,
    )
    const page = readFileSync(folder.file("unread.html"), "utf8")
    assert.match(page, /<header class="unclear">[\s\S]*link type 147/)
  })

  it("ends with 0 for a capture that was read whole, whether or not something links its connections", async () => {
    using folder = new Folder()
    const addresses = [
      [192, 0, 2, 1],
      [203, 0, 113, 9],
    ]
    writeFileSync(folder.file("linked.pcap"), captureOf(Buffer.alloc(8, 1), addresses))
    writeFileSync(folder.file("unlinked.pcap"), captureOf(Buffer.alloc(0), addresses))
    for (const [name, says] of [
      ["linked.pcap", /An observer can follow one client/],
      ["unlinked.pcap", /Nothing but addresses links these 2 connections\./],
    ] as const) {
      const ran = await runHere(["trace", folder.file(name)])
      assert.equal(ran.code, 0, ran.errors)
      assert.match(ran.output.toString(), says)
    }
  })

  it("says what is wrong with a file", async () => {
    using folder = new Folder()
    writeFileSync(folder.file("notes.txt"), "this is no capture, whatever its name is")
    writeFileSync(folder.file("empty.pcap"), "")
    const cases: readonly [string, RegExp][] = [
      [folder.file("notes.txt"), /notes\.txt: neither pcap nor pcapng: it seems to be text; give a file that tcpdump/],
      [folder.file("empty.pcap"), /empty\.pcap: neither pcap nor pcapng: there is nothing in it; give a file/],
      [folder.file("nothing.pcap"), /nothing\.pcap: there is no such file/],
      [folder.path, /conclave-cli-\w+: it is a folder; give a file/],
    ]
    for (const [file, says] of cases) {
      const ran = await runHere(["trace", file])
      assert.equal(ran.code, 1)
      assertReadable(ran, says)
    }
  })
})

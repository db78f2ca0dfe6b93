import assert from "node:assert/strict"
import { readdirSync } from "node:fs"
import { test } from "node:test"
import { fileURLToPath } from "node:url"
import { trace } from "../src/index.js"

/** Written by Scapy, editcap and mergecap: make-fixtures.py. Compiled tests are one folder deeper. */
const folder = new URL("../../test/fixtures/", import.meta.url)
const read = (name: string) => trace(fileURLToPath(new URL(name, folder)))

const IPV4 = ["192.0.2.1", "203.0.113.9"]
const IPV6 = ["2001:db8:1::5", "2001:db8:2::5"]

/** By encapsulation: the clients that are to be found, linked by the cookie that they share. */
const found: Readonly<Record<string, readonly string[]>> = {
  "4in4": IPV4,
  "4in6": IPV4,
  "6in4": IPV6,
  "6in6": IPV6,
  "big-endian": IPV4,
  etherip: IPV4,
  "ethernet-ipv6": IPV6,
  "ethernet-padded": IPV4,
  "format-modified": IPV6,
  "format-nanoseconds": IPV6,
  geneve: IPV4,
  gre: IPV4,
  "gre-all-fields": IPV6,
  "gre-erspan": IPV4,
  "gre-ethernet": IPV4,
  "gre-pptp": IPV4,
  "ipv4-ah": IPV4,
  "ipv4-options": IPV4,
  "ipv6-extensions": IPV6,
  "ipv6-first-fragment": IPV6,
  "llc-snap": IPV4,
  "loop-ipv6-openbsd": IPV6,
  mpls: IPV4,
  "mpls-ipv6": IPV6,
  "mpls-pseudowire": IPV4,
  "mpls-pseudowire-plain": IPV4,
  "null-ipv4": IPV4,
  "null-ipv6-macos": IPV6,
  ppp: IPV4,
  "ppp-hdlc": IPV6,
  "ppp-short": IPV4,
  "pppoe-ipv6": IPV6,
  "raw-ip": IPV4,
  "raw-ip-12": IPV4,
  "raw-ipv4": IPV4,
  "raw-ipv6": IPV6,
  sll: IPV4,
  "sll-qinq": IPV4,
  "sll2-ipv6": IPV6,
  "sll2-pppoe": IPV4,
  "snapshot-112": IPV6,
  "vlan-9100": IPV4,
  "vlan-pppoe": IPV4,
  "vlan-three": IPV4,
  vxlan: IPV6,
  "vxlan-in-gre-in-pppoe": IPV4,
  wlan: IPV4,
  "wlan-aggregate": IPV4,
  "wlan-four-addresses": IPV4,
  "wlan-ppi": IPV4,
  "wlan-qos": IPV4,
  "wlan-qos-padded": IPV4,
  "wlan-radiotap": IPV4,
}

for (const [name, clients] of Object.entries(found)) {
  test(`${name}, as another tool writes it: both connections are found, with their cookie and the length of their data`, async () => {
    const report = await read(`${name}.pcap`)

    assert.deepEqual(
      report.connections.map(({ client, clientPort, synDataBytes, timestamp }) => ({
        client,
        clientPort,
        synDataBytes,
        timestamp,
      })),
      clients.map((client, n) => ({ client, clientPort: 40001 + 977 * n, synDataBytes: 16, timestamp: 1000 })),
    )
    assert.deepEqual(
      report.links.map(({ kind, identifier, connections }) => ({ kind, identifier, connections })),
      [{ kind: "cookie", identifier: "c0ffee00deadbeef", connections: [0, 1] }],
    )
    assert.deepEqual(report.unread, [])
    assert.equal(report.conclusion, "linked")
    assert.equal(report.connections[1]!.start - report.connections[0]!.start, 1000)
  })
}

const unreadable: Readonly<Record<string, string>> = {
  esp: "encrypted (ESP)",
  "esp-in-udp": "encrypted (ESP in UDP)",
  "later-fragment": "IP fragment without its first headers",
  macsec: "ethertype 0x88e5 (MACsec)",
  "snapshot-60": "cut off in its TCP header",
  "unknown-ethertype": "ethertype 0x1234",
  "unknown-protocol": "IP protocol 253",
  "wlan-protected": "encrypted (802.11)",
}

for (const [name, reason] of Object.entries(unreadable)) {
  test(`${name}, as another tool writes it, is not read, and the reason is named`, async () => {
    const report = await read(`${name}.pcap`)
    assert.deepEqual(report.connections, [])
    assert.deepEqual(report.unread, [{ reason, packets: 2 }])
    assert.equal(report.conclusion, "unclear")
  })
}

test("what carries no TCP is read, and the all-clear stands", async () => {
  const report = await read("not-tcp.pcap")
  assert.equal(report.others, 2)
  assert.deepEqual(report.unread, [])
  assert.equal(report.conclusion, "unlinked")
})

test("SYNs of a capture with a small snap length are connections with their options cut off", async () => {
  const { connections, conclusion } = await read("snapshot-70.pcap")
  assert.deepEqual(
    connections.map(({ client, clientPort, optionsCutOff, synDataBytes }) => ({
      client,
      clientPort,
      optionsCutOff,
      synDataBytes,
    })),
    IPV6.map((client, n) => ({ client, clientPort: 40001 + 977 * n, optionsCutOff: true, synDataBytes: 16 })),
  )
  assert.equal(conclusion, "unclear")
})

test("sections and interfaces of one file have link types and clocks of their own, and copies are one packet", async () => {
  const interfaces = await read("two-interfaces.pcapng")
  assert.equal(interfaces.connections.length, 4)
  assert.equal(interfaces.duplicates, 0)
  const sections = await read("two-sections.pcapng")
  assert.equal(sections.connections.length, 4, "the IPv6 connections are in both sections")
  assert.equal(sections.duplicates, 2)
  assert.equal((await read("format.pcapng")).connections.length, 2)
})

test("every fixture is looked at", () => {
  const named = [...Object.keys(found), ...Object.keys(unreadable), "not-tcp", "snapshot-70"].map(
    (name) => `${name}.pcap`,
  )
  const all = [...named, "two-interfaces.pcapng", "two-sections.pcapng", "format.pcapng"].sort()
  assert.deepEqual(readdirSync(folder).sort(), all)
})

import { closeSync, openSync } from "node:fs"
import { createRequire } from "node:module"
import { namespacePath } from "./namespaces.js"
import { DEVICE } from "./router-protocol.js"

const CLONE_NEWNET = 0x40000000
const TUNSETIFF = 0x400454ca
const IFF_TUN = 0x0001
const IFF_NO_PI = 0x1000
const POLLIN = 1

const koffi = createRequire(import.meta.url)("koffi") as typeof import("koffi")
const library = koffi.load(null)
const setns = library.func("int setns(int, int)")
const ioctl = library.func("int ioctl(int, unsigned long, void *)")
const ppoll = library.func("int ppoll(void *, uint64_t, void *, void *)")

/** Makes a TUN device inside a namespace and returns its descriptor; the device lives as long as that is open. */
export function openTun(namespace: string): number {
  const home = openSync("/proc/self/ns/net", "r")
  const there = openSync(namespacePath(namespace), "r")
  try {
    require0(setns(there, CLONE_NEWNET), "setns")
    const descriptor = openSync("/dev/net/tun", "r+")
    const request = Buffer.alloc(40)
    request.write(DEVICE, "latin1")
    new Uint16Array(request.buffer, request.byteOffset + 16, 1)[0] = IFF_TUN | IFF_NO_PI
    require0(ioctl(descriptor, TUNSETIFF, request), "TUNSETIFF")
    return descriptor
  } finally {
    require0(setns(home, CLONE_NEWNET), "setns")
    closeSync(there)
    closeSync(home)
  }
}

/** Waits until one of `descriptors` can be read or the time is over, to some 50 microseconds; tells which can. */
export function waitForInput(descriptors: readonly number[], milliseconds: number): boolean[] {
  const words = new Int32Array(descriptors.length * 2)
  const halves = new Int16Array(words.buffer)
  descriptors.forEach((descriptor, n) => {
    words[n * 2] = descriptor
    halves[n * 4 + 2] = POLLIN
  })
  const seconds = Math.floor(milliseconds / 1000)
  const timeout = BigInt64Array.of(BigInt(seconds), BigInt(Math.floor((milliseconds - seconds * 1000) * 1e6)))
  ppoll(words, descriptors.length, timeout, null)
  return descriptors.map((_descriptor, n) => halves[n * 4 + 3] !== 0)
}

function require0(result: number, call: string): void {
  if (result !== 0) throw new Error(`${call} failed (error ${koffi.errno()})`)
}

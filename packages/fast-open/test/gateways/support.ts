import type { TestContext } from "node:test"
import { decode } from "@conclave/codec"
import { type Database, type DatabaseOptions, dayKeyStore, openDatabase, strikeStore } from "@conclave/postgres"
import type { Handler } from "@conclave/transport"
import {
  AddressTokens,
  Offer,
  SealedServer,
  type SealedServerOptions,
  SharedKeyRing,
  type SharedKeyRingOptions,
  SharedStrikeRegister,
  type SharedStrikeRegisterOptions,
} from "../../src/sealed/index.js"
import { provider } from "../sealed/support.js"

export const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")

/** How often each request ran, at all gateways that count here. */
export class Runs {
  readonly #counts = new Map<string, number>()
  early = 0

  readonly handler: Handler = async function* (this: Runs, request: Uint8Array, { early }: { early: boolean }) {
    this.#counts.set(hex(request), this.of(request) + 1)
    if (early) this.early++
    yield request
  }.bind(this)

  of(request: Uint8Array): number {
    return this.#counts.get(hex(request)) ?? 0
  }
}

export interface GatewayOptions {
  readonly url: string
  readonly secret: Uint8Array
  readonly runs: Runs
  readonly database?: Partial<DatabaseOptions>
  readonly ring?: Partial<SharedKeyRingOptions>
  readonly register?: Partial<SharedStrikeRegisterOptions>
  readonly server?: Partial<SealedServerOptions>
}

/** A gateway with a pool, a register, a ring and a port of its own, as each process has them. */
export async function gateway(test: TestContext, { url, secret, runs, ...options }: GatewayOptions) {
  const database: Database = openDatabase({ url, connections: 4, ...options.database })
  test.after(() => database.close())
  const register = new SharedStrikeRegister({ store: await strikeStore(database), ...options.register })
  test.after(() => register[Symbol.dispose]())
  await register.start()
  const ring = await SharedKeyRing.open({ provider, secret, store: await dayKeyStore(database), ...options.ring })
  test.after(() => ring[Symbol.dispose]())
  const tokens = new AddressTokens({ provider })
  ring.feed(tokens)
  const parts = { keys: ring, register, tokens }
  const server = new SealedServer({ provider, handler: runs.handler, ...parts, ...options.server })
  test.after(() => server[Symbol.asyncDispose]())
  const port = await server.listen({ port: 0, host: "127.0.0.1", policy: "off" })
  const offer = () => server.offer({ host: "127.0.0.1" })
  const supply = () => decode(Offer, offer()).supply
  return { database, register, ring, tokens, server, port, offer, supply }
}

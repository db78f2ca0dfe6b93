import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { sha256 } from "@conclave/testing/delivery"
import { noPostgres } from "@conclave/testing/servers"
import { migrations as authMigrations } from "../src/auth/store.js"
import { migrations } from "../src/delivery/schema.js"
import { type DatabaseOptions, deliveryStore, openDatabase, openIntake } from "../src/index.js"
import { bytes, isUnavailable, opened, operator, postgres } from "./support.js"

const MOVING = /a service is being moved into the database: conclave migrate has to come to its end first/
const service = bytes("service")

const intakeInto = ({ url, schema }: DatabaseOptions, of = service) =>
  openIntake({ url, ...(schema !== undefined && { schema }), service: of, sha256 })

const identity = {
  type: "identity",
  ...{ seed: bytes("seed"), passSecret: bytes("secret"), incarnation: 7n, handovers: [] },
} as const

describe("the intake of a service", { skip: noPostgres }, () => {
  const server = postgres()

  it("keeps gateways of every version out until it is finished, those too that would migrate the tables", async (test) => {
    const { options } = await opened(test, server)
    {
      await using intake = await intakeInto(options)
      assert.equal(intake.state, "new")
      const starting = openDatabase(options)
      test.after(() => starting.close())
      await assert.rejects(deliveryStore(starting, sha256), isUnavailable(MOVING))
      await starting.close()
      const later = openDatabase(options)
      test.after(() => later.close())
      const adding = { sql: "CREATE TABLE added ()", oldestReader: 1 }
      await assert.rejects(later.migrate("delivery", [...migrations, adding]), isUnavailable(MOVING))
      await later.close()
      await intake.delivery.take([identity])
    }
    // By a version that knows the tables that were made meanwhile; what was brought is deleted.
    const tables = await operator(test, options)
    await tables.query("UPDATE schema_version SET version = $1 WHERE component = 'delivery'", [migrations.length])
    await using again = await intakeInto(options)
    assert.equal(again.state, "again")
    assert.equal((await again.delivery.counts()).identity, 0)
    await again.delivery.take([identity])
    await again.settle()
    await again.finish()
    const gateway = openDatabase(options)
    const store = await deliveryStore(gateway, sha256)
    test.after(() => gateway.close())
    const made = { seed: bytes("other"), passSecret: bytes("other"), incarnation: 1n, handovers: [] }
    assert.equal((await store.identity(made)).incarnation, 7n)
  })

  it("is noticed by a gateway on an empty database that had no connection when it began", async (test) => {
    const gateway = await opened(test, server)
    await gateway.migrate("auth", authMigrations)
    const store = await deliveryStore(gateway, sha256)
    await assert.rejects(
      intakeInto(gateway.options),
      isUnavailable(/gateways are connected to the database \(\d+ conn/),
    )
    const tables = await operator(test, gateway.options)
    const held = "FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock'"
    await tables.query(`SELECT pg_terminate_backend(pid) ${held}`)
    while ((await tables.query(`SELECT 1 ${held}`)).rowCount !== 0 || gateway.losses === 0) {
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    await using intake = await intakeInto(gateway.options)
    const made = { seed: bytes("other"), passSecret: bytes("other"), incarnation: 1n, handovers: [] }
    await assert.rejects(store.identity(made), isUnavailable(MOVING))
    assert.equal((await intake.delivery.counts()).identity, 0)
  })

  it("is refused beside another, on what another service has begun, and where records refer to no group", async (test) => {
    const { options } = await opened(test, server)
    {
      await using intake = await intakeInto(options)
      await intake.delivery.take([identity])
      const knock = {
        id: bytes("id", 16),
        accessKey: bytes("key"),
        sealed: bytes("sealed"),
        sender: bytes("sender", 8),
      }
      const orphan = { type: "knock", groupId: bytes("no group"), ...knock, beside: 1n, at: 1n } as const
      await assert.rejects(intake.delivery.take([orphan]), /1 records \(knock\) have no group/)
      assert.equal((await intake.delivery.counts()).knock, 0)
      await assert.rejects(intakeInto(options), isUnavailable(/another conclave migrate is writing to the database/))
    }
    await assert.rejects(
      intakeInto(options, bytes("other service")),
      isUnavailable(/a part of another service is in the database, whose move was cut/),
    )
  })
})

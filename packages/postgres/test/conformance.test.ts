import { describe } from "node:test"
import { storeConformance as authConformance } from "@conclave/testing/auth"
import {
  blobStoreConformance,
  storeConformance as deliveryConformance,
  pushStoreConformance,
  sha256,
} from "@conclave/testing/delivery"
import { noPostgres } from "@conclave/testing/servers"
import { authStore, blobStore, deliveryStore, pushStore } from "../src/index.js"
import { opened, postgres } from "./support.js"

describe("stores in PostgreSQL", { skip: noPostgres }, () => {
  const server = postgres()
  // Sweeps of the suite are some ten milliseconds apart: partitions come and go.
  deliveryConformance("PostgreSQL", async (test) =>
    deliveryStore(await opened(test, server), sha256, { partitionMilliseconds: 50 }),
  )
  authConformance("PostgreSQL", async (test) => authStore(await opened(test, server)))
  blobStoreConformance("PostgreSQL", async (test) => blobStore(await opened(test, server)), { numRuns: 30 })
  pushStoreConformance("PostgreSQL", async (test) => pushStore(await opened(test, server)), { numRuns: 30 })
})

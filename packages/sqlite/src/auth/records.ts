import type { AuthRecord, AuthSource } from "@conclave/auth/store"
import type { Connection } from "../database.js"
import { pagesOf } from "../pages.js"
import { storedDevice } from "./store.js"

/** What the directory has in a transaction of the caller's. */
export function authSource(connection: Connection): AuthSource {
  return {
    async *records() {
      yield* records(connection)
    },
    async counts() {
      const count = (table: string) => Number(connection.get(`SELECT count(*) AS n FROM ${table}`)!.n)
      return {
        registration: count("directory_device"),
        displayName: count("directory_display_name"),
        suspendedName: count("suspended_name"),
        erased: count("erased"),
      }
    },
  }
}

function* records(connection: Connection): Generator<readonly AuthRecord[]> {
  const devices = { columns: "*", from: "directory_device", key: ["number"], start: [-1n] }
  for (const rows of pagesOf(connection, devices)) {
    yield rows.map((row) => {
      const { suspended: _, ...device } = storedDevice(row)
      return { type: "registration", ...device }
    })
  }
  const displayNames = { columns: "*", from: "directory_display_name", key: ["name"], start: [""] }
  for (const rows of pagesOf(connection, displayNames)) {
    yield rows.map(({ name, text, at, device_id, signature }) => {
      return { type: "displayName", name, text, at, deviceId: device_id, signature }
    })
  }
  const suspended = { columns: "*", from: "suspended_name", key: ["name"], start: [""] }
  for (const rows of pagesOf(connection, suspended)) {
    yield rows.map(({ name, reason }) => ({ type: "suspendedName", name, reason }))
  }
  const erased = { columns: "hash", from: "erased", key: ["hash"], start: [new Uint8Array()] }
  for (const rows of pagesOf(connection, erased)) yield rows.map(({ hash }) => ({ type: "erased", hash }))
}

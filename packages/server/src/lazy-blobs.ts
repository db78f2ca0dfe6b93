/// <reference lib="esnext.disposable" preserve="true" />
import { existsSync } from "node:fs"
import type { BlobStore } from "@conclave/delivery"

/**
 * A store of blobs whose file is made for the first of them: a service that nobody uploads to has none. `open` is called
 * again where it has thrown.
 */
export function lazyBlobStore(file: string, open: () => BlobStore): BlobStore {
  let opened: BlobStore | undefined
  const store = () => {
    opened ??= open()
    return opened
  }
  const present = () => (opened !== undefined || existsSync(file) ? store() : undefined)
  return {
    create: async (blob) => store().create(blob),
    put: async (chunk) => (await present()?.put(chunk)) ?? none,
    read: async (asked) => (await present()?.read(asked)) ?? none,
    delete: async (asked) => (await present()?.delete(asked)) ?? none,
    groups: async (asked) => (await present()?.groups(asked)) ?? [],
    deleteOfGroup: async (groupId, rowsMax) => (await present()?.deleteOfGroup(groupId, rowsMax)) ?? nothing,
    sweep: async (due) => (await present()?.sweep(due)) ?? nothing,
    usage: () => present()?.usage() ?? { bytes: 0, sizeMax: Number.POSITIVE_INFINITY },
    [Symbol.asyncDispose]: async () => opened?.[Symbol.asyncDispose](),
  }
}

const none = { type: "none" } as const
const nothing = { rows: 0, more: false }

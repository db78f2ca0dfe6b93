/// <reference lib="dom" />
import { ClientError } from "./errors.js"
import { SEALING_KEY_SIZE } from "./store/sealed.js"

const DATABASE = "conclave-keys"

interface WrappedKey {
  /** Not extractable: the browser uses it and does not give it out. */
  readonly wrappingKey: CryptoKey
  readonly nonce: Uint8Array<ArrayBuffer>
  readonly wrapped: ArrayBuffer
}

/**
 * The 32 bytes that seal a profile, made on first use and kept by the browser, wrapped by a key that scripts cannot
 * read out. It keeps the profile's contents out of copies of its records; it does not protect against scripts of the
 * same origin, or against whoever can read the browser's own files.
 */
export async function browserSealingKey(profile: string): Promise<Uint8Array> {
  const database = await request<IDBDatabase>(() => {
    const opening = indexedDB.open(DATABASE, 1)
    opening.onupgradeneeded = () => opening.result.createObjectStore("key")
    return opening
  })
  try {
    const kept = await request<WrappedKey | undefined>(() =>
      database.transaction("key").objectStore("key").get(profile),
    )
    return kept === undefined ? await makeKey(database, profile) : await unwrap(kept)
  } catch (error) {
    throw error instanceof ClientError ? error : new ClientError("STORE_FAILED", "the browser keeps no key", error)
  } finally {
    database.close()
  }
}

async function makeKey(database: IDBDatabase, profile: string): Promise<Uint8Array> {
  const sealingKey = crypto.getRandomValues(new Uint8Array(SEALING_KEY_SIZE))
  const nonce = crypto.getRandomValues(new Uint8Array(12))
  const wrappingKey = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"])
  const wrapped = await crypto.subtle.encrypt({ name: "AES-GCM", iv: nonce }, wrappingKey, sealingKey)
  const kept: WrappedKey = { wrappingKey, nonce, wrapped }
  const transaction = database.transaction("key", "readwrite", { durability: "strict" })
  await new Promise<void>((resolve, reject) => {
    transaction.oncomplete = () => resolve()
    transaction.onabort = () => reject(transaction.error)
    transaction.objectStore("key").add(kept, profile)
  })
  return sealingKey
}

async function unwrap({ wrappingKey, nonce, wrapped }: WrappedKey): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv: nonce }, wrappingKey, wrapped))
}

function request<T>(make: () => IDBRequest): Promise<T> {
  return new Promise((resolve, reject) => {
    const asked = make()
    asked.onsuccess = () => resolve(asked.result)
    asked.onerror = () => reject(asked.error)
  })
}

import type { BlobContent, BlobOptions, BlobReading, BlobReference, Blobs, OwnBlob } from "../blobs.js"
import type { Conversation } from "../conversation.js"
import type { BlobsOptions } from "./blobs.js"

/** Loads what is needed for blobs with the first of them: a page that has none does not. */
export class BlobsOnDemand implements Blobs {
  readonly #options: BlobsOptions

  constructor(options: BlobsOptions) {
    this.#options = options
  }

  async put(conversation: Conversation, content: BlobContent, options?: BlobOptions): Promise<OwnBlob> {
    return await (await this.#client()).put(conversation, content, options)
  }

  async *get(blob: BlobReference, options?: BlobReading): AsyncGenerator<Uint8Array> {
    yield* (await this.#client()).get(blob, options)
  }

  async delete(blob: Parameters<Blobs["delete"]>[0], options?: Parameters<Blobs["delete"]>[1]): Promise<void> {
    await (await this.#client()).delete(blob, options)
  }

  async #client(): Promise<Blobs> {
    const { BlobClient } = await import("./blobs.js")
    return new BlobClient(this.#options)
  }
}

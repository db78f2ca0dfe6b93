import type { Conversation } from "./conversation.js"

/**
 * Large content at the service, encrypted on this device and in no log. What a blob is is for the application to say, in a
 * message: whoever has its {@link BlobReference} can read it, member or not. Attachments as a kind of content are not here
 * yet.
 *
 * The service sees each blob's length, who reads and writes when, and the group whose quota it takes; it sees neither
 * content nor key, and cannot tell two blobs of the same content. It keeps a blob for a time, and then deletes it for good.
 */
export interface Blobs {
  /**
   * Encrypts the content and uploads it, a piece of 256 KiB at a time: the next piece is asked for when the service has the
   * one before. Where the line breaks, it goes on from what the service has; it is not taken up again by a client that was
   * closed. It takes the quota of the conversation's group.
   *
   * An upload that fails or is given up is deleted at the service, as far as it can be reached.
   *
   * @throws {RangeError} when the content is not exactly `size` bytes
   * @throws {ClientError} `NOT_A_MEMBER` where this device is not in the conversation, or has been removed; `REFUSED` where
   *   the service has no room, keeps no blobs or none so large; `UNAVAILABLE` where it does not answer for minutes
   */
  put(conversation: Conversation, content: BlobContent, options?: BlobOptions): Promise<OwnBlob>
  /**
   * The content, in pieces; each is authentic, and is fetched when it is asked for. The last one has come when the iteration
   * ends without an error.
   *
   * @throws {ClientError} `REFUSED` where the service has no such blob, or not any longer, where what it has is not what
   *   was uploaded, and where `size` is no number of bytes; `UNAVAILABLE` where it does not answer for minutes
   */
  get(blob: BlobReference, options?: BlobReading): AsyncIterable<Uint8Array>
  /**
   * Deletes it for good, for everybody. One that is gone already is no error.
   *
   * @throws {ClientError} `REFUSED` for a wrong token, `UNAVAILABLE`
   */
  delete(blob: Pick<OwnBlob, "id" | "deletionToken">, options?: { readonly signal?: AbortSignal }): Promise<void>
}

export interface BlobContent {
  /** In bytes. The service has to know it before the first piece comes. */
  readonly size: number
  readonly bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>
}

export interface BlobOptions {
  /** Default, and at most, what the service allows: 30 days. */
  readonly lifetimeSeconds?: number
  /** Is told after each piece how many bytes of the content the service has. */
  readonly onProgress?: (bytes: number) => void
  readonly signal?: AbortSignal
}

export interface BlobReading {
  /** Where to begin, in bytes of the content; default 0. */
  readonly offset?: number
  readonly signal?: AbortSignal
}

/** What others need to read it. Whoever has it reads the content: it belongs into an encrypted message. */
export interface BlobReference {
  /** 32 bytes. */
  readonly id: Uint8Array
  /** 32 bytes. */
  readonly key: Uint8Array
  /** Of the content, in bytes. */
  readonly size: number
}

export interface OwnBlob extends BlobReference {
  /** 32 bytes; whoever has it deletes the blob. No part of what readers need. */
  readonly deletionToken: Uint8Array
  /** Until when the service keeps it, by its own clock. */
  readonly until: Date
}

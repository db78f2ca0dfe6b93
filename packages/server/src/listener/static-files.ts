import { createHash } from "node:crypto"
import { lstat, open, realpath, stat } from "node:fs/promises"
import type { IncomingMessage, ServerResponse } from "node:http"
import { extname, join, resolve, sep } from "node:path"
import { pipeline } from "node:stream/promises"
import { sendText } from "./text.js"

export interface Sending {
  /** As {@link StaticFiles.find} has found it. */
  readonly file: string
  /** Whether an answer of `size` bytes, of which few are in memory at a time, may be given. */
  readonly mayAnswer: (size: number) => boolean
}

export interface StaticFiles {
  /** The real path of the file at `path`, which is as it stands in the request, without its query. */
  find(path: string): Promise<string | undefined>
  send(request: IncomingMessage, response: ServerResponse, sending: Sending): Promise<void>
}

const contentTypes: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/vnd.microsoft.icon",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".map": "application/json",
  ".mjs": "text/javascript; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
  ".webp": "image/webp",
  ".woff2": "font/woff2",
}

/** What a compressed file beside another is called (RFC 9110 §8.4.1): the better first. */
const codings = [
  { name: "br", ending: ".br" },
  { name: "gzip", ending: ".gz" },
] as const

/** The files of a folder, and nothing outside it, whatever a path says and wherever a link leads. A client gets `FILE.br` or `FILE.gz`
 * in place of `FILE` where it takes that coding, the file is there, and it is no older. */
export async function openStaticFiles(folder: string): Promise<StaticFiles> {
  const root = await realpath(resolve(folder))
  if (!(await stat(root)).isDirectory()) throw new TypeError(`${folder} is not a folder`)
  return { find: (path) => locate(root, path), send }
}

async function locate(root: string, path: string): Promise<string | undefined> {
  const relative = decodePath(path)
  if (relative === undefined) return undefined
  const wanted = resolve(join(root, relative.endsWith("/") ? `${relative}index.html` : relative))
  try {
    // A dot at the beginning of a name hides a file from people and from here.
    if (relative.split("/").some((name) => name.startsWith("."))) return undefined
    const real = await realpath(wanted)
    return real.startsWith(root + sep) && (await stat(real)).isFile() ? real : undefined
  } catch {
    return undefined
  }
}

function decodePath(path: string): string | undefined {
  try {
    const decoded = decodeURIComponent(path)
    return decoded.startsWith("/") && !/[\0\\]/.test(decoded) ? decoded : undefined
  } catch {
    return undefined
  }
}

async function send(request: IncomingMessage, response: ServerResponse, sending: Sending): Promise<void> {
  const path = sending.file
  const { headers } = request
  const variants = await compressed(path)
  if (variants.length > 0) response.setHeader("vary", "accept-encoding")
  const coding = chosenCoding(
    headers["accept-encoding"],
    variants.map(({ name }) => name),
  )
  if (coding === undefined) return sendText(response, 406, "this file is not there in a coding that is accepted")
  const ending = variants.find(({ name }) => name === coding)?.ending ?? ""
  const file = await open(path + ending).catch(() => undefined)
  if (file === undefined) return sendText(response, 404, "there is nothing at this path")
  try {
    const status = await file.stat()
    if (!status.isFile()) return sendText(response, 404, "there is nothing at this path")
    // Some builds give all files one time, and a page's name for its script always has the same length.
    const identity = `${path}${ending}\n${status.size}\n${status.mtimeMs}\n${status.ctimeMs}`
    const tag = `"${createHash("sha256").update(identity).digest("base64url")}"`
    response.setHeader("etag", tag)
    response.setHeader("cache-control", cacheControl(path))
    if (isKnown(tag, headers["if-none-match"])) {
      response.writeHead(304).end()
      return
    }
    if (!sending.mayAnswer(status.size)) return sendText(response, 503, "too many answers are not read")
    response.writeHead(200, {
      "content-type": contentTypes[extname(path).toLowerCase()] ?? "application/octet-stream",
      "content-length": status.size,
      ...(ending !== "" && { "content-encoding": coding }),
    })
    if (request.method === "HEAD") return void response.end()
    // `end`: never more than the length that was promised, should the file grow meanwhile.
    const content = file.createReadStream({ autoClose: false, start: 0, end: Math.max(status.size - 1, 0) })
    if (status.size === 0) return void response.end()
    await pipeline(content, response).catch(() => response.destroy())
  } finally {
    await file.close()
  }
}

/** The codings in which a file is there compressed: of its content, not of one that it had before. */
async function compressed(path: string): Promise<readonly (typeof codings)[number][]> {
  const made = (file: string) =>
    lstat(file).then(
      (it) => (it.isFile() ? it.mtimeMs : undefined),
      () => undefined,
    )
  const [own = 0, ...others] = await Promise.all([path, ...codings.map(({ ending }) => path + ending)].map(made))
  return codings.filter((_, at) => (others[at] ?? -1) >= (hasHash(path) ? 0 : own))
}

/**
 * The coding of `offered`, the better first, that an `Accept-Encoding` (RFC 9110 §12.5.3) weighs most; `identity` only
 * where no other weighs as much. `undefined` where it takes none of them, nor `identity`.
 */
export function chosenCoding(accepted: string | undefined, offered: readonly string[]): string | undefined {
  // Nothing said: anything is taken, and what everybody can read is safest.
  if (accepted === undefined) return "identity"
  const weights = new Map<string, number>()
  for (const part of accepted.toLowerCase().split(",")) {
    const [name = "", ...parameters] = part.split(";").map((it) => it.trim())
    const q = parameters.find((it) => it.startsWith("q="))?.slice(2)
    const weight = q === undefined ? 1 : /^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(q) ? Number(q) : 0
    if (name !== "") weights.set(name === "x-gzip" ? "gzip" : name, weight)
  }
  // `identity` is taken unless it is ruled out, but after whatever is asked for.
  const least = weights.get("*") === 0 ? 0 : Number.MIN_VALUE
  const weightOf = (name: string) => weights.get(name) ?? (name === "identity" ? least : (weights.get("*") ?? 0))
  let best: string | undefined
  for (const name of ["identity", ...[...offered].reverse()]) {
    if (weightOf(name) > 0 && (best === undefined || weightOf(name) >= weightOf(best))) best = name
  }
  return best
}

/** `If-None-Match` compares weakly (RFC 9110 §13.1.2): a proxy that compresses makes a tag weak. */
function isKnown(tag: string, given: string | undefined): boolean {
  return (given ?? "").split(",").some((it) => it.trim() === "*" || it.trim().replace(/^W\//, "") === tag)
}

/** A name with a hash of its content never changes its meaning; any other is asked for again, with its tag. */
function cacheControl(path: string): string {
  return hasHash(path) ? "public, max-age=31536000, immutable" : "no-cache"
}

function hasHash(path: string): boolean {
  return (
    /[.-][0-9A-Za-z_-]{8,}\.(css|js|mjs|wasm|woff2|png|svg|webp)$/.test(path) && path.includes(`${sep}assets${sep}`)
  )
}

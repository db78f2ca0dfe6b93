import { createHash } from "node:crypto"
import { open, realpath, stat } from "node:fs/promises"
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

/** The files of a folder, and nothing outside it, whatever a path says and wherever a link leads. */
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
  const file = await open(path).catch(() => undefined)
  if (file === undefined) return sendText(response, 404, "there is nothing at this path")
  try {
    const status = await file.stat()
    if (!status.isFile()) return sendText(response, 404, "there is nothing at this path")
    const tag = `"${createHash("sha256").update(`${path}\n${status.size}\n${status.mtimeMs}`).digest("base64url")}"`
    response.setHeader("etag", tag)
    response.setHeader("cache-control", cacheControl(path))
    if (request.headers["if-none-match"]?.split(/\s*,\s*/).includes(tag)) {
      response.writeHead(304).end()
      return
    }
    if (!sending.mayAnswer(status.size)) return sendText(response, 503, "too many answers are not read")
    response.writeHead(200, {
      "content-type": contentTypes[extname(path).toLowerCase()] ?? "application/octet-stream",
      "content-length": status.size,
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

/** A name with a hash of its content never changes its meaning; any other is asked for again, with its tag. */
function cacheControl(path: string): string {
  return /[.-][0-9A-Za-z_-]{8,}\.(css|js|mjs|wasm|woff2|png|svg|webp)$/.test(path) &&
    path.includes(`${sep}assets${sep}`)
    ? "public, max-age=31536000, immutable"
    : "no-cache"
}

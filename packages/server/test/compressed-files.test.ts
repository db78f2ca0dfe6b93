import assert from "node:assert/strict"
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs"
import { request } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, it, type TestContext } from "node:test"
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from "node:zlib"
import type { Listener } from "../src/index.js"
import { chosenCoding } from "../src/listener/static-files.js"
import { serve } from "./support.js"

const SCRIPT = "export const a = 1\n".repeat(200)
const HTML = "<!doctype html><title>Conclave</title>".repeat(50)

/** A page with compressed files, as they are built. */
function page(test: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), "conclave-compressed-"))
  test.after(() => rmSync(root, { recursive: true, force: true }))
  mkdirSync(join(root, "assets"))
  for (const [name, content] of [
    ["assets/main-Bx81kd0Q.js", SCRIPT],
    ["index.html", HTML],
  ] as const) {
    writeFileSync(join(root, name), content)
    writeFileSync(join(root, `${name}.br`), brotliCompressSync(content))
    writeFileSync(join(root, `${name}.gz`), gzipSync(content))
  }
  writeFileSync(join(root, "plain.txt"), "plain")
  return root
}

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

/** `fetch` would say what it accepts, and decompress. */
function get(listener: Listener, path: string, headers: Record<string, string> = {}, method = "GET"): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request(new URL(path, listener.url), { method, headers }, (response) => {
      const parts: Buffer[] = []
      response.on("data", (part: Buffer) => parts.push(part))
      response.on("end", () =>
        resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(parts) }),
      )
    })
      .on("error", reject)
      .end()
  })
}

describe("files that are there compressed", { timeout: 20_000 }, () => {
  it("have another tag where they are other ones of the same length, and of the same time: builds give all files one", async (test) => {
    const root = page(test)
    await using listener = await serve({}, { static: root })
    const write = (content: string) => {
      writeFileSync(join(root, "plain.txt"), content)
      utimesSync(join(root, "plain.txt"), 1, 1)
    }
    write("main-Bx81kd0Q.js")
    const { etag } = (await get(listener, "/plain.txt")).headers
    // A clock of the file system may stand still for some milliseconds.
    await new Promise((resolve) => setTimeout(resolve, 50))
    write("main-Zq72mc1P.js")
    const again = await get(listener, "/plain.txt", { "if-none-match": String(etag) })
    assert.deepEqual([again.status, again.body.toString()], [200, "main-Zq72mc1P.js"])
  })

  it("are sent so to those who take it, under the type and caching of the file", async (test) => {
    await using listener = await serve({}, { static: page(test) })
    const path = "/assets/main-Bx81kd0Q.js"
    const plain = await get(listener, path)
    assert.deepEqual([plain.body.toString(), plain.headers["content-encoding"]], [SCRIPT, undefined])
    const brotli = await get(listener, path, { "accept-encoding": "gzip, deflate, br, zstd" })
    const gzip = await get(listener, path, { "accept-encoding": "gzip" })
    assert.equal(brotliDecompressSync(brotli.body).toString(), SCRIPT)
    assert.equal(gunzipSync(gzip.body).toString(), SCRIPT)
    assert.deepEqual([brotli.headers["content-encoding"], gzip.headers["content-encoding"]], ["br", "gzip"])
    for (const { headers, body } of [plain, brotli, gzip]) {
      assert.equal(headers["content-type"], "text/javascript; charset=utf-8")
      assert.equal(headers["content-length"], String(body.length))
      assert.equal(headers["cache-control"], "public, max-age=31536000, immutable")
      assert.equal(headers.vary, "accept-encoding")
    }
    const head = await get(listener, path, { "accept-encoding": "br" }, "HEAD")
    assert.deepEqual([head.headers["content-length"], head.body.length], [brotli.headers["content-length"], 0])
    assert.equal((await get(listener, "/plain.txt", { "accept-encoding": "br" })).headers.vary, undefined)
  })

  it("have a tag for each coding, by which the page is asked for again", async (test) => {
    await using listener = await serve({}, { static: page(test) })
    const tags = new Set<string>()
    for (const coding of ["identity", "gzip", "br"]) {
      const first = await get(listener, "/", { "accept-encoding": coding })
      const tag = String(first.headers.etag)
      assert.deepEqual([first.status, first.headers["cache-control"]], [200, "no-cache"])
      for (const given of [tag, `W/${tag}`, `"other", ${tag}`, "*"]) {
        const again = await get(listener, "/", { "accept-encoding": coding, "if-none-match": given })
        assert.deepEqual([again.status, again.body.length, again.headers.vary], [304, 0, "accept-encoding"], given)
        assert.equal(again.headers.etag, tag)
      }
      tags.add(tag)
    }
    assert.equal(tags.size, 3)
  })

  it("are kept for ever only where their name has a hash, and where those lie", async (test) => {
    const root = page(test)
    for (const name of ["assets/main.js", "main-Bx81kd0Q.js"]) writeFileSync(join(root, name), SCRIPT)
    await using listener = await serve({}, { static: root })
    for (const name of ["assets/main.js", "main-Bx81kd0Q.js"])
      assert.equal((await get(listener, `/${name}`)).headers["cache-control"], "no-cache", name)
  })

  it("are not sent where the file is newer, nor where what is beside it is a link", async (test) => {
    const root = page(test)
    writeFileSync(join(root, "secret"), "secret")
    const later = Date.now() / 1000 + 60
    utimesSync(join(root, "index.html"), later, later)
    symlinkSync(join(root, "secret"), join(root, "plain.txt.br"))
    await using listener = await serve({}, { static: root })
    const index = await get(listener, "/", { "accept-encoding": "br, gzip" })
    assert.deepEqual([index.body.toString(), index.headers["content-encoding"]], [HTML, undefined])
    assert.equal((await get(listener, "/plain.txt", { "accept-encoding": "br" })).body.toString(), "plain")
  })

  it("are refused to those who take no coding that is there", async (test) => {
    await using listener = await serve({}, { static: page(test) })
    assert.equal((await get(listener, "/", { "accept-encoding": "zstd, *;q=0" })).status, 406)
    assert.equal((await get(listener, "/", { "accept-encoding": "zstd" })).body.toString(), HTML)
  })

  it("go by what is weighed most", () => {
    const cases: readonly [string | undefined, string | undefined][] = [
      [undefined, "identity"],
      ["", "identity"],
      ["gzip, br", "br"],
      ["br;q=0.5, gzip;q=0.8", "gzip"],
      ["br;q=0, gzip", "gzip"],
      ["BR ; Q=1", "br"],
      ["*", "br"],
      ["*;q=0.5, br;q=0.1", "gzip"],
      ["identity, br;q=0.5", "identity"],
      ["identity;q=0.5, gzip;q=0.5", "gzip"],
      ["identity;q=0", undefined],
      ["*;q=0", undefined],
      ["identity;q=0, *;q=0.1", "br"],
      ["*;q=0, gzip;q=0.001", "gzip"],
      ["x-gzip", "gzip"],
      ["br;q=7", "identity"],
      ["br;q=nonsense, gzip;q=1.000", "gzip"],
      [",, ;q=1,", "identity"],
    ]
    for (const [accepted, chosen] of cases) assert.equal(chosenCoding(accepted, ["br", "gzip"]), chosen, accepted)
    assert.equal(chosenCoding("gzip, br", []), "identity")
  })
})

import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { isSlashless, mountPath, pathBeneath } from "../src/mount.js"

describe("where a server is mounted", () => {
  it("is a path of plain segments, with or without a slash at its end", () => {
    for (const root of ["/", ""]) assert.equal(mountPath(root), "")
    for (const path of ["/conclave", "/conclave/"]) assert.equal(mountPath(path), "/conclave")
    assert.equal(mountPath("/a.b/c-d_e~f"), "/a.b/c-d_e~f")
    for (const none of [
      "conclave",
      "//",
      "/a//b",
      "/a/../b",
      "/.",
      "/a b",
      "/a%2fb",
      "/a?b",
      "/a#b",
      "http://a/b",
      "/ä",
    ])
      assert.throws(() => mountPath(none), { name: "TypeError", message: /mount must be a path/ }, none)
  })

  it("decides what of a request's path is left, to the letter", () => {
    const cases: readonly [url: string, left: string | undefined][] = [
      ["/conclave/delivery", "/delivery"],
      ["/conclave/delivery?a=/conclave/x", "/delivery"],
      ["/conclave", "/"],
      ["/conclave/", "/"],
      ["/conclave?x", "/"],
      ["/conclave//delivery", "//delivery"],
      ["/conclave/%2e%2e/admin", "/%2e%2e/admin"],
      ["/conclave/../admin", "/../admin"],
      ["//conclave/delivery", undefined],
      ["/./conclave/delivery", undefined],
      ["/conclave%2Fdelivery", undefined],
      ["/%63onclave/delivery", undefined],
      ["/CONCLAVE/delivery", undefined],
      ["/conclaves/delivery", undefined],
      ["/x/conclave/delivery", undefined],
      ["http://localhost/conclave/delivery", undefined],
      ["*", undefined],
      ["", undefined],
    ]
    for (const [url, left] of cases) assert.equal(pathBeneath({ url }, "/conclave"), left, url)
  })

  it("is asked for without its slash, or beneath it", () => {
    assert.equal(isSlashless({ url: "/conclave?x" }, "/conclave"), true)
    assert.equal(isSlashless({ url: "/", originalUrl: "/conclave" }, "/conclave"), true)
    assert.equal(isSlashless({ url: "/conclave/" }, "/conclave"), false)
    assert.equal(isSlashless({ url: "" }, ""), false)
  })

  it("is found by the whole path, where a framework has taken its beginning off", () => {
    const stripped = { url: "/delivery", originalUrl: "/conclave/delivery?a" }
    assert.equal(pathBeneath(stripped, "/conclave"), "/delivery")
    assert.equal(pathBeneath(stripped, ""), "/delivery")
    // Not beneath it a second time.
    assert.equal(
      pathBeneath({ url: "/conclave/delivery", originalUrl: "/api/conclave/delivery" }, "/conclave"),
      undefined,
    )
  })
})

import assert from "node:assert/strict"
import { statSync } from "node:fs"
import { basename } from "node:path"
import { describe, it } from "node:test"
import { defaultDataFolder, openDataFolder, profileFile } from "../src/data-folder.js"
import { Folder } from "./support.js"

describe("the data folder", () => {
  it("is where the system keeps an application's own files", { skip: process.platform === "win32" }, () => {
    const at = (platform: NodeJS.Platform, environment: NodeJS.ProcessEnv = {}) =>
      defaultDataFolder({ platform, environment, home: "/home/u" })
    assert.equal(at("linux"), "/home/u/.local/share/conclave")
    assert.equal(at("linux", { XDG_DATA_HOME: "/data" }), "/data/conclave")
    assert.equal(at("linux", { XDG_DATA_HOME: "relative/is/invalid" }), "/home/u/.local/share/conclave")
    assert.equal(at("darwin"), "/home/u/Library/Application Support/conclave")
    assert.equal(at("win32"), "/home/u/AppData/Local/conclave")
    assert.equal(at("win32", { LOCALAPPDATA: "/local" }), "/local/conclave")
  })

  it("is open to its owner alone", { skip: process.platform === "win32" }, () => {
    using folder = new Folder()
    const made = openDataFolder(folder.file("a/b"))
    assert.equal(statSync(made).mode & 0o777, 0o700)
  })

  it("holds one profile for each name and service, however this machine is called", () => {
    using folder = new Folder()
    const file = (name: string, server: string) => profileFile(folder.path, { name, server: new URL(server) })
    const here = ["http://localhost:7080", "http://127.0.0.1:7080/", "http://[::1]:7080"]
    assert.equal(new Set(here.map((server) => file("alice", server))).size, 1)
    const others = ["http://localhost:7081", "http://example.org", "https://example.org", "http://[2001:db8::1]:7080"]
    assert.equal(new Set([here[0]!, ...others].map((server) => file("alice", server))).size, 5)
    assert.notEqual(file("alice", here[0]!), file("bob", here[0]!))
    const paths = [
      "http://localhost:7080",
      "http://localhost:7080/a/",
      "http://localhost:7080/a/b/",
      "http://localhost:7080/a_b/",
    ]
    assert.equal(new Set(paths.map((server) => file("alice", server))).size, 4)
    assert.equal(file("alice", "http://localhost:7080/a"), file("alice", "http://127.0.0.1:7080/a/"))
  })

  it("holds every name that there can be, in a file name that every system takes", () => {
    using folder = new Folder()
    const names = ["alice", "a.b_c-d", "con", "nul.x", "lpt1", "müller", "李", "𠮷".repeat(64), "z".repeat(64), "9."]
    const files = names.map((name) => basename(profileFile(folder.path, { name, server: new URL("http://h") })))
    assert.equal(new Set(files).size, names.length)
    for (const file of files) {
      assert.match(file, /^[a-z0-9~][a-z0-9._-]{0,80}\.db$/)
      assert.doesNotMatch(file, /^(con|prn|aux|nul|com\d|lpt\d)\./)
    }
  })
})

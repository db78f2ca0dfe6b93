import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { after, before, describe, it } from "node:test"
import { lockHolder } from "../src/system/locks.js"
import { isNetworkFileSystem, mountIn } from "../src/system/mounts.js"
import { locksThat, noCompiler, noMounts } from "./machine.js"
import { assertReadable, conclave, Folder, type RunOptions, Service } from "./support.js"

function mounted(...words: readonly string[]): Disposable {
  const { status, stderr } = spawnSync("mount", words, { encoding: "utf8" })
  assert.equal(status, 0, stderr)
  return { [Symbol.dispose]: () => void spawnSync("umount", [words.at(-1)!]) }
}

describe("each reason why a profile cannot be used has a sentence of its own, with the next step:", () => {
  let service: Service
  let profiles: string
  before(async () => {
    service = await Service.start()
    await service.gather("team", "alice", "bob")
    profiles = join(service.folder.path, "profiles", `localhost_${service.port}`)
  })
  after(() => service[Symbol.asyncDispose]())

  /** A data folder of its own with a copy of alice's profile, which is never used on. */
  const copied = () => {
    const folder = new Folder()
    const target = folder.file(`profiles/localhost_${service.port}`)
    spawnSync("mkdir", ["-p", target])
    spawnSync("cp", ["-p", ...readdirSync(profiles).map((name) => join(profiles, name)), target])
    return Object.assign(folder, { profile: join(target, "alice.db") })
  }
  const at = (folder: Folder) => ["--server", service.address, "--data", folder.path]
  const refusedIn = async (folder: Folder, says: RegExp, options: RunOptions = {}) => {
    const ran = await conclave(["receive", "--as", "alice", "--timeout", "1", ...at(folder)], options)
    assert.equal(ran.code, 1, ran.errors)
    assertReadable(ran, says)
  }

  it("another process has it open, and which", { skip: process.platform !== "linux" && "needs /proc" }, async () => {
    let tried: Promise<void> | undefined
    await service.ok(["receive", "--as", "alice", "--follow"], {
      started(child) {
        const own = `another conclave is running as alice \\(process ${child.pid}: conclave receive --as alice\\); end it first$`
        const isOpen = () => readFileSync("/proc/locks", "utf8").includes(` ${child.pid} `)
        const poll = setInterval(() => {
          if (!isOpen()) return
          clearInterval(poll)
          tried = refusedIn(service.folder, new RegExp(own, "m")).finally(() => child.kill("SIGTERM"))
          tried.catch(() => {})
        }, 50)
        child.once("close", () => clearInterval(poll))
      },
    })
    await tried
  })

  it("its drive has no locks", { skip: noCompiler }, async () => {
    using folder = copied()
    // As on a network drive without a lock service.
    const refused = "command == F_SETLK || command == F_SETLKW || command == F_GETLK"
    const library = locksThat(folder, `if (${refused}) { errno = ENOLCK; return -1; }`)
    await refusedIn(folder, /cannot be locked, and no process here has it open; does its file system know locks/, {
      environment: { LD_PRELOAD: library },
    })
  })

  it("it is read only", { skip: noMounts }, async () => {
    using folder = copied()
    using _mount = mounted("--bind", folder.path, folder.path)
    assert.equal(spawnSync("mount", ["-o", "remount,ro,bind", folder.path]).status, 0)
    await refusedIn(folder, /the profile of alice is read only \(.*alice\.db\); allow this user to write there, or/)
  })

  it("its disk is full", { skip: noMounts }, async () => {
    using folder = copied()
    using disk = new Folder()
    const kibibytes = Math.ceil(statSync(folder.profile).size / 1024) + 64
    using _mount = mounted("-t", "tmpfs", "-o", `size=${kibibytes}k`, "tmpfs", disk.path)
    assert.equal(spawnSync("cp", ["-rp", `${folder.path}/.`, disk.path]).status, 0)
    spawnSync("dd", ["if=/dev/zero", `of=${disk.file("filling")}`, "bs=4k"])
    await refusedIn(disk, /the disk with the profile of alice is full \(.*\); make room there, nothing is lost$/m)
  })

  it("it is damaged, from the first byte or further on", async () => {
    for (const begin of [0, 4096]) {
      using folder = copied()
      const content = readFileSync(folder.profile)
      content.fill(0x41, begin)
      writeFileSync(folder.profile, content)
      await refusedIn(
        folder,
        /the profile of alice is damaged \(.*alice\.db\); move it away, and register under another name/,
      )
    }
  })
})

describe("what Linux tells of locks and mounts", () => {
  it("names the process that holds a lock on a file", () => {
    const locks =
      "1: POSIX  ADVISORY  WRITE 812 08:01:77 0 EOF\n2: FLOCK  ADVISORY  WRITE 5 00:1b:7 0 EOF\n2: -> POSIX  ADVISORY  READ 99 00:1b:9 0 EOF\n"
    assert.equal(lockHolder(locks, 77), 812)
    assert.equal(lockHolder(locks, 7), 5)
    assert.equal(lockHolder(locks, 8), undefined)
  })

  it("names the file system that a file is on: of several that hold it, the innermost", () => {
    const mounts = [
      "22 1 8:1 / / rw - ext4 /dev/sda1 rw",
      "30 22 0:45 / /data/my\\040drive rw,relatime shared:7 - nfs4 server:export rw",
      "31 22 0:46 / /data rw - cifs //server/data rw",
      "32 22 0:47 / /data rw - tmpfs tmpfs rw",
    ].join("\n")
    assert.equal(mountIn(mounts, "/etc/passwd")?.type, "ext4")
    assert.equal(mountIn(mounts, "/dataset")?.type, "ext4")
    assert.equal(mountIn(mounts, "/data/file")?.type, "tmpfs")
    assert.deepEqual(mountIn(mounts, "/data/my drive/a"), { folder: "/data/my drive", type: "nfs4" })
  })

  it("tells drives of other machines from disks", () => {
    for (const type of ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "ceph"])
      assert.equal(isNetworkFileSystem(type), true)
    for (const type of ["ext4", "btrfs", "tmpfs", "overlay", "fuse.ntfs-3g", "fuseblk", "zfs"])
      assert.equal(isNetworkFileSystem(type), false, type)
  })
})

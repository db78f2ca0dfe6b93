import { readFileSync, realpathSync } from "node:fs"

export interface Mount {
  readonly folder: string
  /** As in mount(8): `ext4`, `nfs4`, `fuse.sshfs`. */
  readonly type: string
}

/** The file system that a file or folder that exists is on; `undefined` where the system does not tell (Linux does). */
export function mountOf(path: string): Mount | undefined {
  try {
    return mountIn(readFileSync("/proc/self/mountinfo", "utf8"), realpathSync(path))
  } catch {
    return undefined
  }
}

/** See proc_pid_mountinfo(5): `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw`. */
export function mountIn(mountinfo: string, path: string): Mount | undefined {
  let found: Mount | undefined
  for (const line of mountinfo.split("\n")) {
    const [, escaped, type] = /^\d+ \d+ \S+ \S+ (\S+) .*? - (\S+) /.exec(line) ?? []
    if (escaped === undefined || type === undefined) continue
    const folder = escaped.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)))
    const holds = folder === "/" || path === folder || path.startsWith(`${folder}/`)
    // A later mount at the same place covers an earlier one.
    if (holds && folder.length >= (found?.folder.length ?? 0)) found = { folder, type }
  }
  return found
}

const network = /^(nfs\d?|cifs|smb\d?|smbfs|afs|ncpfs|9p|ceph|glusterfs|lustre|gfs2?|ocfs2|beegfs|davfs|coda)$/
const networkFuse =
  /^fuse\.(sshfs|s3fs|rclone|glusterfs|davfs2?|gcsfuse|blobfuse2?|ceph|juicefs|cifs|smbnetfs|curlftpfs)/

/** Whether another machine holds what is stored there: SQLite's locks and its log do not work there reliably. */
export function isNetworkFileSystem(type: string): boolean {
  return network.test(type) || networkFuse.test(type)
}

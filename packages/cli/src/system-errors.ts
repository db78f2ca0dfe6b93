/** What the operating system says no to, by its codes (errno(3)). */
const reasons: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EPERM: "not permitted",
  ENOENT: "there is no such file or folder",
  ENOTDIR: "a part of the path is not a folder",
  EISDIR: "it is a folder",
  EEXIST: "it exists already",
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EROFS: "the file system is read-only",
  EMFILE: "too many files are open",
  ENAMETOOLONG: "the path is too long",
  EIO: "the disk does not work",
  EADDRINUSE: "the address is in use",
  EADDRNOTAVAIL: "this machine has no such address",
  ENOTFOUND: "there is no host of this name",
  EAI_AGAIN: "the name cannot be looked up at the moment",
  ECONNREFUSED: "the connection was refused",
}

/** `undefined` where the error is not the operating system's. */
export function getSystemErrorMessage(error: Error & { code?: unknown; path?: unknown }): string | undefined {
  const reason = typeof error.code === "string" ? reasons[error.code] : undefined
  if (reason === undefined) return undefined
  return typeof error.path === "string" ? `${error.path}: ${reason}` : reason
}

import type { IncomingMessage } from "node:http"

/** A request as Node gives it, or as a framework passes it on: with what is left of its path in `url`. */
export type MountedRequest = Pick<IncomingMessage, "url"> & {
  /** The whole path, where a framework (Express, Connect) has taken its beginning off `url`. */
  readonly originalUrl?: string | undefined
}

/**
 * The path that `mount` stands for, without a slash at its end: empty for the root.
 *
 * @throws {TypeError} when it does not begin with a slash, or has an empty segment, a dot segment, or anything that a
 *   client would have to escape.
 */
export function mountPath(mount: string): string {
  const path = mount.replace(/\/$/, "")
  const segments = path.split("/").slice(1)
  const isPath = path === "" || (path.startsWith("/") && segments.every((it) => /^[A-Za-z0-9._~-]+$/.test(it)))
  if (isPath && !segments.some((it) => it === "." || it === "..")) return path
  throw new TypeError(`mount must be a path like "/conclave", not ${JSON.stringify(mount)}`)
}

/**
 * The path of a request beneath `mount` (see {@link mountPath}), without its query and as it was sent: nothing is
 * decoded and no dot segment resolved, so a path means to Conclave what it meant to those that passed it on. `undefined`
 * where it is not beneath it. At the root, this is what a framework has left of the path.
 */
export function pathBeneath({ url = "", originalUrl = url }: MountedRequest, mount: string): string | undefined {
  const path = (mount === "" ? url : originalUrl).split("?", 1)[0]!
  if (path === mount) return "/"
  return path.startsWith(`${mount}/`) ? path.slice(mount.length) : undefined
}

/** Whether a request is for `mount` itself, without a slash at its end: a page's relative addresses would go astray. */
export function isSlashless({ url = "", originalUrl = url }: MountedRequest, mount: string): boolean {
  return mount !== "" && originalUrl.split("?", 1)[0] === mount
}

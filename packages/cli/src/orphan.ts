/** `npx` and `npm start`, which put a shell between themselves and this process. */
const UNDER_A_SHELL = ["npx", "start"]
const WATCH_MILLISECONDS = 250

/**
 * npm sends a signal to its child alone, and some shells (dash, which is `sh` on Debian and Ubuntu) end at SIGTERM without
 * passing it on: `kill` of npx would leave a service running. When the shell is gone, the signal is for this process.
 */
export function endWithShell(environment: NodeJS.ProcessEnv): void {
  if (!UNDER_A_SHELL.includes(environment.npm_lifecycle_event ?? "")) return
  const shell = process.ppid
  const watch = setInterval(() => {
    if (process.ppid === shell) return
    clearInterval(watch)
    process.kill(process.pid, "SIGTERM")
  }, WATCH_MILLISECONDS)
  watch.unref()
}

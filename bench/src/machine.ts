import { cpus, totalmem } from "node:os"

/** One line on what the figures were taken on. */
export function machine(provider: string): string {
  const [first] = cpus()
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`
  const system = `${process.platform} ${process.arch}`
  return `${first?.model ?? "unknown processor"}, ${cpus().length} cores, ${memory}, ${system}, Node ${process.version}, provider ${provider}`
}

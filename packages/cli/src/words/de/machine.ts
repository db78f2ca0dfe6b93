import type { Words } from "../form.js"

export const machine: Words["machine"] = {
  fallback: (reason) => reason,
}

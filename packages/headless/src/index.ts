export type { Alert } from "./alerts.js"

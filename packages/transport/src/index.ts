export * from "./seam.js"

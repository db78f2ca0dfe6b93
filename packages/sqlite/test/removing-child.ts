import { lockFile } from "../src/file-lock.js"

// Has the file's lock, and removes it as long after a message as that says.
const lock = lockFile(process.argv[2]!)
process.once("message", (milliseconds: number) => {
  setTimeout(() => {
    lock.remove()
    process.disconnect()
  }, milliseconds)
})
process.send!("locked")

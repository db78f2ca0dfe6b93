/** `node tools/dist/bundle-command.js`, after `tsc -b`: the command line in few files, in `packages/cli/dist/bundle`. */
import { bundleCommand } from "./command-bundle.js"

await bundleCommand()

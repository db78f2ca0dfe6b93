import { copyFileSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { manifestOf, type NativeTarget } from "./native-platforms.js"
import { read, root } from "./repository.js"

/** Where `npm run build:native` puts the binary of a platform, and `@conclave/native` looks first. */
export function binaryOf({ platform }: NativeTarget): string {
  return join(root, "packages/native/dist/binaries", `conclave-native.${platform}.node`)
}

/** Writes the package of a platform into `folder`, as it is published. Returns where it is. */
export function writePackage(target: NativeTarget, binary: string, folder: string): string {
  const place = join(folder, `native-${target.platform}`)
  mkdirSync(place, { recursive: true })
  copyFileSync(binary, join(place, "conclave-native.node"))
  copyFileSync(join(root, "packages/native/LICENSE"), join(place, "LICENSE"))
  const manifest = manifestOf(target, JSON.parse(read("packages/native/package.json")))
  writeFileSync(join(place, "package.json"), `${JSON.stringify(manifest, undefined, 2)}\n`)
  writeFileSync(
    join(place, "README.md"),
    `# ${manifest.name}\n\nThe binary of \`@conclave/native\` for ${target.platform}. It is installed by that package.\n`,
  )
  return place
}

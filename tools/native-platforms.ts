/** The platforms of the native provider: Rust's names for them, and npm's. */
export interface NativeTarget {
  readonly triple: string
  /** As `@conclave/native` composes it: `linux-x64-gnu`. */
  readonly platform: string
  /** What cargo calls the library. */
  readonly file: string
  readonly os: string
  readonly cpu: string
  readonly libc?: "glibc" | "musl"
  /** What the compiler has to be told beyond its defaults. */
  readonly rustFlags: readonly string[]
}

export const nativeTargets: readonly NativeTarget[] = [
  linux("x86_64-unknown-linux-gnu", "x64", "gnu"),
  linux("aarch64-unknown-linux-gnu", "arm64", "gnu"),
  linux("x86_64-unknown-linux-musl", "x64", "musl"),
  linux("aarch64-unknown-linux-musl", "arm64", "musl"),
  apple("x86_64-apple-darwin", "x64"),
  apple("aarch64-apple-darwin", "arm64"),
  {
    triple: "x86_64-pc-windows-msvc",
    platform: "win32-x64-msvc",
    file: "conclave_native.dll",
    os: "win32",
    cpu: "x64",
    rustFlags: [],
  },
]

export function nativeTarget(triple: string): NativeTarget | undefined {
  return nativeTargets.find((it) => it.triple === triple)
}

function linux(triple: string, cpu: string, abi: "gnu" | "musl"): NativeTarget {
  const libc = abi === "gnu" ? "glibc" : "musl"
  // Rust would link musl into the library, which shares the one of its process.
  const rustFlags = abi === "musl" ? ["-C target-feature=-crt-static"] : []
  return { triple, platform: `linux-${cpu}-${abi}`, file: "libconclave_native.so", os: "linux", cpu, libc, rustFlags }
}

function apple(triple: string, cpu: string): NativeTarget {
  return { triple, platform: `darwin-${cpu}`, file: "libconclave_native.dylib", os: "darwin", cpu, rustFlags: [] }
}

/** Why a Rust cannot build it, from what `rustc -vV` prints (nothing, where there is none) and the crate's manifest. */
export function missingRust(printed: string, cargoManifest: string): string | undefined {
  const wanted = /^rust-version = "(\d+)\.(\d+)/m.exec(cargoManifest)!.slice(1).map(Number)
  const found = /^release: (\d+)\.(\d+)/m.exec(printed)?.slice(1).map(Number)
  if (found === undefined) return "there is no rustc"
  const isNewEnough = found[0]! > wanted[0]! || (found[0] === wanted[0] && found[1]! >= wanted[1]!)
  return isNewEnough ? undefined : `rustc is ${found.join(".")} and not ${wanted.join(".")} or newer`
}

/** The manifest of a platform's package, from that of `@conclave/native`. */
export function manifestOf(target: NativeTarget, native: Readonly<Record<string, unknown>>) {
  const { version, homepage, bugs, license, repository, engines } = native
  return {
    name: `@conclave/native-${target.platform}`,
    version,
    description: `The binary of @conclave/native for ${target.platform}`,
    ...{ homepage, bugs, license, repository, engines },
    os: [target.os],
    cpu: [target.cpu],
    ...(target.libc && { libc: [target.libc] }),
    main: "conclave-native.node",
    files: ["conclave-native.node"],
  }
}

/** The manifest of `@conclave/native` as it is published: npm installs the binary that fits, and none where none does. */
export function withPlatforms<Manifest extends { readonly version: string }>(
  native: Manifest,
  targets: readonly NativeTarget[],
) {
  const names = targets.map(({ platform }) => [`@conclave/native-${platform}`, native.version])
  return { ...native, optionalDependencies: Object.fromEntries(names) as Record<string, string> }
}

// Compiled code names these symbols where it disposes of something; not every browser has them yet.
for (const name of ["dispose", "asyncDispose"] as const) {
  if (Symbol[name] === undefined) Object.defineProperty(Symbol, name, { value: Symbol.for(`Symbol.${name}`) })
}

import assert from "node:assert/strict"
import { test } from "node:test"
import { missedRanges } from "./coverage.js"
import { applied, mutantsOf } from "./mutants.js"

/** Mutants as `kind within: part → by`. */
const found = (source: string) =>
  mutantsOf(source).map(({ kind, within, part, by }) => `${kind} ${within}: ${part} → ${by}`)
const mutated = (source: string) => mutantsOf(source).map((it) => applied(source, it))

test("a guard is computed and ignored, and each operand of it is left out", () => {
  const source = "function f(a, b) { if (a > max || b) return refused(a); return a; }"
  assert.deepEqual(found(source), [
    "guard f: a > max || b → false",
    "operand f: a > max → false",
    "operand f: b → false",
  ])
  assert.deepEqual(mutated(source), [
    "function f(a, b) { if (((a > max || b), false)) return refused(a); return a; }",
    "function f(a, b) { if (((a > max), false) || b) return refused(a); return a; }",
    "function f(a, b) { if (a > max || ((b), false)) return refused(a); return a; }",
  ])
})

test("an operand within parentheses or a negation is left out as well", () => {
  assert.deepEqual(found("function f() { if (!(a && (b || c))) throw new Error(); }"), [
    "guard f: !(a && (b || c)) → false",
    "operand f: a → true",
    "operand f: b || c → true",
    "operand f: b → false",
    "operand f: c → false",
  ])
})

test("the helpers that the compiler adds have no mutants, and functions of the same shape have", () => {
  const body = "function (value) { if (value === undefined) throw new TypeError(); }"
  assert.deepEqual(found(`var __use = (this && this.__use) || ${body};`), [])
  assert.equal(found(`var __use = (this && this.__other) || ${body};`).length, 1)
  assert.equal(found(`const use = (this && this.use) || ${body};`).length, 1)
})

test("these branches refuse", () => {
  const branches = [
    "throw new Error()",
    "return",
    "return undefined",
    "return null",
    "return false",
    "return []",
    'return ""',
    "continue",
    "return invalid(x)",
    "return await this.#refuse(x)",
    'return { type: "notFound" }',
    'return { valid: false, reason: "x" }',
    "return { fault: text }",
    "return fault",
    'return "tooLarge"',
    "return Promise.reject(x)",
    "return void response.end()",
    'return send(response, 404, "x")',
    "socket.destroy()",
    "this.#socket?.terminate()",
    "void socket.close()",
    "reject(x)",
    "{ log(x); yield forbidden(x); }",
    "{ yield encode(Answer, throttled(x)); return; }",
    "{ socket.destroy(); open = false; }",
  ]
  for (const branch of branches) {
    const [mutant, ...others] = found(`async function* f() { for (;;) if (x) ${branch}; }`)
    assert.equal(mutant, "guard f: x → false", branch)
    assert.deepEqual(others, [], branch)
  }
})

test("these branches do not refuse", () => {
  const branches = [
    "return known",
    "return true",
    "return [x]",
    "return { type: 'accepted' }",
    "count++",
    "return 404",
    "break",
  ]
  for (const branch of branches) assert.deepEqual(found(`function f() { for (;;) if (x) ${branch}; }`), [], branch)
})

test("a branch of else refuses when the condition is false", () => {
  assert.deepEqual(found("function f() { if (a) g(); else if (b) h(); else throw x; }"), ["guard f: b → true"])
})

test("a text is a refusal in a function that finds faults", () => {
  assert.deepEqual(found("class A { #idFault(id) { if (id === 0) return `no id`; return undefined; } }"), [
    "guard A.#idFault: id === 0 → false",
  ])
  assert.deepEqual(found("class A { title(id) { if (id === 0) return `no id`; return undefined; } }"), [])
})

test("a refusal that no if guards is taken out as a statement", () => {
  const source = 'function f() { switch (x) { case 1: return invalid("x"); default: throw new Error(); } }'
  assert.deepEqual(found(source), [
    'statement f: return invalid("x"); → nothing',
    "statement f: throw new Error(); → nothing",
  ])
  assert.deepEqual(found("function f() { try { g(); } catch (e) { throw failed(e); } }"), [
    "statement f: throw failed(e); → nothing",
  ])
})

test("a call that is made for what it throws is not made; its arguments are computed", () => {
  const source =
    'async function f() { rule(a(")") && b, "tree-hash", `node "x-y"`); await this.#verifyLeaf(a); const c = validate(d); }'
  assert.deepEqual(
    mutantsOf(source).map(({ ids }) => ids),
    [["tree-hash"], []],
  )
  const [rule, verify] = mutated(source)
  assert(rule!.includes('((..._) => { })(a(")") && b, "tree-hash", `node "x-y"`);'))
  assert(verify!.includes("await ((..._) => { })(a);"))
  assert.deepEqual(found("export function rule(condition, id) {}\ntherule('a-b');\n"), [])
})

test("ternaries, chains, verdicts and deadlines", () => {
  assert.deepEqual(found("function f() { g(x === 1 && y ? notFound(x) : accepted(x)); }"), [
    "ternary f: x === 1 && y → false",
    "operand f: x === 1 → true",
    "operand f: y → true",
  ])
  assert.deepEqual(found("function f() { return a ? b : undefined; }"), [])
  const chain = "function f() { const fault = idFault(a) ?? keyFault(b); const c = map.get(d) ?? fail(d); }"
  assert.deepEqual(found(chain), [
    "chain f: idFault(a) → undefined",
    "chain f: keyFault(b) → undefined",
    "chain f: fail(d) → undefined",
  ])
  assert.deepEqual(found("const isValid = (a) => a.x && a.y > 3;"), [
    "verdict isValid: a.x → true",
    "verdict isValid: a.y > 3 → true",
  ])
  assert.deepEqual(found("function f(row) { return row && valueOf(row); }"), [])
  assert.deepEqual(
    found("function f() { setTimeout(() => socket.destroy(), 5); socket.on('end', () => socket.destroy()); }"),
    ["deadline f: () => socket.destroy() → nothing"],
  )
})

test("only a test that is refused can miss a refusal, and only one that is not can see too many", () => {
  const source = "function f() { if (a && b) throw new Error(); }"
  const [guard, first, second] = mutantsOf(source).map(({ reach }) => reach)
  assert.deepEqual(guard, [source.indexOf("throw")])
  assert.deepEqual(first, [source.indexOf("a &&")])
  assert.deepEqual(second, [source.indexOf("b)")])
})

test("a statement that reads the same after other changes is described in the same way", () => {
  const [a] = mutantsOf("function f() { if (x  >\n 3) { log(1);\n return refused(x); } }")
  const [b] = mutantsOf("let y;\nfunction f() {\n  g();\n  if (x > 3) { log(2); return refused(x); } }")
  assert.equal(a!.refusal, "if (x > 3) return refused(x);")
  for (const name of ["within", "refusal", "part", "by"] as const) assert.equal(a![name], b![name])
})

test("the innermost range of V8 says whether something is executed", () => {
  const ranges = (...list: [number, number, number][]) => ({
    ranges: list.map(([startOffset, endOffset, count]) => ({ startOffset, endOffset, count })),
  })
  const functions = [ranges([0, 100, 1]), ranges([10, 50, 2], [20, 30, 0], [22, 24, 1]), ranges([60, 70, 0])]
  assert.deepEqual(missedRanges(functions, 100), [
    [20, 22],
    [24, 30],
    [60, 70],
  ])
  assert.deepEqual(missedRanges([ranges([10, 20, 1])], 30), [
    [0, 10],
    [20, 30],
  ])
})

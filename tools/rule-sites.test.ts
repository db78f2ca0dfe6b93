import assert from "node:assert/strict"
import { test } from "node:test"
import { ruleSites } from "./rule-sites.js"

const found = (source: string) =>
  ruleSites(source).map(({ ids, line, text, removed }) => ({ ids, line, text, removed }))

test("a rule is taken out: its condition stays, and it throws no more", () => {
  const source = 'f();\n  rule(a(b, ")") && c, "tree-hash", `node "x-y"`);\n'
  assert.deepEqual(found(source), [
    {
      ids: ["tree-hash"],
      line: 2,
      text: 'rule(a(b, ")") && c, "tree-hash", `node "x-y"`)',
      removed: 'f();\n  ((..._) => {})(a(b, ")") && c, "tree-hash", `node "x-y"`);\n',
    },
  ])
})

test("a thrown error is taken out, and a call that does nothing but check", () => {
  const source =
    'if (x)\n  throw new StateError("WRONG_EPOCH", "no");\n validateTree(a, { b });\nconst c = validateTree(d);\n'
  assert.deepEqual(
    found(source).map(({ ids, line }) => ({ ids, line })),
    [
      { ids: [], line: 2 },
      { ids: [], line: 3 },
    ],
  )
  assert(found(source)[0]!.removed.startsWith("if (x)\n  undefined;\n"))
  assert(found(source)[1]!.removed.includes("\n undefined;\nconst"))
})

test("neither a declaration nor another function of a similar name is a check", () => {
  assert.deepEqual(found('export function rule(condition, id) {}\ntherule("a-b");\nx.rule(1, "a-b");\n'), [])
})

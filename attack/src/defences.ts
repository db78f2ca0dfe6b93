import type { Mutation } from "./attack.js"

/*
 * What closes each attack: texts of the compiled code and what stands in their place without the defence. Where several
 * layers hold, all of them are taken out: the attack has to succeed then, or they are not what it fails by.
 */

const at =
  (file: string) =>
  (find: string, replace: string): Mutation => ({ file, find, replace })

const inClient = (file: string) => at(`packages/client/dist/src/${file}.js`)
const inMls = (file: string) => at(`packages/mls/dist/src/${file}.js`)
const inContracts = (file: string) => at(`packages/contracts/dist/src/${file}.js`)
const inIdentity = (file: string) => at(`packages/identity/dist/src/${file}.js`)
const inDelivery = (file: string) => at(`packages/delivery/dist/src/${file}.js`)
const inSqlite = (file: string) => at(`packages/sqlite/dist/src/${file}.js`)
const inAuth = (file: string) => at(`packages/auth/dist/src/${file}.js`)
const inTransport = (file: string) => at(`packages/transport/dist/src/${file}.js`)
const inListener = (file: string) => at(`packages/server/dist/src/listener/${file}.js`)
const inFastOpen = (file: string) => at(`packages/fast-open/dist/src/${file}.js`)
const inHeadless = (file: string) => at(`packages/headless/dist/src/${file}.js`)

// --- What members tell each other of the log ---------------------------------------------------------------------------

const headsAreCompared = [
  inClient("conversation/heads")(
    "if (claim.seq < seq && (hash === undefined || equalBytes(hash, claim.chainHash)))",
    "if (claim !== undefined)",
  ),
]
const messagesAreKeptForADay = inClient("conversation/heads")(
  "const KEPT_MILLISECONDS_MIN = 86_400_000;",
  "const KEPT_MILLISECONDS_MIN = -1;",
)

// --- What a conversation allows --------------------------------------------------------------------------------------

const inProfile = inClient("conversation/profile")
const nobodyEntersFromOutside = inProfile('externalCommits: "none",', 'externalCommits: "any",')
const leavesKeepNameAndKey = inProfile(
  "successorAllowed: (before, after) => isSame(before, after),",
  "successorAllowed: () => true,",
)
const credentialsAreNames = inProfile(
  "credentialAllowed: (credential) => nameOf(credential) !== undefined,",
  "credentialAllowed: () => true,",
)
/** Of proposals by themselves, only that of who wants to leave is kept and carried out. */
const onlyDepartures = [
  inProfile("proposalAllowed: (proposal, sender) => asksToLeave(proposal, sender),", "proposalAllowed: () => true,"),
  inProfile(
    'byReference ? asksToLeave(proposal, proposer) : proposal.type === "add" || proposal.type === "remove",',
    "true,",
  ),
]
/** A commit with a path and without a key is passed over. */
const pathsNeedKeys = inClient("conversation/epoch-interval")(
  "const isMissing = staged.path && state.intervals.newest !== undefined;",
  "const isMissing = false;",
)
const membersAreNotInvited = inClient("device/inbox")(
  "if (known !== undefined && isMember(known))",
  "if (known === null)",
)
const passesOverWhatDoesNotHold = inClient("conversation/log")(
  'if (kind === "commit" && seenBy(error) === "self") {',
  'if (kind === "commit") {',
)
/** A commit that only carries proposals waits where the service refuses it, and what is said does not. */
const defersWhatIsRefused = inClient("conversation/committing")(
  "if (mayPass(answer) || commit.wishes.length === 0)",
  "if (mayPass(answer))",
)

// --- Who may do what with a log --------------------------------------------------------------------------------------

const inAccess = inDelivery("access")
const inStanding = inSqlite("delivery/access")
const keysAreKnown = [
  inAccess(
    "return later !== undefined && this.#isGood(evidence, now) ? undefined : denied(NOT_PROVED);",
    "return undefined;",
  ),
  inStanding(
    "const place = placeOf(connection, group, key);",
    "const place = placeOf(connection, group, key) ?? { later: 0, formerSince: undefined, seq: 0n, reach: undefined };",
  ),
]
const proofsAreSigned = inAccess(
  "return verifyWithLabel(suiteOf(ED25519_SUITE, this.#crypto), {",
  "return true || verifyWithLabel(suiteOf(ED25519_SUITE, this.#crypto), {",
)
const appendsNeedTheNewestKey = inAccess("if (later === 0)", "if (later !== undefined)")
const removalsEndReach = inStanding("seq, reach: reach ?? undefined };", "seq, reach: undefined };")
const passesAreTagged = inDelivery("passes")(
  "return equalBytes(tag, this.#tag({ groupId, key, until }));",
  "return true || equalBytes(tag, this.#tag({ groupId, key, until }));",
)
/** What members send in the log is encrypted: a service, or whoever gets at the log, reads no names in it. */
const handshakesArePrivate = inMls("group/policy")('handshake: "private",', 'handshake: "public",')

// --- Knocks ----------------------------------------------------------------------------------------------------------

const inAnswering = inClient("conversation/answering")
const inEntering = inClient("conversation/entering")
const knocksAreForOneIdAndGroup = inClient("access/knocks")(
  "return isThis ? knock : undefined;",
  "return isThis || !isThis ? knock : undefined;",
)
const knocksAreOfThePresentLeaf = inAnswering(
  "if (!includes(content.leafNodeHashes, suite.hash.digest(leaf)))",
  "if (leaf === null)",
)
const answersAreRare = inAnswering("const due = waitOf(state, member, content);", "const due = 0;")

// --- Shares ----------------------------------------------------------------------------------------------------------

const requestersHaveShares = inTransport("shares")(
  "({ peer: Math.ceil(all / 8), network: Math.ceil(all / 4), all })",
  "({ peer: all, network: all, all })",
)
const arrivalsAreLimited = inListener("connections")(
  "if (takeAll(levels, performance.now()) !== undefined) {",
  "if (levels === undefined) {",
)
const halfReceivedIsCounted = inTransport("shares")(
  "received: part(128 * MEBIBYTE),",
  "received: part(Number.POSITIVE_INFINITY),",
)
const commitsTakeTurns = inDelivery("admission")(
  'this.waiting("commits", isCommit ? this.#turn(request, budgets, asking) : undefined);',
  "undefined;",
)
const welcomesAreLimited = inDelivery("admission")(
  'return this.waiting("welcomes", this.rates.welcome(deviceId, requester, now)) === undefined;',
  "return true;",
)
const creationsAreLimited = inDelivery("groups")(
  'const wait = admission.waiting("creations", admission.rates.creation(requester, at));',
  "const wait = undefined;",
)
const capabilitiesAreShort = [
  inMls("wire")("const ENTRIES_MAX = 1024;", "const ENTRIES_MAX = 1_000_000;"),
  inMls("tree/leaf")(
    'rule(capabilityKinds.every((kind) => capabilities[kind].length <= LIST_LENGTH_MAX), "leaf-capabilities-length");',
    "",
  ),
  inMls("tree/census")("if (values.length > SHORT_LIST_MAX) {", "if (values.length > 1e9) {"),
]
const inboxMakesRoom = [
  commitsTakeTurns,
  welcomesAreLimited,
  inSqlite("delivery/inbox")("if (same >= room.inboxEntriesPerGroupMax) {", "if (same > 1_000_000) {"),
  inSqlite("delivery/inbox")(
    "else if (all >= room.inboxEntriesMax) {",
    'else if (all >= room.inboxEntriesMax) {\n        throw new Error("the inbox of a device is full");',
  ),
]
const missingIsNotLost = [
  inClient("conversation/missing")("if (missingSince === undefined) {", "if (missingSince === null) {"),
  inClient("conversation/missing")("else if (at - missingSince > PATIENCE_MILLISECONDS) {", "else {"),
]

export const defences: Readonly<Record<string, readonly Mutation[]>> = {
  C1a: [nobodyEntersFromOutside],
  C1b: [nobodyEntersFromOutside, leavesKeepNameAndKey],
  C1c: [nobodyEntersFromOutside],
  C2: [membersAreNotInvited],
  C3a: [passesOverWhatDoesNotHold],
  C3b: onlyDepartures,
  C3c: [...onlyDepartures, defersWhatIsRefused],
  C3d: [nobodyEntersFromOutside, credentialsAreNames, pathsNeedKeys],
  C3e: [leavesKeepNameAndKey, credentialsAreNames, pathsNeedKeys],
  C3f: [...onlyDepartures, defersWhatIsRefused],
  C3g: [
    inClient("conversation/next")(
      "if (endedStatuses.has(status))",
      "if (endedStatuses.has(status) || state.unapproved.length > 0)",
    ),
  ],
  C4: [
    inListener("socket-streams")(
      'if (!this.#countControl(PING_COST))\n            return;\n        this.#outbox.pong((sent) => this.#socket.send(encode(ServerFrame, { type: "pong" }), sent));',
      'this.#socket.send(encode(ServerFrame, { type: "pong" }), () => { });',
    ),
  ],
  H1: [
    // By the oldest key that the device has, which the removed member has too.
    inClient("conversation/intervals")(
      "return this.#all.get(this.#newest);",
      "return this.#all.values().next().value;",
    ),
    inEntering(
      "if (by === undefined || !isKnownOther(turn, by, join.inviter.signatureKey)) {",
      "if (by === undefined) {",
    ),
  ],
  H1b: [
    inClient("conversation/messages")("if (!state.group.hasSignatureKey(signatureKey))", "if (false)"),
    appendsNeedTheNewestKey,
  ],
  H3: onlyDepartures,
  H4: [
    inMls("group/incoming")(
      "if (senderData.generation < next)\n            return undefined;",
      'if (senderData.generation < next)\n            return undefined;\n        throw new StateError("STATE_ROLLED_BACK", "");',
    ),
  ],
  H5a: capabilitiesAreShort,
  H5b: capabilitiesAreShort,
  H6: [
    ...onlyDepartures,
    inDelivery("admission")('? this.rates.groupWait("proposals", { groupId, requester, now })', "? undefined"),
    inDelivery("admission")("this.#groupsWait(taken, groupId, asking) ??", ""),
    inDelivery("admission")(
      'const wait = this.#budgetsWait(taken, budgets, now) ??\n            this.waiting("bytes"',
      'const wait = this.waiting("bytes"',
    ),
    inMls("group/received-proposals")("< PROPOSALS_PER_SENDER_MAX", "< 1_000_000"),
    inMls("group/received-proposals")("const ASKED_MAX = 512;", "const ASKED_MAX = 1_000_000;"),
    // With the path first, and what may be wrong with the proposals last.
    inMls("group/commit")("const psks = findPsks(applied.psks, context.psks);", "const psks = undefined;"),
    inMls("group/commit")(
      "pskSecret: pskSecret(epoch.suite, psks),",
      "pskSecret: pskSecret(epoch.suite, findPsks(applied.psks, context.psks)),",
    ),
    inMls("group/making")(
      "const { leafKeys } = yield* prepareCommit(epoch, request, context);",
      "const { leafKeys } = yield* prepareCommit(epoch, request, context); yield* createCommit(epoch, request, context);",
    ),
  ],
  H2: headsAreCompared,
  H2b: headsAreCompared,
  H2c: [messagesAreKeptForADay],
  H7: [commitsTakeTurns],
  H8a: missingIsNotLost,
  H8b: missingIsNotLost,
  H9a: [requestersHaveShares, arrivalsAreLimited],
  H9b: [requestersHaveShares, arrivalsAreLimited],
  H9c: [halfReceivedIsCounted],
  H9d: [halfReceivedIsCounted],
  H9e: [
    inDelivery("service")(
      'this.#admission.waiting("cursors", this.#admission.rates.cursors(1 + cursors.length, requester, now));',
      "undefined;",
    ),
    inDelivery("subscriptions")("const taken = this.#take(requester, count);", "const taken = undefined;"),
  ],
  H9f: [requestersHaveShares],
  H10: [
    inDelivery("admission")('this.waiting("bytes", this.#bytesWait(size, asking)) ??', "undefined ??"),
    inDelivery("admission")("if (bytes + request.body.length >", "if (0 * request.body.length >"),
  ],
  H11a: [
    commitsTakeTurns,
    welcomesAreLimited,
    creationsAreLimited,
    inClient("device/invitations")("if (recentBy >= limits.perDayByInviter)", "if (recentBy < 0)"),
    inClient("device/invitations")(
      "return !toAsk || (waitingBy < limits.unansweredByInviter && waiting < limits.unanswered);",
      "return true;",
    ),
    inClient("device/stream")("const CURSORS_MAX = 1000;", "const CURSORS_MAX = 1_000_000;"),
    inClient("device/stream")("this.#cursorsMax > 1) {", "this.#cursorsMax < 0) {"),
  ],
  H11b: [
    inClient("service/clock")("this.#offset = Number(", "this.#offset = 0 * Number("),
    inClient("device/subscription")("if (isRefusal(answer)) {", "if (answer === undefined) {"),
    inClient("device/subscription")(
      "if (this.#openSince !== undefined && timers.elapsed() - this.#openSince > steady)",
      "if (this.#failures > 0)",
    ),
  ],
  H12: [handshakesArePrivate],
  H12b: [...keysAreKnown, handshakesArePrivate],
  M1: [
    inIdentity("verdicts/judge")(
      "const accepted = new Chains({ name, devices, verifyEndorsement }).comesFrom(device, { roots, isRecovered });",
      "const accepted = true;",
    ),
  ],
  M2: [
    inAuth("service")(
      "const revoked = await this.#store.revoke(name, { revocations, endorsements });",
      "const revoked = await this.#store.revoke(name, { revocations: [], endorsements });",
    ),
  ],
  M2b: [
    // The recovery key has no say over devices.
    at("packages/auth/dist/src/store/revoking.js")(
      "const isByRecovery = current !== undefined &&",
      "const isByRecovery = false && current !== undefined &&",
    ),
  ],
  M4a: inboxMakesRoom,
  M4b: inboxMakesRoom,
  M5: [inContracts("names")("const fault = nameFaultOf(text);", "const fault = undefined;")],
  M6a: onlyDepartures,
  M6b: [leavesKeepNameAndKey],
  M7: [
    inClient("conversation/log")("skippedMax: LOST_MAX + unseenOf(turn, entry.epoch)", "skippedMax: 1_000_000"),
    inMls("schedule/secret-tree")("this.#budget.requireSkips(leaf, distance);", ""),
    inMls("schedule/secret-tree")("this.#budget.drawSteps(distance - ratchet.ahead.length);", ""),
    // A record for each key that is kept, and not for 64 of them.
    inMls("schedule/secret-tree")("const SKIPPED_PAGE = 64;", "const SKIPPED_PAGE = 1;"),
  ],
  M8: [inMls("tree/ratchet-tree")('rule(!isSparse, "tree-sparse"', 'rule(true, "tree-sparse"')],
  M10a: [
    inAuth("service")("{ limiter: this.#registrationsByRequester, key: peer },", ""),
    inAuth("service")("{ limiter: this.#registrationsByNetwork, key: network },", ""),
  ],
  M10b: [inDelivery("service")("lastResortOnly: singleUseWait !== undefined,", "lastResortOnly: false,")],
  M10c: [
    inListener("peer")(
      'return plain !== undefined && this.#list.check(plain, isIPv4(plain) ? "ipv4" : "ipv6");',
      "return plain !== undefined;",
    ),
  ],
  M11: [inFastOpen("sealed/execution")("if (subscription && peer !== owner)", "if (peer === null)")],
  M12: [
    inFastOpen("sealed/address-tokens")(
      "const count = wanted === 0 ? 0 : this.#quotas.issued.take(address, wanted, now);",
      "const count = wanted;",
    ),
  ],
  M13: [
    inHeadless("messages")(
      "map((message) => [message.seq, message]))",
      "map((message) => [message.messageId, message]))",
    ),
    inHeadless("messages")("bySeq.set(message.seq, message)", "bySeq.set(message.messageId, message)"),
  ],
  M14: [
    inSqlite("database")(
      'options.file === ":memory:" ? undefined : lockFile(options.file, options.sizeMax);',
      "undefined;",
    ),
  ],
  L1: [
    inClient("conversation/messages")(
      "if (new TextEncoder().encode(title).length > TITLE_SIZE_MAX)",
      "if (title === undefined)",
    ),
  ],
  L2: [
    inSqlite("database")(
      "if (this.#version(component, migrations) === migrations.length)",
      "if (migrations === undefined)",
    ),
  ],
  L3: [inClient("journal/unread")('if (event.type === "rejected") {', 'if (event.type === "none") {')],
  L4: [nobodyEntersFromOutside],
  L5: [
    inListener("hosts")(
      "if (this.#names === undefined || (host === undefined && this.#mayBeAbsent))",
      "if (host !== null)",
    ),
  ],
  L6: [
    inMls("tree/leaf")('rule(!isEmptyChain(leaf.credential), "credential-chain");', ""),
    inMls("group/epoch")("rule(length >= 1 &&", "rule(length >= 0 &&"),
  ],
  L7: [inFastOpen("sealed/server-connection")("if (!isZero(plaintext.subarray(end)))", "if (end < 0)")],
  L8: [inClient("service/fast-open")('host !== asked && url.protocol !== "https:"', 'url.protocol === "none:"')],
  F1: [inIdentity("x509/path")("if (!this.#admitsNames(path, issuer))", "if (path === undefined)")],
  F2: [
    inIdentity("x509/signatures")(
      'demand(bitsOfModulus >= RSA_BITS_MIN && bitsOfModulus % 8 === 0, "weak-algorithm");',
      "",
    ),
  ],
  F5: [inHeadless("open-headless")('const codes = this.#kept.get("compared", name);', "const codes = {}[name];")],
  F18: [
    inClient("identity/stock")(
      "if (stored.lastResort)\n            this.#retire(transaction, [key, stored]);",
      "if (stored.lastResort)\n            return;",
    ),
  ],
  D1: [
    inAuth("service")(
      "return suite !== undefined && verify(suite, endorser.signatureKey, { ...request, signature });",
      "return true;",
    ),
  ],
  M3: [inClient("conversation/committing")('if (wish.type === "reinvite")', "if (wish.type === null)")],
  D2: [inIdentity("verdicts/judge")("const accepted = endorsed && policy.acceptEndorsed;", "const accepted = true;")],
  D3: [inListener("socket")("origin !== undefined &&", "origin === null &&")],
  A1: keysAreKnown,
  A1b: [proofsAreSigned],
  A2: [removalsEndReach],
  A3: [appendsNeedTheNewestKey],
  A4: [
    inClient("conversation/log")("if (broken === undefined && begun !== false)", "if (broken === undefined)"),
    inClient("conversation/epoch-interval")(
      "return equalBytes(keys.accessKey, entry.begins.accessKey) && keys;",
      "return keys;",
    ),
  ],
  A5: [pathsNeedKeys],
  A5b: [inClient("conversation/epoch-interval")("if (begins.removes !== removes)", "if (begins === null)")],
  A6a: [inAnswering("if (!isSignedBy(suite, opened, member.signatureKey))", "if (opened === null)")],
  A6b: [
    knocksAreOfThePresentLeaf,
    inAnswering("if (interval.number < sinceOf(state, index))", "if (interval === null)"),
  ],
  A6c: [knocksAreForOneIdAndGroup, knocksAreOfThePresentLeaf, answersAreRare],
  A6d: [knocksAreForOneIdAndGroup],
  A6e: [inAnswering("if (error instanceof RuleError || error instanceof DecodeError)", "if (error === undefined)")],
  A7: [
    inEntering(
      'return { type: "read", after: cursor, prover: keys };',
      'return { type: "read", after: cursor, prover: state.intervals.newest };',
    ),
    inEntering("equalBytes(begins.accessKey, entering.keys.accessKey);", "entering !== null;"),
  ],
  A8: [answersAreRare],
  A9: [passesAreTagged],
  A10: [inAccess("later === 0 && seq >= 0n ? undefined : denied(NOT_NEWEST)", "undefined")],
  A9b: [inAccess('if (evidence.access.type === "pass")', 'if (evidence.access.type === "proofless")')],
  A11: [
    inClient("conversation/log")('if (state.awaitsEntrance && kind !== "application") {', 'if (kind === "expired") {'),
  ],
}

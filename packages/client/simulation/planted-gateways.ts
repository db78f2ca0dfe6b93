import type { StoreKind } from "./gateways/model.js"
import type { Item, Plan } from "./plan.js"
import type { Bug, Change } from "./planted.js"

const delivery = (file: string, find: string, replace: string): Change => ({ of: "delivery", file, find, replace })
const model = (file: string, find: string, replace: string): Change => ({ of: "simulation", file, find, replace })

const over = (store: StoreKind) => (plan: Plan) => plan.service?.store === store
const where = (kind: Item["kind"]) => (plan: Plan) => plan.items.some((item) => item.kind === kind)

/** How an append is tried where the answer of the store's COMMIT is lost: `then` has `it` and `store`. */
const whereUnknown = (then: string) =>
  delivery(
    "groups.js",
    "const appended = await store.append({",
    `const appended = await (async (it) => {
      try { return await store.append(it) } catch (error) { if (String(error).includes("COMMIT")) ${then}; throw error }
    })({`,
  )

/** What goes wrong with several gateways, and with the stores behind them. */
export const gatewayBugs: readonly Bug[] = [
  {
    name: "a gateway never makes a lost hint good",
    changes: [delivery("poll.js", "wake.notifyHere(groupTopic(id));", "{}")],
  },
  {
    name: "a tail leaves out what came before it",
    changes: [
      delivery("tails.js", "if (place === undefined || after + 1n < first)", "if (place === undefined)"),
      delivery("tails.js", "Number(after + 1n - first)", "Math.max(0, Number(after + 1n - first))"),
    ],
  },
  {
    name: "SQLite: an append is acknowledged before its transaction",
    changes: [
      model(
        "gateways/model.js",
        "return this.writing(touchedBy(entry), () => this.ledger.append(entry));",
        `return (async () => {
          const { groupId, key, kind, epoch, body, commit } = entry;
          const head = await this.ledger.head({ groupId, key, permit: () => undefined });
          const standing = await this.ledger.standing({ groupId, key, permit: () => undefined });
          const written = this.writing(touchedBy(entry), () => this.ledger.append(entry));
          if (head.type !== "head" || head.lastCommitSeq !== entry.after || entry.permit(standing) !== undefined) return written;
          written.catch(() => {});
          const [{ logChainHash }, { sha256 }] = [await import("@conclave/contracts/log-chain"), await import("../provider.js")];
          const seq = head.headSeq + 1n;
          const chained = { seq, kind, epoch, body, begins: commit?.begins };
          return { type: "accepted", seq, chainHash: logChainHash(sha256, head.chainHash, chained), undelivered: [] };
        })();`,
      ),
    ],
  },
  {
    name: "SQLite: where the disk is full, a commit is written without its Welcomes",
    matters: where("full"),
    changes: [
      model("gateways/sqlite.js", 'if (database.is("full"))', "if (false)"),
      model(
        "gateways/model.js",
        "() => this.ledger.append(entry)",
        '() => this.ledger.append(this.database.is("full") && entry.commit ? { ...entry, commit: { ...entry.commit, recipients: [] } } : entry)',
      ),
    ],
  },
  {
    name: "PostgreSQL: answers of a batch go to other entries of it",
    matters: over("postgres"),
    changes: [model("gateways/postgres.js", "resolve(answers[at]);", "resolve(answers[answers.length - 1 - at]);")],
  },
  {
    name: "PostgreSQL: news are what has a higher number than the newest that was seen",
    matters: over("postgres"),
    changes: [model("gateways/postgres.js", "this.#next, ...this.#running]", "this.#next]")],
  },
  {
    name: "PostgreSQL: rules are checked before the lock is held",
    matters: over("postgres"),
    changes: [
      model(
        "gateways/postgres.js",
        "const touched = batch.map(({ entry }) => touchedBy(entry));",
        `const touched = batch.map(({ entry }) => touchedBy(entry));
         const standing = ({ entry: { groupId, key } }) => this.ledger.standing({ groupId, key, permit: () => undefined });
         const seen = await Promise.all(batch.map(standing));`,
      ),
      model(
        "gateways/postgres.js",
        "for (const { entry } of batch)\n                    appended.push(await this.ledger.append(entry));",
        `for (const [at, waiting] of batch.entries()) {
           const { entry } = waiting;
           const { lastCommitSeq: after } = await standing(waiting);
           const isBent = entry.kind === "commit" && seen[at].lastCommitSeq === entry.after && after !== entry.after;
           appended.push(await this.ledger.append(isBent ? { ...entry, after, permit: () => undefined } : entry));
         }`,
      ),
    ],
  },
  {
    name: "PostgreSQL: logs are read from a replica that lags",
    matters: over("postgres"),
    changes: [
      model(
        "gateways/postgres.js",
        "news = (mark) =>",
        `read = (page) => this.reading(async () => {
          const read = await this.ledger.read(page);
          if (read.type !== "page" || read.entries.length === 0 || !this.database.dice.chance(10)) return read;
          const headSeq = read.entries.at(-1).seq - 1n;
          return { ...read, entries: read.entries.slice(0, -1), headSeq, standing: { ...read.standing, headSeq } };
        });
        news = (mark) =>`,
      ),
    ],
  },
  {
    name: "a failover that lost something is not announced",
    matters: where("failover"),
    changes: [model("service.js", "if (isLoss) {", "if (false) {")],
  },
  {
    name: "a gateway goes on as it was after another incarnation was announced",
    matters: where("failover"),
    changes: [model("gateways/model.js", "if (this.generation === this.#database.generation)", "if (true)")],
  },
  {
    name: "a gateway that ends does not hand its subscriptions over",
    changes: [
      model(
        "gateways/gateway.js",
        "for (const breakOff of [...this.#streams])\n            breakOff();",
        "this.#streams.clear();",
      ),
    ],
  },
  {
    name: "an append of unknown outcome is told as refused",
    matters: where("unknown"),
    changes: [whereUnknown('return { type: "keyReused" }')],
  },
  {
    name: "a gateway tries an append of unknown outcome again under another id",
    matters: where("unknown"),
    changes: [whereUnknown("return store.append({ ...it, idempotencyId: it.idempotencyId.map((byte) => byte ^ 1) })")],
  },
  {
    name: "each gateway keeps idempotency ids of its own",
    changes: [
      delivery(
        "groups.js",
        "pastCommitsMax,\n            commit,",
        `pastCommitsMax,
         idempotencyId: request.idempotencyId.map((byte, at) =>
           at > 0 ? byte : byte ^ (this.number ??= globalThis.gatewaysPlanted = (globalThis.gatewaysPlanted ?? 0) + 1)),
         commit,`,
      ),
    ],
  },
  {
    name: "a gateway compares a commit with the last one that it has seen itself",
    changes: [
      delivery("groups.js", "(await this.#isFutile(shown, after))", "false"),
      delivery(
        "groups.js",
        "after,\n            requestHash",
        `...(request.commit !== undefined && this.seen?.get(groupTopic(groupId)) === after
           ? { after: (await store.standing({ groupId, key: shown.key, permit: () => undefined })).lastCommitSeq, permit: () => undefined }
           : { after }),
         requestHash`,
      ),
      delivery(
        "groups.js",
        "this.#options.onAppended(request.kind, body.length);",
        'if (request.kind === "commit") (this.seen ??= new Map()).set(groupTopic(groupId), appended.seq);',
      ),
    ],
  },
  {
    name: "each gateway keeps budgets of its own",
    changes: [
      delivery(
        "admission.js",
        "entry(request, { bytes, budgets }, asking) {",
        `entry(request, { bytes }, asking) {
         const own = (this.own ??= new Map());
         const budgets = own.get(groupTopic(request.groupId)) ?? { appends: 0, proposals: 0, commits: 0, knocks: 0 };`,
      ),
      delivery(
        "admission.js",
        "return this.#admitted(all, budgets, { now, refusalOf: (use) => this.#roomRefusal(request, use.bytes) });",
        `const left = this.#afterTaking(all, budgets, now);
         own.set(groupTopic(request.groupId), left);
         return { type: "admitted", budgets: left };`,
      ),
    ],
  },
  {
    name: "a gateway hands a key package out again from its memory",
    changes: [
      delivery(
        "service.js",
        "const claimed = await this.#store.claimKeyPackage({",
        "const claimed = (this.handed ??= new Map()).get(String(deviceId)) ?? await this.#store.claimKeyPackage({",
      ),
      delivery(
        "service.js",
        "this.#wake.notify(inboxTopic(deviceId));",
        "if (claimed?.lastResort === false) this.handed.set(String(deviceId), claimed);",
      ),
    ],
  },
  {
    name: "each gateway signs with a key of its own",
    changes: [
      delivery("identity.js", "return store.identity(", "return (async (made) => (await store.identity(made), made))("),
    ],
  },
  {
    name: "a gateway answers for a page that was asked for before from its memory",
    changes: [
      delivery(
        "groups.js",
        "const read = await store.read({ ...page, ...judge.reading(evidenceOf(request), BigInt(asking.now)) });",
        `const place = groupTopic(groupId) + "/" + after;
         const kept = (this.kept ??= new Map()).get(place);
         const read = kept ?? await store.read({ ...page, ...judge.reading(evidenceOf(request), BigInt(asking.now)) });
         if (read.type === "page") this.kept.set(place, read);`,
      ),
    ],
  },
  {
    name: "an acknowledgement takes one entry more from the inbox",
    changes: [delivery("service.js", "counted(request.upTo)", "counted(request.upTo) + 1n")],
  },
  {
    name: "a group that is made again is there already",
    changes: [delivery("groups.js", 'return outcome === "exists" ?', 'return outcome !== "created" ?')],
  },
  {
    name: "a request that the store could not carry out is told as done",
    changes: [
      delivery(
        "service.js",
        "yield encode(DeliveryResponse, unavailableAnswer(error, this.#crypto.random));",
        'yield encode(DeliveryResponse, { type: "done" });',
      ),
    ],
  },
  {
    name: "a gateway says that it has extended a subscription that another one has",
    changes: [
      delivery(
        "service.js",
        "if (!this.#subscriptions.extend(subscription, cursor, standing))",
        "this.#subscriptions.extend(subscription, cursor, standing);\n        if (false)",
      ),
    ],
  },
  {
    name: "a gateway remembers the knocks that it was asked for first",
    changes: [
      delivery(
        "groups.js",
        "const found = await store.knocks({ ...shown, since: knocksSince(asking.now), sizeMax: limits.pageSizeMax });",
        `const asked = (this.asked ??= new Map());
         const found = asked.get(groupTopic(groupId)) ?? await store.knocks({ ...shown, since: knocksSince(asking.now), sizeMax: limits.pageSizeMax });
         asked.set(groupTopic(groupId), found);`,
      ),
    ],
  },
  {
    name: "a device that has gone back keeps its subscription",
    matters: where("failover"),
    kept: "a stream brought nothing after the device had gone back",
    changes: [{ file: "device/subscription.js", find: " || isBehind)", replace: ")" }],
  },
  {
    name: "a device takes the log of a restored service for its own where it is as long",
    matters: where("failover"),
    kept: "a device did not notice a restore where the log was as long again",
    changes: [{ file: "conversation/sending.js", find: "state.disputes.wantsService = true;", replace: "" }],
  },
  {
    name: "a title that a failover lost is not told again",
    matters: where("failover"),
    kept: "a title that a failover lost was never told again",
    changes: [
      {
        file: "conversation/restored.js",
        find: 'if (position.cursor > ancestor && facts.title !== "")',
        replace: "if (false)",
      },
    ],
  },
  {
    name: "a device for which no head was signed does not ask for that",
    kept: "a stream brought nothing after the device had gone back",
    changes: [{ file: "conversation/heads.js", find: "position.cursor > state.facts.joinedAt", replace: "false" }],
  },
  {
    name: "a device without a conversation does not learn that the service was restored",
    matters: where("failover"),
    kept: "an invitation had the number of one that a failover lost, and was not read",
    changes: [{ file: "device/inbox.js", find: "if (hasRead && !followsAny())", replace: "if (false)" }],
  },
  {
    name: "what an earlier incarnation has signed is of no use to who learns of the next one first",
    matters: where("failover"),
    kept: "a member that asked who the service is after a failover stayed behind",
    changes: [{ file: "conversation/heads.js", find: "isEarlier && signer", replace: "false && signer" }],
  },
  {
    name: "a device reads a log before it knows who the service is",
    kept: "a newcomer crashed before she had asked who the service is, and stayed behind after a failover",
    changes: [{ file: "conversation/next.js", find: "if (moment.service === undefined)", replace: "if (false)" }],
  },
  {
    name: "a device forgets what the service has signed of entries that it has still to read",
    kept: "a stream brought entries while a newcomer asked who the service is, and their signature was forgotten",
    changes: [
      {
        file: "conversation/heads.js",
        find: "if (told !== undefined) {",
        replace: "position.takeTold();\n    if (told !== undefined) {",
      },
    ],
  },
  {
    name: "a device that was started again compares what was lost with what it has not loaded",
    kept: "a device that was started again gave back a request to leave that was not lost",
    changes: [
      {
        file: "conversation/heads.js",
        find: "isRestored(turn) && state.isGroupMissing) {",
        replace: "false) {",
      },
    ],
  },
  {
    name: "a device gives back a proposal of an epoch that a commit has ended",
    kept: "a member gave back a request to leave of an epoch that its own commit had ended, and sent nothing else",
    changes: [{ file: "conversation/log.js", find: "forgetEnded(turn, entry);", replace: "" }],
  },
]

/**
 * How long a page stays connected while it is hidden: a tab behind another one, whose timers Chromium lets fire once a
 * minute after a while. Prints each minute, and fails where the page was connected for less than 99 % of the time, where it
 * gave up a socket, or where timers were not held back at all, as it has shown nothing then.
 *
 *   npm run test:hidden -- --minutes 12
 */
import { setTimeout as pause } from "node:timers/promises"
import { parseArgs } from "node:util"
import { Browser, type Tab } from "./hidden-browser.js"
import { joined, openPerson } from "./people.js"
import { Service } from "./service.js"

const SHARE_MIN = 0.99
/** Of a timer that is to fire every second: in a minute in which timers are held back. A message lets it fire, too. */
const TICKS_HELD_BACK = 10
const MESSAGE_SECONDS_MAX = 10

const { values } = parseArgs({ options: { minutes: { type: "string", default: "12" } } })
const minutes = Number(values.minutes)
if (!(minutes > 0)) throw new TypeError("--minutes is a number above 0")

await using service = new Service()
await service.start()
await using browser = await Browser.start()
const tab = await browser.open(service.address)
await tab.type("#name", "alice")
await tab.click("button[type=submit]")
await tab.until("document.querySelector('.connection[data-state=connected]') !== null")
const bob = await openPerson(service, "bob")
await bob.createConversation({ title: "Hidden", members: ["alice"] })
await tab.until("document.querySelector('.list-request') !== null")
await tab.click(".list-request")
await tab.until("[...document.querySelectorAll('button')].some((it) => it.textContent === 'Accept')")
await tab.evaluate("[...document.querySelectorAll('button')].find((it) => it.textContent === 'Accept').click()")
const conversation = await joined(bob, "Hidden")

await browser.open("about:blank")
await tab.until("document.visibilityState === 'hidden'")
await tab.evaluate("globalThis.ticks = 0; setInterval(() => ticks++, 1000); 0")
console.log("minute  hidden  timer fired  sockets  connected  message after")
const begun = performance.now()
let [connected, heldBack, everHidden, late] = [0, 0, true, 0]
for (let minute = 1; minute <= minutes; minute++) {
  const from = performance.now()
  const ticks = await ticksOf(tab)
  await pause(Math.max(0, begun + minute * 60_000 - 5_000 - MESSAGE_SECONDS_MAX * 1_000 - performance.now()))
  const seconds = await secondsUntilRead(tab, `minute ${minute}`)
  await pause(Math.max(0, begun + minute * 60_000 - performance.now()))
  const until = performance.now()
  const share = tab.connectedBetween(from, until) / (until - from)
  const fired = (await ticksOf(tab)) - ticks
  const isHidden = (await tab.evaluate("document.visibilityState")) === "hidden"
  connected += tab.connectedBetween(from, until)
  if (fired <= TICKS_HELD_BACK) heldBack++
  if (seconds === undefined) late++
  everHidden &&= isHidden
  const row = [minute, isHidden ? "yes" : "no", fired, tab.sockets, `${(100 * share).toFixed(2)} %`]
  const widths = [6, 8, 13, 9, 11]
  console.log(row.map((it, at) => String(it).padStart(widths[at]!)).join(""), ` ${seconds?.toFixed(2) ?? "never"} s`)
}
const share = connected / (performance.now() - begun)
console.log(`connected for ${(100 * share).toFixed(2)} % of ${minutes} minutes, over ${tab.sockets} socket(s)`)
console.log(`timers were held back in ${heldBack} of ${minutes} minutes; ${late} messages did not arrive in time`)
await bob.close()
if (!everHidden) fail("the page was not hidden all the time")
if (heldBack === 0) fail("timers were not held back: nothing is shown by this")
if (share < SHARE_MIN) fail(`connected for less than ${100 * SHARE_MIN} % of the time`)
if (tab.sockets > 1) fail("a healthy socket was given up")
if (late > 0) fail("messages did not arrive")

async function ticksOf(tab: Tab): Promise<number> {
  return Number(await tab.evaluate("ticks"))
}

async function secondsUntilRead(tab: Tab, text: string): Promise<number | undefined> {
  const from = performance.now()
  await conversation.send(text)
  while (performance.now() - from < MESSAGE_SECONDS_MAX * 1_000) {
    const isThere = `[...document.querySelectorAll('.message')].some((it) => it.textContent.includes('${text}'))`
    if ((await tab.evaluate(isThere)) === true) return (performance.now() - from) / 1000
    await pause(100)
  }
  return undefined
}

function fail(reason: string): void {
  console.error(reason)
  process.exitCode = 1
}

import { type DeliveryRates, defaultRates } from "./rates.js"

export interface DeliveryLimits extends DeliveryRates {
  /** In bytes; default 4 MiB. A Welcome into a big group carries its tree. */
  readonly requestSizeMax: number
  /** Of one entry of a log, in bytes; default 1 MiB. */
  readonly messageSizeMax: number
  /** Of the bodies of one page, in bytes; default 1 MiB. A longer body makes a page of its own. */
  readonly pageSizeMax: number
  /** Default 500. */
  readonly pageEntriesMax: number
  /** Application messages are taken with at most so many commit entries after their `after`; default 6. */
  readonly pastCommitsMax: number
  /** Bytes of one group's log; default 1 GiB. Commits have an eighth more: somebody who fills a group can be removed. */
  readonly groupSizeMax: number
  /** Of one device and suite; default 200. */
  readonly keyPackageStockMax: number
  /** Below it the device is told; default 10. */
  readonly keyPackageStockLow: number
  /** In bytes; default 64 KiB. */
  readonly keyPackageSizeMax: number
  /** Welcomes that wait in one inbox; default 1,000. */
  readonly inboxEntriesMax: number
  /** Those of them that lead to one group; default 10. */
  readonly inboxEntriesPerGroupMax: number
  /** Of a sealed knock, in bytes; default 16 KiB: it holds a key package. */
  readonly knockSizeMax: number
  /** Knocks of one key that wait beside a group's log; default 1,024. */
  readonly knocksPerKeyMax: number
  /** Push registrations of one group; default 1,000. */
  readonly pushesPerGroupMax: number
  /** Those of them that are one requester's network's; default 50. */
  readonly pushesPerRequesterMax: number
  /** Default 30 days. */
  readonly pushLifetimeSecondsMax: number
  /** How long an endpoint may take; default 10,000. 64 are told at the same time. */
  readonly pushTimeoutMilliseconds: number
  /** An endpoint is told of a group so long after something was appended; default 1,000. */
  readonly pushDelayMilliseconds: number
  /** And no sooner than so long after it was told before; default 30,000. */
  readonly pushEveryMilliseconds: number
  /** Of one signal, in bytes; default 1 KiB. What passes signals on between gateways takes no more. */
  readonly signalSizeMax: number
  /** Of one blob, in bytes; default 100 MiB. Below 2^53. */
  readonly blobSizeMax: number
  /** How long a blob is kept at most; default 30 days. */
  readonly blobLifetimeSecondsMax: number
  /** Of one group; default 10,000. */
  readonly blobsPerGroupMax: number
  /** Of the blobs of one group, those included whose upload has begun; default 1 GiB. */
  readonly blobBytesPerGroupMax: number
  /** Default 1,000. */
  readonly cursorsPerSubscriptionMax: number
  /** Of all subscriptions; default 200,000. */
  readonly cursorsMax: number
  /** Of all subscriptions of one requester; default 20,000. A network may have four times as many. */
  readonly cursorsByRequesterMax: number
  /** Default 10,000. */
  readonly subscriptionsMax: number
  /** Of one requester; default 1,000. A network may have four times as many. */
  readonly subscriptionsByRequesterMax: number
  /** How often the service looks for what no hint has told of; default 2,000. */
  readonly pollMilliseconds: number
}

export const defaultLimits: DeliveryLimits = {
  ...defaultRates,
  requestSizeMax: 4 * 1024 * 1024,
  messageSizeMax: 1024 * 1024,
  pageSizeMax: 1024 * 1024,
  pageEntriesMax: 500,
  pastCommitsMax: 6,
  groupSizeMax: 1024 * 1024 * 1024,
  keyPackageStockMax: 200,
  keyPackageStockLow: 10,
  keyPackageSizeMax: 64 * 1024,
  inboxEntriesMax: 1_000,
  inboxEntriesPerGroupMax: 10,
  knockSizeMax: 16 * 1024,
  knocksPerKeyMax: 1_024,
  pushesPerGroupMax: 1_000,
  pushesPerRequesterMax: 50,
  pushLifetimeSecondsMax: 30 * 86_400,
  pushTimeoutMilliseconds: 10_000,
  pushDelayMilliseconds: 1_000,
  pushEveryMilliseconds: 30_000,
  signalSizeMax: 1_024,
  blobSizeMax: 100 * 1024 * 1024,
  blobLifetimeSecondsMax: 30 * 86_400,
  blobsPerGroupMax: 10_000,
  blobBytesPerGroupMax: 1024 * 1024 * 1024,
  cursorsPerSubscriptionMax: 1_000,
  cursorsMax: 200_000,
  cursorsByRequesterMax: 20_000,
  subscriptionsMax: 10_000,
  subscriptionsByRequesterMax: 1_000,
  pollMilliseconds: 2_000,
}

/** An eighth of a service's room is for one group, and a sixteenth for one requester in the time that messages are kept. */
export function limitsForQuota(quotaBytes: number, retentionDays = 30) {
  const ofRequester = quotaBytes / 16
  return {
    groupSizeMax: Math.floor(quotaBytes / 8),
    blobBytesPerGroupMax: Math.floor(quotaBytes / 8),
    bytesByRequester: { perSecond: ofRequester / (retentionDays * 86_400), burst: Math.floor(ofRequester) },
  } satisfies Partial<DeliveryLimits>
}

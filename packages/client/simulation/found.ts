import type { Item, Plan } from "./plan.js"

const item = (at: number, kind: Item["kind"], who: number, whom: number, amount: number, seed: number): Item => {
  return { at, kind, who, whom, amount, seed }
}

/** Plans that have found a bug, made small; by what was wrong. */
export const found: Readonly<Record<string, Plan>> = {
  "a transaction that failed and has happened left calls without an answer": {
    seed: 8,
    devices: 4,
    items: [
      item(1_000, "create", 0, 2, 0, 384_600_925),
      item(16_682, "partition", 0, 0, 8_135, 1_788_327_486),
      item(17_789, "send", 0, 1, 0, 1_262_933_866),
      item(26_008, "delay", 0, 1, 1_724, 320_761_642),
      item(28_198, "disk", 0, 2, 752, 1_879_895_710),
    ],
  },
  "a member whose clock was set back did not let another one go": {
    seed: 718,
    devices: 2,
    items: [
      item(1_000, "create", 0, 1, 0, 734_680_521),
      item(24_916, "leave", 0, 0, 0, 952_012_673),
      item(52_105, "clock", 1, 1, -700_000, 1_862_741_865),
    ],
  },
  "a title from before newcomers came was never told to them": {
    seed: 112,
    devices: 3,
    items: [
      item(1_000, "create", 0, 0, 0, 160_150_878),
      item(37_364, "invite", 1, 2, 0, 1_513_945_115),
      item(47_428, "delay", 2, 0, 533, 1_418_161_403),
      item(47_812, "remove", 1, 2, 0, 975_423_985),
      item(47_844, "title", 2, 1, 0, 563_637_494),
      item(48_051, "invite", 1, 2, 0, 545_799_966),
    ],
  },
  "a stream brought nothing after the device had gone back": {
    seed: 3639,
    devices: 7,
    service: { store: "postgres", gateways: 3 },
    items: [
      item(1_000, "create", 0, 4, 0, 1_053_847_449),
      item(1_488, "send", 0, 1, 0, 1_419_353_187),
      item(35_568, "failover", 4, 6, 5, 1_667_623_858),
    ],
  },
  "a device did not notice a restore where the log was as long again": {
    seed: 2709,
    devices: 7,
    service: { store: "postgres", gateways: 2 },
    items: [
      item(1_000, "create", 0, 0, 0, 1_353_357_785),
      item(9_744, "remove", 0, 6, 0, 264_862_339),
      item(14_427, "failover", 1, 3, 3, 348_727_935),
      item(14_843, "unknown", 2, 3, 8_400, 364_999_829),
      item(15_698, "send", 5, 4, 0, 995_546_230),
      item(19_829, "send", 4, 5, 0, 1_775_028_470),
      item(30_600, "send", 0, 5, 0, 1_666_864_293),
      item(30_887, "look", 3, 1, 0, 1_935_764_931),
      item(31_706, "restart", 2, 5, 0, 1_925_227_485),
    ],
  },
  "a commit of somebody who was alone then did not come back from the disk twice": {
    seed: 72,
    devices: 3,
    service: { store: "postgres", gateways: 1 },
    items: [
      item(1_000, "create", 0, 0, 0, 609_201_221),
      item(2_852, "stranger", 1, 2, 0, 1_890_532_578),
      item(3_806, "lockout", 1, 2, 0, 695_788_221),
      item(4_876, "crash", 0, 2, 5, 482_307_163),
      item(5_161, "remove", 0, 2, 0, 1_435_212_540),
    ],
  },
  "members are invited while the disk of the service is full": {
    seed: 1,
    devices: 5,
    service: { store: "sqlite", gateways: 1 },
    items: [
      item(1_000, "create", 0, 0, 0, 170_093),
      item(2_500, "full", 0, 0, 4_000, 912_390),
      item(3_200, "invite", 0, 1, 0, 396_978),
      item(3_400, "invite", 0, 2, 0, 139_272),
      item(3_600, "invite", 0, 3, 0, 927_158),
      item(3_800, "invite", 0, 4, 0, 669_452),
    ],
  },
  "several commits come to one transaction while another one waits": {
    seed: 11,
    devices: 5,
    service: { store: "postgres", gateways: 1 },
    items: [
      item(1_000, "create", 0, 0, 0, 721_605),
      item(3_000, "slow", 0, 0, 3_000, 463_899),
      item(3_050, "send", 0, 0, 0, 916_384),
      item(3_100, "send", 1, 0, 0, 658_678),
      item(3_110, "refresh", 0, 0, 0, 251_782),
      item(3_118, "refresh", 1, 0, 0, 994_079),
      item(3_126, "refresh", 2, 0, 0, 736_373),
      item(3_134, "refresh", 3, 0, 0, 478_667),
      item(3_142, "refresh", 4, 0, 0, 220_961),
    ],
  },
  "a title that a failover lost was never told again": {
    seed: 2065,
    devices: 4,
    service: { store: "postgres", gateways: 3 },
    items: [
      item(1_000, "create", 0, 3, 0, 1_480_542_942),
      item(3_388, "leave", 1, 3, 0, 1_677_083_560),
      item(3_736, "send", 2, 1, 0, 1_137_488_390),
      item(3_880, "title", 1, 1, 0, 165_649_757),
      item(4_377, "send", 1, 2, 0, 1_945_729_832),
      item(4_645, "remove", 1, 3, 0, 1_144_260_637),
      item(10_096, "title", 2, 3, 0, 1_189_870_882),
      item(10_453, "drain", 3, 1, 1_760, 1_009_624_663),
      item(10_474, "send", 3, 3, 0, 1_137_951_561),
      item(10_554, "sync", 2, 2, 0, 793_943_499),
      item(11_744, "title", 0, 2, 0, 1_394_755_621),
      item(11_856, "accept", 0, 3, 0, 342_727_167),
      item(12_892, "failover", 1, 2, 4, 252_839_446),
      item(13_457, "cut", 1, 0, 1_476, 811_330_245),
    ],
  },
  "an invitation had the number of one that a failover lost, and was not read": {
    seed: 1060,
    devices: 3,
    service: { store: "postgres", gateways: 4 },
    items: [
      item(1_000, "create", 0, 0, 0, 1_014_418_707),
      item(9_110, "leave", 2, 2, 0, 1_919_659_036),
      item(19_986, "failover", 0, 1, 6, 807_624_497),
      item(22_502, "delay", 2, 1, 3_308, 216_648_582),
      item(23_451, "duplication", 1, 1, 5_002, 620_505_656),
      item(25_138, "create", 1, 0, 0, 335_041_594),
      item(27_197, "send", 1, 1, 0, 729_906_351),
    ],
  },
}

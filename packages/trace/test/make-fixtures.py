#!/usr/bin/env python3
"""Writes fixtures/*.pcap and *.pcapng by Scapy, editcap and mergecap: encapsulations as other tools write them.

    /usr/bin/python3 packages/trace/test/make-fixtures.py     (Debian: python3-scapy, wireshark-common)

Each capture has two SYNs with one Fast Open cookie and 16 bytes of data, from two addresses, unless its name says more.
encapsulations.test.ts says what is to be found in each.
"""

import pathlib
import subprocess
import sys

from scapy.all import *  # noqa: F403
from scapy.contrib.erspan import ERSPAN_II
from scapy.contrib.etherip import EtherIP
from scapy.contrib.geneve import GENEVE
from scapy.contrib.macsec import MACsec
from scapy.contrib.mpls import MPLS

FOLDER = pathlib.Path(__file__).parent / "fixtures"
COOKIE = bytes.fromhex("c0ffee00deadbeef")
START = 1760000000
OPTIONS = [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (1000, 0)), ("NOP", None), ("WScale", 7), (34, COOKIE)]


def tcp(n):
    return TCP(sport=40001 + 977 * n, dport=443, seq=1000 + 7919 * n, flags="S", options=OPTIONS) / b"sixteen bytes ok"


def v4(n, **more):
    return IP(src=["192.0.2.1", "203.0.113.9"][n], dst="198.51.100.7", id=n + 1, **more) / tcp(n)


def v6(n, *headers):
    packet = IPv6(src=["2001:db8:1::5", "2001:db8:2::5"][n], dst="2001:db8:ff::7")
    for header in headers:
        packet = packet / header
    return packet / tcp(n)


def ether(**more):
    return Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02", **more)


def dot11(**more):
    return Dot11(addr1="02:00:00:00:00:01", addr2="02:00:00:00:00:02", addr3="02:00:00:00:00:03", type=2, **more)


def snap(n):
    return LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0, code=0x0800) / v4(n)


def aggregate(n):
    """One A-MSDU of two subframes: ARP's type with nothing in it, then the SYN."""
    parts = [LLC() / SNAP(OUI=0, code=0x0806) / b"arp", snap(n)]
    frames = [b"\2\0\0\0\0\1\2\0\0\0\0\2" + len(bytes(p)).to_bytes(2, "big") + bytes(p) for p in parts]
    return b"".join(f + b"\0" * (-len(f) % 4) if f is not frames[-1] else f for f in frames)


outer4 = lambda **more: IP(src="10.0.0.1", dst="10.0.0.2", id=7, **more)
outer6 = lambda **more: IPv6(src="fd00::1", dst="fd00::2", **more)
udp = lambda port: UDP(sport=49152, dport=port)
MPLS_TWO = lambda: MPLS(label=16, s=0, ttl=64) / MPLS(label=17, s=1, ttl=64)

CAPTURES = {
    # name: (link type, packet n)
    "raw-ip": (101, v4),
    "raw-ip-12": (12, v4),
    "raw-ipv4": (228, v4),
    "raw-ipv6": (229, v6),
    "null-ipv4": (0, lambda n: Loopback(type=2) / v4(n)),
    "null-ipv6-macos": (0, lambda n: b"\x1e\0\0\0" + bytes(v6(n))),
    "loop-ipv6-openbsd": (108, lambda n: b"\0\0\0\x18" + bytes(v6(n))),
    "ethernet-ipv6": (1, lambda n: ether() / v6(n)),
    "ethernet-padded": (1, lambda n: ether() / v4(n) / Padding(b"\xee" * 6)),
    "llc-snap": (1, lambda n: Dot3(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / snap(n)),
    "vlan-three": (1, lambda n: ether() / Dot1AD(vlan=5) / Dot1Q(vlan=6) / Dot1Q(vlan=7) / v4(n)),
    "vlan-9100": (1, lambda n: ether() / Dot1Q(vlan=5, type=0x9100) / Dot1Q(vlan=6) / v4(n)),
    "vlan-pppoe": (1, lambda n: ether() / Dot1Q(vlan=7) / PPPoE(sessionid=9) / PPP() / v4(n)),
    "pppoe-ipv6": (1, lambda n: ether() / PPPoE(sessionid=9) / PPP() / v6(n)),
    "ppp": (9, lambda n: HDLC() / PPP() / v4(n)),
    "ppp-short": (9, lambda n: b"\x21" + bytes(v4(n))),
    "ppp-hdlc": (50, lambda n: HDLC() / PPP() / v6(n)),
    "mpls": (1, lambda n: ether(type=0x8847) / MPLS_TWO() / v4(n)),
    "mpls-ipv6": (1, lambda n: ether(type=0x8847) / MPLS_TWO() / v6(n)),
    "mpls-pseudowire": (1, lambda n: ether(type=0x8847) / MPLS_TWO() / Raw(b"\0\0\0\0" + bytes(ether() / v4(n)))),
    "mpls-pseudowire-plain": (1, lambda n: ether(type=0x8847) / MPLS_TWO() / Raw(bytes(ether() / v4(n)))),
    "sll": (113, lambda n: CookedLinux(proto=0x0800) / v4(n)),
    "sll-qinq": (113, lambda n: CookedLinux(proto=0x88A8) / Dot1Q(vlan=5) / Dot1Q(vlan=6) / v4(n)),
    "sll2-ipv6": (276, lambda n: CookedLinuxV2(proto=0x86DD) / v6(n)),
    "sll2-pppoe": (276, lambda n: CookedLinuxV2(proto=0x8864) / PPPoE(sessionid=9) / PPP() / v4(n)),
    "wlan": (105, lambda n: dot11(FCfield=1) / snap(n)),
    "wlan-radiotap": (127, lambda n: RadioTap(present="Flags", Flags="") / dot11(FCfield=2) / snap(n)),
    "wlan-qos": (127, lambda n: RadioTap(present="TSFT+Flags", mac_timestamp=5, Flags="") / dot11(subtype=8, FCfield=1) / Dot11QoS() / snap(n)),
    "wlan-qos-padded": (127, lambda n: RadioTap(present="TSFT+Flags", mac_timestamp=5, Flags="pad") / (bytes(dot11(subtype=8, FCfield=1) / Dot11QoS()) + b"\0\0" + bytes(snap(n)))),
    "wlan-four-addresses": (105, lambda n: dot11(FCfield=3, addr4="02:00:00:00:00:04") / snap(n)),
    "wlan-aggregate": (105, lambda n: bytes(dot11(subtype=8, FCfield=1) / Dot11QoS(A_MSDU_Present=1)) + aggregate(n)),
    "wlan-protected": (105, lambda n: dot11(FCfield=0x41) / Raw(b"\x11\x22\0\x20\0\0\0\0" + bytes(range(96)))),
    "wlan-ppi": (192, lambda n: bytes.fromhex("0000080069000000") + bytes(dot11(FCfield=1) / snap(n))),
    "4in4": (101, lambda n: outer4() / v4(n)),
    "6in4": (101, lambda n: outer4() / v6(n)),
    "4in6": (101, lambda n: outer6(nh=4) / v4(n)),
    "6in6": (101, lambda n: outer6() / v6(n)),
    "gre": (101, lambda n: outer4() / GRE() / v4(n)),
    "gre-all-fields": (101, lambda n: outer4() / GRE(chksum_present=1, key_present=1, key=5, seqnum_present=1, sequence_number=6) / v6(n)),
    "gre-ethernet": (101, lambda n: outer6() / GRE(proto=0x6558) / ether() / Dot1Q(vlan=3) / v4(n)),
    "gre-erspan": (101, lambda n: outer4() / GRE(proto=0x88BE, seqnum_present=1, sequence_number=6) / ERSPAN_II(ver=1) / ether() / v4(n)),
    "gre-pptp": (101, lambda n: outer4() / GRE_PPTP(seqnum_present=1, sequence_number=4, acknum_present=1, ack_number=3) / HDLC() / PPP() / v4(n)),
    "vxlan": (1, lambda n: ether() / outer4() / udp(4789) / VXLAN(vni=77, flags=8) / ether() / Dot1Q(vlan=3) / v6(n)),
    "geneve": (1, lambda n: ether() / outer6() / udp(6081) / GENEVE(vni=77, proto=0x6558, options=[]) / ether() / v4(n)),
    "etherip": (101, lambda n: outer4() / EtherIP() / ether() / v4(n)),
    "vxlan-in-gre-in-pppoe": (1, lambda n: ether() / Dot1Q(vlan=7) / PPPoE(sessionid=9) / PPP() / outer4() / GRE() / outer4() / udp(4789) / VXLAN(vni=1, flags=8) / ether() / v4(n)),
    "ipv4-options": (101, lambda n: v4(n, options=[IPOption_Router_Alert(), IPOption_NOP()])),
    "ipv4-ah": (101, lambda n: outer4(proto=51) / AH(nh=4, payloadlen=4, icv=b"\0" * 12) / v4(n)),
    "ipv6-extensions": (229, lambda n: v6(n, IPv6ExtHdrHopByHop(), IPv6ExtHdrRouting(addresses=["2001:db8::1"]), IPv6ExtHdrDestOpt(), AH(nh=6, payloadlen=4, icv=b"\0" * 12))),
    "ipv6-first-fragment": (229, lambda n: v6(n, IPv6ExtHdrFragment(m=1, id=9))),
    # What cannot be read, each with its reason.
    "esp": (101, lambda n: outer4() / ESP(spi=5, seq=n, data=bytes(range(64)))),
    "esp-in-udp": (101, lambda n: outer4() / UDP(sport=4500, dport=4500) / ESP(spi=5, seq=n, data=bytes(range(64)))),
    "macsec": (1, lambda n: ether(type=0x88E5) / MACsec(E=1, C=1, an=0, pn=n + 1) / Raw(bytes(range(64)))),
    "later-fragment": (101, lambda n: outer4(frag=20, proto=6) / Raw(bytes(range(64)))),
    "unknown-ethertype": (1, lambda n: ether(type=0x1234) / Raw(bytes(range(64)))),
    "unknown-protocol": (101, lambda n: outer4(proto=253) / Raw(bytes(range(64)))),
    "not-tcp": (1, lambda n: ether() / [ARP(psrc="192.0.2.1", pdst="192.0.2.2"), outer4() / UDP(sport=5, dport=53) / DNS()][n]),
}


def write(name, link, packets, **more):
    writer = RawPcapWriter(str(FOLDER / f"{name}.pcap"), linktype=link, **more)
    writer.write_header(None)
    for n, packet in enumerate(packets):
        writer.write_packet(bytes(packet), sec=START + n, usec=250000, wirelen=len(bytes(packet)))
    writer.close()


def run(*words):
    subprocess.run(words, check=True, cwd=FOLDER)


def main():
    FOLDER.mkdir(exist_ok=True)
    for name, (link, packet) in CAPTURES.items():
        write(name, link, [packet(0), packet(1)])
    # The formats of one capture, as editcap and mergecap write them.
    run("editcap", "-F", "nsecpcap", "ethernet-ipv6.pcap", "format-nanoseconds.pcap")
    run("editcap", "-F", "modpcap", "ethernet-ipv6.pcap", "format-modified.pcap")
    run("editcap", "-F", "pcapng", "ethernet-ipv6.pcap", "format.pcapng")
    run("editcap", "-F", "pcap", "-s", "60", "ethernet-ipv6.pcap", "snapshot-60.pcap")
    run("editcap", "-F", "pcap", "-s", "70", "ethernet-ipv6.pcap", "snapshot-70.pcap")
    run("editcap", "-F", "pcap", "-s", "112", "ethernet-ipv6.pcap", "snapshot-112.pcap")
    run("mergecap", "-F", "pcapng", "-w", "two-interfaces.pcapng", "wlan-qos.pcap", "sll2-ipv6.pcap")
    one, two = [(FOLDER / f).read_bytes() for f in ("format.pcapng", "two-interfaces.pcapng")]
    (FOLDER / "two-sections.pcapng").write_bytes(one + two)
    write("big-endian", 1, [ether() / v4(n) for n in (0, 1)], endianness=">", nano=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

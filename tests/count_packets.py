"""Counts the IP packets of a capture, and the conversations they are of, without any program that reads captures:
tests/count_packets.py FILE prints both numbers, with a comma between."""

import struct
import sys

PCAP = {b"\xd4\xc3\xb2\xa1": "<", b"\x4d\x3c\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">", b"\xa1\xb2\x3c\x4d": ">"}
IPV4, IPV6, PPPOE, VLANS = 0x0800, 0x86DD, 0x8864, (0x8100, 0x88A8, 0x9100)
PPP = {0x0021: IPV4, 0x0057: IPV6}
TCP, UDP, IPV6_IN_IPV4 = 6, 17, 41


def frames(data):
    """Each frame with the number of its link layer."""
    order = PCAP.get(data[:4])
    if order is None:
        yield from frames_of_pcapng(data)
        return
    link = struct.unpack_from(order + "I", data, 20)[0] & 0xFFFF
    at = 24
    while at + 16 <= len(data):
        length = struct.unpack_from(order + "I", data, at + 8)[0]
        yield link, data[at + 16 : at + 16 + length]
        at += 16 + length


def frames_of_pcapng(data):
    at, order, links = 0, "<", []
    while at + 12 <= len(data):
        if data[at : at + 4] == b"\n\r\r\n":
            order = "<" if data[at + 8 : at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            links = []
        kind, length = struct.unpack_from(order + "II", data, at)
        if kind == 1:
            links.append(struct.unpack_from(order + "H", data, at + 8)[0])
        elif kind == 6:
            interface, captured = struct.unpack_from(order + "I8xI", data, at + 8)
            yield links[interface], data[at + 28 : at + 28 + captured]
        elif kind == 3:
            yield links[0], data[at + 12 : at + length - 4]
        at += length


def number(octets):
    return int.from_bytes(octets, "big")


def packet(link, frame):
    """The IP packet in a frame; none if it holds something else."""
    if link == 1:
        at = 12
        while number(frame[at : at + 2]) in VLANS:
            at += 4
        kind, rest = number(frame[at : at + 2]), frame[at + 2 :]
        if kind == PPPOE:
            kind, rest = PPP.get(number(rest[6:8])), rest[8:]
    elif link == 113:
        kind, rest = number(frame[14:16]), frame[16:]
    elif link in (12, 101):
        kind, rest = IPV4, frame
    elif link == 0:
        # The family's number is that of the system that captured, in its byte order: 2 is IPv4 on all of them.
        kind, rest = IPV4 if 2 in (frame[0], frame[3]) else IPV6, frame[4:]
    else:
        raise SystemExit(f"error: link layer {link} is not known here")
    return rest if kind in (IPV4, IPV6) else None


def conversation(ip):
    """Protocol and both ends, whichever way the packet goes."""
    if ip[0] >> 4 == 4:
        protocol, ends, rest = ip[9], (ip[12:16], ip[16:20]), ip[(ip[0] & 15) * 4 :]
        if number(ip[6:8]) & 0x3FFF:
            raise SystemExit("error: fragments cannot be counted here")
    else:
        protocol, ends, rest = ip[6], (ip[8:24], ip[24:40]), ip[40:]
    if protocol == IPV6_IN_IPV4:
        return conversation(rest)
    ports = (rest[:2], rest[2:4]) if protocol in (TCP, UDP) else (b"", b"")
    return protocol, tuple(sorted(zip(ends, ports)))


with open(sys.argv[1], "rb") as file:
    found = [ip for link, frame in frames(file.read()) if (ip := packet(link, frame))]
print(f"{len(found)},{len({conversation(ip) for ip in found})}")

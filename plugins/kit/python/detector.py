"""Detector "example/regularity": a device that contacts one peer, port and protocol at nearly constant intervals.

The interval's mean and variance are updated contact by contact (Welford), so a device costs at most 256 contacts of 39
bytes, however many flows it has. All arithmetic is IEEE double, in an order that other languages repeat exactly.

Runs inside WebAssembly: no clock, no file, no random number. The module is imported once, when the component is built;
every instance starts from that snapshot, so nothing at module level may depend on the machine or the moment.
"""

import json
import math
import struct
import sys
import traceback

from componentize_py_types import Err
from wit_world.imports import diagnostics
from wit_world.imports.types import (
    Finding,
    Observation,
    OpenError_ParametersRefused,
    OpenError_StateUnreadable,
    SavedState,
)

MOST_CONTACTS = 256
MOST_EXAMPLES = 20
INITIATED_BY_DEVICE = 0

# State: a header, then one record a contact, little-endian, without padding, in order of key.
HEADER = struct.Struct("<4sH")  # magic with the format's version, number of contacts
RECORD = struct.Struct("<QHBIqdd")  # peer, port, protocol, contacts, last, mean, squares
MAGIC = b"RGL1"


class Contact:
    """What is known of one peer, port and protocol."""

    __slots__ = ("contacts", "last", "mean", "squares", "fresh", "first", "examples")

    def __init__(self, contacts, last, mean, squares):
        # Saved between slices. The interval's mean in s, and the sum of squared deviations from it in s².
        self.contacts = contacts
        self.last = last
        self.mean = mean
        self.squares = squares
        # Of this slice only.
        self.fresh = 0
        self.first = 0
        self.examples = []


class Session:
    """The detector's state for one device. Found by its name, in a module that has the name of the exported interface."""

    def __init__(self, least_contacts, most_variation, contacts):
        self.least_contacts = least_contacts
        self.most_variation = most_variation
        # (peer, port, protocol) -> Contact, from the longest silent to the latest. Flows come in order of their end, so
        # moving what was touched to the end keeps that order.
        self.contacts = contacts

    @classmethod
    def open(cls, device, parameters, state):
        least_contacts, most_variation = read_parameters(parameters)
        contacts = {} if state is None else read_state(state)
        return cls(least_contacts, most_variation, contacts)

    def observe(self, batch):
        # u8 columns come as `bytes`, the others as lists of int, and u64 and s64 are exact. The batch is lent: the runtime
        # gives it back when this call returns. `with batch:` would give it back twice, which is a fault.
        columns = zip(batch.end_time(), batch.direction(), batch.peer(), batch.peer_port(), batch.protocol())
        contacts = self.contacts
        for row, (end, direction, peer, port, protocol) in enumerate(columns, batch.first_row()):
            if direction != INITIATED_BY_DEVICE:
                continue
            key = (peer, port, protocol)
            contact = contacts.pop(key, None)
            if contact is None:
                if len(contacts) == MOST_CONTACTS:
                    del contacts[self.longest_silent()]
                contact = Contact(1, end, 0.0, 0.0)
            else:
                gap = (end - contact.last) / 1e6
                contact.contacts += 1
                change = gap - contact.mean
                contact.mean += change / (contact.contacts - 1)
                contact.squares += change * (gap - contact.mean)
                contact.last = end
            contacts[key] = contact
            if contact.fresh == 0:
                contact.first = end
            if contact.fresh < MOST_EXAMPLES:
                contact.examples.append(row)
            contact.fresh += 1
        return []

    def longest_silent(self):
        """The contact to forget: the one with the smallest `last`, of equals the one with the smallest key."""
        smallest, oldest = None, None
        for key, contact in self.contacts.items():
            if oldest is None:
                smallest, oldest = key, contact.last
            elif contact.last > oldest:
                break
            elif key < smallest:
                smallest = key
        return smallest

    def end_slice(self, start, end, gaps):
        findings = []
        for key, contact in sorted(self.contacts.items(), key=lambda item: item[0]):
            if contact.fresh > 0 and contact.contacts >= self.least_contacts and contact.mean > 0:
                n = contact.contacts - 1
                variation = math.sqrt(contact.squares / n) / contact.mean
                if variation <= self.most_variation:
                    findings.append(self.finding(key, contact, n, variation))
        return findings

    def finding(self, key, contact, n, variation):
        peer, port, protocol = key
        return Finding(
            kind="regular-contact",
            severity=None,
            score=1 - variation,
            confidence=1 - 1 / n,
            first_time=contact.first,
            last_time=contact.last,
            peer=peer,
            peer_port=port,
            protocol=protocol,
            flow_count=contact.fresh,
            summary=f"{contact.contacts} contacts, one every {math.floor(contact.mean + 0.5)} s",
            cause_key="",
            observations=[
                Observation("interval-mean", contact.mean, None, None, "s"),
                Observation("interval-variation", variation, self.most_variation, None, "1"),
            ],
            examples=contact.examples,
        )

    def save(self):
        state = bytearray(HEADER.pack(MAGIC, len(self.contacts)))
        for (peer, port, protocol), contact in sorted(self.contacts.items(), key=lambda item: item[0]):
            state += RECORD.pack(
                peer, port, protocol, contact.contacts, contact.last, contact.mean, contact.squares
            )
        return SavedState(bytes(state), 1.0, True)


def read_parameters(text):
    """The host checked them against the schema in plugin.toml; here is what the model itself cannot do without."""
    try:
        parameters = json.loads(text)
        least_contacts, most_variation = parameters["least_contacts"], float(parameters["most_variation"])
        if least_contacts < 3:
            raise ValueError("least_contacts must be at least 3")
        if not 0 < most_variation <= 1:
            raise ValueError("most_variation must be above 0 and at most 1")
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise Err(OpenError_ParametersRefused(f"{type(error).__name__}: {error}")) from error
    return least_contacts, most_variation


def read_state(state):
    """The contacts that `save` wrote, from the longest silent to the latest."""
    if len(state) < HEADER.size:
        raise unreadable("it is shorter than its header")
    magic, count = HEADER.unpack_from(state)
    if magic != MAGIC:
        raise unreadable(f"it begins with {magic.hex()}, not with {MAGIC.hex()}")
    if count > MOST_CONTACTS or len(state) != HEADER.size + count * RECORD.size:
        raise unreadable(f"it says {count} contacts in {len(state)} bytes")
    contacts = []
    for peer, port, protocol, number, last, mean, squares in RECORD.iter_unpack(state[HEADER.size :]):
        key = (peer, port, protocol)
        if contacts and key <= contacts[-1][0]:
            raise unreadable("its contacts are out of order")
        if number == 0 or not (math.isfinite(mean) and math.isfinite(squares)):
            raise unreadable("a contact's numbers make no sense")
        contacts.append((key, Contact(number, last, mean, squares)))
    contacts.sort(key=lambda item: item[1].last)  # stable: equals stay in order of key
    return dict(contacts)


def unreadable(why):
    return Err(OpenError_StateUnreadable(why))


def log_exception(kind, error, trace):
    """Says an exception that nobody caught to the author: to the host it is a trap without a word."""
    places = [f"{frame.f_code.co_name} at {frame.f_code.co_filename}:{line}" for frame, line in traceback.walk_tb(trace)]
    diagnostics.log(f"{kind.__name__}: {error}, in {', called by '.join(reversed(places))}")


sys.excepthook = log_exception

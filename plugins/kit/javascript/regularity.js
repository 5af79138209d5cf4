/**
 * Detector "example/regularity": a device that contacts one peer, port and protocol at nearly constant intervals.
 *
 * The interval's mean and variance are updated contact by contact (Welford), so a device costs at most 256 contacts of 39
 * bytes, however many flows it has. All arithmetic is IEEE double, in an order that other languages repeat exactly.
 *
 * Runs inside WebAssembly: no clock, no file, no random number. The top level runs once, when the component is built;
 * every instance starts from that snapshot, so nothing there may depend on the machine or the moment.
 *
 * Numbers of 64 bits come as BigInt, which is slow to calculate with. Times go through Number(), which is exact for
 * microseconds until the year 2255; peers are compared as text of a fixed length.
 */

import { log } from "wardflow:detector/diagnostics@0.1.0";

const MOST_CONTACTS = 256;
const MOST_EXAMPLES = 20;
const INITIATED_BY_DEVICE = 0;

// State: a header, then one record a contact, little-endian, without padding, in order of key.
const MAGIC = 0x314c4752; // "RGL1", with the format's version
const HEADER_BYTES = 6; // magic u32, number of contacts u16
const RECORD_BYTES = 39; // peer u64, port u16, protocol u8, contacts u32, last s64, mean f64, squares f64

/** What is known of one peer, port and protocol. */
class Contact {
    constructor(key, peer, port, protocol, contacts, last, mean, squares) {
        this.key = key;
        this.peer = peer;
        this.port = port;
        this.protocol = protocol;
        // Saved between slices. The interval's mean in s, and the sum of squared deviations from it in s².
        this.contacts = contacts;
        this.last = last;
        this.mean = mean;
        this.squares = squares;
        // Of this slice only.
        this.fresh = 0;
        this.first = 0;
        this.examples = [];
    }
}

/** The detector's state for one device. */
class Session {
    constructor(parameters, contacts) {
        this.parameters = parameters;
        // Key -> Contact, from the longest silent to the latest, of equals in order of key. Flows come in order of their end
        // and then of the columns, so moving what was touched to the end keeps that order.
        this.contacts = contacts;
    }

    static open(device, parameters, state) {
        return new Session(readParameters(parameters), state == null ? new Map() : readState(state));
    }

    observe(batch) {
        const contacts = this.contacts;
        const first = batch.firstRow();
        const [ends, directions] = [batch.endTime(), batch.direction()];
        const [peers, ports, protocols] = [batch.peer(), batch.peerPort(), batch.protocol()];
        for (let index = 0; index < ends.length; index++) {
            if (directions[index] !== INITIATED_BY_DEVICE) continue;
            const end = Number(ends[index]);
            const key = keyOf(peers[index], ports[index], protocols[index]);
            let contact = contacts.get(key);
            if (contact === undefined) {
                if (contacts.size === MOST_CONTACTS) contacts.delete(contacts.keys().next().value);
                contact = new Contact(key, peers[index], ports[index], protocols[index], 1, end, 0, 0);
            } else {
                contacts.delete(key);
                const gap = (end - contact.last) / 1e6;
                contact.contacts += 1;
                const change = gap - contact.mean;
                contact.mean += change / (contact.contacts - 1);
                contact.squares += change * (gap - contact.mean);
                contact.last = end;
            }
            contacts.set(key, contact);
            if (contact.fresh === 0) contact.first = end;
            if (contact.fresh < MOST_EXAMPLES) contact.examples.push(first + index);
            contact.fresh += 1;
        }
        return [];
    }

    endSlice(start, end, gaps) {
        const { leastContacts, mostVariation } = this.parameters;
        const findings = [];
        for (const contact of inOrder(this.contacts)) {
            if (!(contact.fresh > 0 && contact.contacts >= leastContacts && contact.mean > 0)) continue;
            const n = contact.contacts - 1;
            const variation = Math.sqrt(contact.squares / n) / contact.mean;
            if (variation <= mostVariation) findings.push(finding(contact, n, variation, mostVariation));
        }
        return findings;
    }

    save() {
        const bytes = new Uint8Array(HEADER_BYTES + this.contacts.size * RECORD_BYTES);
        const view = new DataView(bytes.buffer);
        view.setUint32(0, MAGIC, true);
        view.setUint16(4, this.contacts.size, true);
        let at = HEADER_BYTES;
        for (const contact of inOrder(this.contacts)) {
            view.setBigUint64(at, contact.peer, true);
            view.setUint16(at + 8, contact.port, true);
            view.setUint8(at + 10, contact.protocol);
            view.setUint32(at + 11, contact.contacts, true);
            view.setBigInt64(at + 15, BigInt(contact.last), true);
            view.setFloat64(at + 23, contact.mean, true);
            view.setFloat64(at + 31, contact.squares, true);
            at += RECORD_BYTES;
        }
        return { bytes, learned: 1, ready: true };
    }
}

function finding(contact, n, variation, mostVariation) {
    return {
        kind: "regular-contact",
        severity: null,
        score: 1 - variation,
        confidence: 1 - 1 / n,
        firstTime: BigInt(contact.first),
        lastTime: BigInt(contact.last),
        peer: contact.peer,
        peerPort: contact.port,
        protocol: contact.protocol,
        flowCount: BigInt(contact.fresh),
        summary: `${contact.contacts} contacts, one every ${Math.floor(contact.mean + 0.5)} s`,
        causeKey: "",
        observations: [
            { name: "interval-mean", measured: contact.mean, expectedLow: null, expectedHigh: null, unit: "s" },
            { name: "interval-variation", measured: variation, expectedLow: mostVariation, expectedHigh: null, unit: "1" },
        ],
        examples: contact.examples,
    };
}

/** Peer, port and protocol as text whose order is that of the numbers. */
function keyOf(peer, port, protocol) {
    const digits = (number, count) => number.toString(16).padStart(count, "0");
    return digits(peer, 16) + digits(port, 4) + digits(protocol, 2);
}

function byKey(a, b) {
    return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}

function inOrder(contacts) {
    return [...contacts.values()].sort(byKey);
}

/** The host checked them against the schema in plugin.toml; here is what the model itself cannot do without. */
function readParameters(text) {
    const refuse = (why) => ({ tag: "parameters-refused", val: why });
    let parameters;
    try {
        parameters = JSON.parse(text);
    } catch (error) {
        throw refuse(String(error));
    }
    const { least_contacts: leastContacts, most_variation: mostVariation } = parameters ?? {};
    if (!(leastContacts >= 3)) throw refuse("least_contacts must be at least 3");
    if (!(mostVariation > 0 && mostVariation <= 1)) throw refuse("most_variation must be above 0 and at most 1");
    return { leastContacts, mostVariation };
}

/** The contacts that `save` wrote, from the longest silent to the latest. */
function readState(state) {
    const refuse = (why) => ({ tag: "state-unreadable", val: why });
    const view = new DataView(state.buffer, state.byteOffset, state.byteLength);
    if (state.byteLength < HEADER_BYTES) throw refuse("it is shorter than its header");
    if (view.getUint32(0, true) !== MAGIC) throw refuse("it does not begin as a state of this detector does");
    const count = view.getUint16(4, true);
    if (count > MOST_CONTACTS || state.byteLength !== HEADER_BYTES + count * RECORD_BYTES) {
        throw refuse(`it says ${count} contacts in ${state.byteLength} bytes`);
    }
    const contacts = [];
    for (let at = HEADER_BYTES; at < state.byteLength; at += RECORD_BYTES) {
        const [peer, port, protocol] = [view.getBigUint64(at, true), view.getUint16(at + 8, true), view.getUint8(at + 10)];
        const [number, last] = [view.getUint32(at + 11, true), Number(view.getBigInt64(at + 15, true))];
        const [mean, squares] = [view.getFloat64(at + 23, true), view.getFloat64(at + 31, true)];
        const contact = new Contact(keyOf(peer, port, protocol), peer, port, protocol, number, last, mean, squares);
        if (contacts.length > 0 && byKey(contacts.at(-1), contact) >= 0) throw refuse("its contacts are out of order");
        if (contact.contacts === 0 || !Number.isFinite(contact.mean) || !Number.isFinite(contact.squares)) {
            throw refuse("a contact's numbers make no sense");
        }
        contacts.push(contact);
    }
    // Stable: equals stay in order of key.
    contacts.sort((a, b) => a.last - b.last);
    return new Map(contacts.map((contact) => [contact.key, contact]));
}

/** The method, with its errors said to the author: to the host they are a trap without a word. What is refused is no error. */
function logged(method) {
    return function (...args) {
        try {
            return method.apply(this, args);
        } catch (error) {
            if (error instanceof Error) log(`${error}, in ${error.stack.split("\n", 3).join(", called by ")}`);
            throw error;
        }
    };
}

Session.open = logged(Session.open);
for (const name of ["observe", "endSlice", "save"]) Session.prototype[name] = logged(Session.prototype[name]);

/** The world's export of that name; the resource `session` is a class in it. */
export const detector = { Session };

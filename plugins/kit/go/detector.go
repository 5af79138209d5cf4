// Detector "example/regularity": a device that contacts one peer, port and protocol at nearly constant intervals.
//
// The interval's mean and variance are updated contact by contact (Welford), so a device costs at most 256 contacts of 39
// bytes, however many flows it has. All arithmetic is IEEE double, in an order that other languages repeat exactly; the
// conversions to float64 keep Go from fusing operations where a processor could.
package main

import (
	"cmp"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strconv"

	"example/regularity/wardflow"
)

const (
	mostContacts      = 256
	mostExamples      = 20
	initiatedByDevice = 0
)

type key struct {
	peer     uint64
	port     uint16
	protocol uint8
}

func compare(a, b key) int {
	return cmp.Or(cmp.Compare(a.peer, b.peer), cmp.Compare(a.port, b.port), cmp.Compare(a.protocol, b.protocol))
}

type contact struct {
	// Saved between slices. The interval's mean in s, and the sum of squared deviations from it in s².
	contacts      uint32
	last          int64
	mean, squares float64
	// Of this slice only.
	fresh    uint64
	first    int64
	examples []uint32
}

type session struct {
	leastContacts, mostVariation float64
	contacts                     map[key]*contact
}

func open(_ wardflow.Device, text string, state []byte) (wardflow.Session, error) {
	s := &session{contacts: map[key]*contact{}}
	// The host has checked them against the schema in plugin.toml; here is what the model cannot do without. What is
	// absent is zero.
	s.leastContacts, _ = wardflow.Number(text, "least_contacts")
	s.mostVariation, _ = wardflow.Number(text, "most_variation")
	if !(s.leastContacts >= 3) {
		return nil, errors.New("least_contacts must be a number of at least 3")
	}
	if !(s.mostVariation > 0 && s.mostVariation <= 1) {
		return nil, errors.New("most_variation must be a number above 0 and at most 1")
	}
	if state != nil {
		if err := s.restore(state); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *session) Observe(batch wardflow.Batch) []wardflow.Finding {
	directions, peers, ports, protocols := batch.Direction(), batch.Peer(), batch.PeerPort(), batch.Protocol()
	firstRow := batch.FirstRow()
	for row, end := range batch.EndTime() {
		if directions[row] != initiatedByDevice {
			continue
		}
		key := key{peers[row], ports[row], protocols[row]}
		c := s.contacts[key]
		if c == nil {
			if len(s.contacts) == mostContacts {
				delete(s.contacts, s.longestSilent())
			}
			c = &contact{contacts: 1}
			s.contacts[key] = c
		} else {
			gap := float64(end-c.last) / 1e6
			c.contacts++
			change := gap - c.mean
			c.mean += change / float64(c.contacts-1)
			c.squares += float64(change * (gap - c.mean))
		}
		c.last = end
		if c.fresh == 0 {
			c.first = end
		}
		if c.fresh < mostExamples {
			c.examples = append(c.examples, firstRow+uint32(row))
		}
		c.fresh++
	}
	return nil
}

// inOrder is the keys in order: that of a map is random.
func (s *session) inOrder() []key {
	keys := make([]key, 0, len(s.contacts))
	for key := range s.contacts {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, compare)
	return keys
}

// longestSilent is the one with the smallest last, of equals the smallest.
func (s *session) longestSilent() key {
	var found key
	var silent *contact
	for key, c := range s.contacts {
		if silent == nil || c.last < silent.last || c.last == silent.last && compare(key, found) < 0 {
			found, silent = key, c
		}
	}
	return found
}

func (s *session) EndSlice(_, _ int64, _ []wardflow.Gap) (findings []wardflow.Finding) {
	for _, key := range s.inOrder() {
		c := s.contacts[key]
		if c.fresh == 0 || float64(c.contacts) < s.leastContacts || !(c.mean > 0) {
			continue
		}
		n := float64(c.contacts - 1)
		variation := math.Sqrt(c.squares/n) / c.mean
		if variation <= s.mostVariation {
			findings = append(findings, s.finding(key, c, n, variation))
		}
	}
	return findings
}

func (s *session) finding(key key, c *contact, n, variation float64) wardflow.Finding {
	contacts := strconv.FormatUint(uint64(c.contacts), 10)
	interval := strconv.FormatUint(uint64(math.Floor(c.mean+0.5)), 10)
	return wardflow.Finding{
		Kind:       "regular-contact",
		Score:      1 - variation,
		Confidence: 1 - 1/n,
		FirstTime:  c.first,
		LastTime:   c.last,
		Peer:       &key.peer,
		PeerPort:   &key.port,
		Protocol:   &key.protocol,
		FlowCount:  c.fresh,
		Summary:    contacts + " contacts, one every " + interval + " s",
		Observations: []wardflow.Observation{
			{Name: "interval-mean", Measured: c.mean, Unit: "s"},
			{Name: "interval-variation", Measured: variation, ExpectedLow: &s.mostVariation, Unit: "1"},
		},
		Examples: c.examples,
	}
}

// The saved state: magic with the format's version, then one record a contact, little-endian, in order of key.
const (
	magic       = "RGL1"
	recordBytes = 39
)

func (s *session) Save() wardflow.Saved {
	bytes := make([]byte, 0, len(magic)+len(s.contacts)*recordBytes)
	bytes = append(bytes, magic...)
	order := binary.LittleEndian
	for _, key := range s.inOrder() {
		c := s.contacts[key]
		bytes = order.AppendUint64(bytes, key.peer)
		bytes = order.AppendUint16(bytes, key.port)
		bytes = append(bytes, key.protocol)
		bytes = order.AppendUint32(bytes, c.contacts)
		bytes = order.AppendUint64(bytes, uint64(c.last))
		bytes = order.AppendUint64(bytes, math.Float64bits(c.mean))
		bytes = order.AppendUint64(bytes, math.Float64bits(c.squares))
	}
	return wardflow.Saved{Bytes: bytes, Learned: 1, Ready: true}
}

func (s *session) restore(state []byte) error {
	if len(state) < len(magic) || string(state[:len(magic)]) != magic {
		return wardflow.StateUnreadable("it does not begin as a state of this detector does")
	}
	records := state[len(magic):]
	if len(records)%recordBytes != 0 || len(records) > mostContacts*recordBytes {
		return wardflow.StateUnreadable("its length is not that of its contacts")
	}
	order := binary.LittleEndian
	var before key
	for ; len(records) > 0; records = records[recordBytes:] {
		key := key{order.Uint64(records), order.Uint16(records[8:]), records[10]}
		c := &contact{
			contacts: order.Uint32(records[11:]),
			last:     int64(order.Uint64(records[15:])),
			mean:     math.Float64frombits(order.Uint64(records[23:])),
			squares:  math.Float64frombits(order.Uint64(records[31:])),
		}
		if len(s.contacts) > 0 && compare(before, key) >= 0 {
			return wardflow.StateUnreadable("its contacts are out of order")
		}
		if c.contacts == 0 || c.mean-c.mean != 0 || c.squares-c.squares != 0 {
			return wardflow.StateUnreadable("a contact's numbers make no sense")
		}
		s.contacts[key] = c
		before = key
	}
	return nil
}

func init() { wardflow.Open = open }

func main() {}

// Package wardflow is Wardflow's detector contract 0.1.0 for Go: what a model is given, and what it gives back.
// detector.wit has the rules. A model sets [Open] in an init function and leaves main empty:
//
//	func init() { wardflow.Open = open }
//	func main() {}
package wardflow

// Device is what the host knows of the device that a session watches.
type Device struct {
	Pseudonym                            uint64
	Class, Manufacturer, Model, Firmware string
	Zone                                 uint32
}

// Gap is a stretch of the slice in which the sensors delivered no flow of any device. Times are microseconds since 1970.
type Gap struct{ Start, End int64 }

// Severity is that of OCSF.
type Severity uint8

const (
	Informational Severity = iota
	Low
	Medium
	High
	Critical
)

// Observation is one number that a finding rests on.
type Observation struct {
	Name                      string
	Measured                  float64
	ExpectedLow, ExpectedHigh *float64 // nil: absent
	Unit                      string
}

// Finding is one cause, as seen in this slice. What is nil is absent.
type Finding struct {
	Kind                string
	Severity            *Severity
	Score, Confidence   float64
	FirstTime, LastTime int64
	Peer                *uint64
	PeerPort            *uint16
	Protocol            *uint8
	FlowCount           uint64
	Summary, CauseKey   string
	Observations        []Observation
	Examples            []uint32
}

// Saved is what the host keeps of a session.
type Saved struct {
	Bytes   []byte
	Learned float64
	Ready   bool
}

// Session is the detector's state for one device.
type Session interface {
	Observe(batch Batch) []Finding
	EndSlice(start, end int64, gaps []Gap) []Finding
	Save() Saved // the last call
}

// StateUnreadable says why a saved state cannot be read: the host opens the session again without it.
type StateUnreadable string

func (why StateUnreadable) Error() string { return string(why) }

// Open begins a slice for a device; state is nil at first. An error is taken as a refusal of the parameters unless it is a
// [StateUnreadable].
var Open func(device Device, parameters string, state []byte) (Session, error)

//go:build wasm

package wardflow

// The component ABI of the contract. Pointers have 4 bytes outside, but 8 in Go's own memory, so each list and string is
// written as address and length. The collector moves nothing, and what it cannot see the host holding is in kept.

import (
	"errors"
	"runtime"
	"strconv"
	"strings"
	"structs"
	"unsafe"
)

// kept is freed when the host has read the result of the running call.
var kept []any

// rooms are what the host asked for to put arguments and columns into. Zero bytes are given an address too.
//
//go:wasmexport cabi_realloc
func cabiRealloc(old, oldBytes, align, bytes uint32) uint32 {
	room := make([]uint64, bytes/8+1)
	if old != 0 {
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&room[0])), bytes), view[byte](old, oldBytes))
	}
	return keep(room)
}

func keep[T any](values []T) uint32 {
	if len(values) == 0 {
		return 8 // aligned, and not read
	}
	kept = append(kept, values)
	return address(&values[0])
}

func address[T any](value *T) uint32 { return uint32(uintptr(unsafe.Pointer(value))) }

// view is memory that cabiRealloc gave, as what the host put there. It holds on to the memory as any slice does.
func view[T any](at, length uint32) []T {
	return unsafe.Slice((*T)(unsafe.Pointer(uintptr(at))), length)
}

func text(at, length uint32) string { return string(view[byte](at, length)) }

type list struct {
	_          structs.HostLayout
	at, length uint32
}

func lower[T any](values []T) list { return list{at: keep(values), length: uint32(len(values))} }

func lowerText(value string) list {
	if value == "" {
		return list{at: 8}
	}
	kept = append(kept, value)
	return list{at: address(unsafe.StringData(value)), length: uint32(len(value))}
}

type maybe[T any] struct {
	_     structs.HostLayout
	some  bool
	value T
}

func lowerMaybe[T any](value *T) maybe[T] {
	if value == nil {
		return maybe[T]{}
	}
	return maybe[T]{some: true, value: *value}
}

type rawObservation struct {
	_                         structs.HostLayout
	name                      list
	measured                  float64
	expectedLow, expectedHigh maybe[float64]
	unit                      list
}

type rawFinding struct {
	_                     structs.HostLayout
	kind                  list
	severity              maybe[Severity]
	score, confidence     float64
	firstTime, lastTime   int64
	peer                  maybe[uint64]
	peerPort              maybe[uint16]
	protocol              maybe[uint8]
	flowCount             uint64
	summary, causeKey     list
	observations, example list
}

// Checked by the compiler: a size that differs is a negative constant, or one that overflows.
const (
	_ = uint(unsafe.Sizeof(rawObservation{})-56) + uint(56-unsafe.Sizeof(rawObservation{}))
	_ = uint(unsafe.Sizeof(rawFinding{})-112) + uint(112-unsafe.Sizeof(rawFinding{}))
)

// Results lie outside of the stack, which may move.
var (
	rawList  list
	rawOpen  [4]uint32 // result<own<session>, open-error>: u8, then a handle, or u8 and a string
	rawSaved struct {
		_       structs.HostLayout
		bytes   list
		learned float64
		ready   bool
	}
)

func lowerFindings(findings []Finding) uint32 {
	raw := make([]rawFinding, len(findings))
	for i, f := range findings {
		observations := make([]rawObservation, len(f.Observations))
		for i, o := range f.Observations {
			observations[i] = rawObservation{
				name: lowerText(o.Name), measured: o.Measured, expectedLow: lowerMaybe(o.ExpectedLow),
				expectedHigh: lowerMaybe(o.ExpectedHigh), unit: lowerText(o.Unit),
			}
		}
		raw[i] = rawFinding{
			kind: lowerText(f.Kind), severity: lowerMaybe(f.Severity), score: f.Score, confidence: f.Confidence,
			firstTime: f.FirstTime, lastTime: f.LastTime, peer: lowerMaybe(f.Peer), peerPort: lowerMaybe(f.PeerPort),
			protocol: lowerMaybe(f.Protocol), flowCount: f.FlowCount, summary: lowerText(f.Summary),
			causeKey: lowerText(f.CauseKey), observations: lower(observations), example: lower(f.Examples),
		}
	}
	rawList = lower(raw)
	return address(&rawList)
}

// sessions by representation, which is a position here plus one. Positions are used again.
var (
	sessions []Session
	free     []uint32
)

//go:wasmimport [export]wardflow:detector/detector@0.1.0 [resource-new]session
func newHandle(representation uint32) uint32

//go:wasmexport wardflow:detector/detector@0.1.0#[static]session.open
func exportOpen(pseudonym uint64, class, classLength, manufacturer, manufacturerLength, model, modelLength, firmware,
	firmwareLength, zone, parameters, parametersLength, hasState, state, stateLength uint32) uint32 {
	defer logPanic()
	device := Device{
		Pseudonym: pseudonym, Class: text(class, classLength), Manufacturer: text(manufacturer, manufacturerLength),
		Model: text(model, modelLength), Firmware: text(firmware, firmwareLength), Zone: zone,
	}
	var saved []byte
	if hasState != 0 {
		saved = view[byte](state, stateLength)
	}
	session, err := Open(device, text(parameters, parametersLength), saved)
	if err != nil {
		kind := uint32(1)
		if errors.As(err, new(StateUnreadable)) {
			kind = 0
		}
		why := lowerText(err.Error())
		rawOpen = [4]uint32{1, kind, why.at, why.length}
		return address(&rawOpen)
	}
	if len(free) == 0 {
		sessions = append(sessions, nil)
		free = append(free, uint32(len(sessions)))
	}
	representation := free[len(free)-1]
	free = free[:len(free)-1]
	sessions[representation-1] = session
	rawOpen = [4]uint32{0, newHandle(representation)}
	return address(&rawOpen)
}

//go:wasmexport wardflow:detector/detector@0.1.0#[method]session.observe
func exportObserve(representation, batch uint32) uint32 {
	defer logPanic()
	findings := sessions[representation-1].Observe(Batch{batch})
	dropBatch(batch)
	return lowerFindings(findings)
}

//go:wasmexport wardflow:detector/detector@0.1.0#[method]session.end-slice
func exportEndSlice(representation uint32, start, end int64, gaps, gapsLength uint32) uint32 {
	defer logPanic()
	return lowerFindings(sessions[representation-1].EndSlice(start, end, view[Gap](gaps, gapsLength)))
}

//go:wasmexport wardflow:detector/detector@0.1.0#[method]session.save
func exportSave(representation uint32) uint32 {
	defer logPanic()
	saved := sessions[representation-1].Save()
	sessions[representation-1] = nil
	free = append(free, representation)
	rawSaved.bytes, rawSaved.learned, rawSaved.ready = lower(saved.Bytes), saved.Learned, saved.Ready
	return address(&rawSaved)
}

//go:wasmimport wardflow:detector/diagnostics@0.1.0 log
func log(at, length uint32)

// Log says a line to you, the author: a trace shows it, and the last one before a fault goes along with the fault. It never
// reaches findings. Of a line 1 KiB is kept, and 64 lines of a session in a slice.
func Log(line string) {
	log(address(unsafe.StringData(line)), uint32(len(line)))
}

// logPanic is deferred by what the host calls. A panic that goes on is a trap without a word.
func logPanic() {
	value := recover()
	if value == nil {
		return
	}
	message := "panic"
	switch value := value.(type) {
	case error:
		message = value.Error()
	case string:
		message = value
	}
	Log(message + where())
	panic(value)
}

// where names the functions that were running, innermost first, from the model's up to the one that the host called.
func where() string {
	var callers [32]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(3, callers[:])])
	var place strings.Builder
	for {
		frame, more := frames.Next()
		if !more || strings.Contains(frame.Function, "/wardflow.export") {
			return place.String()
		}
		if !strings.HasPrefix(frame.Function, "runtime.") {
			place.WriteString(", in " + frame.Function + " at " + frame.File + ":" + strconv.Itoa(frame.Line))
		}
	}
}

func release() {
	clear(kept)
	kept = kept[:0]
}

//go:wasmexport cabi_post_wardflow:detector/detector@0.1.0#[static]session.open
func postOpen(uint32) { release() }

//go:wasmexport cabi_post_wardflow:detector/detector@0.1.0#[method]session.observe
func postObserve(uint32) { release() }

//go:wasmexport cabi_post_wardflow:detector/detector@0.1.0#[method]session.end-slice
func postEndSlice(uint32) { release() }

//go:wasmexport cabi_post_wardflow:detector/detector@0.1.0#[method]session.save
func postSave(uint32) { release() }

// Batch has a device's flows column by column. It is lent for one call of Observe. Each call of a column copies it from the
// host; each must be declared in plugin.toml.
type Batch struct{ handle uint32 }

//go:wasmimport wardflow:detector/flows@0.1.0 [resource-drop]flow-batch
func dropBatch(batch uint32)

// During these the host calls cabiRealloc, so the stack may move: what they write to is no local variable.
var column list

func read[T any](batch Batch, from func(uint32, unsafe.Pointer)) []T {
	from(batch.handle, unsafe.Pointer(&column))
	return view[T](column.at, column.length)
}

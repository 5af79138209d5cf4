//go:build wasm

package wardflow

import "unsafe"

//go:wasmimport wardflow:detector/flows@0.1.0 [method]flow-batch.len
func batchLen(batch uint32) uint32

func (b Batch) Len() uint32 { return batchLen(b.handle) }

//go:wasmimport wardflow:detector/flows@0.1.0 [method]flow-batch.first-row
func batchFirstRow(batch uint32) uint32

func (b Batch) FirstRow() uint32 { return batchFirstRow(b.handle) }

//go:wasmimport wardflow:detector/flows@0.1.0 [method]flow-batch.start-time
func batchStartTime(batch uint32, column unsafe.Pointer)

// StartTime is column `start-time`.
func (b Batch) StartTime() []int64 { return read[int64](b, batchStartTime) }

//go:wasmimport wardflow:detector/flows@0.1.0 [method]flow-batch.end-time
func batchEndTime(batch uint32, column unsafe.Pointer)

// EndTime is column `end-time`.
func (b Batch) EndTime() []int64 { return read[int64](b, batchEndTime) }

//go:wasmimport wardflow:detector/flows@0.1.0 [method]flow-batch.direction
func batchDirection(batch uint32, column unsafe.Pointer)

// Direction is column `direction`.
func (b Batch) Direction() []uint8 { return read[uint8](b, batchDirection) }

//go:wasmimport wardflow:detector/flows@0.1.0 [method]flow-batch.peer
func batchPeer(batch uint32, column unsafe.Pointer)

// Peer is column `peer`.
func (b Batch) Peer() []uint64 { return read[uint64](b, batchPeer) }

//go:wasmimport wardflow:detector/flows@0.1.0 [method]flow-batch.peer-scope
func batchPeerScope(batch uint32, column unsafe.Pointer)

// PeerScope is column `peer-scope`.
func (b Batch) PeerScope() []uint8 { return read[uint8](b, batchPeerScope) }

//go:wasmimport wardflow:detector/flows@0.1.0 [method]flow-batch.peer-class
func batchPeerClass(batch uint32, column unsafe.Pointer)

// PeerClass is column `peer-class`.
func (b Batch) PeerClass() []uint32 { return read[uint32](b, batchPeerClass) }

//go:wasmimport wardflow:detector/flows@0.1.0 [method]flow-batch.peer-role
func batchPeerRole(batch uint32, column unsafe.Pointer)

// PeerRole is column `peer-role`.
func (b Batch) PeerRole() []uint8 { return read[uint8](b, batchPeerRole) }

//go:wasmimport wardflow:detector/flows@0.1.0 [method]flow-batch.peer-zone
func batchPeerZone(batch uint32, column unsafe.Pointer)

// PeerZone is column `peer-zone`.
func (b Batch) PeerZone() []uint32 { return read[uint32](b, batchPeerZone) }

//go:wasmimport wardflow:detector/flows@0.1.0 [method]flow-batch.peer-group
func batchPeerGroup(batch uint32, column unsafe.Pointer)

// PeerGroup is column `peer-group`.
func (b Batch) PeerGroup() []uint16 { return read[uint16](b, batchPeerGroup) }

//go:wasmimport wardflow:detector/flows@0.1.0 [method]flow-batch.peer-prevalence
func batchPeerPrevalence(batch uint32, column unsafe.Pointer)

// PeerPrevalence is column `peer-prevalence`.
func (b Batch) PeerPrevalence() []uint32 { return read[uint32](b, batchPeerPrevalence) }

//go:wasmimport wardflow:detector/flows@0.1.0 [method]flow-batch.local-port
func batchLocalPort(batch uint32, column unsafe.Pointer)

// LocalPort is column `local-port`.
func (b Batch) LocalPort() []uint16 { return read[uint16](b, batchLocalPort) }

//go:wasmimport wardflow:detector/flows@0.1.0 [method]flow-batch.peer-port
func batchPeerPort(batch uint32, column unsafe.Pointer)

// PeerPort is column `peer-port`.
func (b Batch) PeerPort() []uint16 { return read[uint16](b, batchPeerPort) }

//go:wasmimport wardflow:detector/flows@0.1.0 [method]flow-batch.protocol
func batchProtocol(batch uint32, column unsafe.Pointer)

// Protocol is column `protocol`.
func (b Batch) Protocol() []uint8 { return read[uint8](b, batchProtocol) }

//go:wasmimport wardflow:detector/flows@0.1.0 [method]flow-batch.service
func batchService(batch uint32, column unsafe.Pointer)

// Service is column `service`.
func (b Batch) Service() []uint32 { return read[uint32](b, batchService) }

//go:wasmimport wardflow:detector/flows@0.1.0 [method]flow-batch.bytes-sent
func batchBytesSent(batch uint32, column unsafe.Pointer)

// BytesSent is column `bytes-sent`.
func (b Batch) BytesSent() []uint64 { return read[uint64](b, batchBytesSent) }

//go:wasmimport wardflow:detector/flows@0.1.0 [method]flow-batch.bytes-received
func batchBytesReceived(batch uint32, column unsafe.Pointer)

// BytesReceived is column `bytes-received`.
func (b Batch) BytesReceived() []uint64 { return read[uint64](b, batchBytesReceived) }

//go:wasmimport wardflow:detector/flows@0.1.0 [method]flow-batch.packets-sent
func batchPacketsSent(batch uint32, column unsafe.Pointer)

// PacketsSent is column `packets-sent`.
func (b Batch) PacketsSent() []uint64 { return read[uint64](b, batchPacketsSent) }

//go:wasmimport wardflow:detector/flows@0.1.0 [method]flow-batch.packets-received
func batchPacketsReceived(batch uint32, column unsafe.Pointer)

// PacketsReceived is column `packets-received`.
func (b Batch) PacketsReceived() []uint64 { return read[uint64](b, batchPacketsReceived) }

//go:wasmimport wardflow:detector/flows@0.1.0 [method]flow-batch.conn-state
func batchConnState(batch uint32, column unsafe.Pointer)

// ConnState is column `conn-state`.
func (b Batch) ConnState() []uint8 { return read[uint8](b, batchConnState) }

//go:wasmimport wardflow:detector/flows@0.1.0 [method]flow-batch.minute-of-week
func batchMinuteOfWeek(batch uint32, column unsafe.Pointer)

// MinuteOfWeek is column `minute-of-week`.
func (b Batch) MinuteOfWeek() []uint16 { return read[uint16](b, batchMinuteOfWeek) }

//go:wasmimport wardflow:detector/flows@0.1.0 [method]flow-batch.local-role
func batchLocalRole(batch uint32, column unsafe.Pointer)

// LocalRole is column `local-role`.
func (b Batch) LocalRole() []uint8 { return read[uint8](b, batchLocalRole) }

// SPDX-License-Identifier: Apache-2.0 OR MIT

// Package netverdict answers what happens to a flow under Cilium and Kubernetes
// network policies, and why.
//
// It calls the C library (docs/c-abi.md) and finds it by pkg-config:
//
//	cargo xtask install --prefix /usr/local
//	go get github.com/netverdict/netverdict/bindings/go
//
// An [Engine] takes documents and objects, which count from the next
// [Engine.Commit]; questions are answered about the last commit.
//
//	engine, err := netverdict.New(nil)
//	defer engine.Close()
//	problems, err := engine.Apply("shop.yaml", yaml)
//	update, err := engine.Commit()
//	why, err := engine.Explain(netverdict.Flow{From: "shop/web", To: "shop/db", Port: "5432/TCP"})
//	fmt.Println(why.Verdict)
//
// Without cgo there is no engine; tables are read by the package table, which
// is pure Go, and which this package uses for its views in that case.
package netverdict

import "github.com/netverdict/netverdict/bindings/go/table"

// Question asks a table about a packet.
type Question = table.Question

// Verdict is what becomes of a packet.
type Verdict = table.Verdict

// Directions, seen from the subject.
const (
	Ingress = table.Ingress
	Egress  = table.Egress
)

// Status says why a call failed: one of the numbers of the C ABI. It is an
// error, so that errors.Is(err, netverdict.StatusNotFound) works.
type Status int32

// The statuses of docs/c-abi.md.
const (
	StatusNullArgument  Status = 1000
	StatusPanic         Status = 1001
	StatusPoisoned      Status = 1002
	StatusNoMemory      Status = 1003
	StatusTooLarge      Status = 1004
	StatusStructSize    Status = 1005
	StatusBadArgument   Status = 1006
	StatusNotFound      Status = 1007
	StatusFull          Status = 1008
	StatusNotUTF8       Status = 1100
	StatusJSON          Status = 1101
	StatusPeer          Status = 1102
	StatusRefused       Status = 1103
	StatusCompile       Status = 1200
	StatusNoPolicy      Status = 1201
	StatusIdentityState Status = 1202
	StatusTableShort    Status = 1300
	StatusTableMagic    Status = 1301
	StatusTableFormat   Status = 1302
	StatusTableHash     Status = 1303
	StatusTableDamaged  Status = 1304
)

// Error is a failed call.
type Error struct {
	Status  Status
	Message string
	Code    string // of a diagnostic, like "NV0620"; or empty
	File    string // the document it is about; or empty
	Line    int    // from 1; 0 for none
	Column  int
}

func (e *Error) Error() string { return e.Message }

// Unwrap gives the status.
func (e *Error) Unwrap() error { return e.Status }

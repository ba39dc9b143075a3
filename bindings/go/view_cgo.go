// SPDX-License-Identifier: Apache-2.0 OR MIT

//go:build cgo

package netverdict

// #include "shim.h"
import "C"

import (
	"runtime"
	"unsafe"
)

// The structs of the hot path are those of C.
const (
	_ = uint(unsafe.Sizeof(Question{}) - C.sizeof_netverdict_question)
	_ = uint(C.sizeof_netverdict_question - unsafe.Sizeof(Question{}))
	_ = uint(unsafe.Sizeof(Verdict{}) - C.sizeof_netverdict_verdict)
	_ = uint(C.sizeof_netverdict_verdict - unsafe.Sizeof(Verdict{}))
)

// View is a verdict table that was checked and does not change. It may be used
// from any number of goroutines, but not after Close.
type View struct{ c *C.netverdict_view }

func newView(c *C.netverdict_view) *View {
	v := &View{c}
	runtime.SetFinalizer(v, (*View).Close)
	return v
}

// LoadView checks an image completely and copies it.
func LoadView(image []byte) (*View, error) {
	var view *C.netverdict_view
	var err *C.netverdict_error
	data, length := raw(image)
	if e := failure(C.netverdict_view_load(data, length, &view, &err), err); e != nil {
		return nil, e
	}
	return newView(view), nil
}

// Close frees the view now instead of some time after its last use. Closing
// twice does nothing.
func (v *View) Close() {
	C.netverdict_view_free(&v.c)
	runtime.SetFinalizer(v, nil)
}

// Image returns a copy of the bytes.
func (v *View) Image() []byte {
	defer runtime.KeepAlive(v)
	b := C.netverdict_view_image(v.c)
	return C.GoBytes(unsafe.Pointer(b.data), C.int(b.len))
}

// Verdict says what becomes of a packet. A call of C costs more than the
// lookup: for many packets use [View.Verdicts], or the package table.
func (v *View) Verdict(q *Question) (Verdict, error) {
	var verdict Verdict
	status := C.netverdict_view_verdict(v.c, (*C.netverdict_question)(unsafe.Pointer(q)),
		(*C.netverdict_verdict)(unsafe.Pointer(&verdict)))
	runtime.KeepAlive(v)
	if status != C.NETVERDICT_OK {
		return Verdict{}, failure(status, nil)
	}
	return verdict, nil
}

// Verdicts answers questions into as many verdicts, in one call of C.
func (v *View) Verdicts(questions []Question, verdicts []Verdict) error {
	if len(verdicts) < len(questions) {
		return &Error{Status: StatusBadArgument, Message: "more questions than verdicts"}
	}
	status := C.netverdict_view_verdict_batch(v.c,
		(*C.netverdict_question)(unsafe.Pointer(unsafe.SliceData(questions))), C.size_t(len(questions)),
		(*C.netverdict_verdict)(unsafe.Pointer(unsafe.SliceData(verdicts))))
	runtime.KeepAlive(v)
	return failure(status, nil)
}

// SubjectOfIdentity finds the subject of an identity.
func (v *View) SubjectOfIdentity(identity uint32) (uint32, bool) {
	var subject C.uint32_t
	status := C.netverdict_view_subject_of_identity(v.c, C.uint32_t(identity), &subject)
	runtime.KeepAlive(v)
	return uint32(subject), status == C.NETVERDICT_OK
}

// SubjectOfEndpoint finds the subject of an endpoint's number.
func (v *View) SubjectOfEndpoint(endpoint uint32) (uint32, bool) {
	var subject C.uint32_t
	status := C.netverdict_view_subject_of_endpoint(v.c, C.uint32_t(endpoint), &subject)
	runtime.KeepAlive(v)
	return uint32(subject), status == C.NETVERDICT_OK
}

// OriginRule is a rule behind a verdict, and where it is written.
type OriginRule struct {
	Rule         string // Kind/namespace/name
	Path         string
	File         string
	Line, Column int
	// Authentication: nothing but the authentication comes from it.
	Authentication bool
}

// Origin lists the rules behind a verdict; StatusNotFound when the table was
// made without them. [Engine.Compile] makes one that has them.
func (v *View) Origin(q *Question) ([]OriginRule, error) {
	defer runtime.KeepAlive(v)
	var origin *C.netverdict_origin
	var err *C.netverdict_error
	status := C.netverdict_view_origin(v.c, (*C.netverdict_question)(unsafe.Pointer(q)), &origin, &err)
	if e := failure(status, err); e != nil {
		return nil, e
	}
	defer C.netverdict_origin_free(&origin)
	rules := make([]OriginRule, C.netverdict_origin_count(origin))
	for i := range rules {
		r := C.netverdict_rule{struct_size: C.sizeof_netverdict_rule}
		if e := failure(C.netverdict_origin_get(origin, C.size_t(i), &r, &err), err); e != nil {
			return nil, e
		}
		rules[i] = OriginRule{
			goString(r.rule), goString(r.path), goString(r.file), int(r.line), int(r.column), r.authentication != 0,
		}
	}
	return rules, nil
}

// AnswerScenario answers a scenario (testdata/README.md): JSON in, JSON out.
func AnswerScenario(scenario []byte) ([]byte, error) {
	var buffer *C.netverdict_buffer
	var err *C.netverdict_error
	data, length := raw(scenario)
	status := C.go_scenario_answer((*C.char)(unsafe.Pointer(data)), length, &buffer, &err)
	if e := failure(status, err); e != nil {
		return nil, e
	}
	return take(buffer), nil
}

// CompileScenario compiles the endpoints of a scenario into an image.
func CompileScenario(scenario []byte) ([]byte, error) {
	var buffer *C.netverdict_buffer
	var err *C.netverdict_error
	data, length := raw(scenario)
	status := C.go_scenario_compile((*C.char)(unsafe.Pointer(data)), length, &buffer, &err)
	if e := failure(status, err); e != nil {
		return nil, e
	}
	return take(buffer), nil
}

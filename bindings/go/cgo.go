// SPDX-License-Identifier: Apache-2.0 OR MIT

//go:build cgo

package netverdict

// #cgo pkg-config: netverdict
// #include "shim.h"
import "C"

import (
	"runtime"
	"unsafe"
)

// Error is the name of the status, like "NETVERDICT_NOT_FOUND".
func (s Status) Error() string {
	return C.GoString(C.netverdict_status_name(C.netverdict_status(s)))
}

func goString(s C.netverdict_str) string { return C.GoStringN(s.data, C.int(s.len)) }

// failure makes an error of a status; takes the error handle.
func failure(status C.netverdict_status, handle *C.netverdict_error) error {
	if status == C.NETVERDICT_OK {
		return nil
	}
	err := &Error{Status: Status(status)}
	if handle == nil {
		err.Message = err.Status.Error()
		return err
	}
	err.Message = goString(C.netverdict_error_message(handle))
	err.Code = goString(C.netverdict_error_code(handle))
	err.File = goString(C.netverdict_error_file(handle))
	err.Line = int(C.netverdict_error_line(handle))
	err.Column = int(C.netverdict_error_column(handle))
	C.netverdict_error_free(&handle)
	return err
}

// text is a string as pointer and length. The pointer is good for one call.
func text(s string) (*C.char, C.size_t) {
	if s == "" {
		return nil, 0
	}
	return (*C.char)(unsafe.Pointer(unsafe.StringData(s))), C.size_t(len(s))
}

func raw(b []byte) (*C.uint8_t, C.size_t) {
	return (*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(b))), C.size_t(len(b))
}

// take copies a buffer and frees it.
func take(buffer *C.netverdict_buffer) []byte {
	b := C.netverdict_buffer_bytes(buffer)
	taken := C.GoBytes(unsafe.Pointer(b.data), C.int(b.len))
	C.netverdict_buffer_free(&buffer)
	return taken
}

// pinned makes structs of C with strings of Go in them.
type pinned struct{ runtime.Pinner }

func (p *pinned) str(s string) C.netverdict_str {
	data, length := text(s)
	if data != nil {
		p.Pin(data)
	}
	return C.netverdict_str{data: data, len: length}
}

func (p *pinned) strs(list []string) (*C.netverdict_str, C.size_t) {
	if len(list) == 0 {
		return nil, 0
	}
	made := make([]C.netverdict_str, len(list))
	for i, s := range list {
		made[i] = p.str(s)
	}
	p.Pin(&made[0])
	return &made[0], C.size_t(len(made))
}

func (p *pinned) labels(labels map[string]string) (*C.netverdict_label, C.size_t) {
	if len(labels) == 0 {
		return nil, 0
	}
	made := make([]C.netverdict_label, 0, len(labels))
	for key, value := range labels {
		made = append(made, C.netverdict_label{key: p.str(key), value: p.str(value)})
	}
	p.Pin(&made[0])
	return &made[0], C.size_t(len(made))
}

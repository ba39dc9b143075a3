// SPDX-License-Identifier: Apache-2.0 OR MIT

//go:build !cgo

package netverdict

import (
	"errors"
	"fmt"

	"github.com/netverdict/netverdict/bindings/go/table"
)

// Error is the status's number; the C library, which knows the names, is not
// there.
func (s Status) Error() string { return fmt.Sprintf("status %d", int32(s)) }

// View is a verdict table, read in pure Go.
type View struct{ view *table.View }

// LoadView takes a copy of an image.
func LoadView(image []byte) (*View, error) {
	view, err := table.Load(append([]byte(nil), image...))
	if err == nil {
		return &View{view}, nil
	}
	status := StatusTableDamaged
	for known, is := range map[Status]error{
		StatusTableShort: table.ErrShort, StatusTableMagic: table.ErrMagic,
		StatusTableFormat: table.ErrFormat, StatusTableHash: table.ErrHash,
	} {
		if errors.Is(err, is) {
			status = known
		}
	}
	return nil, &Error{Status: status, Message: err.Error()}
}

// Close does nothing here.
func (v *View) Close() {}

// Image returns the bytes, which are not to be changed.
func (v *View) Image() []byte { return v.view.Image() }

// Verdict says what becomes of a packet.
func (v *View) Verdict(q *Question) (Verdict, error) {
	if q.Direction > Egress {
		return Verdict{}, &Error{Status: StatusBadArgument, Message: "no such direction"}
	}
	return v.view.Verdict(q), nil
}

// Verdicts answers questions into as many verdicts.
func (v *View) Verdicts(questions []Question, verdicts []Verdict) error {
	if len(verdicts) < len(questions) {
		return &Error{Status: StatusBadArgument, Message: "more questions than verdicts"}
	}
	for i := range questions {
		verdict, err := v.Verdict(&questions[i])
		if err != nil {
			return err
		}
		verdicts[i] = verdict
	}
	return nil
}

// SubjectOfIdentity finds the subject of an identity.
func (v *View) SubjectOfIdentity(identity uint32) (uint32, bool) {
	return v.view.SubjectOfIdentity(identity)
}

// SubjectOfEndpoint finds the subject of an endpoint's number.
func (v *View) SubjectOfEndpoint(endpoint uint32) (uint32, bool) {
	return v.view.SubjectOfEndpoint(endpoint)
}

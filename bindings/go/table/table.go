// SPDX-License-Identifier: Apache-2.0 OR MIT

// Package table reads netverdict's verdict tables in pure Go: no cgo, no
// dependencies, nothing allocated by a lookup.
//
// In: the bytes of an image (docs/table-format.md), written by the engine, by
// `netverdict compile` or by another machine. Out: verdicts, the same as those
// of every other reader.
//
//	view, err := table.Load(image)
//	subject, ok := view.SubjectOfIdentity(1000)
//	v := view.Verdict(&table.Question{Subject: subject, Identity: 1001, Protocol: 6, Port: 5432})
//	if !v.Allowed() { … }
//
// Damaged images are refused as far as header, sections and content hash tell;
// whatever else they contain, every load stays within the image, and a load
// that would not is answered by a drop.
package table

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// Directions, seen from the subject.
const (
	Ingress uint8 = 0
	Egress  uint8 = 1
)

// Codes of verdicts: 0, or minus Cilium's drop reason.
const (
	CodePass         int16 = 0
	CodePolicy       int16 = -133
	CodeFragment     int16 = -157
	CodeDeny         int16 = -181
	CodeAuthRequired int16 = -189
)

// Flags of verdicts.
const (
	// FlagDeny: a rule denies.
	FlagDeny uint8 = 1
	// FlagNoSubject: the table has no such subject; nothing passes.
	FlagNoSubject uint8 = 128
)

// NotInherited is the AuthDonor of a verdict that inherited no authentication.
const NotInherited uint8 = 255

// Question asks about a packet without a connection yet. Its layout is that of
// the C struct netverdict_question.
type Question struct {
	Subject           uint32 // whose policy
	Identity          uint32 // the other side's security identity
	Port              uint16 // destination port; for ICMP and ICMPv6 the type
	Protocol          uint8  // IP protocol number
	Direction         uint8  // Ingress or Egress
	ICMPCode          uint8  // only "fragmentation needed" (3, 4) matters
	UntrackedFragment uint8  // not 0: the port is not known
	_                 uint16
}

// Verdict is what becomes of a packet. Its layout is that of the C struct
// netverdict_verdict.
type Verdict struct {
	ProxyPort uint16 // 0 for none
	Flags     uint8  // FlagDeny, FlagNoSubject
	AuthType  uint8  // 0 for none
	Code      int16  // one of Code*
	MatchType uint8  // 0 none, 1 L3-Only, 2 L3-L4, 3 L4-Only, 4 all, 5 L3-Proto, 6 Proto-Only
	AuthDonor uint8  // prefix length of the entry authentication comes from, or NotInherited
	Cookie    uint32 // policy log cookie; 0 for none
	_         uint32
}

// Allowed is true when the packet passes, be it by way of a proxy.
func (v Verdict) Allowed() bool { return v.Code == CodePass }

// String is "allow", "redirect", "auth-required", "deny" or "default-deny".
func (v Verdict) String() string {
	switch {
	case v.Code == CodePass && v.ProxyPort == 0:
		return "allow"
	case v.Code == CodePass:
		return "redirect"
	case v.Code == CodeAuthRequired:
		return "auth-required"
	case v.Code == CodeDeny:
		return "deny"
	}
	return "default-deny"
}

// Why bytes are refused.
var (
	ErrShort   = errors.New("the table is cut off")
	ErrMagic   = errors.New("this is no verdict table")
	ErrFormat  = errors.New("the table is of a format that is not read here")
	ErrHash    = errors.New("the content was changed after it was written")
	ErrDamaged = errors.New("the table is damaged")
)

const (
	headerLen     = 128
	descriptorLen = 64
	version       = 2
	oldestVersion = 2
	// ICMP types are ports; "fragmentation needed" passes; nothing changes.
	flagICMPTypes    = 1
	flagFragNeeded   = 2
	flagFrozen       = 4
	flagWidePeers    = 1
	flagWidePorts    = 2
	flagWideCells    = 4
	regionsInScope   = 1536
	undefinedRegions = 512
)

var le = binary.LittleEndian

type section struct{ at, count uint32 }

// View is a table in hand. It may be used from any number of goroutines.
type View struct {
	b                      []byte
	flags                  uint32
	revision               uint64
	subjects               section
	endpoints, identities  section
	regions                section
	localFirst, localCount uint32
	protocols              uint32
}

// Load takes the bytes of an image; they are not copied and must not change.
// Bytes behind the image's length are ignored.
func Load(image []byte) (*View, error) {
	if len(image) < headerLen {
		return nil, fmt.Errorf("%w: %d bytes", ErrShort, len(image))
	}
	if string(image[:8]) != "NVTABLE\x00" {
		return nil, ErrMagic
	}
	if oldest := le.Uint16(image[0x0a:]); oldest > version || le.Uint16(image[0x08:]) < oldestVersion {
		return nil, fmt.Errorf("%w: it needs a reader of format %d", ErrFormat, oldest)
	}
	length := uint64(le.Uint32(image[0x10:]))
	if length < headerLen || length > uint64(len(image)) {
		return nil, fmt.Errorf("%w: %d bytes of %d", ErrShort, len(image), length)
	}
	at := func(offset int) section {
		return section{le.Uint32(image[offset:]), le.Uint32(image[offset+4:])}
	}
	v := &View{
		b:          image[:length:length],
		flags:      le.Uint32(image[0x0c:]),
		revision:   le.Uint64(image[0x28:]),
		subjects:   at(0x30),
		endpoints:  at(0x38),
		identities: at(0x40),
		regions:    at(0x48),
		localFirst: le.Uint32(image[0x50:]),
		localCount: le.Uint32(image[0x54:]),
		protocols:  le.Uint32(image[0x58:]),
	}
	if v.flags&flagFrozen != 0 && hash(v.b) != le.Uint64(image[0x20:]) {
		return nil, ErrHash
	}
	sections := []struct {
		name  string
		s     section
		bytes uint64
	}{
		{"subjects", v.subjects, 8},
		{"endpoints", v.endpoints, 8},
		{"identity index", v.identities, 8},
		{"regions", section{v.regions.at, regionsInScope + undefinedRegions}, 2},
		{"protocols", section{v.protocols, 256}, 1},
	}
	for _, s := range sections {
		end := uint64(s.s.at) + uint64(s.s.count)*s.bytes
		if s.s.count != 0 && (s.s.at < headerLen || end > length) {
			return nil, fmt.Errorf("%w: %s at %d", ErrDamaged, s.name, s.s.at)
		}
	}
	for _, s := range []section{v.endpoints, v.identities} {
		if s.count&(s.count-1) != 0 {
			return nil, fmt.Errorf("%w: an index has %d slots", ErrDamaged, s.count)
		}
	}
	return v, nil
}

// hash is the content hash: over the bytes, with the hash itself as 0.
func hash(image []byte) uint64 {
	h := uint64(0xcbf29ce484222325)
	for at := 0; at < len(image); at += 8 {
		var word uint64
		switch {
		case at == 0x20:
		case at+8 <= len(image):
			word = le.Uint64(image[at:])
		default:
			var last [8]byte
			copy(last[:], image[at:])
			word = le.Uint64(last[:])
		}
		h = bits.RotateLeft64((h^word)*0x100000001b3, 29)
	}
	return h
}

// Revision of the policies the table was made of.
func (v *View) Revision() uint64 { return v.revision }

// Subjects is how many numbers of subjects there are; some may be nobody's.
func (v *View) Subjects() uint32 { return v.subjects.count }

// Image returns the bytes.
func (v *View) Image() []byte { return v.b }

// SubjectOfEndpoint finds the subject of an endpoint's number.
func (v *View) SubjectOfEndpoint(endpoint uint32) (uint32, bool) {
	return v.search(v.endpoints, endpoint)
}

// SubjectOfIdentity finds the subject of an identity.
func (v *View) SubjectOfIdentity(identity uint32) (uint32, bool) {
	return v.search(v.identities, identity)
}

func (v *View) search(index section, key uint32) (uint32, bool) {
	if index.count == 0 {
		return 0, false
	}
	slot := uint32(uint64(key*0x9e3779b1) * uint64(index.count) >> 32)
	for range index.count {
		at := int(index.at) + int(slot)*8
		word := le.Uint64(v.b[at : at+8])
		if word == 0 {
			return 0, false
		}
		if uint32(word>>32) == key {
			found := uint32(word)
			if found == 0 || found == 0xffffffff {
				return 0, false
			}
			return found - 1, true
		}
		slot = (slot + 1) & (index.count - 1)
	}
	return 0, false
}

func (v *View) u8(at uint32) uint32 {
	if int(at) < len(v.b) {
		return uint32(v.b[at])
	}
	return 0
}

func (v *View) u16(at uint32) uint32 {
	if i := int(at); i+2 <= len(v.b) {
		return uint32(le.Uint16(v.b[i : i+2]))
	}
	return 0
}

func (v *View) either(wide bool, at, i uint32) uint32 {
	if wide {
		return v.u16(at + i*2)
	}
	return v.u8(at + i)
}

// Policy is one direction of a subject's policy in hand, for any number of
// lookups.
type Policy struct {
	view *View
	d    *[descriptorLen]byte
}

// Policy takes a subject's policy in hand; false when there is no such subject,
// to whom and from whom nothing may pass.
func (v *View) Policy(subject uint32, direction uint8) (Policy, bool) {
	if subject >= v.subjects.count || direction > Egress {
		return Policy{}, false
	}
	at := int(v.subjects.at) + int(subject)*8 + int(direction)*4
	descriptor := int(le.Uint32(v.b[at : at+4]))
	if descriptor == 0 || descriptor+descriptorLen > len(v.b) {
		return Policy{}, false
	}
	return Policy{v, (*[descriptorLen]byte)(v.b[descriptor:])}, true
}

// Words of a descriptor.
const (
	atDirectory       = 0x00
	atRoot            = 0x04
	atPages           = 0x08
	atBlocks          = 0x0c
	atPorts           = 0x10
	atPortDirectories = 0x14
	atPortPages       = 0x18
	atCells           = 0x1c
	atEntries         = 0x20
	atStride          = 0x28
	atFlags           = 0x2c
	atPortEnd         = 0x3c
	atLastPortWord    = 0x3e
)

func (p Policy) peerClass(flags, identity uint32) uint32 {
	v, d := p.view, p.d
	var page uint32
	if x := identity - v.localFirst; x < v.localCount {
		page = v.u16(le.Uint32(d[atDirectory:]) + (x>>6)*2)
	} else {
		region := identity >> 15
		if region >= regionsInScope {
			region = regionsInScope + region&(undefinedRegions-1)
		}
		slot := v.u16(v.regions.at + region*2)
		block := v.u16(le.Uint32(d[atRoot:]) + (slot*8+identity>>12&7)*2)
		page = v.u16(le.Uint32(d[atBlocks:]) + block*128 + (identity>>6&63)*2)
	}
	return v.either(flags&flagWidePeers != 0, le.Uint32(d[atPages:])+page*64, identity&63)
}

func (p Policy) portClass(flags uint32, protocol uint8, port uint16) uint32 {
	v, d := p.view, p.d
	slot := v.u8(v.protocols + uint32(protocol))
	first := v.u16(le.Uint32(d[atPorts:]) + slot*2)
	if slot >= 5 {
		return first
	}
	word := port >> 9
	if port >= le.Uint16(d[atPortEnd:]) {
		word = le.Uint16(d[atLastPortWord:])
	}
	page := v.u16(le.Uint32(d[atPortDirectories:]) + first*8 + uint32(word)*2)
	return v.either(flags&flagWidePorts != 0, le.Uint32(d[atPortPages:]), page*8+uint32(port&511))
}

var (
	drop    = Verdict{Code: CodePolicy, AuthDonor: NotInherited}
	nobody  = Verdict{Code: CodePolicy, AuthDonor: NotInherited, Flags: FlagNoSubject}
	pass    = Verdict{Code: CodePass, AuthDonor: NotInherited}
	unknown = Verdict{Code: CodeFragment, AuthDonor: NotInherited}
)

func (p Policy) lookup(identity uint32, protocol uint8, port uint16) Verdict {
	v, d := p.view, p.d
	flags := le.Uint32(d[atFlags:])
	i := p.portClass(flags, protocol, port)*le.Uint32(d[atStride:]) + p.peerClass(flags, identity)
	cell := v.either(flags&flagWideCells != 0, le.Uint32(d[atCells:]), i)
	at := int(le.Uint32(d[atEntries:])) + int(cell)*16
	if at+16 > len(v.b) {
		return drop
	}
	e := v.b[at : at+16]
	return Verdict{
		ProxyPort: uint16(e[0])<<8 | uint16(e[1]),
		Flags:     e[2],
		AuthType:  e[3],
		Code:      int16(le.Uint16(e[4:])),
		MatchType: e[6],
		AuthDonor: e[7],
		Cookie:    le.Uint32(e[8:]),
	}
}

// Ask answers a question; its Subject and Direction are not looked at.
func (p Policy) Ask(q *Question) Verdict {
	flags, port := p.view.flags, q.Port
	if q.Protocol == 1 || q.Protocol == 58 || q.UntrackedFragment != 0 {
		if flags&flagFragNeeded != 0 && q.Protocol == 1 && q.Port == 3 && q.ICMPCode == 4 {
			return pass
		}
		if q.UntrackedFragment != 0 || flags&flagICMPTypes == 0 {
			port = 0
		}
	}
	verdict := p.lookup(q.Identity, q.Protocol, port)
	if q.UntrackedFragment != 0 && verdict.MatchType == 0 {
		return unknown
	}
	return verdict
}

// Verdict says what becomes of a packet. It allocates nothing.
func (v *View) Verdict(q *Question) Verdict {
	p, ok := v.Policy(q.Subject, q.Direction)
	if !ok {
		return nobody
	}
	return p.Ask(q)
}

// Verdicts answers as many questions as there is room for.
func (v *View) Verdicts(questions []Question, verdicts []Verdict) {
	for i := range min(len(questions), len(verdicts)) {
		verdicts[i] = v.Verdict(&questions[i])
	}
}

// SPDX-License-Identifier: Apache-2.0 OR MIT

package table

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
)

// golden reads a table of testdata/ that is written out as lines of an offset
// and 16 bytes; rows of zeros are left out.
func golden(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("../../../testdata/table/g02-ports-only.hex")
	if err != nil {
		t.Fatal(err)
	}
	var image []byte
	for _, line := range strings.Split(string(text), "\n") {
		offset, row, ok := strings.Cut(line, "  ")
		if !ok {
			continue
		}
		at, err := strconv.ParseUint(offset, 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		image = append(image, make([]byte, int(at)-len(image))...)
		bytes, err := hex.DecodeString(strings.ReplaceAll(row, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		image = append(image, bytes...)
	}
	return image
}

func TestGolden(t *testing.T) {
	image := golden(t)
	view, err := Load(image)
	if err != nil {
		t.Fatal(err)
	}
	var about struct {
		Bytes int `json:"bytes"`
	}
	text, err := os.ReadFile("../../../testdata/table/g02-ports-only.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &about); err != nil || about.Bytes != len(image) {
		t.Fatalf("%d bytes, not %d: %v", len(image), about.Bytes, err)
	}
	if view.Subjects() != 1 || len(view.Image()) != len(image) || view.Revision() == 0 {
		t.Error(view.Subjects(), view.Revision())
	}
}

func TestBytesThatAreNoTable(t *testing.T) {
	image := golden(t)
	damaged := func(at int, to byte) []byte {
		copied := append([]byte(nil), image...)
		copied[at] = to
		return copied
	}
	for _, c := range []struct {
		image []byte
		err   error
	}{
		{nil, ErrShort},
		{image[:127], ErrShort},
		{image[:len(image)-8], ErrShort},
		{damaged(0, 'X'), ErrMagic},
		{damaged(0x0a, 9), ErrFormat},
		{damaged(len(image)-1, image[len(image)-1]^1), ErrHash},
	} {
		if _, err := Load(c.image); !errors.Is(err, c.err) {
			t.Errorf("%v, not %v", err, c.err)
		}
	}
}

// Whatever a byte is changed to, no lookup leaves the image.
func TestDamagedTablesDoNoHarm(t *testing.T) {
	image := golden(t)
	for at := 0; at < len(image); at++ {
		for _, to := range []byte{0, 0x7f, 0xff} {
			copied := append([]byte(nil), image...)
			copied[at] = to
			copied[0x0c] &^= flagFrozen
			view, err := Load(copied)
			if err != nil {
				continue
			}
			for _, identity := range []uint32{0, 1, 1000, 1 << 24, 1<<32 - 1} {
				for _, port := range []uint16{0, 80, 65535} {
					for direction := range uint8(3) {
						view.Verdict(&Question{Identity: identity, Port: port, Protocol: 6, Direction: direction})
						view.Verdict(&Question{Identity: identity, Port: port, Protocol: 250, Direction: direction})
					}
				}
				view.SubjectOfIdentity(identity)
				view.SubjectOfEndpoint(identity)
			}
		}
	}
}

func TestNothingIsAllocated(t *testing.T) {
	view, err := Load(golden(t))
	if err != nil {
		t.Fatal(err)
	}
	q := Question{Identity: 1001, Protocol: 6, Port: 80}
	if n := testing.AllocsPerRun(100, func() { view.Verdict(&q) }); n != 0 {
		t.Error(n)
	}
}

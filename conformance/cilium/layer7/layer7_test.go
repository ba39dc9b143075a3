package layer7

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// cases are the answered questions of testdata/layer7 at the top of the repository.
func cases(t *testing.T, kind string) []string {
	t.Helper()
	file, err := os.Open(filepath.Join("../../../testdata/layer7", kind+".jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var lines []string
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		lines = append(lines, scanner.Text())
	}
	if len(lines) == 0 {
		t.Fatalf("no cases of %s", kind)
	}
	return lines
}

// TestCases asks Cilium's code again.
func TestCases(t *testing.T) {
	for kind, question := range map[string]func() interface{ Answer() error }{
		"dns":  func() interface{ Answer() error } { return &DNSQuestion{} },
		"http": func() interface{ Answer() error } { return &HTTPQuestion{} },
		"sni":  func() interface{ Answer() error } { return &SNIQuestion{} },
		"fqdn": func() interface{ Answer() error } { return &NamesQuestion{} },
	} {
		for _, line := range cases(t, kind) {
			expected, q := question(), question()
			for _, into := range []any{expected, q} {
				if err := json.Unmarshal([]byte(line), into); err != nil {
					t.Fatalf("%s: %v", line, err)
				}
			}
			if err := q.Answer(); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			if !reflect.DeepEqual(q, expected) {
				found, _ := json.Marshal(q)
				t.Errorf("%s:\n  expected %s\n  found    %s", kind, line, found)
			}
		}
	}
}

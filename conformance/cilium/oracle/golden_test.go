package oracle

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
)

// goldenFile is one golden case in its variants: scenarios with the policy map that Cilium is
// known to make of them. The files are data for other engines, too.
type goldenFile struct {
	Golden string       `json:"golden"`
	Cases  []goldenCase `json:"cases"`
}

type goldenCase struct {
	Name     string          `json:"name"`
	Scenario json.RawMessage `json:"scenario"`
	Expected goldenExpected  `json:"expected"`
}

// goldenExpected describes the answer for the only endpoint of the scenario. Map is complete
// and in the order of answers, except that entries of prefixes come last in their direction.
type goldenExpected struct {
	Accepted []bool        `json:"accepted"`
	Error    bool          `json:"error"`
	Map      []goldenEntry `json:"map"`
	L4       []goldenL4    `json:"l4"`
	Queries  []goldenQuery `json:"queries"`
}

type goldenEntry struct {
	Direction    string `json:"dir"`
	ID           uint32 `json:"id,omitempty"`
	Prefix       string `json:"prefix,omitempty"`
	Proto        uint8  `json:"proto"`
	Port         uint16 `json:"port"`
	PortLen      uint8  `json:"plen"`
	Precedence   uint32 `json:"prec"`
	Deny         bool   `json:"deny,omitempty"`
	Redirect     bool   `json:"redirect,omitempty"`
	Parser       string `json:"parser,omitempty"`
	Auth         uint8  `json:"auth,omitempty"`
	AuthExplicit bool   `json:"authExplicit,omitempty"`
	Invalid      bool   `json:"invalid,omitempty"`
}

// goldenL4 is a filter with rules for a proxy; other filters are not listed.
type goldenL4 struct {
	Direction   string           `json:"dir"`
	Proto       string           `json:"proto"`
	Port        uint16           `json:"port"`
	HTTP        []map[string]any `json:"http,omitempty"`
	ServerNames []string         `json:"serverNames,omitempty"`
}

type goldenQuery struct {
	Verdict string `json:"verdict"`
	Match   string `json:"match"`
}

func TestGolden(t *testing.T) {
	files, err := filepath.Glob("../testdata/golden/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden cases: %v", err)
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.DisallowUnknownFields()
		var file goldenFile
		if err := decoder.Decode(&file); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for _, c := range file.Cases {
			t.Run(file.Golden+"/"+c.Name, func(t *testing.T) { c.run(t) })
		}
	}
}

func (c goldenCase) run(t *testing.T) {
	scenario, err := ParseScenario(c.Scenario)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := Run(scenario, Options{L4: true, Repeat: 3})
	if err != nil {
		t.Fatal(err)
	}
	if len(answer.Unstable) > 0 {
		t.Errorf("unstable: %v", answer.Unstable)
	}
	accepted := make([]bool, 0, len(answer.Policies))
	for _, policy := range answer.Policies {
		accepted = append(accepted, policy.Accepted)
	}
	if !slices.Equal(accepted, c.Expected.Accepted) {
		t.Errorf("accepted %v, want %v: %+v", accepted, c.Expected.Accepted, answer.Policies)
	}
	endpoint := answer.Endpoints[0]
	if (endpoint.Error != "") != c.Expected.Error {
		t.Fatalf("error %q, want one: %v", endpoint.Error, c.Expected.Error)
	}
	diff(t, "map", c.entries(answer), c.Expected.Map)
	if c.Expected.L4 != nil {
		diff(t, "l4", proxyFilters(endpoint.L4), c.Expected.L4)
	}
	queries := []goldenQuery{}
	for _, query := range answer.Queries {
		queries = append(queries, goldenQuery{query.Verdict, query.Match})
	}
	diff(t, "queries", queries, c.Expected.Queries)
}

// entries is the map in the form of the files, with prefixes for derived identities.
func (c goldenCase) entries(answer *Answer) []goldenEntry {
	prefixes := map[uint32]string{}
	for _, id := range answer.Identities {
		if id.Source == "derived" && id.ID > 100 {
			prefixes[id.ID] = id.Prefix
		}
	}
	entries := []goldenEntry{}
	for _, e := range answer.Endpoints[0].Map {
		entry := goldenEntry{
			Direction: e.Direction, ID: e.ID, Proto: e.Proto, Port: e.Port, PortLen: e.PortLen,
			Precedence: e.Precedence, Deny: e.Deny, Redirect: e.Proxy != 0, Parser: e.Parser,
			Auth: e.Auth, AuthExplicit: e.AuthExplicit, Invalid: e.Invalid,
		}
		if prefix, derived := prefixes[e.ID]; derived {
			entry.ID, entry.Prefix = 0, prefix
		}
		entries = append(entries, entry)
	}
	return entries
}

// proxyFilters picks the filters with rules for a proxy.
func proxyFilters(filters []L4Answer) []goldenL4 {
	result := []goldenL4{}
	for _, filter := range filters {
		if filter.HTTP == nil && filter.ServerNames == nil {
			continue
		}
		one := goldenL4{
			Direction: filter.Direction, Proto: filter.Proto, Port: filter.Port,
			ServerNames: filter.ServerNames,
		}
		text, _ := json.Marshal(filter.HTTP)
		_ = json.Unmarshal(text, &one.HTTP)
		result = append(result, one)
	}
	return result
}

// diff compares two lists and shows only what differs.
func diff[T any](t *testing.T, what string, got, want []T) {
	t.Helper()
	for _, line := range got {
		if !slices.ContainsFunc(want, func(other T) bool { return reflect.DeepEqual(line, other) }) {
			t.Errorf("%s: unexpected %+v", what, line)
		}
	}
	for _, line := range want {
		if !slices.ContainsFunc(got, func(other T) bool { return reflect.DeepEqual(line, other) }) {
			t.Errorf("%s: missing %+v", what, line)
		}
	}
	if len(got) != len(want) && !t.Failed() {
		t.Errorf("%s: %d lines, want %d", what, len(got), len(want))
	}
}

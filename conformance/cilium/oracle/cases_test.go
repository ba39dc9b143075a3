package oracle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// casesFolder holds cases for every engine; testdata/README.md describes them.
const casesFolder = "../../../testdata/cases"

// testCase is the part of a case that is checked here: that Cilium still says what the file
// expects. (`cargo xtask testdata` compares every field.)
type testCase struct {
	Scenario map[string]json.RawMessage `json:"scenario"`
	Expect   struct {
		Policies []struct {
			Accepted bool   `json:"accepted"`
			Stage    string `json:"stage"`
		} `json:"policies"`
		Endpoints []struct {
			Error bool        `json:"error"`
			Map   []caseEntry `json:"map"`
		} `json:"endpoints"`
		Queries []struct {
			Verdict string `json:"verdict"`
			Match   string `json:"match"`
		} `json:"queries"`
		Filters  []caseFilter `json:"filters"`
		Unstable []string     `json:"unstable"`
	} `json:"expect"`
}

type caseEntry struct {
	Direction  string `json:"dir"`
	ID         uint32 `json:"id,omitempty"`
	Prefix     string `json:"prefix,omitempty"`
	Proto      uint8  `json:"proto"`
	Port       uint16 `json:"port"`
	PortLen    uint8  `json:"plen"`
	Precedence uint32 `json:"prec"`
	Deny       bool   `json:"deny,omitempty"`
	Redirect   bool   `json:"redirect,omitempty"`
	Auth       uint8  `json:"auth,omitempty"`
	Invalid    bool   `json:"invalid,omitempty"`
}

// caseFilter is a filter with rules for a proxy; other filters are not listed.
type caseFilter struct {
	Direction   string           `json:"dir"`
	Proto       string           `json:"proto"`
	Port        uint16           `json:"port"`
	HTTP        []map[string]any `json:"http,omitempty"`
	ServerNames []string         `json:"serverNames,omitempty"`
}

func TestCases(t *testing.T) {
	files := 0
	err := filepath.WalkDir(casesFolder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".json" {
			return err
		}
		files++
		name := strings.TrimPrefix(filepath.ToSlash(path), casesFolder+"/")
		t.Run(name, func(t *testing.T) { runCase(t, path) })
		return nil
	})
	if err != nil || files < 300 {
		t.Errorf("%d cases: %v", files, err)
	}
}

func runCase(t *testing.T, path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var c testCase
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	scenario, err := c.scenario()
	if err != nil {
		t.Fatal(err)
	}
	answer, err := Run(scenario, Options{L4: true})
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, policy := range answer.Policies {
		got = append(got, fmt.Sprint(policy.Accepted, policy.Stage))
	}
	for _, policy := range c.Expect.Policies {
		want = append(want, fmt.Sprint(policy.Accepted, policy.Stage))
	}
	diff(t, "policies", got, want)
	if len(c.Expect.Unstable) > 0 {
		return
	}
	names := derivedPrefixes(answer)
	for i, expected := range c.Expect.Endpoints {
		endpoint := answer.Endpoints[i]
		if (endpoint.Error != "") != expected.Error {
			t.Errorf("error %q, want one: %v", endpoint.Error, expected.Error)
		}
		diff(t, "map", caseEntries(endpoint, names), expected.Map)
	}
	got, want = nil, nil
	for _, query := range answer.Queries {
		got = append(got, query.Verdict+" "+query.Match)
	}
	for _, query := range c.Expect.Queries {
		want = append(want, query.Verdict+" "+query.Match)
	}
	diff(t, "queries", got, want)
	if c.Expect.Filters != nil {
		diff(t, "filters", proxyFilters(answer.Endpoints[0].L4), c.Expect.Filters)
	}
}

// scenario joins the lines of policies.
func (c testCase) scenario() (*Scenario, error) {
	var policies []json.RawMessage
	if err := json.Unmarshal(c.Scenario["policies"], &policies); err != nil {
		return nil, err
	}
	texts := make([]string, len(policies))
	for i, policy := range policies {
		var lines []string
		if bytes.HasPrefix(policy, []byte("[")) {
			if err := json.Unmarshal(policy, &lines); err != nil {
				return nil, err
			}
			texts[i] = strings.Join(append(lines, ""), "\n")
		} else if err := json.Unmarshal(policy, &texts[i]); err != nil {
			return nil, err
		}
	}
	joined, err := json.Marshal(texts)
	if err != nil {
		return nil, err
	}
	c.Scenario["policies"] = joined
	text, err := json.Marshal(c.Scenario)
	if err != nil {
		return nil, err
	}
	return ParseScenario(text)
}

// derivedPrefixes names the identities whose numbers mean nothing by their first prefix.
func derivedPrefixes(answer *Answer) map[uint32]string {
	prefixes := map[uint32]string{}
	for _, id := range answer.Identities {
		if id.Source == "derived" && id.ID >= 1<<24 && prefixes[id.ID] == "" {
			prefixes[id.ID] = id.Prefix
		}
	}
	return prefixes
}

func caseEntries(endpoint EndpointAnswer, names map[uint32]string) []caseEntry {
	entries := []caseEntry{}
	for _, e := range endpoint.Map {
		entry := caseEntry{
			Direction: e.Direction, ID: e.ID, Proto: e.Proto, Port: e.Port, PortLen: e.PortLen,
			Precedence: e.Precedence, Deny: e.Deny, Redirect: e.Proxy != 0, Auth: e.Auth,
			Invalid: e.Invalid,
		}
		if prefix, derived := names[e.ID]; derived {
			entry.ID, entry.Prefix = 0, prefix
		}
		entries = append(entries, entry)
	}
	return entries
}

// proxyFilters picks the filters with rules for a proxy.
func proxyFilters(filters []L4Answer) []caseFilter {
	result := []caseFilter{}
	for _, filter := range filters {
		if filter.HTTP == nil && filter.ServerNames == nil {
			continue
		}
		one := caseFilter{
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

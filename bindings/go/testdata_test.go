// SPDX-License-Identifier: Apache-2.0 OR MIT

//go:build cgo

package netverdict

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/netverdict/netverdict/bindings/go/table"
)

// lines is a text, or a list of lines.
type lines string

func (l *lines) UnmarshalJSON(b []byte) error {
	var list []string
	if json.Unmarshal(b, &list) == nil {
		*l = lines(strings.Join(list, "\n") + "\n")
		return nil
	}
	return json.Unmarshal(b, (*string)(l))
}

func files(t *testing.T, folder string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(filepath.Join("../../testdata", folder), func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".json") {
			found = append(found, path)
		}
		return err
	})
	if err != nil || len(found) < 50 {
		t.Fatalf("testdata/%s: %d files, %v", folder, len(found), err)
	}
	return found
}

func read[T any](t *testing.T, path string) T {
	t.Helper()
	var value T
	if err := json.Unmarshal(must(os.ReadFile(path)), &value); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return value
}

type caseFile struct {
	Scenario map[string]json.RawMessage `json:"scenario"`
	Expect   struct {
		Queries []struct {
			Verdict string `json:"verdict"`
		} `json:"queries"`
	} `json:"expect"`
}

// Every case's table says the same in pure Go as in the C library, and both
// give the verdicts that Cilium's engine gives.
func TestCases(t *testing.T) {
	asked := 0
	for _, path := range files(t, "cases") {
		c := read[caseFile](t, path)
		var policies []lines
		if raw, ok := c.Scenario["policies"]; ok {
			if err := json.Unmarshal(raw, &policies); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			c.Scenario["policies"] = must(json.Marshal(policies))
		}
		scenario := must(json.Marshal(c.Scenario))
		var answer struct {
			Queries []struct {
				Verdict string `json:"verdict"`
			} `json:"queries"`
		}
		if err := json.Unmarshal(must(AnswerScenario(scenario)), &answer); err != nil {
			t.Fatal(err)
		}
		for i, expected := range c.Expect.Queries {
			if answer.Queries[i].Verdict != expected.Verdict {
				t.Errorf("%s: query %d: %s, not %s", path, i, answer.Queries[i].Verdict, expected.Verdict)
			}
		}
		image, err := CompileScenario(scenario)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		asked += compare(t, path, image, scenario)
	}
	t.Logf("%d questions", asked)
}

func compare(t *testing.T, path string, image, scenario []byte) int {
	t.Helper()
	view := must(LoadView(image))
	defer view.Close()
	pure := must(table.Load(image))
	var s struct {
		Identities []struct {
			ID uint32 `json:"id"`
		} `json:"identities"`
	}
	if err := json.Unmarshal(scenario, &s); err != nil {
		t.Fatal(err)
	}
	peers := []uint32{0, 1, 2, 6, 7, 9, 10, 11, 1 << 24, 1<<24 + 1, 1<<24 + 5, 1 << 25, 3 << 24, 1<<32 - 1}
	for _, i := range s.Identities {
		peers = append(peers, i.ID)
		a, ok := pure.SubjectOfIdentity(i.ID)
		if b, known := view.SubjectOfIdentity(i.ID); a != b && ok || ok != known {
			t.Fatalf("%s: identity %d: subject %d, %d", path, i.ID, a, b)
		}
	}
	var questions []Question
	for subject := range pure.Subjects() + 1 {
		for _, peer := range peers {
			for _, protocol := range []uint8{0, 1, 6, 17, 47, 58, 132} {
				for _, port := range []uint16{0, 3, 8, 53, 80, 443, 8080, 65535} {
					n := len(questions)
					questions = append(questions, Question{
						Subject: subject, Identity: peer, Protocol: protocol, Port: port,
						Direction: uint8(n / 5 % 2), ICMPCode: uint8(n % 5), UntrackedFragment: uint8(n % 7 / 6),
					})
				}
			}
		}
	}
	verdicts := make([]Verdict, len(questions))
	if err := view.Verdicts(questions, verdicts); err != nil {
		t.Fatal(err)
	}
	for i := range questions {
		if v := pure.Verdict(&questions[i]); v != verdicts[i] {
			t.Fatalf("%s: %+v: pure Go says %+v, the library %+v", path, questions[i], v, verdicts[i])
		}
	}
	return len(questions)
}

type side struct {
	Verdict, Peer, Match, Key, Parser string
	Code                              int16
	Auth                              uint8
	Rules                             []string
}

type worldFile struct {
	World struct {
		Options
		Objects []lines
	}
	Flows      []Flow
	Maps       []string
	Identities []string
	Expect     struct {
		Flows []struct {
			Verdict         string
			Egress, Ingress *side
		}
		Maps []struct {
			Subject                       string
			Error                         bool
			IngressEnabled, EgressEnabled bool
			Map                           []json.RawMessage
		}
		Identities []struct {
			Of     string
			ID     uint32
			Labels []string
		}
	}
}

// Every world: flows, policy maps and identities.
func TestWorlds(t *testing.T) {
	for _, path := range files(t, "worlds") {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".json"), func(t *testing.T) {
			w := read[worldFile](t, path)
			engine := must(New(&w.World.Options))
			defer engine.Close()
			for i, text := range w.World.Objects {
				must(engine.Apply(strconv.Itoa(i), string(text)))
			}
			must(engine.Commit())
			for i, flow := range w.Flows {
				why, expected := must(engine.Explain(flow)), w.Expect.Flows[i]
				if why.Verdict != expected.Verdict {
					t.Errorf("flow %d: %s, not %s", i, why.Verdict, expected.Verdict)
				}
				compareSide(t, engine, fmt.Sprintf("flow %d, egress", i), why.Egress, expected.Egress)
				compareSide(t, engine, fmt.Sprintf("flow %d, ingress", i), why.Ingress, expected.Ingress)
			}
			for i, expected := range w.Expect.Maps {
				policy, err := engine.Policy(w.Maps[i])
				if expected.Error {
					if err == nil {
						t.Errorf("map of %s: no error", w.Maps[i])
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				if policy.IngressEnforced != expected.IngressEnabled || policy.EgressEnforced != expected.EgressEnabled ||
					len(policy.Entries) != len(expected.Map) {
					t.Errorf("map of %s: %d entries, not %d", w.Maps[i], len(policy.Entries), len(expected.Map))
				}
			}
			for i, expected := range w.Expect.Identities {
				id := must(engine.Identity(w.Identities[i]))
				if expected.ID != 0 && id != expected.ID {
					t.Errorf("%s: identity %d, not %d", expected.Of, id, expected.ID)
				}
				if labels := must(engine.IdentityLabels(id)); fmt.Sprint(labels) != fmt.Sprint(expected.Labels) {
					t.Errorf("%s: %v, not %v", expected.Of, labels, expected.Labels)
				}
			}
		})
	}
}

// number is the identity that a world calls by the name of an entity, a number,
// an endpoint or a prefix.
func number(engine *Engine, name string) uint32 {
	if n, err := strconv.ParseUint(name, 10, 32); err == nil {
		return uint32(n)
	}
	return must(engine.Identity(name))
}

func compareSide(t *testing.T, engine *Engine, what string, found *Side, expected *side) {
	t.Helper()
	if found == nil || expected == nil {
		if found != nil || expected != nil {
			t.Errorf("%s: %v, not %v", what, found, expected)
		}
		return
	}
	var rules []string
	for _, rule := range found.Rules {
		name := rule.Rule
		if strings.Count(name, "/") == 1 {
			name = strings.Replace(name, "/", "//", 1)
		}
		if place := strings.Split(rule.At, ":"); len(place) > 2 {
			name += "@" + place[len(place)-2]
		}
		rules = append(rules, name)
	}
	sort.Strings(rules)
	unique := rules[:0]
	for i, rule := range rules {
		if i == 0 || rule != rules[i-1] {
			unique = append(unique, rule)
		}
	}
	var parser string
	if found.Redirect != nil {
		parser = found.Redirect.Parser
	}
	auth := []string{"", "spire", "test-always-fail"}[expected.Auth]
	if found.Verdict != expected.Verdict || found.MatchType != expected.Match || found.Code != expected.Code ||
		parser != expected.Parser || found.Authentication != auth ||
		strings.Join(unique, " ") != strings.Join(expected.Rules, " ") {
		t.Errorf("%s: %+v %v, not %+v", what, *found, unique, *expected)
	}
	if expected.Peer != "" && (found.Peer == nil || *found.Peer != number(engine, expected.Peer)) {
		t.Errorf("%s: peer %v, not %s", what, found.Peer, expected.Peer)
	}
	if expected.Key != "" {
		parts := strings.Fields(expected.Key)
		l4 := fmt.Sprintf("%d %d/%d", found.Key.Protocol, found.Key.Port, found.Key.PortPrefix)
		if l4 != strings.Join(parts[1:], " ") {
			t.Errorf("%s: key %s, not %s", what, l4, expected.Key)
		}
	}
}

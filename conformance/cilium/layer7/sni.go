package layer7

import (
	"regexp"
	"strings"

	"github.com/cilium/cilium/pkg/envoy"
	envoypolicy "github.com/cilium/cilium/pkg/envoy/policy"
	"github.com/cilium/cilium/pkg/policy"
)

// SNIQuestion asks which TLS server names a rule's serverNames match.
type SNIQuestion struct {
	ID          string    `json:"id,omitempty"`
	ServerNames []string  `json:"serverNames"`
	Q           []SNIName `json:"q"`
	Valid       bool      `json:"valid"`
	// What the agent sends to the proxy.
	Sent []string `json:"sent"`
}

// SNIName is a name that a client sends, and whether it matches.
type SNIName struct {
	SNI   string `json:"sni"`
	Match bool   `json:"match"`
}

// Answer fills in the answers. Names are rewritten by the agent's code; how the proxy reads them
// is worked out here after its cilium/network_policy.cc, which is C++.
func (s *SNIQuestion) Answer() error {
	s.Sent = []string{}
	s.Valid = true
	for i := range s.Q {
		s.Q[i].Match = false
	}
	names := policy.StringSet{}
	for _, name := range s.ServerNames {
		if name == "" {
			s.Valid = false
		}
		names[name] = struct{}{}
	}
	if !s.Valid {
		return nil
	}
	psp := &policy.PerSelectorPolicy{ServerNames: names, L7Parser: policy.ParserTypeTLS}
	rule, _ := envoy.GetPortNetworkPolicyRule(nobody{}, policy.SelectorSnapshot{}, everybody{}, psp,
		0, 0xffffff, false, true, "", envoypolicy.NewEnvoyL7RulesTranslator(quiet, secrets{}), quiet)
	s.Sent = append(s.Sent, rule.ServerNames...)
	var matchers []*regexp.Regexp
	for _, name := range rule.ServerNames {
		matcher, ok := sniMatcher(name)
		if !ok {
			return nil // the proxy refuses the whole policy
		}
		matchers = append(matchers, matcher)
	}
	for i := range s.Q {
		for _, matcher := range matchers {
			// Without a name nothing matches.
			if s.Q[i].SNI != "" && matcher.MatchString(asciiLower(s.Q[i].SNI)) {
				s.Q[i].Match = true
			}
		}
	}
	return nil
}

const (
	label    = `[-a-zA-Z0-9_]+`
	sniLabel = `([*]{1,2}|[*]?` + label + `([*]` + label + `)*[*]?)`
)

var validSNI = regexp.MustCompile(`^(` + sniLabel + `[.])*` + sniLabel + `$`)

func sniMatcher(name string) (*regexp.Regexp, bool) {
	switch {
	case name == "":
		return regexp.MustCompile(`[^\s\S]`), true // taken, matches nothing
	case !validSNI.MatchString(name):
		return nil, false
	case !strings.Contains(name, "*"):
		return regexp.MustCompile("^" + regexp.QuoteMeta(asciiLower(name)) + "$"), true
	case name == "*":
		return regexp.MustCompile(`^[-a-z0-9_]+([.][-a-z0-9_]+)*$`), true
	}
	replaced := strings.NewReplacer(
		"**", `[-a-z0-9_]+([.][-a-z0-9_]+){0,}`,
		"*", `[-a-z0-9_]{0,}`,
		".", `[.]`,
	).Replace(asciiLower(name))
	return regexp.MustCompile("^(?:" + replaced + ")$"), true
}

func asciiLower(text string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, text)
}

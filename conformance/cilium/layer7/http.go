package layer7

import (
	"regexp"
	"slices"
	"strings"

	cilium "github.com/cilium/proxy/go/cilium/api"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcher "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	envoypolicy "github.com/cilium/cilium/pkg/envoy/policy"
	"github.com/cilium/cilium/pkg/policy/api"
)

// HTTPQuestion asks which requests HTTP rules allow.
type HTTPQuestion struct {
	ID         string             `json:"id,omitempty"`
	Rules      []api.PortRuleHTTP `json:"rules"`
	SecretMode string             `json:"secretMode,omitempty"`
	Secrets    map[string]string  `json:"secrets,omitempty"`
	Q          []Request          `json:"q"`
	Valid      bool               `json:"valid"`
}

// Request is a request and what becomes of it.
type Request struct {
	Method  string      `json:"method"`
	Host    string      `json:"host"`
	Path    string      `json:"path"`
	Headers [][2]string `json:"headers,omitempty"`

	Allowed bool `json:"allowed"`
	// The headers as they are sent on, pseudo-headers left out.
	After    [][2]string `json:"after"`
	Missing  [][2]string `json:"missing"`
	Rejected [][2]string `json:"rejected"`
}

// Answer fills in the answers. Rules are translated by the agent's code. How Envoy applies them is
// worked out here after its documentation and cilium/network_policy.cc, which are C++; Go's
// regexp stands in for RE2.
func (h *HTTPQuestion) Answer() error {
	secrets, err := newSecrets(h.SecretMode, h.Secrets)
	if err != nil {
		return err
	}
	h.Valid = true
	for i := range h.Rules {
		rule := h.Rules[i]
		h.Valid = h.Valid && rule.Sanitize() == nil
	}
	for i := range h.Q {
		q := &h.Q[i]
		q.Allowed = false
		q.After, q.Missing, q.Rejected = [][2]string{}, [][2]string{}, [][2]string{}
	}
	if !h.Valid {
		return nil
	}
	translator := envoypolicy.NewEnvoyL7RulesTranslator(quiet, secrets)
	rules, short := translator.GetEnvoyHTTPRules(&api.L7Rules{HTTP: h.Rules}, "")
	if slices.ContainsFunc(rules.GetHttpRules(), refused) {
		return nil // Envoy refuses the whole policy.
	}
	for i := range h.Q {
		h.Q[i].judge(rules.GetHttpRules(), short, secrets)
	}
	return nil
}

func refused(rule *cilium.HttpNetworkPolicyRule) bool {
	return slices.ContainsFunc(rule.Headers, func(header *route.HeaderMatcher) bool {
		_, err := regexp.Compile(header.GetStringMatch().GetSafeRegex().GetRegex())
		return err != nil
	})
}

// judge runs a request through the rules.
func (q *Request) judge(rules []*cilium.HttpNetworkPolicyRule, short bool, secrets secrets) {
	headers := headerMap{{":method", q.Method}, {":authority", q.Host}, {":path", q.Path}}
	for _, header := range q.Headers {
		headers.add(header[0], header[1])
	}
	q.Allowed = len(rules) == 0
	for _, rule := range rules {
		plain := !slices.ContainsFunc(rule.Headers, func(m *route.HeaderMatcher) bool { return !headers.matches(m) })
		if !plain {
			continue
		}
		accepted := true
		for _, match := range rule.HeaderMatches {
			accepted = q.headerMatch(&headers, match, secrets) && accepted
		}
		q.Allowed = q.Allowed || accepted
		if accepted && short {
			break
		}
	}
	for _, header := range headers {
		if !strings.HasPrefix(header[0], ":") {
			q.After = append(q.After, header)
		}
	}
}

func (q *Request) headerMatch(headers *headerMap, match *cilium.HeaderMatch, secrets secrets) bool {
	name, want := lowerName(match.Name), match.Value
	shown := func(value string) [2]string {
		if match.ValueSdsSecret != "" {
			value = "[redacted]"
		}
		return [2]string{name, value}
	}
	if match.ValueSdsSecret != "" {
		value, delivered := secrets.delivered(match.ValueSdsSecret)
		if !delivered {
			return false
		}
		want = value
	}
	value, present := headers.get(name)
	if present && (want == "" || value == want) {
		return true
	}
	switch match.MismatchAction {
	case cilium.HeaderMatch_CONTINUE_ON_MISMATCH:
		q.Missing = append(q.Missing, shown(want))
	case cilium.HeaderMatch_ADD_ON_MISMATCH:
		headers.add(name, want)
		q.Missing = append(q.Missing, shown(want))
	case cilium.HeaderMatch_DELETE_ON_MISMATCH:
		if want != "" && present {
			headers.remove(name)
			q.Rejected = append(q.Rejected, shown(value))
		}
	case cilium.HeaderMatch_REPLACE_ON_MISMATCH:
		if present {
			q.Rejected = append(q.Rejected, shown(value))
		}
		headers.set(name, want)
		q.Missing = append(q.Missing, shown(want))
	default:
		q.Missing = append(q.Missing, shown(want))
		return false
	}
	return true
}

// headerMap is a request's headers in order, names in lower case.
type headerMap [][2]string

// lowerName also reads the older name of :authority.
func lowerName(name string) string {
	if name = asciiLower(name); name == "host" {
		return ":authority"
	}
	return name
}

// add appends a value; of pseudo-headers there is one, with values joined.
func (h *headerMap) add(name, value string) {
	name = lowerName(name)
	if strings.HasPrefix(name, ":") {
		for i := range *h {
			if (*h)[i][0] == name {
				(*h)[i][1] += "," + value
				return
			}
		}
	}
	*h = append(*h, [2]string{name, value})
}

// set replaces the first value of a header, as Envoy does.
func (h *headerMap) set(name, value string) {
	for i := range *h {
		if (*h)[i][0] == name {
			(*h)[i][1] = value
			return
		}
	}
	h.add(name, value)
}

func (h *headerMap) remove(name string) {
	*h = slices.DeleteFunc(*h, func(header [2]string) bool { return header[0] == name })
}

func (h *headerMap) get(name string) (string, bool) {
	var values []string
	for _, header := range *h {
		if header[0] == name {
			values = append(values, header[1])
		}
	}
	return strings.Join(values, ","), len(values) > 0
}

// matches is Envoy's HeaderMatcher: without the header it never matches, inverted or not.
func (h *headerMap) matches(m *route.HeaderMatcher) bool {
	value, present := h.get(lowerName(m.Name))
	if !present {
		return false
	}
	if m.GetPresentMatch() {
		return true
	}
	var matches bool
	switch pattern := m.GetStringMatch().GetMatchPattern().(type) {
	case *matcher.StringMatcher_Exact:
		matches = pattern.Exact == value
	case *matcher.StringMatcher_SafeRegex:
		re := regexp.MustCompile(pattern.SafeRegex.Regex)
		re.Longest()
		at := re.FindStringIndex(value)
		matches = at != nil && at[0] == 0 && at[1] == len(value)
	}
	return matches != m.InvertMatch
}

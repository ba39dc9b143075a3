// Package layer7 answers questions about DNS, HTTP, TLS server names and learned names with
// Cilium's own code: what is behind the redirects of a policy map.
package layer7

import (
	"log/slog"
	"regexp"
	"strings"

	"github.com/cilium/cilium/pkg/fqdn/dns"
	"github.com/cilium/cilium/pkg/fqdn/dnsproxy"
	"github.com/cilium/cilium/pkg/fqdn/matchpattern"
	"github.com/cilium/cilium/pkg/policy"
	"github.com/cilium/cilium/pkg/policy/api"
)

var quiet = slog.New(slog.DiscardHandler)

// DNSQuestion asks which names DNS rules allow, and which they select as toFQDNs.
type DNSQuestion struct {
	ID    string             `json:"id,omitempty"`
	Rules []api.FQDNSelector `json:"rules"`
	Q     []DNSName          `json:"q"`
	Valid bool               `json:"valid"`
}

// DNSName is a name and what becomes of it.
type DNSName struct {
	Name string `json:"name"`
	L7   bool   `json:"l7"`
	Sel  bool   `json:"sel"`
}

// Answer fills in the answers.
func (d *DNSQuestion) Answer() error {
	d.Valid = true
	for i := range d.Q {
		d.Q[i].L7, d.Q[i].Sel = false, false
	}
	rules := make(api.PortRulesDNS, 0, len(d.Rules))
	for _, r := range d.Rules {
		rule := api.PortRuleDNS(r)
		if rule.Sanitize() != nil {
			d.Valid = false
		}
		rules = append(rules, rule)
	}
	if !d.Valid {
		return nil
	}
	pattern := dnsproxy.GeneratePattern(&policy.PerSelectorPolicy{L7Rules: api.L7Rules{DNS: rules}})
	allowed, err := regexp.Compile(pattern)
	if err != nil {
		return err
	}
	var selectors []*regexp.Regexp
	for i := range d.Rules {
		// A selector that does not compile is never registered.
		if selector, err := d.Rules[i].ToRegex(); err == nil {
			selectors = append(selectors, selector)
		}
	}
	for i := range d.Q {
		q := &d.Q[i]
		name := strings.ToLower(dns.FQDN(q.Name))
		q.L7 = pattern == matchpattern.MatchAllAnchoredPattern || allowed.MatchString(name)
		for _, selector := range selectors {
			q.Sel = q.Sel || selector.MatchString(name)
		}
	}
	return nil
}

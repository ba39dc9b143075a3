package oracle

import (
	"cmp"
	"slices"

	"github.com/cilium/cilium/pkg/policy"
)

// l4Filters lists the L4 filters of a resolved policy, one element per selector.
func l4Filters(resolved *policy.L4Policy) []L4Answer {
	answers := []L4Answer{}
	directions := []struct {
		name  string
		rules policy.L4PolicyMaps
	}{{"ingress", resolved.Ingress.PortRules}, {"egress", resolved.Egress.PortRules}}
	for _, direction := range directions {
		var some []L4Answer
		for tier := range direction.rules {
			for filter := range direction.rules[tier].Filters() {
				for selector, use := range filter.PerSelectorPolicies {
					answer := l4Answer(filter, selector, use)
					answer.Direction = direction.name
					answer.Tier = uint8(tier)
					some = append(some, answer)
				}
			}
		}
		slices.SortFunc(some, compareL4)
		answers = append(answers, some...)
	}
	return answers
}

func l4Answer(filter *policy.L4Filter, selector policy.CachedSelector, use *policy.PerSelectorPolicy) L4Answer {
	answer := L4Answer{
		Proto:        string(filter.Protocol),
		Port:         filter.Port,
		EndPort:      filter.EndPort,
		PortName:     filter.PortName,
		Selector:     selector.String(),
		Wildcard:     selector.IsWildcard(),
		Verdict:      use.GetVerdict().String(),
		Priority:     uint32(use.GetPriority()),
		Parser:       string(use.GetL7Parser()),
		Listener:     use.GetListener(),
		ListenerPrio: uint8(use.GetListenerPriority()),
		Rules:        ruleNames(filter.RuleOrigin[selector].GetLabelArrayList()),
	}
	if use == nil {
		return answer
	}
	for name := range use.ServerNames {
		answer.ServerNames = append(answer.ServerNames, name)
	}
	slices.Sort(answer.ServerNames)
	answer.Terminating = use.TerminatingTLS != nil
	answer.Originating = use.OriginatingTLS != nil
	if use.Authentication != nil {
		answer.Auth = string(use.Authentication.Mode)
	}
	if len(use.HTTP) > 0 {
		answer.HTTP = use.HTTP
	}
	if len(use.DNS) > 0 {
		answer.DNS = use.DNS
	}
	return answer
}

func compareL4(a, b L4Answer) int {
	return cmp.Or(
		cmp.Compare(a.Tier, b.Tier),
		cmp.Compare(a.Proto, b.Proto),
		cmp.Compare(a.Port, b.Port),
		cmp.Compare(a.EndPort, b.EndPort),
		cmp.Compare(a.PortName, b.PortName),
		cmp.Compare(a.Selector, b.Selector))
}

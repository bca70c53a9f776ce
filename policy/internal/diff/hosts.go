package diff

// Tested by policy/diff_test.go, policy/testdata/diff.yaml and policy/diff_random_test.go.

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/internal/compiled"
	"github.com/corsproc/corsproc/policy/internal/match"
)

// fresh is a text that stands in no policy file, in place of what a star stands for.
const fresh = "0-corsproc-diff-0"

// freshPort is a port that nobody gives a virtual host, in an authority.
const freshPort = ":47831"

// maxIntersections bounds how many pairs of wildcards (a.*, *.com) are tried on an authority that both match. Domains of
// the first kind hardly occur.
const maxIntersections = 100_000

// maxNameTries bounds how many pairs of a name and a pattern that begins with a star are tried. No index tells such
// patterns apart; beyond it names are not looked at.
const maxNameTries = 20_000_000

// hostPair is a virtual host of the old set and one of the new to which the same requests belong.
type hostPair struct {
	before, after int // in compiled.Set.hosts
	label         string
	only          []string // which requests of the virtual host; empty: all of them
}

// hostKeys are the name and the domains of a virtual host, as policy files write them.
type hostKeys struct {
	name    string
	domains []string
}

// nameKey stands for the requests that belong to a virtual host by nothing but its name.
func (k hostKeys) nameKey() string {
	if len(k.domains) > 0 {
		return "name " + k.name + " on other domains"
	}
	return "name " + k.name
}

// keysOf returns what stands for each virtual host.
func keysOf(s *compiled.Set) []hostKeys {
	all := make([]hostKeys, len(s.Hosts))
	for r := range s.Names.All() {
		all[r.Value].name = string(r.Text)
	}
	for r := range s.Domains.All() {
		domain := string(r.Text)
		switch r.Space {
		case match.DomainSuffix:
			domain = "*" + domain
		case match.DomainPrefix:
			domain += "*"
		}
		id := match.HostKey(r.Value).Host()
		all[id].domains = append(all[id].domains, domain)
	}
	if id := s.Domains.Everything.Host(); id != 0 {
		all[id].domains = append(all[id].domains, "*")
	}
	for i := range all {
		slices.Sort(all[i].domains)
	}
	return all
}

// hostProbe is a request that stands for all that belong to a key of a virtual host.
type hostProbe struct{ name, authority string }

// hostPairs returns the pairs of virtual hosts to which requests belong, the pair of default first, if there is one.
func (d *differ) hostPairs() []hostPair {
	keys := [2][]hostKeys{keysOf(d.before), keysOf(d.after)}
	probes := map[hostProbe]string{{"", fresh}: ""} // with the key that each stands for
	named := d.anyName()
	names := maxNameTries / max(1, leadingStars(keys))
	for _, set := range keys {
		for _, h := range set {
			if names--; names < 0 {
				h.name = ""
			}
			if h.name != "" {
				probes[hostProbe{sample(h.name), fresh}] = h.nameKey()
			}
			for _, domain := range h.domains {
				d.probeDomain(probes, h.name, domain, named)
			}
		}
	}
	if named {
		probes[hostProbe{fresh, fresh}] = ""
	}
	d.probeIntersections(probes)

	found := map[[2]int]map[string]bool{}
	for p, key := range probes {
		pair := [2]int{d.before.HostIndex(p.name, p.authority), d.after.HostIndex(p.name, p.authority)}
		if found[pair] == nil {
			found[pair] = map[string]bool{}
		}
		found[pair][key] = true
	}
	var pairs []hostPair
	for pair, covered := range found {
		pairs = append(pairs, d.hostPair(pair, covered, keys))
	}
	slices.SortFunc(pairs, func(a, b hostPair) int {
		return cmp.Or(cmp.Compare(a.after, b.after), cmp.Compare(a.before, b.before))
	})
	return pairs
}

// leadingStars counts the names that begin with a star.
func leadingStars(keys [2][]hostKeys) (n int) {
	for _, set := range keys {
		for _, h := range set {
			if strings.HasPrefix(h.name, "*") {
				n++
			}
		}
	}
	return n
}

// anyName reports whether one of the sets has a virtual host for every name. Then a request with a name may belong to
// another one than a request without.
func (d *differ) anyName() bool {
	_, before := d.before.Globs.Find(fresh)
	_, after := d.after.Globs.Find(fresh)
	return before || after
}

// probeDomain adds the requests that stand for a domain of a virtual host.
func (d *differ) probeDomain(probes map[hostProbe]string, name, domain string, named bool) {
	authority := sample(domain)
	key := "domain " + domain
	probes[hostProbe{"", authority}] = key
	if named {
		probes[hostProbe{fresh, authority}] = key
	}
	if name != "" {
		probes[hostProbe{sample(name), authority}] = key
	}
	// Before the port is cut off, a wildcard may match the whole of what it stands in.
	if len(d.before.Domains.PrefixLens)+len(d.after.Domains.PrefixLens) > 0 && !strings.Contains(domain, "*") {
		if _, has := match.CutPort(domain); !has {
			probes[hostProbe{"", authority + freshPort}] = key
		}
	}
}

// probeIntersections adds authorities that two wildcards match, a.* and *.com, where the stronger one of them, *.com, is
// in one set only.
func (d *differ) probeIntersections(probes map[hostProbe]string) {
	var suffixes []string
	prefixes := map[string]bool{}
	for _, sets := range [2][2]*compiled.Set{{d.before, d.after}, {d.after, d.before}} {
		for r := range sets[0].Domains.All() {
			text := string(r.Text)
			switch {
			case r.Space == match.DomainPrefix:
				prefixes[text] = true
			case r.Space == match.DomainSuffix && sets[1].Domains.Index.Find(match.DomainSuffix, text) == 0:
				suffixes = append(suffixes, text)
			}
		}
	}
	if len(suffixes)*len(prefixes) > maxIntersections {
		return
	}
	for prefix := range prefixes {
		for _, suffix := range suffixes {
			probes[hostProbe{"", prefix + fresh + suffix}] = "domain " + prefix + "*"
		}
	}
}

// hostPair names a pair after the virtual host of the new set, or that of the old one where the new set has none, and
// says which of its requests it is about, where the others go elsewhere.
func (d *differ) hostPair(pair [2]int, covered map[string]bool, keys [2][]hostKeys) hostPair {
	p := hostPair{before: pair[0], after: pair[1], label: compiled.DefaultLabel}
	var own hostKeys
	switch {
	case p.after != 0:
		p.label, own = d.after.Hosts[p.after].Label, keys[1][p.after]
	case p.before != 0:
		p.label, own = d.before.Hosts[p.before].Label, keys[0][p.before]
	default:
		return p
	}
	all := own.name == "" || covered[own.nameKey()]
	for _, domain := range own.domains {
		all = all && covered["domain "+domain]
	}
	if !all {
		delete(covered, "")
		p.only = slices.Sorted(maps.Keys(covered))
	}
	return p
}

// sample returns a text that a pattern with stars matches.
func sample(pattern string) string { return strings.ReplaceAll(pattern, "*", fresh) }

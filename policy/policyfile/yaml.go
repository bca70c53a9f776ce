package policyfile

// Tested by compile_test.go.

import (
	"bytes"

	"go.yaml.in/yaml/v4"
)

// FileNames returns the names of the files that the content came from, in their order; those of origins are the last.
func (r *Result) FileNames() []string {
	names := make([]string, 0, len(r.files)+len(r.origins))
	for i := range r.files {
		names = append(names, validText(r.files[i].Name))
	}
	for i := range r.origins {
		names = append(names, validText(r.origins[i].Name))
	}
	return names
}

// YAML returns the set in force in the form of one policy file, merged from all files, without comments: reading it
// again gives the same set. Without a set it returns nothing.
func (r *Result) YAML() []byte {
	if r.Set == nil {
		return nil
	}
	merged := &yaml.Node{Kind: yaml.MappingNode}
	sections := map[string]*yaml.Node{}
	for _, f := range r.files {
		root := mustParse(f)
		for i := 0; i < len(root.Content); i += 2 {
			key, value := root.Content[i], root.Content[i+1]
			plain(key)
			plain(value)
			if key.Value == "origin_files" { // it is one file, which can be read without them
				key = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "origin_sets"}
				value = r.originSets(f.Name, value)
			}
			if section := sections[key.Value]; section != nil {
				section.Content = append(section.Content, value.Content...)
				continue
			}
			sections[key.Value] = value
			merged.Content = append(merged.Content, key, value)
		}
	}
	if len(merged.Content) == 0 {
		return []byte("{}\n")
	}
	var b []byte
	for i := 0; i < len(merged.Content); i += 2 {
		b = appendSection(b, merged.Content[i], merged.Content[i+1])
	}
	return b
}

// originSets returns origin sets in the place of the files of origins that a policy file names.
func (r *Result) originSets(policyFile string, named *yaml.Node) *yaml.Node {
	sets := &yaml.Node{Kind: yaml.MappingNode}
	for i := 0; i+1 < len(named.Content); i += 2 {
		list := &yaml.Node{Kind: yaml.SequenceNode}
		name, _ := OriginName(policyFile, named.Content[i+1].Value)
		for j := range r.origins {
			if r.origins[j].Name != name {
				continue
			}
			lines, _ := parseOrigins(r.origins[j].File)
			for _, line := range lines {
				if line != "" {
					list.Content = append(list.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: line})
				}
			}
		}
		sets.Content = append(sets.Content, named.Content[i], list)
	}
	return sets
}

// appendSection writes a key of a file with its value. It does so some entries at a time, because the time that the
// library takes grows with the square of their number.
func appendSection(b []byte, key, value *yaml.Node) []byte {
	const entries = 200 // an even number, as an entry of a mapping is two nodes
	for rest, first := value.Content, true; first || len(rest) > 0; first = false {
		part := *value
		part.Content = rest[:min(entries, len(rest))]
		rest = rest[len(part.Content):]
		text := dump(&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{key, &part}})
		if !first {
			_, text, _ = bytes.Cut(text, []byte("\n")) // the key stands above the first entries
		}
		b = append(b, text...)
	}
	return b
}

func dump(n *yaml.Node) []byte {
	var b bytes.Buffer
	dumper, err := yaml.NewDumper(&b, yaml.WithLineWidth(-1))
	if err == nil {
		err = dumper.Dump(n)
	}
	if err == nil {
		err = dumper.Close()
	}
	if err != nil {
		panic("a policy set cannot be written as YAML: " + err.Error()) // the nodes come from YAML
	}
	return b.Bytes()
}

// plain takes away what says nothing: comments, and the author's choice of quotes, brackets and blocks. Text that would
// be read as something else keeps quotes, because its tag says that it is text.
func plain(n *yaml.Node) {
	n.Style, n.HeadComment, n.LineComment, n.FootComment = 0, "", "", ""
	for _, c := range n.Content {
		plain(c)
	}
}

// mustParse parses a file of a good set.
func mustParse(f File) *yaml.Node {
	root, problems := parse(f)
	if problems != nil {
		panic("a file of a good set cannot be parsed: " + problems[0].message)
	}
	return root
}

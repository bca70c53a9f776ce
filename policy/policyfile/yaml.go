package policyfile

import (
	"bytes"

	"go.yaml.in/yaml/v4"
)

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
			if section := sections[key.Value]; section != nil {
				section.Content = append(section.Content, value.Content...)
				continue
			}
			sections[key.Value] = value
			merged.Content = append(merged.Content, key, value)
		}
	}
	var b bytes.Buffer
	dumper, err := yaml.NewDumper(&b, yaml.WithLineWidth(-1))
	if err == nil {
		err = dumper.Dump(merged)
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
	root, problem := parse(f)
	if problem != nil {
		panic("a file of a good set cannot be parsed: " + problem.message)
	}
	return root
}

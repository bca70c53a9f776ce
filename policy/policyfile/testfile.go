package policyfile

import "go.yaml.in/yaml/v4"

// isTestFile reports whether a document is a policy test file, which has strayed to where policy files are read: it has
// tests, and names its policies.
func isTestFile(root *yaml.Node) bool {
	if root.Kind != yaml.MappingNode {
		return false
	}
	tests, named := false, false
	for i := 0; i+1 < len(root.Content); i += 2 {
		switch key, value := root.Content[i], root.Content[i+1]; key.Value {
		case "tests":
			tests = true
		case "policies":
			named = value.Kind == yaml.ScalarNode
		}
	}
	return tests && named
}

func testFileProblem() problem {
	return problem{code: CodeTestFile, pos: wholeFile, message: "this is a policy test file, not a policy file: " +
		"corsproc test runs it; keep it outside the directory of the policies, where every *.yaml, *.yml and *.json is read as a policy file"}
}

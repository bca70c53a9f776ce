package policyfile

// Tested by golden_test.go.

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

// strayFile returns what is said of a document that is no policy file but another that is known; nil: it is none.
func strayFile(root *yaml.Node) *problem {
	if isTestFile(root) {
		p := testFileProblem()
		return &p
	}
	if kind := manifestKind(root); kind != "" {
		message := "this is a Kubernetes manifest of the kind " + quote(kind) + ", not a policy file"
		if kind == "ConfigMap" {
			message = "this is a Kubernetes ConfigMap, not a policy file: write what stands under a key of its data into a file of its own, " +
				"make the ConfigMap of that, and mount it as the directory of the policies"
		} else if from := importKinds[kind]; from != "" {
			message += ": corsproc import " + from + " makes one of its CORS settings"
		}
		return &problem{code: CodeKubernetesManifest, pos: wholeFile, message: message}
	}
	return nil
}

// importKinds says as what corsproc import takes kinds of manifests.
var importKinds = map[string]string{
	"HTTPRoute": "gateway-api", "VirtualService": "istio", "SecurityPolicy": "envoy-gateway", "Ingress": "ingress-nginx",
}

// manifestKind returns the kind of a Kubernetes manifest; empty: it is none.
func manifestKind(root *yaml.Node) (kind string) {
	if root.Kind != yaml.MappingNode {
		return ""
	}
	version := false
	for i := 0; i+1 < len(root.Content); i += 2 {
		switch key, value := root.Content[i], root.Content[i+1]; key.Value {
		case "apiVersion":
			version = value.Kind == yaml.ScalarNode
		case "kind":
			kind = value.Value
		}
	}
	if !version {
		return ""
	}
	return kind
}

func testFileProblem() problem {
	return problem{code: CodeTestFile, pos: wholeFile, message: "this is a policy test file, not a policy file: " +
		"corsproc test runs it; keep it outside the directory of the policies, where every *.yaml, *.yml and *.json is read as a policy file"}
}

package mesh

// Tested by envoy/e2e/importgateways_test.go.

// EachMap calls visit for every map inside a value that was read from YAML or JSON, an outer one before what is in it.
func EachMap(value any, visit func(map[string]any)) {
	switch v := value.(type) {
	case map[string]any:
		visit(v)
		for _, inner := range v {
			EachMap(inner, visit)
		}
	case []any:
		for _, inner := range v {
			EachMap(inner, visit)
		}
	}
}

package convert

// readEnvoy reads configurations of Envoy.
func readEnvoy(*builder, []Source) error { return nil }

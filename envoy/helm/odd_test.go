package helm

import (
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
)

// TestOddValues: what is unusual but makes sense is rendered, and an API server takes it.
func TestOddValues(t *testing.T) {
	c := load(t, chartDir)
	for name, values := range map[string]string{
		"one replica":                 "{replicaCount: 1, podDisruptionBudget: {maxUnavailable: 0}}",
		"no replica":                  "{replicaCount: 0}",
		"a budget in percent":         "{podDisruptionBudget: {maxUnavailable: 25%}}",
		"scaling by streams alone":    "{autoscaling: {enabled: true, targetCPUUtilizationPercentage: 0, streamRate: {enabled: true, averageValue: 500m}}}",
		"scaling without behavior":    "{autoscaling: {enabled: true, behavior: null}}",
		"TLS of a Secret, mutual":     "{tls: {source: secret, secretName: a, client: {enabled: true, names: [a.example, 'spiffe://a/b']}}}",
		"a CA beside cert-manager's":  "{tls: {source: certManager, certManager: {issuerRef: {name: a}, dnsNames: [a.example]}, client: {enabled: true, caSecretName: b, caKey: bundle.pem}}}",
		"all sources of policies":     "{policies: {files: {a.yaml: '{}'}, existingConfigMaps: [b], existingSecrets: [c]}}",
		"a JSON file":                 "{policies: {files: {a.json: '{\"default\": {}}'}}}",
		"no drain":                    "{drain: {preStopSeconds: 0, delaySeconds: 0, timeoutSeconds: 0}}",
		"no limits":                   "{resources: {limits: null, requests: null}}",
		"no spreading":                "{topologySpread: []}",
		"no security context":         "{podSecurityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}}",
		"default service account":     "{serviceAccount: {create: false}}",
		"a network policy for all":    "{networkPolicy: {enabled: true}}",
		"monitoring alone":            "{serviceMonitor: {enabled: true}}",
		"the rules alone":             "{prometheusRule: {enabled: true}}",
		"the dashboard alone":         "{dashboard: {enabled: true}}",
		"a long name":                 "{fullnameOverride: a2345678901234567890123456789012345678901234567890ab, serviceMonitor: {enabled: true}, dashboard: {enabled: true}, tls: {source: certManager, certManager: {issuerRef: {name: a}}}}",
		"labels of everybody":         "{commonLabels: {team: edge, app.kubernetes.io/name: other}, podLabels: {app.kubernetes.io/instance: other}}",
		"a headless service, by zone": "{service: {headless: true, trafficDistribution: PreferSameZone, appProtocol: HTTP2, annotations: {a: b}}}",
		"other ports":                 "{service: {port: 19002}, admin: {port: 19003}}",
		"a tag that is long":          "{image: {tag: a2345678901234567890123456789012345678901234567890123456789012-456789}}",
		"a sidecar with its own name": "{mode: sidecar, policies: {files: {a.yaml: '{}'}}}",
		"a sidecar without policies":  "{mode: sidecar}",
	} {
		t.Run(name, func(t *testing.T) {
			parsed, err := common.ReadValues([]byte(values))
			if err != nil {
				t.Fatal(err)
			}
			manifests, _, err := render(c, parsed)
			if err != nil {
				t.Fatal(err)
			}
			check(t, manifests)
		})
	}
}

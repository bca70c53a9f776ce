package main

// Tested by tls_test.go.

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/corsproc/corsproc/internal/disk"
)

// healthTLS says how an address with TLS is asked.
type healthTLS struct {
	on         bool
	ca         string
	cert, key  string
	serverName string
	insecure   bool
}

func (h *healthTLS) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.BoolVar(&h.on, "tls", false, "use TLS, and trust whom the system trusts; the other --tls flags imply it")
	flags.StringVar(&h.ca, "tls-ca", "", "`FILE` of the certificates that are trusted instead, in PEM form")
	flags.StringVar(&h.cert, "tls-cert", "", "`FILE` of the certificate to show, for mutual TLS")
	flags.StringVar(&h.key, "tls-key", "", "`FILE` of its private key")
	flags.StringVar(&h.serverName, "tls-server-name", "", "`NAME` in the service's certificate (default: the host of ADDR)")
	flags.BoolVar(&h.insecure, "tls-insecure", false, "trust whatever certificate the service has, as within one pod or machine")
	cmd.MarkFlagsRequiredTogether("tls-cert", "tls-key")
	cmd.MarkFlagsMutuallyExclusive("tls-insecure", "tls-ca")
	cmd.MarkFlagsMutuallyExclusive("tls-insecure", "tls-server-name")
}

// wanted reports whether any of the flags is given.
func (h *healthTLS) wanted() bool {
	return h.on || h.insecure || h.ca != "" || h.cert != "" || h.serverName != ""
}

// hint says what is likely where one side speaks TLS and the other does not: that end of a connection says nothing itself.
func (h *healthTLS) hint(err error) string {
	switch text := err.Error(); {
	case !h.wanted() && strings.Contains(text, "server preface"):
		return "; an address with TLS is asked with --tls, --tls-ca or --tls-insecure"
	case h.wanted() && (strings.Contains(text, "handshake failed: EOF") || strings.Contains(text, "does not look like a TLS handshake")):
		return "; an address without TLS is asked without the --tls flags"
	}
	return ""
}

// credentials returns how to connect. An error carries the exit status: files that cannot be used are no health.
func (h *healthTLS) credentials() (credentials.TransportCredentials, error) {
	if !h.wanted() {
		return insecure.NewCredentials(), nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: h.serverName, InsecureSkipVerify: h.insecure}
	if h.ca != "" {
		data, err := readPEM(h.ca)
		if err != nil {
			return nil, failed(fmt.Errorf("--tls-ca: %w", err))
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(data) {
			return nil, failed(fmt.Errorf("--tls-ca: %q holds no certificate in PEM form", h.ca))
		}
	}
	if h.cert != "" {
		cert, certErr := readPEM(h.cert)
		key, keyErr := readPEM(h.key)
		pair, err := tls.X509KeyPair(cert, key)
		if err := cmp.Or(certErr, keyErr, err); err != nil {
			return nil, failed(fmt.Errorf("--tls-cert, --tls-key: %w", err))
		}
		// The service may name authorities of which this pair is none; what it then thinks of it, it will say.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	return credentials.NewTLS(config), nil
}

// readPEM reads a file of certificates or of a key, of which a probe must not wait for ever.
func readPEM(name string) ([]byte, error) {
	const most = 1 << 20
	data, err := disk.ReadFile(new(disk.Task), name, most)
	switch {
	case errors.Is(err, disk.ErrNotRegular):
		return nil, fmt.Errorf("%q is no regular file", name)
	case err == nil && len(data) > most:
		return nil, fmt.Errorf("%q is larger than %d bytes", name, most)
	}
	return data, err
}

package main

// Tested by verifyask_test.go and verifyusage_test.go.

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/spf13/pflag"
)

// verifyTLS says whom verify trusts, and as whom it comes.
type verifyTLS struct {
	ca, cert, key string
	insecure      bool
}

func (v *verifyTLS) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&v.ca, "ca", "", "`FILE` of the certificates that are trusted, in PEM form (default: whom the system trusts)")
	flags.StringVar(&v.cert, "cert", "", "`FILE` of the certificate to show, for mutual TLS")
	flags.StringVar(&v.key, "key", "", "`FILE` of its private key")
	flags.BoolVar(&v.insecure, "insecure", false, "trust whatever certificate the gateway has")
}

func (v *verifyTLS) check() error {
	switch {
	case (v.cert == "") != (v.key == ""):
		return errors.New("--cert and --key go together")
	case v.insecure && v.ca != "":
		return errors.New("--insecure trusts everybody, so --ca does not go with it")
	}
	return nil
}

// config reads the files.
func (v *verifyTLS) config() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: v.insecure}
	if v.ca != "" {
		data, err := readPEM(v.ca)
		if err != nil {
			return nil, fmt.Errorf("--ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(data) {
			return nil, fmt.Errorf("--ca: %q holds no certificate in PEM form", v.ca)
		}
	}
	if v.cert != "" {
		cert, certErr := readPEM(v.cert)
		key, keyErr := readPEM(v.key)
		if err := errors.Join(certErr, keyErr); err != nil {
			return nil, fmt.Errorf("--cert, --key: %w", err)
		}
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("--cert, --key: %w", err)
		}
		// The gateway may name authorities of which this pair is none; what it then thinks of it, it will say.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	return config, nil
}

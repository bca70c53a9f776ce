package certs

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/corsproc/corsproc/internal/disk"
)

// Files are the files that TLS needs, as the settings name them.
type Files struct {
	// Cert and Key are a certificate, with those that it was signed with, and its private key: both or none.
	Cert, Key string
	// ClientCA holds the certificates that those of clients are signed with. Empty: clients need no certificate.
	ClientCA string
	// ClientNames are those of which a client's certificate carries one, as [CheckClientName] takes them. Empty: any will do.
	ClientNames []string
}

// Wanted reports whether TLS is asked for, if only by half a pair.
func (f *Files) Wanted() bool { return f.Cert != "" || f.Key != "" }

// Validate reports which settings are there without those that they need, and names that are none.
func (f *Files) Validate() (errs []error) {
	switch {
	case f.Cert != "" && f.Key == "":
		errs = append(errs, fmt.Errorf("tls-cert: %q is half a pair; set --tls-key to the file of its private key too", f.Cert))
	case f.Cert == "" && f.Key != "":
		errs = append(errs, fmt.Errorf("tls-key: %q is half a pair; set --tls-cert to the file of its certificate too", f.Key))
	}
	if f.ClientCA != "" && !f.Wanted() {
		errs = append(errs, fmt.Errorf("tls-client-ca: %q is for TLS alone; set --tls-cert and --tls-key too", f.ClientCA))
	}
	if len(f.ClientNames) > 0 && f.ClientCA == "" {
		errs = append(errs, fmt.Errorf("tls-client-names: %q are names in certificates, for which clients are asked only with a CA; set --tls-client-ca too",
			strings.Join(f.ClientNames, ",")))
	}
	for _, name := range f.ClientNames {
		if err := CheckClientName(name); err != nil {
			errs = append(errs, fmt.Errorf("tls-client-names: %w", err))
		}
	}
	return errs
}

// content is what the files held, or why they could not be read.
type content struct {
	cert, key, clientCA []byte
	err                 error
	sum                 [sha256.Size]byte // tells contents, and errors, apart
}

// reads are the reading of each of the files, again and again.
type reads [3]disk.Task

// read reads the files. Nothing of them is looked at yet.
func (f *Files) read(again *reads) content {
	var c content
	var errs []error
	hash := sha256.New()
	for i, file := range []struct {
		setting, path string
		into          *[]byte
	}{{"tls-cert", f.Cert, &c.cert}, {"tls-key", f.Key, &c.key}, {"tls-client-ca", f.ClientCA, &c.clientCA}} {
		if file.path == "" {
			continue
		}
		data, err := readPEMFile(&again[i], file.path)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", file.setting, err))
			data = []byte(err.Error())
		}
		_ = binary.Write(hash, binary.BigEndian, int64(len(data)))
		_, _ = hash.Write(data)
		*file.into = data
	}
	c.err = errors.Join(errs...)
	hash.Sum(c.sum[:0])
	return c
}

// maxPEMBytes bounds a file of certificates. The bundle of everything that browsers trust has a fifth of it.
const maxPEMBytes = 1 << 20

// readPEMFile reads a file that can be read again when it changes.
func readPEMFile(task *disk.Task, path string) ([]byte, error) {
	data, err := disk.ReadFile(task, path, maxPEMBytes)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%q does not exist; name a file in PEM form", path)
	case errors.Is(err, disk.ErrNotRegular):
		return nil, fmt.Errorf("%q is no regular file; name a file in PEM form", path)
	case err != nil:
		return nil, err
	case len(data) > maxPEMBytes:
		return nil, fmt.Errorf("%q is larger than %d bytes; name a file of certificates alone", path, maxPEMBytes)
	}
	return data, nil
}

// state is what connections that begin are served with. It is immutable, and replaced as a whole.
type state struct {
	config *tls.Config
	// leaf is the certificate that clients see.
	leaf *x509.Certificate
	// expires is when the first of the sent certificates ends. clientCAsExpire is when the last of the client CAs ends, since
	// a bundle may hold an old one beside its successor; zero: there are none.
	expires, clientCAsExpire time.Time
}

// parse returns what connections are served with. Its error says everything that is wrong with the content.
func (f *Files) parse(c content) (*state, error) {
	if c.err != nil {
		return nil, c.err
	}
	s := new(state)
	chain, err := readCertificates(c.cert)
	var errs []error
	if err != nil {
		errs = append(errs, fmt.Errorf("tls-cert: %q: %w", f.Cert, err))
	}
	pair, err := tls.X509KeyPair(c.cert, c.key)
	if err != nil && len(errs) == 0 { // otherwise it is said
		errs = append(errs, f.pairError(c, err))
	}
	var clientCAs []*x509.Certificate
	if f.ClientCA != "" {
		if clientCAs, err = readCertificates(c.clientCA); err != nil {
			errs = append(errs, fmt.Errorf("tls-client-ca: %q: %w", f.ClientCA, err))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	s.leaf = pair.Leaf
	for i, cert := range chain {
		if i == 0 || cert.NotAfter.Before(s.expires) {
			s.expires = cert.NotAfter
		}
	}
	s.config = f.config(pair)
	if f.ClientCA != "" {
		s.config.ClientAuth, s.config.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		for _, ca := range clientCAs {
			s.config.ClientCAs.AddCert(ca)
			if ca.NotAfter.After(s.clientCAsExpire) {
				s.clientCAsExpire = ca.NotAfter
			}
		}
	}
	return s, nil
}

// pairError returns an error that names the file that is to blame for a pair that cannot be used.
func (f *Files) pairError(c content, err error) error {
	why := strings.TrimPrefix(err.Error(), "tls: ")
	switch block, _ := pem.Decode(c.key); {
	case block == nil:
		return fmt.Errorf("tls-key: %q holds nothing in PEM form; name the file of the private key", f.Key)
	case strings.Contains(block.Type, "ENCRYPTED") || block.Headers["DEK-Info"] != "":
		return fmt.Errorf("tls-key: %q is encrypted; name a private key without a passphrase", f.Key)
	case strings.Contains(why, "does not match"):
		return fmt.Errorf("tls-cert, tls-key: %q and %q are no pair; name the private key that the certificate was made for", f.Cert, f.Key)
	}
	return fmt.Errorf("tls-key: %q: %s; name the file of an RSA, ECDSA or Ed25519 private key", f.Key, why)
}

// config returns how TLS is spoken with the pair.
func (f *Files) config(pair tls.Certificate) *tls.Config {
	c := &tls.Config{
		Certificates: []tls.Certificate{pair},
		MinVersion:   tls.VersionTLS12,
		// Of TLS 1.2, those that HTTP/2 does not forbid (RFC 9113, appendix A). Those of TLS 1.3 cannot be chosen.
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		// A client that names protocols has to name this one. One that names none is let in: Envoy does so unless it is
		// told otherwise, and what it then says is HTTP/2 or the end.
		NextProtos: []string{"h2"},
		// A resumed session would let a client in whose CA was taken away in the meantime. Connections are few and live
		// long: there is nothing to be won.
		SessionTicketsDisabled: true,
	}
	if len(f.ClientNames) > 0 {
		c.VerifyConnection = verifyNames(f.ClientNames)
	}
	return c
}

// readCertificates reads a file of certificates. Unlike the standard library, it passes over nothing: what begins as a
// certificate and cannot be read is an error.
func readCertificates(data []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	blocks, begun := 0, bytes.Count(data, []byte("-----BEGIN "))
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		blocks++
		if block.Type != "CERTIFICATE" {
			continue // a file may hold its private key too
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d cannot be read: %w", len(certs)+1, err)
		}
		certs = append(certs, cert)
	}
	switch {
	case blocks != begun:
		return nil, errors.New("what begins as PEM does not end as such; is the file whole?")
	case len(certs) == 0:
		return nil, errors.New("holds no certificate in PEM form")
	}
	return certs, nil
}

// Package tlstest makes certificate authorities and certificates for tests. It knows nothing of who uses them.
package tlstest

// Tested by server/certs/names_test.go and server/tls_test.go.

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// CA is an authority that signs certificates.
type CA struct {
	// PEM is its own certificate.
	PEM []byte

	t     testing.TB
	cert  *x509.Certificate
	key   *ecdsa.PrivateKey
	above []byte // what is sent with the certificates that it signs: itself and those above it, but for the root
}

// NewCA makes an authority that nobody has signed but itself, valid for a day.
func NewCA(t testing.TB, name string) *CA { return newCA(t, name, nil) }

// Intermediate makes an authority that this one has signed.
func (ca *CA) Intermediate(name string) *CA {
	sub := newCA(ca.t, name, ca)
	sub.above = append(append([]byte(nil), sub.PEM...), ca.above...)
	return sub
}

func newCA(t testing.TB, name string, parent *CA) *CA {
	t.Helper()
	key := newKey(t)
	template := newTemplate(name)
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	signer, signerKey := template, key
	if parent != nil {
		signer, signerKey = parent.cert, parent.key
	}
	der := sign(t, template, signer, key, signerKey)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &CA{PEM: encode("CERTIFICATE", der), t: t, cert: cert, key: key}
}

// Pool returns what trusts the authority alone.
func (ca *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	return pool
}

// Leaf says what stands in a certificate. Names with a colon are URIs or IP addresses, others DNS names.
type Leaf struct {
	Names []string
	// Ends is when it ends, from now; 0: in an hour. Negative: it has.
	Ends time.Duration
	// Usage is what it is for; none: servers and clients.
	Usage []x509.ExtKeyUsage
}

// Pair is a certificate, with those above it but the root, and its key, in PEM form.
type Pair struct{ Cert, Key []byte }

// Issue makes a certificate.
func (ca *CA) Issue(leaf Leaf) Pair {
	ca.t.Helper()
	template := newTemplate("leaf")
	if leaf.Ends != 0 {
		template.NotAfter = time.Now().Add(leaf.Ends)
	} else {
		template.NotAfter = time.Now().Add(time.Hour)
	}
	template.ExtKeyUsage = leaf.Usage
	if leaf.Usage == nil {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	}
	for _, name := range leaf.Names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else if strings.Contains(name, ":") {
			uri, err := url.Parse(name)
			if err != nil {
				ca.t.Fatal(err)
			}
			template.URIs = append(template.URIs, uri)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	key := newKey(ca.t)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		ca.t.Fatal(err)
	}
	cert := encode("CERTIFICATE", sign(ca.t, template, ca.cert, key, ca.key))
	return Pair{Cert: append(cert, ca.above...), Key: encode("PRIVATE KEY", pkcs8)}
}

// TLS returns the pair as the standard library takes it.
func (p Pair) TLS(t testing.TB) tls.Certificate {
	t.Helper()
	cert, err := tls.X509KeyPair(p.Cert, p.Key)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// Write writes the pair to name.crt and name.key in a directory and returns their paths.
func (p Pair) Write(t testing.TB, dir, name string) (cert, key string) {
	t.Helper()
	return WriteFile(t, dir, name+".crt", p.Cert), WriteFile(t, dir, name+".key", p.Key)
}

// WriteFile writes a file into a directory and returns its path.
func WriteFile(t testing.TB, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newTemplate(name string) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		panic(err) // the system has no random numbers
	}
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
}

func sign(t testing.TB, cert, signer *x509.Certificate, key, signerKey *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, cert, signer, key.Public(), signerKey)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func encode(label string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})
}

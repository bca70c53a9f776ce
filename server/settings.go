package server

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"github.com/corsproc/corsproc/server/certs"
	"github.com/corsproc/corsproc/server/logs"
	"github.com/corsproc/corsproc/server/tracing"
)

// Settings are what a process is told once, at its start. Where they come from (flags, environment, a file) is not this
// package's business.
type Settings struct {
	// Policies is the policy file or directory.
	Policies string

	// Listen holds the addresses for ext_proc, gRPC health and reflection: host:port or unix:///path. Empty: no Envoy asks, and
	// there is the admin address alone, for what stands beside the module in Envoy. What is about Listen then means nothing.
	Listen []string
	// AdminListen is the address of metrics, status page and reload; empty: there is none. One of both is not empty.
	AdminListen string
	// SocketMode is the permissions of unix sockets.
	SocketMode fs.FileMode
	// TLSCert and TLSKey are files in PEM form, both or none. With them, Listen speaks TLS, except on unix sockets. In
	// TLSCert our certificate comes first, then those that it was signed with.
	TLSCert, TLSKey string
	// TLSClientCA is a file of the certificates that those of clients are signed with. Without one, clients need none.
	TLSClientCA string
	// TLSClientNames are SPIFFE URIs and DNS names. A client's certificate has to carry one of them. Empty: any will do.
	TLSClientNames []string
	// Plaintext allows addresses in Listen that other machines can reach, without TLS.
	Plaintext bool

	// Reflection serves gRPC reflection on Listen.
	Reflection bool
	// Transport is what serves the streams of Listen.
	Transport Transport
	// MaxConnections bounds the connections on all of Listen together. More are closed at once. As many again may be in their
	// TLS handshake or before HTTP/2's preface. At least 1.
	MaxConnections int
	// MaxConcurrentStreams bounds the streams of one connection; 0: no limit.
	MaxConcurrentStreams uint32
	// MaxMessageBytes is the size of the largest message that is read. At least 1.
	MaxMessageBytes int

	// AdminHosts are names that the admin address answers to beside IP addresses and localhost.
	AdminHosts []string
	// Pprof serves /debug/pprof/ on the admin address.
	Pprof bool

	// ReloadInterval is how often the policy files are looked at even when the system reports no change; 0: never.
	ReloadInterval time.Duration
	// DrainDelay is how long new streams are still served after SIGTERM, while health already says NOT_SERVING.
	DrainDelay time.Duration
	// DrainTimeout is how long open streams may then finish.
	DrainTimeout time.Duration

	// OTLPEndpoint is the address of an OpenTelemetry collector for traces: host:port or a URL. Empty: the standard OTEL_
	// variables of the environment decide, and without them there are no traces.
	OTLPEndpoint string

	// LogLevel is the least level that is logged.
	LogLevel slog.Level
	// LogFormat is how records are written.
	LogFormat logs.Format
}

// Transport is what serves the streams of ext_proc.
type Transport string

// The transports. They answer alike; SECURITY.md lists the differences.
const (
	// TransportLoop is our own (server/loop), which costs less than half.
	TransportLoop Transport = "loop"
	// TransportGRPC is grpc-go, for who will not run a transport of ours.
	TransportGRPC Transport = "grpc"
)

// ParseTransport returns the transport of that name.
func ParseTransport(name string) (Transport, error) {
	switch t := Transport(name); t {
	case TransportLoop, TransportGRPC:
		return t, nil
	}
	return "", fmt.Errorf("%q is none of loop and grpc", name)
}

// tls returns the part of the settings that is about TLS.
func (s *Settings) tls() *certs.Files {
	return &certs.Files{Cert: s.TLSCert, Key: s.TLSKey, ClientCA: s.TLSClientCA, ClientNames: s.TLSClientNames}
}

// Validate reports everything that is wrong with the addresses and names in the settings, joined, one sentence each.
// What only the system knows, such as a port in use, shows in [Run].
func (s *Settings) Validate() error {
	var errs []error
	if len(s.Listen) == 0 && s.AdminListen == "" {
		errs = append(errs, errors.New("listen: no address is given, and admin-listen is empty too, so that nobody could ask this process anything; set one of them"))
	}
	for _, text := range s.Listen {
		a, err := parseAddress(text)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("listen: %w", err))
		case !s.Plaintext && !s.tls().Wanted() && !a.local():
			errs = append(errs, fmt.Errorf("listen: %q can be reached by other machines, and without encryption anyone there could "+
				"read and answer for Envoy; set --tls-cert and --tls-key, use a loopback address or a unix socket, or set --plaintext to allow it", text))
		}
	}
	errs = append(errs, s.tls().Validate()...)
	if s.AdminListen != "" {
		if _, err := parseAddress(s.AdminListen); err != nil {
			errs = append(errs, fmt.Errorf("admin-listen: %w", err))
		}
	}
	for _, name := range s.AdminHosts {
		if err := CheckHostName(name); err != nil {
			errs = append(errs, fmt.Errorf("admin-hosts: %w", err))
		}
	}
	if s.OTLPEndpoint != "" {
		if err := CheckOTLPEndpoint(s.OTLPEndpoint); err != nil {
			errs = append(errs, fmt.Errorf("otlp-endpoint: %w", err))
		}
	}
	return errors.Join(errs...)
}

// CheckOTLPEndpoint reports what keeps a text from being the address of a collector.
func CheckOTLPEndpoint(text string) error {
	_, err := tracing.ParseEndpoint(text)
	return err
}

// CheckHostName reports what keeps a name from being one that the admin address can answer to.
func CheckHostName(name string) error {
	if name == "" || strings.ContainsAny(name, ":/*@[] ") {
		return fmt.Errorf("%q is no host name; write names without scheme, port and path", name)
	}
	return nil
}

// maxSocketPath is the length in bytes of the longest path of a unix socket. The system adds a NUL.
const maxSocketPath = len(syscall.RawSockaddrUnix{}.Path) - 1

// address is a parsed --listen or --admin-listen.
type address struct {
	network string // tcp or unix
	addr    string // host:port or path
}

const unixScheme = "unix://"

// parseAddress reads host:port or unix:///path.
func parseAddress(text string) (address, error) {
	if path, ok := strings.CutPrefix(text, unixScheme); ok {
		if !strings.HasPrefix(path, "/") || strings.HasSuffix(path, "/") {
			return address{}, fmt.Errorf("%q has no absolute path of a socket; write unix:///path", text)
		}
		if len(path) > maxSocketPath {
			return address{}, fmt.Errorf("%q is longer than the %d bytes that the path of a socket may have", path, maxSocketPath)
		}
		return address{network: "unix", addr: path}, nil
	}
	if path, ok := strings.CutPrefix(text, "unix:"); ok { // as gRPC writes it
		if !strings.HasPrefix(path, "/") {
			path = "/path"
		}
		return address{}, fmt.Errorf("%q is no address; write %s%s", text, unixScheme, path)
	}
	if _, port, err := net.SplitHostPort(text); err != nil || port == "" {
		return address{}, fmt.Errorf("%q is no address; write host:port or unix:///path", text)
	}
	return address{network: "tcp", addr: text}, nil
}

// local reports whether only this machine can reach the address: a unix socket, or a loopback address.
func (a address) local() bool {
	if a.network == "unix" {
		return true
	}
	host, _, _ := net.SplitHostPort(a.addr)
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// listenAll listens on every address. If any fails, it closes the others again and returns all errors, joined.
func listenAll(ctx context.Context, addresses []string, mode fs.FileMode) ([]net.Listener, error) {
	var listeners []net.Listener
	var errs []error
	for _, text := range addresses {
		l, err := listen(ctx, text, mode)
		if err != nil {
			errs = append(errs, fmt.Errorf("cannot listen on %s: %w", text, err))
			continue
		}
		listeners = append(listeners, l)
	}
	if len(errs) > 0 {
		closeAll(listeners)
		return nil, errors.Join(errs...)
	}
	return listeners, nil
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		l.Close()
	}
}

// listen opens one address. A unix socket gets mode, and is removed when the listener closes.
func listen(ctx context.Context, text string, mode fs.FileMode) (net.Listener, error) {
	a, err := parseAddress(text)
	if err != nil {
		return nil, err
	}
	if a.network == "unix" {
		if err := removeStale(ctx, a.addr); err != nil {
			return nil, err
		}
	}
	l, err := new(net.ListenConfig).Listen(ctx, a.network, a.addr)
	if err != nil {
		return nil, err
	}
	if a.network == "unix" {
		if err := os.Chmod(a.addr, mode); err != nil {
			l.Close()
			return nil, err
		}
	}
	return l, nil
}

// staleTimeout is how long a socket that is in the way may take to answer. Connecting to a unix socket takes microseconds.
// It takes longer only if the backlog is full, and then somebody listens on it.
const staleTimeout = time.Second

// removeStale removes the socket that a killed process has left behind. If the file is no socket, or somebody answers on it,
// it removes nothing and returns an error.
func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return errors.New("there is a file of that name which is no socket")
	}
	ctx, cancel := context.WithTimeout(ctx, staleTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err == nil {
		conn.Close()
		return errors.New("another process answers on that socket")
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("there is a socket of that name, and whether somebody answers on it cannot be told: %w", err)
	}
	return os.Remove(path)
}

// addressOf returns the real address of a listener in the form of the settings.
func addressOf(l net.Listener) string {
	if l.Addr().Network() == "unix" {
		return unixScheme + l.Addr().String()
	}
	return l.Addr().String()
}

// addressesOf returns the real addresses of listeners, joined with commas.
func addressesOf(listeners []net.Listener) string {
	texts := make([]string, len(listeners))
	for i, l := range listeners {
		texts[i] = addressOf(l)
	}
	return strings.Join(texts, ",")
}

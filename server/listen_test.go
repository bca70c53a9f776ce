package server

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestListenUnix(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := listen(t.Context(), "unix://"+path, 0o620)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(path); err != nil || info.Mode() != fs.ModeSocket|0o620 {
		t.Errorf("mode %v (%v), want a socket with 0620", info.Mode(), err)
	}
	if got := addressOf(l); got != "unix://"+path {
		t.Errorf("address %q", got)
	}
	if _, err := listen(t.Context(), "unix://"+path, 0o660); err == nil || !strings.Contains(err.Error(), "another process answers") {
		t.Errorf("a second listener on a living socket: %v", err)
	}
	l.Close()
	if _, err := os.Lstat(path); err == nil {
		t.Error("the socket is still there after Close")
	}
}

func TestListenUnixStale(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	old, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	old.(*net.UnixListener).SetUnlinkOnClose(false) // as when a process is killed
	old.Close()
	l, err := listen(t.Context(), "unix://"+path, 0o660)
	if err != nil {
		t.Fatalf("a stale socket is in the way: %v", err)
	}
	l.Close()
}

func TestListenUnixKeepsFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listen(t.Context(), "unix://"+path, 0o660); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("listening over a file: %v", err)
	}
	if data, _ := os.ReadFile(path); string(data) != "precious" {
		t.Error("the file is gone")
	}
}

func TestListenAllOrNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, err = listenAll(t.Context(), []string{"unix://" + path, taken.Addr().String(), "127.0.0.1:99999"}, 0o660)
	if err == nil || strings.Count(err.Error(), "cannot listen on") != 2 {
		t.Errorf("want both failures: %v", err)
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("the address that could be opened is still open")
	}
}

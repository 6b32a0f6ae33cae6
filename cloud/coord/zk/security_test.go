package zk_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudcanvas/cloud/coord/zk"
	"cloudcanvas/shared/brokertest"
	"cloudcanvas/shared/security"
)

// encrypted stands before a server and demands TLS with a client certificate.
func encrypted(t *testing.T, c *brokertest.Certificates, server string) (address string) {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(c.ServerCert, c.ServerKey)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(c.CA)
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM(ca)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer near.Close()
				far, err := net.Dial("tcp", server)
				if err != nil {
					return
				}
				go func() {
					io.Copy(far, near)
					far.Close()
				}()
				io.Copy(near, far)
			}()
		}
	}()
	return l.Addr().String()
}

func TestConnectionIsEncryptedAndWhatIsWrittenIsTheUsersOwn(t *testing.T) {
	server := brokertest.StartZooKeeper(t, 1).Servers[0]
	certificates, err := brokertest.MakeCertificates(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("wide\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ours := zk.Config{Servers: []string{encrypted(t, certificates, server)}, SessionTimeout: session, Security: security.Security{
		CA: certificates.CA, Cert: certificates.ClientCert, Key: certificates.ClientKey, ServerName: certificates.ServerName,
		User: "canvas", PasswordFile: password,
	}}
	c, err := zk.Open(ours, "ours", logger(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Document("assignments").Put(t.Context(), []byte("ours"), 0); err != nil {
		t.Fatal(err)
	}

	stranger, err := zk.Open(zk.Config{Servers: []string{server}, SessionTimeout: session}, "stranger", logger(t))
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	if _, err := stranger.Document("assignments").Put(t.Context(), []byte("theirs"), 1); err == nil {
		t.Error("a stranger wrote what is ours")
	}
	if value, _, err := stranger.Document("assignments").Get(t.Context()); err == nil {
		t.Errorf("a stranger read %q", value)
	}

	plain := ours
	plain.Security.CA, plain.Security.ServerName = "", "elsewhere"
	deaf, err := zk.Open(plain, "deaf", logger(t))
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	short, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, _, err := deaf.Document("assignments").Get(short); err == nil {
		t.Error("a server whose certificate is not trusted was spoken to")
	}

	plain.Security.PasswordFile = ""
	if _, err := zk.Open(plain, "x", nil); err == nil || !strings.Contains(err.Error(), "password") {
		t.Errorf("a user without a password: %v", err)
	}
}

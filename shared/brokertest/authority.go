package brokertest

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"

	"cloudcanvas/shared/security"
)

// Authority signs certificates of any names, for tests of who is let in as whom.
type Authority struct {
	File string // its own certificate
	CRL  string // its list of revoked certificates, which is empty
	dir  string
	root *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewAuthority makes one whose files rest in a folder of the test.
func NewAuthority(t testing.TB, name string) *Authority {
	t.Helper()
	own := template(name)
	own.IsCA, own.BasicConstraintsValid, own.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	root, key, _, err := issue(own, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	a := &Authority{dir: t.TempDir(), root: root, key: key}
	list, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: root.NotBefore, NextUpdate: root.NotAfter}, root, key)
	if err != nil {
		t.Fatal(err)
	}
	a.File, a.CRL = filepath.Join(a.dir, "ca.pem"), filepath.Join(a.dir, "ca.crl")
	for file, content := range map[string][]byte{a.File: block("CERTIFICATE", root.Raw), a.CRL: block("X509 CRL", list)} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// Issue gives files of a certificate, good for a client and for a server on loopback.
func (a *Authority) Issue(t testing.TB, name string) (cert, key string) {
	t.Helper()
	wanted := template(name)
	wanted.DNSNames, wanted.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1)}
	wanted.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	signed, _, private, err := issue(wanted, a.root, a.key)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(a.dir, "")
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, content := range map[string][]byte{cert: block("CERTIFICATE", signed.Raw), key: block("PRIVATE KEY", private)} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// Client is how a client of that name proves itself to a server that server signed.
func (a *Authority) Client(t testing.TB, name string, server *Authority) security.Security {
	t.Helper()
	cert, key := a.Issue(t, name)
	return security.Security{CA: server.File, Cert: cert, Key: key}
}

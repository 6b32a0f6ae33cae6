package brokertest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Certificates are PEM files of an authority, a server for 127.0.0.1, localhost and ServerName, and
// a client.
type Certificates struct {
	CA                    string
	ServerCert, ServerKey string
	ServerPair            string // key and certificate in one file, as Kafka wants it
	ClientCert, ClientKey string
	ServerName            string
}

// MakeCertificates makes them in dir, good for a day.
func MakeCertificates(dir string) (*Certificates, error) {
	c := &Certificates{
		CA:         filepath.Join(dir, "ca.pem"),
		ServerCert: filepath.Join(dir, "server.pem"), ServerKey: filepath.Join(dir, "server.key"),
		ServerPair: filepath.Join(dir, "server-pair.pem"),
		ClientCert: filepath.Join(dir, "client.pem"), ClientKey: filepath.Join(dir, "client.key"),
		ServerName: "broker.canvas.test",
	}
	authority := template("Canvas test authority")
	authority.IsCA, authority.BasicConstraintsValid, authority.KeyUsage = true, true, x509.KeyUsageCertSign
	root, rootKey, _, err := issue(authority, nil, nil)
	if err != nil {
		return nil, err
	}
	server := template(c.ServerName)
	server.DNSNames = []string{"localhost", c.ServerName}
	server.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	server.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	client := template("edge-1")
	client.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}

	files := map[string][]byte{c.CA: block("CERTIFICATE", root.Raw)}
	for _, each := range []struct {
		template  *x509.Certificate
		cert, key string
	}{{server, c.ServerCert, c.ServerKey}, {client, c.ClientCert, c.ClientKey}} {
		cert, _, key, err := issue(each.template, root, rootKey)
		if err != nil {
			return nil, err
		}
		files[each.cert], files[each.key] = block("CERTIFICATE", cert.Raw), block("PRIVATE KEY", key)
	}
	files[c.ServerPair] = append(append([]byte(nil), files[c.ServerKey]...), files[c.ServerCert]...)
	for name, content := range files {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			return nil, fmt.Errorf("making certificates: %w", err)
		}
	}
	return c, nil
}

func template(name string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
}

// issue signs a certificate with the parent's key, or with its own where there is none.
func issue(t, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("making a key: %w", err)
	}
	if parent == nil {
		parent, parentKey = t, key
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, &key.PublicKey, parentKey)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("making a certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("making a certificate: %w", err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	return cert, key, pkcs8, err
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// Made makes certificates for a test.
func Made(t testing.TB) *Certificates {
	t.Helper()
	c, err := MakeCertificates(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Secret is a file with a password.
func Secret(t testing.TB, password string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

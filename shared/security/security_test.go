package security_test

import (
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudcanvas/shared/brokertest"
	"cloudcanvas/shared/security"
)

func write(t *testing.T, content string, mode os.FileMode) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, mode); err != nil { // past the umask
		t.Fatal(err)
	}
	return file
}

func TestPasswordIsTheFirstLineOfAPrivateFile(t *testing.T) {
	for name, c := range map[string]struct {
		content string
		mode    os.FileMode
		want    string
		says    string
	}{
		"plain":           {"wide canvas", 0o600, "wide canvas", ""},
		"line feed":       {"wide\n", 0o400, "wide", ""},
		"Windows":         {"wide\r\nrest", 0o600, "wide", ""},
		"group may read":  {"wide", 0o640, "wide", ""},
		"all may read":    {"wide", 0o644, "", "chmod o-rwx"},
		"all may write":   {"wide", 0o602, "", "chmod o-rwx"},
		"empty":           {"\n", 0o600, "", "empty"},
		"some other file": {strings.Repeat("x", 5000), 0o600, "", "right file"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := security.Security{User: "u", PasswordFile: write(t, c.content, c.mode)}.Password()
			if got != c.want || (err != nil) != (c.says != "") {
				t.Fatalf("%q, %v", got, err)
			}
			if err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("%q does not say %q", err, c.says)
			}
		})
	}
	if got, err := (security.Security{}).Password(); got != "" || err != nil {
		t.Error(got, err)
	}
	if _, err := (security.Security{PasswordFile: t.TempDir()}).Password(); err == nil {
		t.Error("a folder was read")
	}
}

func TestProblemsListsEveryMistake(t *testing.T) {
	var fields []string
	security.Security{
		CA: "/nowhere/ca.pem", Cert: "/nowhere/cert.pem", PasswordFile: "/nowhere/password", Mechanism: "kerberos",
	}.Problems(func(field, message, hint string) { fields = append(fields, field) })
	for _, want := range []string{"ca", "cert", "password_file", "mechanism"} {
		if !strings.Contains(strings.Join(fields, " "), want) {
			t.Errorf("%s is missing in %v", want, fields)
		}
	}
	certs, err := brokertest.MakeCertificates(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	security.Security{
		CA: certs.CA, Cert: certs.ClientCert, Key: certs.ClientKey, User: "u", PasswordFile: write(t, "p", 0o600), Mechanism: security.Plain,
	}.Problems(func(field, message, hint string) { t.Error(field, message) })
}

func TestBadFilesAreNamed(t *testing.T) {
	certs, err := brokertest.MakeCertificates(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	open := write(t, "x", 0o644)
	for name, c := range map[string]struct {
		s    security.Security
		says string
	}{
		"no PEM":        {security.Security{CA: write(t, "hello", 0o600)}, "no PEM certificate"},
		"no file":       {security.Security{CA: "/nowhere/ca.pem"}, "/nowhere/ca.pem"},
		"half a pair":   {security.Security{Cert: certs.ClientCert}, "both"},
		"another's key": {security.Security{Cert: certs.ClientCert, Key: certs.ServerKey}, "do not work together"},
		"open key":      {security.Security{Cert: certs.ClientCert, Key: open}, "chmod"},
	} {
		if _, err := c.s.TLS(); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v does not say %q", name, err, c.says)
		}
	}
	if config, err := (security.Security{User: "u"}).TLS(); config != nil || err != nil {
		t.Error("a plain connection got TLS", err)
	}
	if config, err := (security.Security{Enabled: true}).TLS(); config == nil || err != nil {
		t.Error("no TLS with the system's authorities", err)
	}
}

func TestBothSidesProveWhoTheyAre(t *testing.T) {
	certs, err := brokertest.MakeCertificates(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	server, err := security.ServerTLS(certs.ServerCert, certs.ServerKey, certs.CA)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		s    security.Security
		good bool
	}{
		"right":             {security.Security{CA: certs.CA, Cert: certs.ClientCert, Key: certs.ClientKey, ServerName: certs.ServerName}, true},
		"no certificate":    {security.Security{CA: certs.CA, ServerName: certs.ServerName}, false},
		"another's name":    {security.Security{CA: certs.CA, Cert: certs.ClientCert, Key: certs.ClientKey, ServerName: "other.test"}, false},
		"unknown authority": {security.Security{Cert: certs.ClientCert, Key: certs.ClientKey, ServerName: certs.ServerName}, false},
	} {
		t.Run(name, func(t *testing.T) {
			config, err := c.s.TLS()
			if err != nil {
				t.Fatal(err)
			}
			near, far := net.Pipe()
			defer near.Close()
			served := make(chan error, 1)
			go func() {
				defer far.Close()
				served <- tls.Server(far, server).Handshake()
			}()
			client := tls.Client(near, config)
			clientErr := client.Handshake()
			if clientErr == nil {
				client.Read(make([]byte, 1)) // TLS 1.3: the server's verdict on us comes after our handshake
			}
			near.Close()
			if serverErr := <-served; (clientErr == nil && serverErr == nil) != c.good {
				t.Errorf("client: %v, server: %v", clientErr, serverErr)
			}
		})
	}
}

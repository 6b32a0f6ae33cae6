// Package security is how a connection proves who it is and checks who answers: the same settings
// for MQTT, Kafka and ZooKeeper.
package security

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// Security is the protection of one connection. The zero value is a plain connection.
type Security struct {
	CA           string `yaml:"ca" desc:"PEM file of the authorities that the server's certificate is checked with" default:"the system's"`
	Cert         string `yaml:"cert" desc:"PEM file of the client's certificate and chain"`
	Key          string `yaml:"key" desc:"PEM file of its private key"`
	ServerName   string `yaml:"server_name" desc:"the name in the server's certificate, where it is not the address"`
	User         string `yaml:"user" desc:"user name"`
	PasswordFile string `yaml:"password_file" desc:"file whose first line is the password; others may not read it"`
	Mechanism    string `yaml:"mechanism" desc:"SASL mechanism of Kafka" enum:"scram-sha-512, scram-sha-256, plain" default:"scram-sha-512"`
	Enabled      bool   `yaml:"tls" desc:"TLS 1.2 or later with the system's authorities; the files above ask for it too"`
}

// SASL mechanisms.
const (
	Plain       = "plain"
	ScramSHA256 = "scram-sha-256"
	ScramSHA512 = "scram-sha-512"
)

// maxSecret bounds a password file, and maxPEM the others.
const (
	maxSecret = 4 << 10
	maxPEM    = 1 << 20
)

// Encrypted says whether the connection uses TLS.
func (s Security) Encrypted() bool {
	return s.Enabled || s.CA != "" || s.Cert != "" || s.Key != "" || s.ServerName != ""
}

// TLS reads the files and gives the client's TLS configuration, TLS 1.2 or later, or nil for a
// plain connection.
func (s Security) TLS() (*tls.Config, error) {
	if !s.Encrypted() {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: s.ServerName}
	if s.CA != "" {
		pem, err := readBounded(s.CA, maxPEM)
		if err != nil {
			return nil, fmt.Errorf("reading the certificate authority: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("the certificate authority %s holds no PEM certificate: give the file that begins with -----BEGIN CERTIFICATE-----", s.CA)
		}
	}
	if (s.Cert == "") != (s.Key == "") {
		return nil, errors.New("a client certificate needs both cert and key: give both or neither")
	}
	if s.Cert != "" {
		if _, err := s.pair(); err != nil {
			return nil, err
		}
		// Read for each handshake, so that a renewed certificate needs no restart.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := s.pair()
			return &pair, err
		}
	}
	return config, nil
}

// pair reads certificate and key.
func (s Security) pair() (tls.Certificate, error) {
	if err := private(s.Key); err != nil {
		return tls.Certificate{}, fmt.Errorf("the private key: %w", err)
	}
	cert, err := readBounded(s.Cert, maxPEM)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("reading the certificate: %w", err)
	}
	key, err := readBounded(s.Key, maxPEM)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("reading the private key: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("the certificate %s and key %s do not work together: %w", s.Cert, s.Key, err)
	}
	return pair, nil
}

// Password is the first line of the password file; empty without one. A file that everyone on the
// machine may read is refused: the error says how to close it.
func (s Security) Password() (string, error) {
	if s.PasswordFile == "" {
		return "", nil
	}
	if err := private(s.PasswordFile); err != nil {
		return "", fmt.Errorf("the password file: %w", err)
	}
	b, err := readBounded(s.PasswordFile, maxSecret)
	if err != nil {
		return "", fmt.Errorf("reading the password file: %w", err)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	line = strings.TrimSuffix(line, "\r")
	if line == "" {
		return "", fmt.Errorf("the password file %s is empty: its first line must be the password", s.PasswordFile)
	}
	return line, nil
}

// private says whether path is closed to others. Group access stays allowed: services share secrets
// through a group, as systemd's LoadCredential does.
func private(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Mode()&fs.FileMode(0o007) != 0 {
		return fmt.Errorf("%s can be read or changed by everyone on this machine (mode %04o): chmod o-rwx it", path, info.Mode().Perm())
	}
	return nil
}

// readBounded reads a whole file of at most limit bytes.
func readBounded(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", path)
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%s has %d bytes, %d is the limit: is it the right file?", path, info.Size(), limit)
	}
	return os.ReadFile(path)
}

// Problems lists every mistake that can be seen without connecting.
func (s Security) Problems(add func(field, message, hint string)) {
	for _, f := range [...]struct{ field, path string }{{"ca", s.CA}, {"cert", s.Cert}, {"key", s.Key}, {"password_file", s.PasswordFile}} {
		if f.path == "" {
			continue
		}
		if _, err := readBounded(f.path, maxPEM); err != nil {
			add(f.field, err.Error(), "give the path of a file that this user may read")
		}
	}
	if (s.Cert == "") != (s.Key == "") {
		add("cert", "a client certificate needs both cert and key", "give both or neither")
	} else if s.Encrypted() {
		if _, err := s.TLS(); err != nil {
			add("tls", err.Error(), "")
		}
	}
	if s.PasswordFile != "" {
		if s.User == "" {
			add("password_file", "a password without a user", "set user as well")
		}
		if _, err := s.Password(); err != nil {
			add("password_file", err.Error(), "")
		}
	}
	switch s.Mechanism {
	case "", Plain, ScramSHA256, ScramSHA512:
	default:
		add("mechanism", fmt.Sprintf("%q is not known", s.Mechanism), "use "+ScramSHA512+", "+ScramSHA256+" or "+Plain)
	}
}

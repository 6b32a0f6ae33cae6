package identity

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// maxPEM bounds a file of certificates or of a key.
const maxPEM = 1 << 20

// readPEM reads a regular file of at most maxPEM bytes.
func readPEM(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() > maxPEM {
		return nil, fmt.Errorf("%s is not a file of at most %d bytes: is it the right one?", file, maxPEM)
	}
	return io.ReadAll(io.LimitReader(f, maxPEM))
}

// ReadCertificate is the first certificate of a PEM file: with a chain, that of whom the file is for.
func ReadCertificate(file string) (*x509.Certificate, error) {
	text, err := readPEM(file)
	if err != nil {
		return nil, err
	}
	cert, err := ParseCertificate(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return cert, nil
}

// ParseCertificate is the first certificate of a PEM text.
func ParseCertificate(text []byte) (*x509.Certificate, error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			return x509.ParseCertificate(block.Bytes)
		}
	}
	return nil, fmt.Errorf("holds no certificate: it should begin with -----BEGIN CERTIFICATE-----")
}

// EncodeCertificate is a certificate as PEM.
func EncodeCertificate(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}

// fingerprintPrefix names the digest, so that another one can come one day.
const fingerprintPrefix = "sha256:"

// Fingerprint is the SHA-256 of a certificate, as it is told from person to device.
func Fingerprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return fingerprintPrefix + hex.EncodeToString(sum[:])
}

// ParseFingerprint takes a fingerprint as Fingerprint or openssl writes it.
func ParseFingerprint(text string) (string, error) {
	digits, named := strings.CutPrefix(strings.ToLower(strings.TrimSpace(text)), fingerprintPrefix)
	digits = strings.ReplaceAll(digits, ":", "")
	if sum, err := hex.DecodeString(digits); !named || err != nil || len(sum) != sha256.Size {
		return "", fmt.Errorf("%.100q is no fingerprint of an authority: sha256: and 64 hexadecimal digits, as `canvas-cloud ca ls` shows it", text)
	}
	return fingerprintPrefix + digits, nil
}

// longestNotice is how long before its end a certificate is spoken of; of one with a short life it is a
// third of that.
const longestNotice = 30 * 24 * time.Hour

// Notice is how long before its end a certificate is to be renewed.
func Notice(cert *x509.Certificate) time.Duration {
	return min(longestNotice, cert.NotAfter.Sub(cert.NotBefore)/3)
}

// State is how a certificate stands.
type State int

// The states of a certificate.
const (
	Good   State = iota
	Ending       // it is to be renewed
	Ended
	Early // it is not valid yet, or the clock is wrong
)

// Assess says how a certificate stands at a time, and in words what is to be done; empty: nothing.
func Assess(cert *x509.Certificate, now time.Time) (State, string) {
	day := func(t time.Time) string { return t.UTC().Format(time.DateOnly) }
	switch left := cert.NotAfter.Sub(now); {
	case now.Before(cert.NotBefore):
		return Early, fmt.Sprintf("the certificate of %s is valid from %s on, and this machine's clock says %s: set the clock", cert.Subject.CommonName,
			cert.NotBefore.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	case left < 0:
		return Ended, fmt.Sprintf("the certificate of %s ended on %s, %s ago, if this machine's clock is right (it says %s)", cert.Subject.CommonName, day(cert.NotAfter), days(-left), now.UTC().Format(time.RFC3339))
	case left < Notice(cert):
		return Ending, fmt.Sprintf("the certificate of %s ends in %s, on %s", cert.Subject.CommonName, days(left), day(cert.NotAfter))
	}
	return Good, ""
}

// days is a time in whole days, or in hours below two of them.
func days(d time.Duration) string {
	if d < 48*time.Hour {
		return fmt.Sprintf("%d hours", int(d/time.Hour))
	}
	return fmt.Sprintf("%d days", int(d/(24*time.Hour)))
}

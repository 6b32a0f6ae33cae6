package edge

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudcanvas/shared/identity"
	"cloudcanvas/shared/security"
)

// certify writes a certificate of mast-7 that is good between two times.
func certify(t *testing.T, file string, from, until time.Time) {
	t.Helper()
	key, err := identity.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mast-7"}, NotBefore: from, NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, identity.EncodeCertificate(cert), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTheLogSpeaksOfACertificateThatEnds(t *testing.T) {
	const day = 24 * time.Hour
	file := filepath.Join(t.TempDir(), "cert.pem")
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	certify(t, file, begin, begin.Add(365*day))
	var log bytes.Buffer
	w := certificateWatch{security: security.Security{Cert: file}, edge: "mast-7", log: slog.New(slog.NewTextHandler(&log, nil))}
	for _, c := range []struct {
		from time.Duration
		want int // lines in 25 looks, one an hour
		says string
	}{{-26 * time.Hour, 2, "set the clock"}, {day, 1, "good again"}, {3 * day, 0, ""}, {340 * day, 2, "ends in 25 days"}, {370 * day, 2, "5 days ago"}} {
		log.Reset()
		for hour := range 25 {
			w.look(begin.Add(c.from + time.Duration(hour)*time.Hour))
		}
		if got := strings.Count(log.String(), "\n"); got != c.want || !strings.Contains(log.String(), c.says) {
			t.Errorf("%s: %d lines: %s", c.from, got, log.String())
		}
	}
	if c, _ := certificate(security.Security{}, "mast-7", begin); c != nil {
		t.Errorf("no certificate: %+v", c)
	}
	if c, _ := certificate(security.Security{Cert: file}, "mast-7", begin.Add(350*day)); c == nil || c.Name != "mast-7" || !strings.Contains(c.Problem, "15 days") {
		t.Errorf("%+v", c)
	}
	log.Reset()
	other := w
	other.edge = "mast-8"
	other.look(begin.Add(3 * day))
	if !strings.Contains(log.String(), "is of \\\"mast-7\\\", this device is mast-8") {
		t.Errorf("another's certificate: %s", log.String())
	}
}

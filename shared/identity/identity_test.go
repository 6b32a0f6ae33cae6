package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// own is a certificate that signs itself, good between two times.
func own(t testing.TB, name string, from, until time.Time) *x509.Certificate {
	t.Helper()
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestACertificateIsSpokenOfBeforeItsEnd(t *testing.T) {
	day := 24 * time.Hour
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	year, week := own(t, "mast-7", from, from.Add(365*day)), own(t, "mast-7", from, from.Add(6*day))
	for _, c := range []struct {
		cert  *x509.Certificate
		after time.Duration
		want  State
		says  string
	}{
		{year, -time.Hour, Early, "set the clock"}, {year, day, Good, ""}, {year, 334 * day, Good, ""}, {year, 336 * day, Ending, "ends in 29 days, on 2027-01-01"},
		{year, 364*day + time.Hour, Ending, "ends in 23 hours"}, {year, 370 * day, Ended, "5 days ago"}, {week, 3 * day, Good, ""}, {week, 5 * day, Ending, "24 hours"},
	} {
		state, words := Assess(c.cert, from.Add(c.after))
		if state != c.want || !strings.Contains(words, c.says) || (words == "") != (c.says == "") {
			t.Errorf("after %s: %d %q", c.after, state, words)
		}
	}
}

func TestAFingerprintIsReadAsPeopleWriteIt(t *testing.T) {
	digits := strings.Repeat("0a", 32)
	for text, good := range map[string]bool{"sha256:" + digits: true, "SHA256:" + strings.ToUpper(digits) + "\n": true, "sha256:" + strings.TrimSuffix(strings.Repeat("0A:", 32), ":"): true,
		digits: false, "sha256:": false, "sha256:" + digits + "00": false, "sha1:" + digits: false, "sha256:" + strings.Repeat("zz", 32): false} {
		if got, err := ParseFingerprint(text); (err == nil) != good || good && got != "sha256:"+digits {
			t.Errorf("%q: %q %v", text, got, err)
		}
	}
}

func TestOnlyRequestsThatProveAFitKeyAreTaken(t *testing.T) {
	request := func(key crypto.Signer) []byte {
		text, err := NewRequest("mast-7", key)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	fit, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	good := request(fit)
	if _, err := ParseRequest(good); err != nil {
		t.Error(err)
	}
	block, _ := pem.Decode(good)
	block.Bytes[len(block.Bytes)-3] ^= 1
	for says, text := range map[string][]byte{"is not signed": pem.EncodeToMemory(block), "RSA of 2048": request(small), "P-256": request(p224), "no certificate request": []byte("hello"),
		"limit": []byte(strings.Repeat("x", maxRequest+1)), "can't be read": []byte("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n")} {
		if _, err := ParseRequest(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v does not say %q", err, says)
		}
	}
}

func TestAKeyThatOthersMayReadIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	made, err := readOrMakeKey(file)
	if err != nil {
		t.Fatal(err)
	}
	read, err := readOrMakeKey(file)
	if err != nil || !made.Public().(*ecdsa.PublicKey).Equal(read.Public()) {
		t.Errorf("it was made anew: %v", err)
	}
	if err := os.Chmod(file, 0o604); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadKey(file); err == nil || !strings.Contains(err.Error(), "chmod") {
		t.Error(err)
	}
}

func FuzzParseRequest(f *testing.F) {
	key, err := NewKey()
	if err != nil {
		f.Fatal(err)
	}
	text, err := NewRequest("mast-7", key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		if r, err := ParseRequest(text); err == nil && fitKey(r.PublicKey) != nil {
			t.Error("a key that does not fit is taken")
		}
	})
}

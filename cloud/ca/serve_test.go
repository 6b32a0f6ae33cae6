package ca

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cloudcanvas/shared/durable"
	"cloudcanvas/shared/identity"
)

// served is an endpoint that runs for a test.
type served struct {
	*testing.T
	f           *Folder
	c           *clock
	url         string
	fingerprint string
	log         *lines
}

// lines is a log that a test reads.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// server writes a server's files, with the authority behind the certificate.
func (f *Folder) server(t *testing.T, hosts ...string) (cert, key string) {
	t.Helper()
	private, err := identity.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	signed, err := f.Issue(Wanted{Kind: Server, Name: "broker", Hosts: hosts, Life: year, By: "test"}, private.Public())
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(t.TempDir(), "broker.pem"), filepath.Join(t.TempDir(), "broker.key")
	text := append(identity.EncodeCertificate(signed), identity.EncodeCertificate(f.Root(Server))...)
	if err := durable.WriteFile(cert, text, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := identity.WriteKey(key, private); err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func serve(t *testing.T) *served {
	f, c := newFolder(t)
	cert, key := f.server(t, "127.0.0.1")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &served{T: t, f: f, c: c, url: "https://" + l.Addr().String(), fingerprint: identity.Fingerprint(f.Root(Server)), log: &lines{}}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- (&Endpoint{Folder: f, Life: year, Log: slog.New(slog.NewTextHandler(s.log, nil))}).Serve(ctx, l, cert, key)
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *served) device(name string) identity.Device {
	dir := filepath.Join(s.TempDir(), "tls")
	return identity.Device{Name: name, Now: s.c.now, Files: identity.Files{CA: filepath.Join(dir, "ca.pem"), Cert: filepath.Join(dir, "device.pem"), Key: filepath.Join(dir, "device.key")}}
}

func (s *served) token(name string) string {
	s.Helper()
	text, err := s.f.NewToken(name, "test", time.Hour)
	if err != nil {
		s.Fatal(err)
	}
	return text
}

func (s *served) says(err error, want string) {
	s.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		s.Errorf("%v does not say %q", err, want)
	}
}

func TestADeviceEnrollsAndRenews(t *testing.T) {
	s := serve(t)
	d, text := s.device("mast-7"), s.token("mast-7")
	cert, err := d.Enroll(t.Context(), s.url, text, s.fingerprint, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{d.Files.CA, d.Files.Cert, d.Files.Key} {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", file, info, err)
		}
	}
	if got, err := identity.ReadCertificate(d.Files.CA); err != nil || !got.Equal(s.f.Root(Server)) {
		t.Errorf("the authority was not kept: %v", err)
	}
	if _, err := tls.LoadX509KeyPair(d.Files.Cert, d.Files.Key); err != nil {
		t.Error(err)
	}
	_, err = d.Enroll(t.Context(), s.url, text, s.fingerprint, false)
	s.says(err, "already")

	// An answer that was lost: the key is there, the certificate is not.
	if err := os.Remove(d.Files.Cert); err != nil {
		t.Fatal(err)
	}
	again, err := d.Enroll(t.Context(), s.url, text, s.fingerprint, false)
	if err != nil || !again.Equal(cert) {
		t.Errorf("asked again: %v", err)
	}

	s.c.pass(350 * 24 * time.Hour)
	renewed, err := d.Renew(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if !renewed.NotAfter.After(cert.NotAfter) {
		t.Errorf("it ends on %s", renewed.NotAfter)
	}
	if _, err := tls.LoadX509KeyPair(d.Files.Cert, d.Files.Key); err != nil {
		t.Error(err)
	}
	other := d
	other.Name = "mast-8"
	_, err = other.Renew(t.Context(), "")
	s.says(err, "enroll it under its name")

	// A lost key: revoked, then another one is made.
	if _, err := s.f.Revoke("mast-7", "test", "stolen"); err != nil {
		t.Fatal(err)
	}
	_, err = d.Renew(t.Context(), "")
	s.says(err, "was revoked")
	key, err := os.ReadFile(d.Files.Key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Enroll(t.Context(), s.url, s.token("mast-7"), s.fingerprint, true); err != nil {
		t.Fatal(err)
	}
	if now, err := os.ReadFile(d.Files.Key); err != nil || bytes.Equal(now, key) {
		t.Errorf("the key is the same: %v", err)
	}
	s.c.pass(366 * 24 * time.Hour)
	_, err = d.Renew(t.Context(), "")
	s.says(err, "can't be renewed")
	if said := s.log.String(); strings.Count(said, "a device has a certificate") != 4 || !strings.Contains(said, "was revoked") || strings.Contains(said, text) {
		t.Errorf("the log: %s", said)
	}
}

// TestAReplacementThatWasCutOffGoesOn takes the power between the new key and its certificate.
func TestAReplacementThatWasCutOffGoesOn(t *testing.T) {
	s := serve(t)
	d := s.device("mast-7")
	if _, err := d.Enroll(t.Context(), s.url, s.token("mast-7"), s.fingerprint, false); err != nil {
		t.Fatal(err)
	}
	old, err := os.ReadFile(d.Files.Cert)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.f.Revoke("mast-7", "test", "stolen"); err != nil {
		t.Fatal(err)
	}
	text := s.token("mast-7")
	if _, err := d.Enroll(t.Context(), s.url, text, s.fingerprint, true); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.Files.Cert, old, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Enroll(t.Context(), s.url, text, s.fingerprint, true); err != nil {
		t.Error(err)
	}
	if _, err := tls.LoadX509KeyPair(d.Files.Cert, d.Files.Key); err != nil {
		t.Error(err)
	}
}

func TestWhoIsRefusedAtTheEndpoint(t *testing.T) {
	s := serve(t)
	text := s.token("mast-7")
	another, _ := newFolder(t)
	for name, c := range map[string]struct {
		name, token, fingerprint, says string
		behind                         time.Duration
	}{
		"another authority's fingerprint": {"mast-7", text, identity.Fingerprint(another.Root(Server)), "does not show the authority", 0},
		"the devices' authority":          {"mast-7", text, identity.Fingerprint(s.f.Root(Device)), "does not show the authority", 0},
		"no fingerprint":                  {"mast-7", text, "sha256:12", "no fingerprint", 0},
		"a token of nobody":               {"mast-7", "guess", s.fingerprint, "no such token", 0},
		"another's token":                 {"mast-8", text, s.fingerprint, "no such token", 0},
		"a token too long":                {"mast-7", strings.Repeat("x", 200), s.fingerprint, "200 characters", 0},
		"a name of the services":          {"canvas-bridge", text, s.fingerprint, "services", 0},
		"a clock that is behind":          {"mast-7", text, s.fingerprint, "set the clock", -48 * time.Hour},
		"a clock that is ahead":           {"mast-7", text, s.fingerprint, "set the clock", 20 * year},
	} {
		t.Run(name, func(t *testing.T) {
			d := s.device(c.name)
			d.Now = func() time.Time { return s.c.now().Add(c.behind) }
			_, err := d.Enroll(t.Context(), s.url, c.token, c.fingerprint, false)
			s.says(err, c.says)
			if _, err := os.Stat(d.Files.Cert); err == nil {
				t.Error("there is a certificate")
			}
		})
	}
	if _, err := s.device("mast-7").Enroll(t.Context(), strings.Replace(s.url, "127.0.0.1", "localhost", 1), text, s.fingerprint, false); err == nil {
		t.Error("a host that the certificate is not for")
	}
	if _, err := s.device("mast-7").Enroll(t.Context(), strings.Replace(s.url, "https", "http", 1), text, s.fingerprint, false); err == nil {
		t.Error("a token went over plain HTTP")
	}
	if _, err := s.device("mast-7").Enroll(t.Context(), s.url, text, s.fingerprint, false); err != nil {
		t.Errorf("after all of them the token is good: %v", err)
	}
}

// post sends bytes as a stranger does.
func (s *served) post(path string, body []byte, pair *tls.Certificate) int {
	s.Helper()
	config := &tls.Config{InsecureSkipVerify: true}
	if pair != nil {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair, nil }
	}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
	r, err := client.Post(s.url+path, "application/json", bytes.NewReader(body))
	if err != nil {
		return 0
	}
	r.Body.Close()
	return r.StatusCode
}

func TestRenewalTakesACertificateOfTheDevicesAuthority(t *testing.T) {
	s := serve(t)
	another, _ := newFolder(t)
	of := func(f *Folder, kind Kind, name string, listed bool) *tls.Certificate {
		key, err := identity.NewKey()
		if err != nil {
			t.Fatal(err)
		}
		var cert *x509.Certificate
		if w := (Wanted{Kind: kind, Name: name, Life: year, By: "test"}); listed {
			cert, err = f.Issue(w, key.Public())
		} else {
			cert, err = f.sign(&index{}, w, key.Public())
		}
		if err != nil {
			t.Fatal(err)
		}
		return &tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
	}
	for name, c := range map[string]struct {
		pair *tls.Certificate
		want int
	}{
		"none": {nil, http.StatusForbidden}, "a service's": {of(s.f, Service, "canvas-bridge", true), 0}, "another authority's": {of(another, Device, "mast-7", true), 0},
		"one that is not in the list": {of(s.f, Device, "mast-7", false), http.StatusForbidden},
	} {
		if got := s.post(identity.RenewPath, []byte(`{"request":""}`), c.pair); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

func TestAnAddressThatFailsIsNotHeardForAWhile(t *testing.T) {
	s := serve(t)
	text := s.token("mast-7")
	if got := s.post(identity.EnrollPath, bytes.Repeat([]byte("x"), identity.MaxAsk+1), nil); got != http.StatusBadRequest {
		t.Errorf("a long body: %d", got)
	}
	if got := s.post("/", nil, nil); got != http.StatusNotFound {
		t.Errorf("another path: %d", got)
	}
	var all sync.WaitGroup
	for range maxFailures - 1 {
		all.Go(func() { s.post(identity.EnrollPath, []byte(`{"name":"mast-7","token":"guess"}`), nil) })
	}
	all.Wait()
	_, err := s.device("mast-7").Enroll(t.Context(), s.url, text, s.fingerprint, false)
	s.says(err, "try again in")
	s.c.pass(failuresLast)
	if _, err := s.device("mast-7").Enroll(t.Context(), s.url, text, s.fingerprint, false); err != nil {
		t.Error(err)
	}
	if n := strings.Count(s.log.String(), "failed too often"); n != 1 {
		t.Errorf("it is logged %d times", n)
	}
}

func TestAddressesAreForgottenAndBounded(t *testing.T) {
	var c clock
	l := limiter{now: c.now}
	for i := range maxAddresses + 100 {
		c.pass(time.Millisecond)
		l.begin(net.IPv4(10, byte(i>>16), byte(i>>8), byte(i)).String())
	}
	if len(l.of) != maxAddresses {
		t.Errorf("%d addresses are kept", len(l.of))
	}
	for address, want := range map[string]string{"2001:db8::1": "2001:db8::/64", "fe80::1%eth0": "fe80::/64", "::ffff:192.0.2.1": "192.0.2.1", "192.0.2.1": "192.0.2.1", "pipe": "pipe"} {
		if got := network(address); got != want {
			t.Errorf("%s counts as %s", address, got)
		}
	}
}

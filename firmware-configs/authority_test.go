package firmware

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudcanvas/cloud/ca"
	"cloudcanvas/shared/brokertest"
	"cloudcanvas/shared/durable"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/identity"
	"cloudcanvas/shared/mqtt"
	"cloudcanvas/shared/security"
)

const year = 365 * 24 * time.Hour

// authority is canvas-cloud's own, with the shipped broker files over it.
type authority struct {
	site
	f   *ca.Folder
	dir string
}

func newAuthority(t *testing.T, now func() time.Time) *authority {
	t.Helper()
	a := &authority{dir: filepath.Join(t.TempDir(), "ca")}
	f, err := ca.Init(a.dir, 10*year, now)
	if err != nil {
		t.Fatal(err)
	}
	a.f, a.t = f, t
	return a
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// start starts mosquitto with what the authority has made, and nothing else.
func (a *authority) start() {
	a.t.Helper()
	broker := a.issue(ca.Server, "broker", year, "127.0.0.1")
	a.site = site{brokertest.StartShippedWith(a.t, "mosquitto", brokertest.TLSFiles{CA: a.file("ca.pem"), ServicesCA: a.file("services-ca.pem"),
		DevicesCRL: a.file("devices.crl"), ServicesCRL: a.file("services.crl"), Cert: broker.Cert, Key: broker.Key}), a.t}
}

// issue makes a certificate with its key, as `canvas-cloud ca issue` does.
func (a *authority) issue(kind ca.Kind, name string, life time.Duration, hosts ...string) security.Security {
	a.t.Helper()
	key, err := identity.NewKey()
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := a.f.Issue(ca.Wanted{Kind: kind, Name: name, Hosts: hosts, Life: life, By: "test"}, key.Public())
	if err != nil {
		a.t.Fatal(err)
	}
	dir := a.t.TempDir()
	s := security.Security{CA: a.file("services-ca.pem"), Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	text := append(identity.EncodeCertificate(cert), identity.EncodeCertificate(a.f.Root(kind))...)
	if err := durable.WriteFile(s.Cert, text, 0o644); err != nil {
		a.t.Fatal(err)
	}
	if err := identity.WriteKey(s.Key, key); err != nil {
		a.t.Fatal(err)
	}
	return s
}

// enroll lets a device enroll over HTTPS, with a token.
func (a *authority) enroll(name string) security.Security {
	a.t.Helper()
	endpoint := a.issue(ca.Server, "endpoint-of-"+name, year, "127.0.0.1")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		a.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(a.t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- (&ca.Endpoint{Folder: a.f, Life: year, Log: slog.New(slog.DiscardHandler)}).Serve(ctx, l, endpoint.Cert, endpoint.Key)
	}()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			a.t.Error(err)
		}
	}()
	token, err := a.f.NewToken(name, "test", time.Hour)
	if err != nil {
		a.t.Fatal(err)
	}
	dir := a.t.TempDir()
	files := identity.Files{CA: filepath.Join(dir, "ca.pem"), Cert: filepath.Join(dir, "device.pem"), Key: filepath.Join(dir, "device.key")}
	if _, err := (identity.Device{Name: name, Files: files}).Enroll(a.t.Context(), "https://"+l.Addr().String(), token, identity.Fingerprint(a.f.Root(ca.Server)), false); err != nil {
		a.t.Fatal(err)
	}
	return security.Security{CA: files.CA, Cert: files.Cert, Key: files.Key}
}

// letIn says whether a listener takes a client's certificate: in TLS 1.3 the verdict comes after the
// client's own handshake.
func (a *authority) letIn(listener string, s security.Security, cache tls.ClientSessionCache) bool {
	a.t.Helper()
	config, err := s.TLS()
	if err != nil {
		a.t.Fatal(err)
	}
	if s.Cert != "" { // also where the server does not name its authority
		pair, err := tls.LoadX509KeyPair(s.Cert, s.Key)
		if err != nil {
			a.t.Fatal(err)
		}
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	config.ClientSessionCache = cache
	address, err := url.Parse(listener)
	if err != nil {
		a.t.Fatal(err)
	}
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: time.Minute}, "tcp", address.Host, config)
	if err != nil {
		return false
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	// CONNECT of MQTT 3.1.1, clean session, no client id; the answer is CONNACK.
	if _, err := conn.Write([]byte{0x10, 12, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, 0}); err != nil {
		return false
	}
	answer := make([]byte, 4)
	n, err := conn.Read(answer)
	return err == nil && n == 4 && answer[0] == 0x20 && answer[3] == 0
}

func TestWhatTheAuthorityIssuesIsWhatTheBrokerTakes(t *testing.T) {
	a := newAuthority(t, time.Now)
	a.start()
	another := newAuthority(t, time.Now)
	past := newAuthority(t, func() time.Time { return time.Now().Add(-48 * time.Hour) })
	mast, bridge := a.enroll("mast-7"), a.issue(ca.Service, "canvas-bridge", year)
	ours := func(s security.Security) security.Security { s.CA = a.file("services-ca.pem"); return s }
	broker := a.issue(ca.Server, "another-broker", year, "127.0.0.1")
	for name, c := range map[string]struct {
		device, service bool
		s               security.Security
	}{
		"an enrolled device":          {true, false, mast},
		"a device with an issued key": {true, false, a.issue(ca.Device, "gate-1", year)},
		"a service":                   {false, true, bridge},
		"no certificate":              {false, false, security.Security{CA: a.file("services-ca.pem")}},
		"another authority's device":  {false, false, ours(another.issue(ca.Device, "mast-7", year))},
		"another authority's service": {false, false, ours(another.issue(ca.Service, "canvas-bridge", year))},
		"a server's certificate":      {false, false, broker},
		"an ended authority's":        {false, false, ours(past.issue(ca.Device, "mast-7", time.Hour))},
	} {
		if d, s := a.letIn(a.DeviceURL, c.s, nil), a.letIn(a.ServiceURL, c.s, nil); d != c.device || s != c.service {
			t.Errorf("%s: at the devices' listener %v, at the services' %v", name, d, s)
		}
	}

	// What is enrolled delivers, and speaks for itself alone.
	bridges := a.connect(mqtt.Options{URL: a.ServiceURL, ClientID: "canvas-bridge", Security: bridge}, event.UpFilter)
	e := a.connect(mqtt.Options{URL: a.DeviceURL, ClientID: "canvas-bridge", Security: mast}, event.ReceiptsTopic("mast-7"))
	a.say(e, event.Topic("mast-7", event.Normal, event.Reading), "21.5", false)
	a.until("the item", func() bool { return contains(bridges.heard(), "21.5") })
	a.say(bridges, event.ReceiptsTopic("mast-7"), "a receipt", false)
	a.until("its receipt", func() bool { return contains(e.heard(), "a receipt") })
	a.forge(mqtt.Options{URL: a.DeviceURL, ClientID: "gate-1", Security: mast}, event.Topic("gate-1", event.Normal, event.Reading), false)
	a.forge(mqtt.Options{URL: a.DeviceURL, ClientID: "gate-1", Security: mast}, event.ReceiptsTopic("mast-7"), false)
	again := a.connect(mqtt.Options{URL: a.DeviceURL, Security: mast})
	a.say(again, event.Topic("mast-7", event.Normal, event.Reading), "the end", false)
	a.until("the last item", func() bool { return contains(bridges.heard(), "the end") })
	for _, line := range append(bridges.heard(), e.heard()...) {
		if strings.Contains(line, "forged") {
			t.Errorf("came through: %q", line)
		}
	}
	if n := bridges.thrownOut(); n > 0 {
		t.Errorf("the bridge was thrown out %d times", n)
	}
}

// words are what the client of a device or a service logs when it is not let in.
func (a *authority) words(listener string, s security.Security) string {
	a.t.Helper()
	said := make(chan string, 1)
	m, err := mqtt.Dial(a.t.Context(), mqtt.Options{URL: listener, ClientID: "x", Security: s, Log: slog.New(spoken{said})})
	if err != nil {
		a.t.Fatal(err)
	}
	defer m.Close()
	select {
	case text := <-said:
		return text
	case <-time.After(2 * time.Minute):
		a.t.Fatal("nothing is logged")
		return ""
	}
}

// spoken gives the first warning with its error.
type spoken struct{ said chan string }

func (spoken) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }
func (s spoken) WithAttrs([]slog.Attr) slog.Handler             { return s }
func (s spoken) WithGroup(string) slog.Handler                  { return s }
func (s spoken) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
	select {
	case s.said <- text:
	default:
	}
	return nil
}

func TestARefusalIsSaidInWords(t *testing.T) {
	at := time.Now().Add(-48 * time.Hour)
	a := newAuthority(t, func() time.Time { return at })
	a.start()
	another := newAuthority(t, time.Now)
	revoked := a.issue(ca.Device, "gate-1", year)
	if _, err := a.f.Revoke("gate-1", "test", "stolen"); err != nil {
		t.Fatal(err)
	}
	a.Reload()
	a.until("the refusal", func() bool { return !a.letIn(a.DeviceURL, revoked, nil) })
	for says, c := range map[string]struct {
		listener string
		s        security.Security
	}{
		"has this one":                {a.DeviceURL, revoked},
		"has ended":                   {a.DeviceURL, a.issue(ca.Device, "mast-7", time.Hour)},
		"set security.cert":           {a.DeviceURL, security.Security{CA: a.file("services-ca.pem")}},
		"is it the listener":          {a.ServiceURL, a.issue(ca.Device, "mast-8", year)},
		"signed the broker's":         {a.DeviceURL, another.issue(ca.Device, "mast-8", year)},
		"is not one for clients":      {a.ServiceURL, a.issue(ca.Server, "another", year, "127.0.0.1")},
		"does not know the authority": {a.DeviceURL, a.issue(ca.Service, "canvas-import", year)},
	} {
		// The verdict is lost now and then: then the words are general.
		got := ""
		for range 50 {
			if got = a.words(c.listener, c.s); !strings.Contains(got, "mostly refuses the certificate") {
				break
			}
		}
		if !strings.Contains(got, says) {
			t.Errorf("%q does not say %q", got, says)
		}
	}
}

// TestAnEndedCertificateIsRefused has an authority that was made two days ago.
func TestAnEndedCertificateIsRefused(t *testing.T) {
	at := time.Now().Add(-48 * time.Hour)
	a := newAuthority(t, func() time.Time { return at })
	a.start()
	ended, good := a.issue(ca.Device, "mast-7", time.Hour), a.issue(ca.Device, "gate-1", year)
	if a.letIn(a.DeviceURL, ended, nil) || !a.letIn(a.DeviceURL, good, nil) {
		t.Error("the ended one is let in, or the good one is not")
	}
}

func TestARevokedCertificateIsRefusedAfterAReload(t *testing.T) {
	a := newAuthority(t, time.Now)
	a.start()
	stolen, service, other := a.issue(ca.Device, "mast-7", year), a.issue(ca.Service, "canvas-import", year), a.issue(ca.Device, "gate-1", year)
	cache := tls.NewLRUClientSessionCache(8)
	if !a.letIn(a.DeviceURL, stolen, cache) || !a.letIn(a.ServiceURL, service, nil) {
		t.Fatal("what is not revoked yet is refused")
	}
	for range 3 { // each list takes the place of the one before, within a second too
		if _, err := a.f.WriteCRLs(); err != nil {
			t.Fatal(err)
		}
		a.Reload()
	}
	for _, name := range []string{"mast-7", "canvas-import"} {
		if _, err := a.f.Revoke(name, "test", "stolen"); err != nil {
			t.Fatal(err)
		}
	}
	a.Reload()
	a.until("the refusal of the device", func() bool { return !a.letIn(a.DeviceURL, stolen, nil) })
	a.until("the refusal of the service", func() bool { return !a.letIn(a.ServiceURL, service, nil) })
	if a.letIn(a.DeviceURL, stolen, cache) {
		t.Error("it comes in with the session of before")
	}
	if !a.letIn(a.DeviceURL, other, nil) {
		t.Error("one that is not revoked is refused")
	}
	// The name's next owner comes in, the thief does not.
	if next := a.enroll("mast-7"); !a.letIn(a.DeviceURL, next, nil) || a.letIn(a.DeviceURL, stolen, nil) {
		t.Error("the name's next certificate is refused, or the revoked one is let in")
	}
}

package ca

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloudcanvas/shared/identity"
)

const year = 365 * 24 * time.Hour

// clock is a clock that a test sets.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time        { return time.Unix(0, c.at.Load()) }
func (c *clock) pass(by time.Duration) { c.at.Add(int64(by)) }

func newFolder(t *testing.T) (*Folder, *clock) {
	t.Helper()
	c := &clock{}
	c.at.Store(time.Now().UnixNano())
	f, err := Init(filepath.Join(t.TempDir(), "ca"), 10*year, c.now)
	if err != nil {
		t.Fatal(err)
	}
	return f, c
}

func request(t *testing.T, name string) *x509.CertificateRequest {
	t.Helper()
	key, err := identity.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	text, err := identity.NewRequest(name, key)
	if err != nil {
		t.Fatal(err)
	}
	r, err := identity.ParseRequest(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (f *Folder) issue(t *testing.T, kind Kind, name string, hosts ...string) (*x509.Certificate, error) {
	t.Helper()
	return f.Issue(Wanted{Kind: kind, Name: name, Hosts: hosts, Life: year, By: "test"}, request(t, name).PublicKey)
}

func refused(t *testing.T, err error, says string) {
	t.Helper()
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), says) {
		t.Errorf("%v is no refusal that says %q", err, says)
	}
}

func TestAnAuthorityIsMadeOnceAndItsKeysAreClosed(t *testing.T) {
	f, c := newFolder(t)
	for name, mode := range map[string]os.FileMode{"devices-ca.key": 0o600, "services-ca.key": 0o600, "issued.json": 0o600, "ca.pem": 0o644, "services-ca.pem": 0o644,
		"devices.crl": 0o644, "services.crl": 0o644, ".": 0o700} {
		if info, err := os.Stat(filepath.Join(f.dir, name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
	_, err := Init(f.dir, year, c.now)
	refused(t, err, "not empty")
	if left, _ := os.ReadDir(filepath.Dir(f.dir)); len(left) != 1 {
		t.Errorf("it left %v behind", left)
	}
	empty := t.TempDir()
	if _, err := Init(empty, year, c.now); err != nil {
		t.Errorf("an empty folder: %v", err)
	}
	_, err = Open(filepath.Join(empty, "none"), c.now)
	refused(t, err, "ca init")
}

func TestNamesAreThoseOfDecision14(t *testing.T) {
	f, _ := newFolder(t)
	for _, c := range []struct {
		kind  Kind
		name  string
		hosts []string
		says  string
	}{
		{Device, "mast-7", nil, ""}, {Device, "mast-7", nil, "in use"}, {Device, "canvas-bridge", nil, "services"}, {Device, "Canvas-bridge", nil, "services"},
		{Device, "", nil, "no name"}, {Device, "../x", nil, "no name"}, {Device, "a/b", nil, "no name"}, {Device, "a+", nil, "no name"}, {Device, strings.Repeat("x", 64), nil, "no name"}, {Device, "x\n", nil, "no name"},
		{Service, "canvas-bridge", nil, ""}, {Service, "canvas-", nil, "no name"}, {Service, "bridge", nil, "begin with canvas-"}, {Service, "canvas-bridge", nil, "in use"},
		{Server, "broker", []string{"broker.example", "192.0.2.7", "::1"}, ""}, {Server, "other", nil, "1 to 100"}, {Server, "other", []string{"*.example"}, "neither"},
		{Server, "other", []string{"https://x"}, "neither"}, {Server, "mast-7", []string{"x"}, "in use"}, {"friend", "x", nil, "no kind"},
	} {
		cert, err := f.issue(t, c.kind, c.name, c.hosts...)
		if c.says != "" {
			refused(t, err, c.says)
			continue
		}
		if err != nil {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		usage := x509.ExtKeyUsageClientAuth
		if c.kind == Server {
			usage = x509.ExtKeyUsageServerAuth
		}
		if cert.Subject.CommonName != c.name || len(cert.ExtKeyUsage) != 1 || cert.ExtKeyUsage[0] != usage || cert.CheckSignatureFrom(f.Root(c.kind)) != nil {
			t.Errorf("%+v: %+v", c, cert.Subject)
		}
	}
	_, err := f.Issue(Wanted{Kind: Device, Name: "x", By: "test"}, request(t, "x").PublicKey)
	refused(t, err, "before it is used")
}

func TestAWrongClockAndAnEndedAuthorityAreSaid(t *testing.T) {
	f, c := newFolder(t)
	c.pass(-2 * time.Hour)
	_, err := f.issue(t, Device, "early")
	refused(t, err, "set the clock")
	c.pass(100*24*time.Hour + 2*time.Hour)
	if _, err := f.issue(t, Device, "late"); err != nil {
		t.Fatal(err)
	}
	c.pass(-24 * time.Hour)
	_, err = f.issue(t, Device, "back")
	refused(t, err, "the last certificate was issued")
	c.pass(10*year - 200*24*time.Hour)
	cert, err := f.issue(t, Device, "short")
	if err != nil || !cert.NotAfter.Equal(f.Root(Device).NotAfter) {
		t.Errorf("%v: a certificate outlives its authority", err)
	}
	c.pass(year)
	_, err = f.issue(t, Device, "ended")
	refused(t, err, "ended on")
	_, err = f.NewToken("ended", "test", time.Hour)
	refused(t, err, "ended on")
}

func TestABrokenFolderIsNamed(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(f *Folder) error
		says   string
	}{
		"no list":         {func(f *Folder) error { return os.Remove(f.indexFile()) }, "backup"},
		"half a list":     {func(f *Folder) error { return os.Truncate(f.indexFile(), 20) }, "can't be read"},
		"a newer list":    {func(f *Folder) error { return os.WriteFile(f.indexFile(), []byte(`{"format":9}`), 0o600) }, "format 9"},
		"no certificate":  {func(f *Folder) error { return os.Remove(f.certFile(devices)) }, "ca.pem"},
		"empty":           {func(f *Folder) error { return os.Truncate(f.certFile(services), 0) }, "no certificate"},
		"another's key":   {func(f *Folder) error { return os.Rename(f.keyFile(services), f.keyFile(devices)) }, "is not the key of"},
		"an open key":     {func(f *Folder) error { return os.Chmod(f.keyFile(devices), 0o644) }, "chmod"},
		"no key is left":  {func(f *Folder) error { return os.Remove(f.keyFile(devices)) }, "is not here"},
		"a key of nought": {func(f *Folder) error { return os.Truncate(f.keyFile(devices), 0) }, "no private key"},
	} {
		t.Run(name, func(t *testing.T) {
			f, clock := newFolder(t)
			if err := c.damage(f); err != nil {
				t.Fatal(err)
			}
			f, err := Open(f.dir, clock.now)
			if err == nil {
				_, err = f.issue(t, Device, "mast-7")
			}
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v does not say %q", err, c.says)
			}
		})
	}
}

func TestAHostWithoutTheServicesKeyEnrollsDevicesOnly(t *testing.T) {
	f, _ := newFolder(t)
	if err := os.Remove(f.keyFile(services)); err != nil {
		t.Fatal(err)
	}
	if _, err := f.issue(t, Device, "mast-7"); err != nil {
		t.Error(err)
	}
	if _, err := f.Revoke("mast-7", "test", "lost"); err != nil {
		t.Error(err)
	}
	files, err := f.WriteCRLs()
	if err != nil || len(files) != 1 {
		t.Errorf("%v %v", files, err)
	}
	_, err = f.issue(t, Service, "canvas-bridge")
	refused(t, err, "not here")
}

func TestATokenLetsOneDeviceInOnce(t *testing.T) {
	f, c := newFolder(t)
	for _, name := range []string{"canvas-bridge", "a b"} {
		_, err := f.NewToken(name, "test", time.Hour)
		refused(t, err, "name")
	}
	_, err := f.NewToken("mast-7", "test", 31*24*time.Hour)
	refused(t, err, "good for")
	early, err := f.NewToken("mast-7", "test", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	text, err := f.NewToken("mast-7", "test", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := os.ReadFile(f.indexFile()); err != nil || strings.Contains(string(kept), text) {
		t.Error("the token is in the list")
	}
	mine, others := request(t, "mast-7"), request(t, "mast-7")
	for name, c := range map[string]struct{ name, token string }{"another's name": {"mast-8", text}, "another token": {"mast-7", text + "x"}, "one that was replaced": {"mast-7", early}} {
		_, err := f.Enroll(c.name, c.token, "192.0.2.1", year, mine)
		if refused(t, err, "no such token"); t.Failed() {
			t.Log(name)
		}
	}
	cert, err := f.Enroll("mast-7", text, "192.0.2.1", year, mine)
	if err != nil {
		t.Fatal(err)
	}
	again, err := f.Enroll("mast-7", text, "192.0.2.1", year, mine)
	if err != nil || !again.Equal(cert) {
		t.Errorf("the same device asks again: %v", err)
	}
	_, err = f.Enroll("mast-7", text, "192.0.2.9", year, others)
	refused(t, err, "used on")
	_, err = f.NewToken("mast-7", "test", time.Hour)
	refused(t, err, "in use")
	c.pass(2 * time.Hour)
	_, err = f.Enroll("mast-7", text, "192.0.2.1", year, mine)
	refused(t, err, "used on")

	if _, err := f.Revoke("mast-7", "test", "lost"); err != nil {
		t.Fatal(err)
	}
	if text, err = f.NewToken("mast-7", "test", time.Hour); err != nil {
		t.Fatal(err)
	}
	c.pass(time.Hour)
	_, err = f.Enroll("mast-7", text, "192.0.2.1", year, mine)
	refused(t, err, "ended on")
	if text, err = f.NewToken("mast-7", "test", time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Revoke("mast-7", "test", "no"); err != nil {
		t.Fatal(err)
	}
	_, err = f.Enroll("mast-7", text, "192.0.2.1", year, mine)
	refused(t, err, "ended on")
}

func (f *Folder) list(t *testing.T, authority string) *x509.RevocationList {
	t.Helper()
	text, err := os.ReadFile(f.crlFile(authority))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	list, err := x509.ParseRevocationList(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if err := list.CheckSignatureFrom(f.roots[authority]); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestWhatIsRevokedStandsInALaterListUntilItHasEnded(t *testing.T) {
	f, c := newFolder(t)
	before := f.list(t, devices)
	cert, err := f.issue(t, Device, "mast-7")
	if err != nil {
		t.Fatal(err)
	}
	renewed, err := f.Renew("mast-7", "test", year, request(t, "mast-7").PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	n, err := f.Revoke("mast-7", "somebody", "stolen")
	if n != 2 || err != nil {
		t.Fatalf("%d %v", n, err)
	}
	after := f.list(t, devices)
	if len(after.RevokedCertificateEntries) != 2 || !after.ThisUpdate.After(before.ThisUpdate) || after.Number.Cmp(before.Number) <= 0 || after.NextUpdate.Before(f.Root(Device).NotAfter) {
		t.Errorf("%+v", after)
	}
	for i, want := range []*x509.Certificate{cert, renewed} {
		if after.RevokedCertificateEntries[i].SerialNumber.Cmp(want.SerialNumber) != 0 {
			t.Errorf("%d: another number", i)
		}
	}
	if len(f.list(t, services).RevokedCertificateEntries) != 0 {
		t.Error("the services' list has it")
	}
	all, err := f.List()
	if err != nil || len(all) != 2 || all[0].State(c.now()) != "revoked" || all[0].Reason != "by somebody: stolen" {
		t.Errorf("%+v %v", all, err)
	}
	_, err = f.Revoke("mast-7", "test", "again")
	refused(t, err, "is revoked")
	_, err = f.Revoke("mast-9", "test", "who")
	refused(t, err, "no certificate")
	_, err = f.Renew("mast-7", "test", year, request(t, "mast-7").PublicKey)
	refused(t, err, "revoked")
	_, err = f.Renew("mast-9", "test", year, request(t, "mast-9").PublicKey)
	refused(t, err, "no certificate")
	c.pass(year + 24*time.Hour)
	if _, err := f.WriteCRLs(); err != nil {
		t.Fatal(err)
	}
	if left := f.list(t, devices).RevokedCertificateEntries; len(left) != 0 {
		t.Errorf("what has ended is in the list: %v", left)
	}
}

func TestANameHasFewCertificatesAtATime(t *testing.T) {
	f, _ := newFolder(t)
	if _, err := f.issue(t, Device, "mast-7"); err != nil {
		t.Fatal(err)
	}
	for range maxLive - 1 {
		if _, err := f.Renew("mast-7", "test", year, request(t, "mast-7").PublicKey); err != nil {
			t.Fatal(err)
		}
	}
	_, err := f.Renew("mast-7", "test", year, request(t, "mast-7").PublicKey)
	refused(t, err, "limit")
}

func TestTwoProcessesDoNotGiveANameTwice(t *testing.T) {
	f, c := newFolder(t)
	var got atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		other, err := Open(f.dir, c.now)
		if err != nil {
			t.Fatal(err)
		}
		public := request(t, "mast-7").PublicKey
		all.Go(func() {
			if _, err := other.Issue(Wanted{Kind: Device, Name: "mast-7", Life: year, By: "test"}, public); err == nil {
				got.Add(1)
			} else if !errors.Is(err, ErrRefused) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if list, err := f.List(); got.Load() != 1 || len(list) != 1 || err != nil {
		t.Errorf("%d were issued, %d are listed: %v", got.Load(), len(list), err)
	}
}

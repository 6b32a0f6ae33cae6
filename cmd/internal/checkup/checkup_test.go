package checkup

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/shared/security"
)

func TestADiskIsJudgedByItsBytesAndInodes(t *testing.T) {
	for _, c := range []struct {
		free, all, inodes, allInodes int64
		want                         State
	}{
		{100e9, 200e9, 1e6, 2e6, OK}, {1e9, 200e9, 1e6, 2e6, Warn}, {1e6, 200e9, 1e6, 2e6, Fail},
		{100e9, 200e9, 50_000, 2e6, Warn}, {100e9, 200e9, 10, 2e6, Fail}, {100e9, 200e9, 0, 0, OK},
	} {
		f := room("disk", "/data", c.free, c.all, c.inodes, c.allInodes)
		if f.State != c.want || f.Good != (c.want == OK) || (f.Fix == "") != f.Good {
			t.Errorf("%+v: %+v", c, f)
		}
	}
	if f := Disk(filepath.Join(t.TempDir(), "not", "there", "yet")); strings.Contains(f.Detail, "can't be read") {
		t.Errorf("a folder that is to be made: %+v", f)
	}
}

func TestAFolderIsLookedAtAndNotMade(t *testing.T) {
	dir := t.TempDir()
	missing, file, open := filepath.Join(dir, "a", "b"), filepath.Join(dir, "file"), filepath.Join(dir, "open")
	if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Mkdir(open, 0o700), os.Chmod(open, 0o777)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]State{dir: OK, missing: OK, file: Fail, open: Warn} {
		if f := Folder("data", path); f.State != want {
			t.Errorf("%s: %+v", path, f)
		}
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("the folder was made")
	}
	if os.Getuid() != 0 { // who may do everything has no folder closed to him
		if err := os.Chmod(open, 0o500); err != nil {
			t.Fatal(err)
		}
		if f := Folder("data", open); f.State != Fail || !strings.Contains(f.Fix, "chown") {
			t.Errorf("%+v", f)
		}
	}
}

func TestAClockThatNothingKeepsIsSaid(t *testing.T) {
	now := built.Add(time.Hour)
	for _, c := range []struct {
		now   time.Time
		loose bool
		off   time.Duration
		want  State
	}{{now, false, time.Millisecond, OK}, {now, true, 0, Warn}, {now, false, 3 * time.Second, Warn}, {time.Unix(0, 0), false, 0, Fail}} {
		if f := clock(c.now, c.loose, c.off); f.State != c.want {
			t.Errorf("%+v: %+v", c, f)
		}
	}
	if f := Clock(); f.State == "" {
		t.Errorf("%+v", f)
	}
}

// authority makes certificates for loopback.
type authority struct {
	*testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{T: t, dir: t.TempDir()}
	a.cert, a.key = a.make("ca", time.Hour, nil)
	return a
}

// make writes NAME.pem and NAME.key.
func (a *authority) make(name string, life time.Duration, by *authority) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(life),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: by == nil, BasicConstraintsValid: true}
	parent, signer := template, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		a.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{a.file(name + ".pem"): {Type: "CERTIFICATE", Bytes: der}, a.file(name + ".key"): {Type: "EC PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			a.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.Fatal(err)
	}
	return cert, key
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// serve accepts connections, with TLS where there is a configuration, and says nothing.
func serve(t *testing.T, config *tls.Config) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if config != nil {
					conn = tls.Server(conn, config)
				}
				conn.Read(make([]byte, 1))
			}()
		}
	}()
	return l.Addr().String()
}

func TestABrokerIsLookedAtUpToItsCertificate(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	ours.make("long", 1000*time.Hour, ours)
	ours.make("short", time.Hour, ours)
	ours.make("client", time.Hour, ours)
	config := func(name, clients string) *tls.Config {
		c, err := security.ServerTLS(ours.file(name+".pem"), ours.file(name+".key"), clients)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	trusted := security.Security{CA: ours.file("ca.pem")}
	known := trusted
	known.Cert, known.Key = ours.file("client.pem"), ours.file("client.key")
	plain, long, strict := serve(t, nil), serve(t, config("long", "")), serve(t, config("long", ours.file("ca.pem")))
	for _, c := range []struct {
		name, address string
		security      security.Security
		want          State
		says          string
	}{
		{"plain on this machine", "tcp://" + plain, security.Security{}, OK, "answers in"},
		{"nobody there", "tcp://" + closed.Addr().String(), security.Security{}, Fail, "refused"},
		{"no address", "mqtt", security.Security{}, Fail, "can't be read"},
		{"a good certificate", "tls://" + long, trusted, OK, "TLS until"},
		{"a certificate that ends", "tls://" + serve(t, config("short", "")), trusted, Warn, "ends on"},
		{"another's authority", "tls://" + long, security.Security{CA: theirs.file("ca.pem")}, Fail, "certificate"},
		{"a client without a certificate", "tls://" + strict, trusted, Fail, "certificate required"},
		{"a client with one", "tls://" + strict, known, OK, "TLS until"},
		{"a password in the address", "tcp://user:secret@" + plain, security.Security{}, OK, "answers"},
	} {
		f := Broker(t.Context(), "cloud", c.address, c.security)
		if f.State != c.want || !strings.Contains(f.Detail, c.says) || strings.Contains(f.What, "secret") || (f.Fix == "") != f.Good {
			t.Errorf("%s: %+v", c.name, f)
		}
	}
}

func TestFindingsAreToldWithTheirFixAndExitCode(t *testing.T) {
	all := []Finding{Good("clock", "kept"), Doubtful("disk", "nearly full", "df -h"), Bad("cloud", errors.New("refused"), "nc -vz host 1883")}
	var out bytes.Buffer
	if err := Tell(&out, all, false); cli.Code(err) != cli.Incomplete {
		t.Errorf("%v", err)
	}
	for _, want := range []string{"ok   clock: kept\n", "warn disk: nearly full\n       df -h\n", "fail cloud: refused\n       nc -vz host 1883\n", "1 ok, 1 warning, 1 failed"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	out.Reset()
	if err := Tell(&out, all[:2], true); err != nil {
		t.Errorf("a warning is no failure: %v", err)
	}
	var read []Finding
	if err := json.Unmarshal(out.Bytes(), &read); err != nil || len(read) != 2 || read[1].State != Warn || !read[0].Good {
		t.Errorf("%+v %v", read, err)
	}
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/edge"
	"cloudcanvas/shared/brokertest"
)

func TestNamesThatTheShippedBrokerFilesDoNotTakeAreTold(t *testing.T) {
	cert, key := brokertest.NewAuthority(t, "devices").Issue(t, "mast-7")
	for _, c := range []struct {
		edge, id, cert string
		want           string
	}{
		{"mast-7", "", cert, ""}, {"mast-7", "mast-7", cert, ""}, {"mast-7", "", "", ""}, {"mast-7", "", "/nowhere", ""},
		{"mast-8", "", cert, "issued for \"mast-7\""}, {"mast-7", "my-device", cert, "in its place"}, {"canvas-bridge", "", "", "services"},
	} {
		var cfg edge.Config
		cfg.Edge, cfg.Cloud.ClientID, cfg.Cloud.Security.Cert, cfg.Cloud.Security.Key = c.edge, c.id, c.cert, key
		got := identity(cfg)
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

func TestAPlainBrokerBeyondThisMachineIsTold(t *testing.T) {
	for address, told := range map[string]bool{"tcp://broker.example:1883": true, "mqtt://192.0.2.7": true, "ws://broker.example/mqtt": true,
		"tcp://localhost:1883": false, "tcp://127.0.0.1:1883": false, "tcp://[::1]:1883": false, "tls://broker.example:8883": false, "mqtts://broker.example": false, "wss://broker.example": false} {
		var cfg edge.Config
		cfg.Cloud.URL = address
		if got := plain(cfg); (got != "") != told {
			t.Errorf("%s: %q", address, got)
		}
	}
	var cfg edge.Config
	cfg.Cloud.URL = "tcp://user:secret@broker.example:1883"
	if got := plain(cfg); strings.Contains(got, "secret") {
		t.Error(got)
	}
}

// TestACertificatesLifeIsTold looks at one of a day, of which less than a third is left.
func TestACertificatesLifeIsTold(t *testing.T) {
	cert, _ := brokertest.NewAuthority(t, "devices").Issue(t, "mast-7")
	var cfg edge.Config
	if got := lifetime(cfg, time.Now()); got != "" {
		t.Errorf("no certificate: %q", got)
	}
	cfg.Cloud.Security.Cert = cert
	for after, says := range map[time.Duration]string{time.Hour: "", 20 * time.Hour: "ends in", 100 * time.Hour: "ended on", -100 * time.Hour: "set the clock"} {
		if got := lifetime(cfg, time.Now().Add(after)); !strings.Contains(got, says) || (says == "") != (got == "") {
			t.Errorf("after %s: %q", after, got)
		}
	}
}

func TestEnrolmentTakesAConfigurationWhoseFilesAreMissing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "edge.yaml")
	load := func(text string) (edge.Config, error) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var cfg edge.Config
		var err error
		app := cli.App("canvas-edge", "tests", "dev", &urfave.Command{Name: "load", Action: func(c *urfave.Context) error {
			cfg, err = configToEnroll(c)
			return nil
		}})
		if err := app.Run([]string{"canvas-edge", "--config", file, "load"}); err != nil {
			t.Fatal(err)
		}
		return cfg, err
	}
	cfg, err := load("edge: mast-7\ndata: /d\ncloud: {url: 'tls://h:8883', security: {ca: /none/a, cert: /none/b, key: /none/c}}\n")
	if f := filesToEnroll(cfg, ""); err != nil || f.CA != "/none/a" || f.Cert != "/none/b" || f.Key != "/none/c" {
		t.Errorf("%+v %v", f, err)
	}
	if f := filesToEnroll(cfg, "/out"); f.Key != "/out/device.key" {
		t.Errorf("%+v", f)
	}
	cfg, err = load("edge: mast-7\ndata: /d\ncloud: {url: 'tls://h:8883'}\n")
	if f := filesToEnroll(cfg, ""); err != nil || f.Cert != "/d/tls/device.pem" {
		t.Errorf("%+v %v", f, err)
	}
	for _, wrong := range []string{"edge: mast-7\ncloud: {url: 'tls://h:8883', security: {crt: /none/b}}\n", "edge: a b\ncloud: {url: 'tls://h:8883'}\n"} {
		if _, err := load(wrong); cli.Code(err) != cli.WrongUsage {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}

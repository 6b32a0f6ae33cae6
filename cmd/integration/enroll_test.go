package integration

import (
	cryptotls "crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudcanvas/shared/brokertest"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/identity"
	"cloudcanvas/shared/mqtt"
	"cloudcanvas/shared/security"
)

// TestADeviceEnrollsAndDeliversUntilItIsRevoked goes the way of docs/operations.md with the real programs
// and the shipped broker files: from nothing to an enrolled device, whose readings come out at the other end.
func TestADeviceEnrollsAndDeliversUntilItIsRevoked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	authority := filepath.Join(dir, "ca")
	at := func(name string) string { return filepath.Join(authority, name) }
	must(t, "canvas-cloud", "ca", "init", "--out", authority)
	must(t, "canvas-cloud", "ca", "issue", "server", "--dir", authority, "127.0.0.1", "localhost")
	must(t, "canvas-cloud", "ca", "issue", "service", "--dir", authority, "canvas-bridge")
	for says, args := range map[string][]string{
		"not empty":     {"init", "--out", authority},
		"there already": {"issue", "service", "--dir", authority, "canvas-bridge"},
		"services do":   {"token", "--dir", authority, "canvas-import"},
		"begin with":    {"issue", "service", "--dir", authority, "bridge"},
		"neither":       {"issue", "server", "--dir", authority, "--name", "x", "https://x"},
		"--days is":     {"issue", "device", "--dir", authority, "--days", "0", "x"},
		"ca init":       {"ls", "--dir", filepath.Join(dir, "none")},
	} {
		if code, out := run(t, "canvas-cloud", append([]string{"ca"}, args...)...); code != 2 || !strings.Contains(out, says) {
			t.Errorf("%v: exit code %d, %s", args, code, out)
		}
	}
	listen := fmt.Sprintf("127.0.0.1:%d", brokertest.FreePort(t))
	start(t, "canvas-cloud", "ca", "serve", "--dir", authority, "--listen", listen)
	until(t, time.Minute, "the endpoint", func() bool {
		conn, err := net.Dial("tcp", listen)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	m := brokertest.StartShippedWith(t, filepath.Join(root(t), "firmware-configs", "mosquitto"), brokertest.TLSFiles{CA: at("ca.pem"), ServicesCA: at("services-ca.pem"),
		DevicesCRL: at("devices.crl"), ServicesCRL: at("services.crl"), Cert: at("issued/broker.pem"), Key: at("issued/broker.key")})

	var listed struct {
		Fingerprint  string                         `json:"ca_fingerprint"`
		Certificates []struct{ Name, State string } `json:"certificates"`
	}
	list := func() {
		t.Helper()
		if err := json.Unmarshal([]byte(must(t, "canvas-cloud", "ca", "ls", "--dir", authority, "--json")), &listed); err != nil {
			t.Fatal(err)
		}
	}
	list()
	token, _, _ := strings.Cut(must(t, "canvas-cloud", "ca", "token", "--dir", authority, "mast-7"), "\n")
	tokenFile := write(t, filepath.Join(dir, "token"), "%s\n", token)
	tls := func(name string) string { return filepath.Join(dir, "tls", name) }
	local := brokertest.StartMosquitto(t)
	metrics := fmt.Sprintf("127.0.0.1:%d", brokertest.FreePort(t))
	config := write(t, filepath.Join(dir, "edge.yaml"), `
edge: mast-7
data: %q
cloud: {url: %q, security: {ca: %q, cert: %q, key: %q}}
local: {url: %q}
sensors: {enabled: true}
telemetry: {listen: %q}
`, filepath.Join(dir, "data"), m.DeviceURL, tls("ca.pem"), tls("device.pem"), tls("device.key"), local.URL, metrics)
	enroll := func(args ...string) (int, string) {
		return run(t, "canvas-edge", append([]string{"--config", config, "enroll"}, args...)...)
	}
	if code, out := enroll("--url", "https://"+listen, "--token-file", tokenFile, "--ca-fingerprint", "sha256:"+strings.Repeat("00", 32)); code != 1 || !strings.Contains(out, "does not show the authority") {
		t.Errorf("another fingerprint: %d %s", code, out)
	}
	if code, out := enroll("--url", "https://"+listen, "--token-file", tokenFile, "--ca-fingerprint", listed.Fingerprint); code != 0 || !strings.Contains(out, "this device is mast-7 until") {
		t.Fatalf("%d %s", code, out)
	}
	if code, out := enroll("--url", "https://"+listen, "--token-file", tokenFile, "--ca-fingerprint", listed.Fingerprint); code != 2 || !strings.Contains(out, "--renew") {
		t.Errorf("enrolled twice: %d %s", code, out)
	}
	if code, out := enroll("--renew"); code != 0 || !strings.Contains(out, "no need") {
		t.Errorf("renewed too early: %d %s", code, out)
	}
	if out := must(t, "canvas-edge", "--config", config, "check"); strings.Contains(out, "note:") {
		t.Errorf("check: %s", out)
	}

	came := make(chan string, 1000)
	bridge, err := mqtt.Dial(t.Context(), mqtt.Options{URL: m.ServiceURL, ClientID: "canvas-bridge", Security: security.Security{CA: at("services-ca.pem"), Cert: at("issued/canvas-bridge.pem"), Key: at("issued/canvas-bridge.key")}})
	if err != nil {
		t.Fatal(err)
	}
	defer bridge.Close()
	bridge.Subscribe(event.UpFilter, 1, func(m mqtt.Message) {
		select {
		case came <- m.Topic:
		default:
		}
	})
	agent := start(t, "canvas-edge", "--config", config, "run")
	sensor, err := mqtt.Dial(t.Context(), mqtt.Options{URL: local.URL, ClientID: "sensor"})
	if err != nil {
		t.Fatal(err)
	}
	defer sensor.Close()
	heard := false
	until(t, 2*time.Minute, "a reading at the bridge", func() bool {
		_ = sensor.Publish(t.Context(), "canvas/sensors/wind/reading", 1, false, []byte("3.5")) // again, until the agent is there
		select {
		case topic := <-came:
			heard = heard || strings.HasPrefix(topic, "canvas/v1/mast-7/up/")
		default:
		}
		return heard
	})

	before, err := os.ReadFile(tls("device.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if code, out := enroll("--renew", "--now"); code != 0 {
		t.Errorf("renewal: %d %s", code, out)
	}
	if after, err := os.ReadFile(tls("device.pem")); err != nil || string(after) == string(before) {
		t.Errorf("the certificate is the same: %v", err)
	}
	must(t, "canvas-cloud", "ca", "revoke", "--dir", authority, "--reason", "stolen", "mast-7")
	must(t, "canvas-cloud", "ca", "crl", "--dir", authority)
	m.Kill() // ends the connection that stands
	m.Restart()
	until(t, 2*time.Minute, "word of the refusal", func() bool {
		return strings.Contains(agent.log.String(), "list of revoked certificates") || strings.Contains(agent.log.String(), "mostly refuses the certificate")
	})
	if code, out := enroll("--renew", "--now"); code != 1 || !strings.Contains(out, "was revoked") {
		t.Errorf("renewal of a revoked one: %d %s", code, out)
	}
	// A device that can't reach the endpoint, a renewal at the authority, the lists where the broker reads them.
	key, err := identity.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	request, err := identity.NewRequest("whatever-it-asks-for", key)
	if err != nil {
		t.Fatal(err)
	}
	must(t, "canvas-cloud", "ca", "issue", "device", "--dir", authority, "--out", dir, "--request", write(t, filepath.Join(dir, "boat.csr"), "%s", request), "boat")
	if cert, err := identity.ReadCertificate(filepath.Join(dir, "boat.pem")); err != nil || cert.Subject.CommonName != "boat" {
		t.Errorf("the certificate of a request: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "boat.key")); err == nil {
		t.Error("a key was made for a request")
	}
	if code, out := run(t, "canvas-cloud", "ca", "renew", "--dir", authority, "boat"); code != 2 || !strings.Contains(out, "canvas-edge enroll --renew") {
		t.Errorf("%d %s", code, out)
	}
	must(t, "canvas-cloud", "ca", "renew", "--dir", authority, "broker")
	if _, err := cryptotls.LoadX509KeyPair(at("issued/broker.pem"), at("issued/broker.key")); err != nil {
		t.Error(err)
	}
	must(t, "canvas-cloud", "ca", "crl", "--dir", authority, "--out", dir)
	if info, err := os.Stat(filepath.Join(dir, "devices.crl")); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("%v %v", info, err)
	}

	list()
	for _, c := range listed.Certificates {
		if want := map[string]string{"mast-7": "revoked", "boat": "good", "broker": "good", "canvas-bridge": "good"}[c.Name]; c.State != want {
			t.Errorf("%s is %s", c.Name, c.State)
		}
	}
}

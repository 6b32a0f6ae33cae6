package main

import (
	"strings"
	"testing"

	"cloudcanvas/cmd/internal/checkup"
	"cloudcanvas/edge"
	"cloudcanvas/edge/uplink"
	"cloudcanvas/shared/signed"
)

func TestADeviceThatBelievesEverybodyOverABrokerElsewhereIsTold(t *testing.T) {
	key, err := signed.Make(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		url   string
		keys  []string
		state checkup.State
		want  string
	}{
		{"tls://broker.example:8883", nil, checkup.Warn, "frees its buffer on a forged one"},
		{"tcp://127.0.0.1:1883", nil, checkup.OK, "on this machine"},
		{"tcp://localhost:1883", nil, checkup.OK, "on this machine"},
		{"tls://broker.example:8883", []string{signed.Text(key)}, checkup.OK, signed.IDOf(key).String()},
		{"tls://broker.example:8883", []string{"/nowhere"}, checkup.Fail, "no such file"},
	} {
		var cfg edge.Config
		cfg.Cloud.URL, cfg.Cloud.TrustedKeys = c.url, c.keys
		if got := lookAtTrust(cfg); got.State != c.state || !strings.Contains(got.Detail, c.want) {
			t.Errorf("%+v: %+v", c, got)
		}
	}
}

func TestSignedReceiptsAndTheBrokersWordDoNotGoTogether(t *testing.T) {
	key, err := signed.Make(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for receipts, refused := range map[string]bool{uplink.ReceiptsBridge: false, uplink.ReceiptsPUBACK: true} {
		cfg := edge.DefaultConfig()
		cfg.Edge, cfg.Cloud.URL, cfg.Cloud.TrustedKeys, cfg.Uplink.Receipts = "mast-7", "tls://broker.example:8883", []string{signed.Text(key)}, receipts
		said := ""
		cfg.Problems(func(field, message, _ string) { said += field + " " + message + "\n" })
		if strings.Contains(said, "uplink.receipts is puback") != refused {
			t.Errorf("%s: %q", receipts, said)
		}
	}
}

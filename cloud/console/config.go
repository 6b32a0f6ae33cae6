package console

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"

	"cloudcanvas/cloud/console/auth"
)

// Config is how the console is reached and how much it keeps.
type Config struct {
	// Listen is host:port. Any other than loopback demands TLS, and TokensFile or OIDC.
	Listen string `yaml:"listen"`
	// Data is the folder of the index, which can be made anew, and of audit.jsonl, which can't.
	Data string `yaml:"data"`
	// PublicURL is the address that people use, where a proxy stands before the console. It begins
	// the links of the STAC API. Empty: as the request came.
	PublicURL string `yaml:"public_url"`
	// Cert and Key are PEM files for TLS.
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
	// TokensFile has a line for each who may come in; `canvas-cloud console token` makes one.
	TokensFile string    `yaml:"tokens_file"`
	OIDC       auth.OIDC `yaml:"oidc"`
	// RequestsPerSecond of one address; bursts of four times as many pass.
	RequestsPerSecond float64 `yaml:"requests_per_second"`

	KeepEvents   int64 `yaml:"keep_events"`   // tracks and alerts
	KeepReadings int64 `yaml:"keep_readings"` // numbers of sensors
	KeepScenes   int64 `yaml:"keep_scenes"`
	PictureBytes int64 `yaml:"picture_bytes"` // of frames, quicklooks and snapshots
	TileBytes    int64 `yaml:"tile_bytes"`    // of drawn map tiles, in memory
}

// DefaultConfig is for the people at this machine.
func DefaultConfig() Config {
	return Config{
		Listen: "127.0.0.1:8480", Data: "/var/lib/canvas/console", RequestsPerSecond: 50,
		OIDC:       auth.DefaultOIDC(),
		KeepEvents: 1_000_000, KeepReadings: 2_000_000, KeepScenes: 100_000, PictureBytes: 1 << 30, TileBytes: 32 << 20,
	}
}

// Loopback says whether only this machine can reach the console.
func (c Config) Loopback() bool {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}

// Problems lists every mistake in c.
func (c Config) Problems(add func(field, message, hint string)) {
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		add("listen", fmt.Sprintf("%q is no address", c.Listen), "write host:port, for example 127.0.0.1:8480")
	} else if !c.Loopback() {
		if c.Cert == "" {
			add("cert", "is missing, and listen is not this machine alone", "give cert and key for TLS, or listen on 127.0.0.1 behind a proxy")
		}
		if c.TokensFile == "" && !c.OIDC.Enabled() {
			add("tokens_file", "is missing, and listen is not this machine alone", "`canvas-cloud console token` makes a line for each who may come in; or let people log in with oidc")
		}
	}
	if (c.Cert == "") != (c.Key == "") {
		add("key", "a certificate needs both cert and key", "give both or neither")
	}
	if c.Data == "" || c.Data != filepath.Clean(c.Data) {
		add("data", fmt.Sprintf("%q is no folder", c.Data), "name one that this user may write to: /var/lib/canvas/console")
	}
	if u, err := url.Parse(c.PublicURL); c.PublicURL != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		add("public_url", fmt.Sprintf("%q is no address of a website", c.PublicURL), "write https://canvas.example")
	}
	c.OIDC.Problems(c.PublicURL, add)
	if c.RequestsPerSecond < 1 {
		add("requests_per_second", fmt.Sprintf("is %g", c.RequestsPerSecond), "an open page needs about 5")
	}
	for _, f := range []struct {
		name         string
		value, least int64
	}{
		{"keep_events", c.KeepEvents, 1000}, {"keep_readings", c.KeepReadings, 1000}, {"keep_scenes", c.KeepScenes, 10},
		{"picture_bytes", c.PictureBytes, 8 << 20}, {"tile_bytes", c.TileBytes, 1 << 20},
	} {
		if f.value < f.least {
			add(f.name, fmt.Sprintf("is %d", f.value), fmt.Sprintf("give at least %d", f.least))
		}
	}
}

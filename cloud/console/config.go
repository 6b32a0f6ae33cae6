package console

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"

	"cloudcanvas/cloud/console/auth"
	"cloudcanvas/shared/config"
)

// Config is how the console is reached and how much it keeps.
type Config struct {
	Listen            string    `yaml:"listen" desc:"host:port; any other than loopback demands TLS, and tokens_file or oidc"`
	Data              string    `yaml:"data" desc:"folder of the index, which Kafka fills again, and of audit.jsonl, which is the only copy"`
	PublicURL         string    `yaml:"public_url" desc:"the address that people use, behind a proxy" default:"as the request came"`
	Cert              string    `yaml:"cert" desc:"PEM file of the certificate for TLS"`
	Key               string    `yaml:"key" desc:"PEM file of its private key"`
	TokensFile        string    `yaml:"tokens_file" desc:"file with a line for each who may come in; canvas-cloud console token makes one"`
	OIDC              auth.OIDC `yaml:"oidc" desc:"login with an OpenID Connect provider"`
	RequestsPerSecond float64   `yaml:"requests_per_second" desc:"requests a second of one address; bursts of four times as many pass" range:"1.."`

	KeepEvents   int64 `yaml:"keep_events" desc:"tracks and alerts in the index; the oldest go first" range:"1000.."`
	KeepReadings int64 `yaml:"keep_readings" desc:"numbers of sensors in the index" range:"1000.."`
	KeepScenes   int64 `yaml:"keep_scenes" desc:"scenes in the index" range:"10.."`
	PictureBytes int64 `yaml:"picture_bytes" desc:"bytes of frames, quicklooks and snapshots on disk" range:"8MiB.."`
	TileBytes    int64 `yaml:"tile_bytes" desc:"bytes of drawn map tiles in memory" range:"1MiB.."`
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
	config.Limits(c, DefaultConfig(), add)
}

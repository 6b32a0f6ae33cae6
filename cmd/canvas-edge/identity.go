package main

import (
	"fmt"
	"net"
	"net/url"
	"time"

	"cloudcanvas/cmd/internal/checkup"
	"cloudcanvas/edge"
	identities "cloudcanvas/shared/identity"
	"cloudcanvas/shared/security"
)

// identity says what of a device's names does not go with the broker files that are shipped for the
// cloud, where the certificate's name is who a device is; empty: all is well.
func identity(cfg edge.Config) string {
	if err := identities.CheckDevice(cfg.Edge); err != nil {
		return err.Error()
	}
	if cfg.Cloud.Security.Cert == "" {
		return ""
	}
	cert, err := identities.ReadCertificate(cfg.Cloud.Security.Cert)
	if err != nil {
		return "" // said where the connection is looked at
	}
	switch name := cert.Subject.CommonName; {
	case name != cfg.Edge:
		return fmt.Sprintf("the certificate is issued for %q, this device is %s: a broker with firmware-configs/mosquitto lets it write for %q only, "+
			"acknowledges all the same, and no receipt comes", name, cfg.Edge, name)
	case cfg.Cloud.ClientID != "" && cfg.Cloud.ClientID != cfg.Edge:
		return fmt.Sprintf("cloud.client_id is %s: a broker with firmware-configs/mosquitto takes the certificate's name, %s, in its place", cfg.Cloud.ClientID, name)
	}
	return ""
}

// lifetime says how the device's certificate stands: when it ends soon or has, or the clock does
// not fit; empty: all is well.
func lifetime(cfg edge.Config, now time.Time) string {
	if cfg.Cloud.Security.Cert == "" {
		return ""
	}
	cert, err := identities.ReadCertificate(cfg.Cloud.Security.Cert)
	if err != nil {
		return "" // said where the connection is looked at
	}
	_, words := identities.Assess(cert, now)
	return words
}

// plain says that what goes to the cloud can be read and forged on its way; empty: it is encrypted, or does
// not leave this machine.
func plain(cfg edge.Config) string {
	u, err := url.Parse(cfg.Cloud.URL)
	if err != nil || cfg.Cloud.Security.Encrypted() {
		return ""
	}
	switch u.Scheme {
	case "tls", "ssl", "mqtts", "wss":
		return ""
	}
	host := u.Hostname()
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return ""
	}
	return fmt.Sprintf("%s is not encrypted: whoever is between can read items and forge receipts, which free the buffer; use tls:// and canvas-edge enroll, docs/operations.md: identities", security.Redact(cfg.Cloud.URL))
}

func lookAtLifetime(cfg edge.Config) checkup.Finding {
	return checkup.Certificate("certificate", cfg.Cloud.Security.Cert, time.Now(),
		"canvas-edge enroll --renew    # once it has ended: canvas-cloud ca token "+cfg.Edge+", and canvas-edge enroll --replace; one from elsewhere: have it signed anew there")
}

func lookAtIdentity(cfg edge.Config) checkup.Finding {
	if note := identity(cfg); note != "" {
		return checkup.Doubtful("identity", note, "openssl x509 -noout -subject -in "+cfg.Cloud.Security.Cert+"    # docs/operations.md: names")
	}
	return checkup.Good("identity", "the cloud's broker knows this device as "+cfg.Edge)
}

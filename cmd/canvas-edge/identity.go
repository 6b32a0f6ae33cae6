package main

import (
	"errors"
	"fmt"
	"time"

	"cloudcanvas/cmd/internal/checkup"
	"cloudcanvas/edge"
	identities "cloudcanvas/shared/identity"
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

// lifetime says how the device's certificate stands: when it ends, and whether the clock fits.
func lifetime(cfg edge.Config, now time.Time) (identities.State, string) {
	if cfg.Cloud.Security.Cert == "" {
		return identities.Good, ""
	}
	cert, err := identities.ReadCertificate(cfg.Cloud.Security.Cert)
	if err != nil {
		return identities.Good, "" // said where the connection is looked at
	}
	return identities.Assess(cert, now)
}

func lookAtLifetime(cfg edge.Config) checkup.Finding {
	const renew = "canvas-edge enroll --renew    # a certificate from elsewhere: have it signed anew there"
	switch state, words := lifetime(cfg, time.Now()); state {
	case identities.Ending:
		return checkup.Doubtful("certificate", words, renew)
	case identities.Ended:
		return checkup.Bad("certificate", errors.New(words), "canvas-edge enroll --replace --url … --token-file … --ca-fingerprint …    # with a token of: canvas-cloud ca token "+cfg.Edge)
	case identities.Early:
		return checkup.Bad("certificate", errors.New(words), "sudo timedatectl set-ntp true && timedatectl status")
	}
	cert, err := identities.ReadCertificate(cfg.Cloud.Security.Cert)
	if err != nil {
		return checkup.Bad("certificate", err, "canvas-edge enroll --url … --token-file … --ca-fingerprint …")
	}
	return checkup.Good("certificate", "good until "+cert.NotAfter.UTC().Format(time.DateOnly))
}

func lookAtIdentity(cfg edge.Config) checkup.Finding {
	if note := identity(cfg); note != "" {
		return checkup.Doubtful("identity", note, "openssl x509 -noout -subject -in "+cfg.Cloud.Security.Cert+"    # docs/operations.md: names")
	}
	return checkup.Good("identity", "the cloud's broker knows this device as "+cfg.Edge)
}

package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"strings"

	"cloudcanvas/cmd/internal/checkup"
	"cloudcanvas/edge"
)

// servicePrefix begins the names of the cloud's services: no device's certificate may be issued for one,
// as a broker that makes the name the client id would let it throw a service out.
const servicePrefix = "canvas-"

// identity says what of a device's names does not go with the broker files that are shipped for the
// cloud, where the certificate's name is who a device is; empty: all is well.
func identity(cfg edge.Config) string {
	if strings.HasPrefix(cfg.Edge, servicePrefix) {
		return fmt.Sprintf("the name %s begins as those of the cloud's services do: choose one that does not begin with %s", cfg.Edge, servicePrefix)
	}
	if cfg.Cloud.Security.Cert == "" {
		return ""
	}
	name, err := commonName(cfg.Cloud.Security.Cert)
	switch {
	case err != nil:
		return "" // said where the connection is looked at
	case name != cfg.Edge:
		return fmt.Sprintf("the certificate is issued for %q, this device is %s: a broker with firmware-configs/mosquitto lets it write for %q only, "+
			"acknowledges all the same, and no receipt comes", name, cfg.Edge, name)
	case cfg.Cloud.ClientID != "" && cfg.Cloud.ClientID != cfg.Edge:
		return fmt.Sprintf("cloud.client_id is %s: a broker with firmware-configs/mosquitto takes the certificate's name, %s, in its place", cfg.Cloud.ClientID, name)
	}
	return ""
}

// commonName is for whom the first certificate of a PEM file is issued.
func commonName(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return "", fmt.Errorf("%s holds no certificate", file)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return "", err
	}
	return cert.Subject.CommonName, nil
}

func lookAtIdentity(cfg edge.Config) checkup.Finding {
	if note := identity(cfg); note != "" {
		return checkup.Doubtful("identity", note, "openssl x509 -noout -subject -in "+cfg.Cloud.Security.Cert+"    # docs/operations.md: names")
	}
	return checkup.Good("identity", "the cloud's broker knows this device as "+cfg.Edge)
}

package security

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
)

// ServerTLS is the TLS configuration of a listener: its certificate and key, and, where clientCA is
// given, the authority that every client's certificate must come from.
func ServerTLS(cert, key, clientCA string) (*tls.Config, error) {
	pair, err := Security{Cert: cert, Key: key}.pair()
	if err != nil {
		return nil, err
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	if clientCA == "" {
		return config, nil
	}
	pem, err := readBounded(clientCA, maxPEM)
	if err != nil {
		return nil, fmt.Errorf("reading the clients' certificate authority: %w", err)
	}
	config.ClientCAs = x509.NewCertPool()
	if !config.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("the clients' certificate authority %s holds no PEM certificate", clientCA)
	}
	config.ClientAuth = tls.RequireAndVerifyClientCert
	return config, nil
}

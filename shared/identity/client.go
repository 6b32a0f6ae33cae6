package identity

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// patience bounds one exchange with the authority, over a slow link too.
const patience = 2 * time.Minute

// endpoint is a checked address of an authority.
func endpoint(address, path string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return nil, fmt.Errorf("%.200q is no address of an authority: https://ca.example:8470", address)
	}
	return u.JoinPath(path), nil
}

// pinned trusts a server whose chain leads to the authority of that fingerprint, and tells it: the
// authority itself comes in the handshake.
func pinned(host, fingerprint string, now func() time.Time, authority **x509.Certificate) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host,
		InsecureSkipVerify: true, // VerifyConnection verifies, against the one authority that is asked for
		VerifyConnection: func(s tls.ConnectionState) error {
			var root *x509.Certificate
			for _, cert := range s.PeerCertificates {
				if Fingerprint(cert) == fingerprint && cert.IsCA {
					root = cert
				}
			}
			if root == nil {
				return fmt.Errorf("the server does not show the authority with the fingerprint %s: another one answers there, the fingerprint is of another, or the server's file lacks the authority's certificate behind its own", fingerprint)
			}
			if err := verifyServer(s.PeerCertificates[0], root, host, now()); err != nil {
				return err
			}
			*authority = root
			return nil
		}}
}

// verifyServer says why a server's certificate is none of an authority for a host, a wrong clock first.
func verifyServer(cert, root *x509.Certificate, host string, now time.Time) error {
	roots := x509.NewCertPool()
	roots.AddCert(root)
	_, err := cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: host, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	return explain(err, cert, now)
}

// explain adds what this machine's clock has to do with it.
func explain(err error, cert *x509.Certificate, now time.Time) error {
	var invalid x509.CertificateInvalidError
	if !errors.As(err, &invalid) || invalid.Reason != x509.Expired {
		return err
	}
	return fmt.Errorf("this machine's clock says %s, the server's certificate is good from %s to %s: set the clock, or if it is right renew the server's certificate",
		now.UTC().Format(time.RFC3339), cert.NotBefore.UTC().Format(time.RFC3339), cert.NotAfter.UTC().Format(time.RFC3339))
}

// trusting trusts a server of the authorities in a file, and shows the device's certificate.
func trusting(host, authority, cert, key string, now func() time.Time) (*tls.Config, error) {
	root, err := ReadCertificate(authority)
	if err != nil {
		return nil, fmt.Errorf("the authority: %w", err)
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("the certificate %s and the key %s: %w", cert, key, err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host, InsecureSkipVerify: true, // as in pinned
		VerifyConnection: func(s tls.ConnectionState) error {
			return verifyServer(s.PeerCertificates[0], root, host, now())
		},
		// Always, also where the server's list of authorities does not name ours.
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil },
	}, nil
}

// post asks the authority, once.
func post(ctx context.Context, to *url.URL, config *tls.Config, ask Ask) (*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	body, err := json.Marshal(ask)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	client := http.Client{
		Transport: &http.Transport{TLSClientConfig: config, DialContext: (&net.Dialer{Timeout: 30 * time.Second}).DialContext, DisableKeepAlives: true, MaxResponseHeaderBytes: 16 << 10},
		// A token goes to the host that the operator named, and nowhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask the authority: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("read the authority's answer: %w", err)
	}
	var answer Answer
	if err := json.Unmarshal(text, &answer); err != nil || len(text) > maxAnswer {
		return nil, fmt.Errorf("what answers at %s is no authority of canvas-cloud: it says %s and %d bytes or more that are no answer", to.Host, response.Status, len(text))
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the authority refuses (%s): %s", response.Status, answer.Error)
	}
	return ParseCertificate([]byte(answer.Certificate))
}

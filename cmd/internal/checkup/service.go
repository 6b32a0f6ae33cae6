package checkup

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"time"

	"cloudcanvas/shared/identity"
	"cloudcanvas/shared/security"
)

const (
	patience = 3 * time.Second
	refusal  = 300 * time.Millisecond
	expiring = 14 * 24 * time.Hour
)

// Broker looks at whether a service answers at an address such as tcp://host:1883 or tls://host:8883
// and, with TLS, whether each side believes the other, and for how long. Nobody logs in: a client of
// the same name would be thrown out.
func Broker(ctx context.Context, what, address string, s security.Security) Finding {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	what += " " + bare(address)
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return Bad(what, errors.New("the address can't be read"), "write such as tcp://host:1883 or tls://host:8883")
	}
	begin := time.Now()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return Bad(what, err, fmt.Sprintf("nc -vz %s %s    # the service, the network or the firewall", u.Hostname(), u.Port()))
	}
	defer conn.Close()
	took := time.Since(begin).Round(100 * time.Microsecond)
	config, err := s.TLS()
	if err != nil {
		return Bad(what, err, "ls -l the files that security names")
	}
	if config == nil && u.Scheme != "tls" && u.Scheme != "ssl" && u.Scheme != "mqtts" {
		if !loopback(u.Hostname()) {
			return Doubtful(what, fmt.Sprintf("answers in %s, but without TLS: whoever is on the way can read and change what passes", took), "use tls:// and set security.ca")
		}
		return Good(what, fmt.Sprintf("answers in %s", took))
	}
	return encrypted(ctx, what, conn, u.Hostname(), config, took)
}

// Loopback says whether an address such as tcp://host:1883 is one of this machine alone.
func Loopback(address string) bool {
	u, err := url.Parse(address)
	return err == nil && loopback(u.Hostname())
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func encrypted(ctx context.Context, what string, conn net.Conn, host string, config *tls.Config, took time.Duration) Finding {
	if config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if config.ServerName == "" {
		config = config.Clone()
		config.ServerName = host
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		show := fmt.Sprintf("openssl s_client -connect %s </dev/null | openssl x509 -noout -subject -issuer -dates", conn.RemoteAddr())
		if errors.As(err, new(x509.UnknownAuthorityError)) {
			return Bad(what, fmt.Errorf("its certificate is of an authority that is not trusted here: %w", err), show+"    # then set security.ca to its authority")
		}
		if errors.As(err, new(x509.HostnameError)) {
			return Bad(what, err, show+"    # then set security.server_name, or have the certificate bear the address")
		}
		return Bad(what, fmt.Errorf("TLS: %w", err), show)
	}
	// With TLS 1.3 a server refuses a client's certificate after the handshake. One that is content says
	// nothing: it waits for the client's first words.
	secure.SetReadDeadline(time.Now().Add(refusal))
	if _, err := secure.Read(make([]byte, 1)); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return Bad(what, fmt.Errorf("it refuses this side: %w", err), "set security.cert and security.key to a pair that the service trusts")
	}
	until := secure.ConnectionState().PeerCertificates[0].NotAfter
	if left := time.Until(until); left < expiring {
		return Doubtful(what, fmt.Sprintf("answers with TLS, but its certificate ends on %s", until.UTC().Format(time.DateOnly)), "renew the service's certificate")
	}
	return Good(what, fmt.Sprintf("answers in %s, TLS until %s", took, until.UTC().Format(time.DateOnly)))
}

// Certificate looks at how a certificate of this machine stands; renew is the command that renews it.
func Certificate(what, file string, now time.Time, renew string) Finding {
	cert, err := identity.ReadCertificate(file)
	if err != nil {
		return Bad(what, err, "openssl x509 -noout -text -in "+file)
	}
	switch state, words := identity.Assess(cert, now); state {
	case identity.Ending:
		return Doubtful(what, words, renew)
	case identity.Ended:
		return Bad(what, errors.New(words), renew)
	case identity.Early:
		return Bad(what, errors.New(words), "sudo timedatectl set-ntp true && timedatectl status")
	}
	return Good(what, fmt.Sprintf("of %s, good until %s", cert.Subject.CommonName, cert.NotAfter.UTC().Format(time.DateOnly)))
}

// bare is an address without a password that somebody wrote into it.
func bare(address string) string {
	return security.Redact(address)
}

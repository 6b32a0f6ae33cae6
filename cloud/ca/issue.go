package ca

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"time"

	"cloudcanvas/shared/identity"
)

const (
	// maxLive bounds the certificates of a name that are let in at a time: a device that renews over and over
	// fills no disk.
	maxLive  = 4
	maxHosts = 100
	leastDay = 5 * time.Minute
)

// Wanted is a certificate that is asked for.
type Wanted struct {
	Kind  Kind
	Name  string
	Hosts []string // of a server
	Life  time.Duration
	By    string
}

func (w Wanted) check() error {
	switch w.Kind {
	case Device:
		if err := identity.CheckDevice(w.Name); err != nil {
			return refuse("%w", err)
		}
	case Service:
		if err := identity.CheckService(w.Name); err != nil {
			return refuse("%w", err)
		}
	case Server:
		if err := identity.CheckDevice(w.Name); err != nil { // its file's name; as a client it is let in nowhere
			return refuse("%w", err)
		}
		if len(w.Hosts) == 0 || len(w.Hosts) > maxHosts {
			return refuse("a server's certificate is for 1 to %d hosts, not %d", maxHosts, len(w.Hosts))
		}
		for _, host := range w.Hosts {
			if err := identity.CheckHost(host); err != nil {
				return refuse("%w", err)
			}
		}
	default:
		return refuse("%q is no kind of certificate", w.Kind)
	}
	if w.Life < leastDay {
		return refuse("a certificate of %s would end before it is used", w.Life)
	}
	return nil
}

// Issue signs a key for a name that nobody has.
func (f *Folder) Issue(w Wanted, public crypto.PublicKey) (cert *x509.Certificate, err error) {
	if err := w.check(); err != nil {
		return nil, err
	}
	err = f.change(func(x *index) error {
		if err := f.free(x, w.Name); err != nil {
			return err
		}
		cert, err = f.sign(x, w, public)
		return err
	})
	return cert, err
}

// free says who has a name.
func (f *Folder) free(x *index, name string) error {
	if have, live := x.of(name, f.now()); live > 0 {
		return refuse("the name %s is in use: a %s has it since %s, until %s; renew that, or revoke it first", name, have.Kind, have.Issued.Format(time.DateOnly), have.Until.Format(time.DateOnly))
	}
	return nil
}

// Renew signs a key anew for whom a name is. by is who asks.
func (f *Folder) Renew(name, by string, life time.Duration, public crypto.PublicKey) (cert *x509.Certificate, err error) {
	err = f.change(func(x *index) error {
		have, live := x.of(name, f.now())
		switch {
		case have == nil:
			return refuse("there is no certificate of %s: issue one", name)
		case have.Revoked != nil:
			return refuse("the certificate of %s was revoked on %s (%s): issue another, or let it enroll anew", name, have.Revoked.Format(time.DateOnly), have.Reason)
		case live >= maxLive:
			return refuse("%s has %d certificates that are good, %d is the limit: wait until one of them ends", name, live, maxLive)
		}
		w := Wanted{Kind: have.Kind, Name: name, Hosts: have.Hosts, Life: life, By: by}
		if err := w.check(); err != nil {
			return err
		}
		cert, err = f.sign(x, w, public)
		return err
	})
	return cert, err
}

// sign signs and notes a certificate; it ends no later than its authority.
func (f *Folder) sign(x *index, w Wanted, public crypto.PublicKey) (*x509.Certificate, error) {
	authority := w.Kind.authority()
	root := f.roots[authority]
	signer, err := f.signer(x, authority)
	if err != nil {
		return nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	now := f.now().UTC().Truncate(time.Second)
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: w.Name}, NotBefore: now.Add(-backdated), NotAfter: now.Add(w.Life),
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if template.NotBefore.Before(root.NotBefore) {
		template.NotBefore = root.NotBefore
	}
	if template.NotAfter.After(root.NotAfter) {
		template.NotAfter = root.NotAfter
	}
	if w.Kind == Server {
		// A server's certificate lets nobody in, and a client's answers for no host.
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		for _, host := range w.Hosts {
			if ip := net.ParseIP(host); ip != nil {
				template.IPAddresses = append(template.IPAddresses, ip)
			} else {
				template.DNSNames = append(template.DNSNames, host)
			}
		}
	}
	digest, err := identity.KeyDigest(public)
	if err != nil {
		return nil, refuse("the key: %w", err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, root, public, signer)
	if err != nil {
		return nil, fmt.Errorf("sign the certificate of %s: %w", w.Name, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	x.Certificates = append(x.Certificates, &Certificate{Kind: w.Kind, Name: w.Name, Hosts: w.Hosts, Serial: serial.Text(16), From: cert.NotBefore, Until: cert.NotAfter,
		Issued: now, By: w.By, Key: digest, PEM: string(identity.EncodeCertificate(cert))})
	x.Last = latest(x.Last, now)
	return cert, nil
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

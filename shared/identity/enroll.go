package identity

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"cloudcanvas/shared/durable"
)

// Files are where a device keeps who it is.
type Files struct{ CA, Cert, Key string }

// memo is beside the certificate, and says where it is renewed.
func (f Files) memo() string { return f.Cert + ".json" }

// Enrolled is what a device remembers of its enrolment.
type Enrolled struct {
	Name        string `json:"name"`
	URL         string `json:"url"`
	Fingerprint string `json:"ca_fingerprint"`
}

// Device is a device that gets or renews its certificate.
type Device struct {
	Name  string
	Files Files
	Now   func() time.Time // nil: the clock
}

func (d Device) now() time.Time {
	if d.Now != nil {
		return d.Now()
	}
	return time.Now()
}

// ErrHave says that a device has a certificate already.
var ErrHave = errors.New("this device has a certificate already")

// Enroll makes a key, which never leaves the device, and has the authority of that fingerprint sign it.
// Asked again after an answer that was lost it takes the same key, for which the authority has the same
// certificate. A device that has a certificate gets another with replace alone.
func (d Device) Enroll(ctx context.Context, address, token, fingerprint string, replace bool) (*x509.Certificate, error) {
	if err := CheckDevice(d.Name); err != nil {
		return nil, err
	}
	to, err := endpoint(address, EnrollPath)
	if err != nil {
		return nil, err
	}
	if fingerprint, err = ParseFingerprint(fingerprint); err != nil {
		return nil, err
	}
	if token == "" || len(token) > MaxToken {
		return nil, fmt.Errorf("the token has %d characters: it is what `canvas-cloud ca token %s` printed, at most %d", len(token), d.Name, MaxToken)
	}
	for _, file := range []string{d.Files.CA, d.Files.Cert, d.Files.Key} {
		if err := durable.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			return nil, err
		}
	}
	pending := d.Files.Key
	if there, err := exists(d.Files.Cert); err != nil {
		return nil, err
	} else if there && !replace {
		return nil, fmt.Errorf("%w, %s: renew it with --renew, or give --replace to make another key", ErrHave, d.Files.Cert)
	} else if there {
		if matching, err := d.matches(); err != nil {
			return nil, err
		} else if matching { // else the last replacement was cut off between key and certificate: it goes on
			pending += ".new"
		}
	}
	key, err := readOrMakeKey(pending)
	if err != nil {
		return nil, fmt.Errorf("the key: %w", err)
	}
	if err := give(pending); err != nil {
		return nil, err
	}
	request, err := NewRequest(d.Name, key)
	if err != nil {
		return nil, err
	}
	var authority *x509.Certificate
	cert, err := post(ctx, to, pinned(to.Hostname(), fingerprint, d.now, &authority), Ask{Name: d.Name, Token: token, Request: string(request)})
	if err != nil {
		return nil, err
	}
	if err := d.check(cert, key); err != nil {
		return nil, err
	}
	// The certificate comes last: with it the device is enrolled, and before it asking again mends all.
	if err := write(d.Files.CA, EncodeCertificate(authority)); err != nil {
		return nil, err
	}
	if err := d.remember(Enrolled{Name: d.Name, URL: address, Fingerprint: fingerprint}); err != nil {
		return nil, err
	}
	if pending != d.Files.Key {
		if err := durable.Rename(pending, d.Files.Key); err != nil {
			return nil, err
		}
	}
	return cert, write(d.Files.Cert, EncodeCertificate(cert))
}

// Renew has the authority sign the device's key for another time. The key stays, so that one file changes
// and no power cut leaves a certificate beside the key of another. address may be empty: it is that of the
// enrolment.
func (d Device) Renew(ctx context.Context, address string) (*x509.Certificate, error) {
	if address == "" {
		memo, err := d.remembered()
		if err != nil {
			return nil, fmt.Errorf("where the authority is: %w: name it with --url", err)
		}
		address = memo.URL
	}
	to, err := endpoint(address, RenewPath)
	if err != nil {
		return nil, err
	}
	present, err := ReadCertificate(d.Files.Cert)
	if err != nil {
		return nil, fmt.Errorf("the present certificate: %w", err)
	}
	if state, words := Assess(present, d.now()); state == Ended {
		return nil, fmt.Errorf("%s: it can't be renewed; enroll with a new token and --replace", words)
	} else if state == Early {
		return nil, errors.New(words)
	}
	if name := present.Subject.CommonName; name != d.Name {
		return nil, fmt.Errorf("the certificate %s is of %q, this device is %s: enroll it under its name", d.Files.Cert, name, d.Name)
	}
	key, err := ReadKey(d.Files.Key)
	if err != nil {
		return nil, fmt.Errorf("the key: %w", err)
	}
	request, err := NewRequest(d.Name, key)
	if err != nil {
		return nil, err
	}
	config, err := trusting(to.Hostname(), d.Files.CA, d.Files.Cert, d.Files.Key, d.now)
	if err != nil {
		return nil, err
	}
	cert, err := post(ctx, to, config, Ask{Request: string(request)})
	if err != nil {
		return nil, err
	}
	if err := d.check(cert, key); err != nil {
		return nil, err
	}
	return cert, write(d.Files.Cert, EncodeCertificate(cert))
}

// check says why a certificate that came is of no use.
func (d Device) check(cert *x509.Certificate, key crypto.Signer) error {
	want, err := KeyDigest(key.Public())
	if err != nil {
		return err
	}
	if got, err := KeyDigest(cert.PublicKey); err != nil || got != want {
		return errors.New("the certificate that came is for another key: nothing was changed")
	}
	if name := cert.Subject.CommonName; name != d.Name {
		return fmt.Errorf("the certificate that came is for %.80q, this device is %s: nothing was changed", name, d.Name)
	}
	if state, words := Assess(cert, d.now()); state == Early || state == Ended {
		return fmt.Errorf("what came is of no use: %s", words)
	}
	return nil
}

func (d Device) remember(e Enrolled) error {
	text, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	return write(d.Files.memo(), append(text, '\n'))
}

func (d Device) remembered() (e Enrolled, err error) {
	text, err := readPEM(d.Files.memo())
	if err != nil {
		return e, err
	}
	return e, json.Unmarshal(text, &e)
}

// matches says whether the device's certificate is for its key.
func (d Device) matches() (bool, error) {
	cert, err := ReadCertificate(d.Files.Cert)
	if err != nil {
		return false, err
	}
	key, err := ReadKey(d.Files.Key)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	of, err := KeyDigest(cert.PublicKey)
	if err != nil {
		return false, err
	}
	have, err := KeyDigest(key.Public())
	return of == have, err
}

// write writes a file whole or not at all, for the owner of its folder.
func write(file string, text []byte) error {
	if err := durable.WriteFile(file, text, 0o600); err != nil {
		return err
	}
	return give(file)
}

// give lets the owner of a file's folder have it, where root enrolls for the agent's user.
func give(file string) error {
	if os.Getuid() != 0 {
		return nil
	}
	info, err := os.Stat(filepath.Dir(file))
	if err != nil {
		return err
	}
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return os.Lchown(file, int(s.Uid), int(s.Gid))
	}
	return nil
}

func exists(file string) (bool, error) {
	_, err := os.Lstat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

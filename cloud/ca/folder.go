// Package ca is the cloud's certificate authority: one that signs devices, and one that signs services and
// servers, so that whoever holds the devices' key can neither speak as a service nor answer as the broker.
// All of it is a folder of files.
package ca

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"cloudcanvas/shared/durable"
	"cloudcanvas/shared/identity"
)

// ErrRefused is what the caller has to change: a name, a time, an argument.
var ErrRefused = errors.New("refused")

// refusal is an ErrRefused in its own words.
type refusal struct{ error }

func (r refusal) Is(target error) bool { return target == ErrRefused }
func (r refusal) Unwrap() error        { return r.error }

func refuse(format string, args ...any) error { return refusal{fmt.Errorf(format, args...)} }

// Kind is what a certificate is for.
type Kind string

// The kinds. A server is a broker, or this authority's own endpoint.
const (
	Device  Kind = "device"
	Service Kind = "service"
	Server  Kind = "server"
)

// authority is which of the two signs a kind.
func (k Kind) authority() string {
	if k == Device {
		return devices
	}
	return services
}

// The two authorities, and the files of each.
const (
	devices  = "devices"
	services = "services"
)

var certFiles = map[string]string{devices: "ca.pem", services: "services-ca.pem"}

func (f *Folder) certFile(authority string) string {
	return filepath.Join(f.dir, certFiles[authority])
}
func (f *Folder) keyFile(authority string) string {
	return filepath.Join(f.dir, authority+"-ca.key")
}

// backdated is how far before now a certificate begins, for machines whose clocks are behind.
const backdated = time.Hour

// Folder is an authority's folder.
type Folder struct {
	dir   string
	roots map[string]*x509.Certificate
	now   func() time.Time
}

// Init makes an authority in a folder that is not there or is empty: all of it, or nothing.
func Init(dir string, life time.Duration, now func() time.Time) (*Folder, error) {
	dir = filepath.Clean(dir)
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return nil, refuse("%s is not empty: an authority is never written over; name another folder", dir)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := durable.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, err
	}
	making, err := os.MkdirTemp(filepath.Dir(dir), ".canvas-ca-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(making)
	f := &Folder{dir: making, roots: map[string]*x509.Certificate{}, now: now}
	for _, authority := range []string{devices, services} {
		if err := f.makeAuthority(authority, life); err != nil {
			return nil, err
		}
	}
	if err := f.write(&index{Format: format, Last: now().UTC()}); err != nil {
		return nil, err
	}
	if err := f.change(func(x *index) error { return f.writeCRLs(x, devices, services) }); err != nil {
		return nil, err
	}
	if err := durable.SyncTree(making); err != nil {
		return nil, err
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) { // an empty one; one with files in it stays
		return nil, err
	}
	if err := durable.Rename(making, dir); err != nil {
		return nil, err
	}
	return Open(dir, now)
}

func (f *Folder) makeAuthority(authority string, life time.Duration) error {
	key, err := identity.NewKey()
	if err != nil {
		return err
	}
	serial, err := newSerial()
	if err != nil {
		return err
	}
	from := f.now().Add(-backdated).UTC().Truncate(time.Second)
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "canvas " + authority}, NotBefore: from, NotAfter: from.Add(backdated + life),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	f.roots[authority] = cert
	return errors.Join(identity.WriteKey(f.keyFile(authority), key), durable.WriteFile(f.certFile(authority), identity.EncodeCertificate(cert), 0o644))
}

// Open opens an authority and says what is wrong with its folder.
func Open(dir string, now func() time.Time) (*Folder, error) {
	f := &Folder{dir: filepath.Clean(dir), roots: map[string]*x509.Certificate{}, now: now}
	if _, err := os.Stat(f.dir); errors.Is(err, fs.ErrNotExist) {
		return nil, refuse("there is no authority in %s: canvas-cloud ca init --out %s makes one", dir, dir)
	}
	for _, authority := range []string{devices, services} {
		cert, err := identity.ReadCertificate(f.certFile(authority))
		if err != nil {
			return nil, fmt.Errorf("the folder %s is broken: %w: bring it back from its backup", dir, err)
		}
		if !cert.IsCA || cert.KeyUsage&x509.KeyUsageCertSign == 0 {
			return nil, fmt.Errorf("the folder %s is broken: %s is no authority's certificate: bring it back from its backup", dir, f.certFile(authority))
		}
		f.roots[authority] = cert
	}
	_, err := f.read()
	return f, err
}

// Root is the certificate of the authority that signs a kind.
func (f *Folder) Root(kind Kind) *x509.Certificate { return f.roots[kind.authority()] }

// signer is the key of an authority, once it may sign: it is not ended, and the clock is right as far as
// can be seen. The services' key may be kept elsewhere while devices are enrolled here.
func (f *Folder) signer(x *index, authority string) (crypto.Signer, error) {
	root, now := f.roots[authority], f.now()
	switch {
	case now.Before(root.NotBefore):
		return nil, refuse("the clock of this machine says %s, and the authority was made on %s: set the clock", now.UTC().Format(time.RFC3339), root.NotBefore.Format(time.RFC3339))
	case now.Before(x.Last.Add(-backdated)):
		return nil, refuse("the clock of this machine says %s, and the last certificate was issued or revoked on %s: set the clock", now.UTC().Format(time.RFC3339), x.Last.Format(time.RFC3339))
	case now.After(root.NotAfter):
		return nil, refuse("the authority of %s ended on %s, and what it signs is good nowhere: make another with ca init in another folder, and enroll anew", authority, root.NotAfter.Format(time.DateOnly))
	}
	key, err := identity.ReadKey(f.keyFile(authority))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, refuse("the key of the authority of %s is not here (%s): do this where it is kept", authority, f.keyFile(authority))
	} else if err != nil {
		return nil, err
	}
	of, err := identity.KeyDigest(root.PublicKey)
	if err != nil {
		return nil, err
	}
	if have, err := identity.KeyDigest(key.Public()); err != nil || have != of {
		return nil, fmt.Errorf("the folder %s is broken: %s is not the key of %s: bring both back from the same backup", f.dir, f.keyFile(authority), f.certFile(authority))
	}
	return key, nil
}

func newSerial() (*big.Int, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 126))
	if err != nil {
		return nil, err
	}
	return serial.Add(serial, big.NewInt(1)), nil
}

// maxIndex bounds the list of certificates: about 100,000 of them.
const maxIndex = 128 << 20

func (f *Folder) indexFile() string { return filepath.Join(f.dir, "issued.json") }

func (f *Folder) read() (*index, error) {
	broken := func(err error) error {
		return fmt.Errorf("the folder %s is broken: %w: bring it back from its backup, since without it nobody knows what was issued and revoked", f.dir, err)
	}
	info, err := os.Stat(f.indexFile())
	if err != nil {
		return nil, broken(err)
	}
	if info.Size() > maxIndex {
		return nil, broken(fmt.Errorf("%s has %d bytes, %d is the limit", f.indexFile(), info.Size(), maxIndex))
	}
	text, err := os.ReadFile(f.indexFile())
	if err != nil {
		return nil, broken(err)
	}
	x := &index{}
	if err := json.Unmarshal(text, x); err != nil {
		return nil, broken(fmt.Errorf("%s can't be read: %w", f.indexFile(), err))
	}
	if x.Format != format {
		return nil, fmt.Errorf("%s is of format %d, this program knows %d: use the version that wrote it, or a newer one", f.indexFile(), x.Format, format)
	}
	return x, nil
}

func (f *Folder) write(x *index) error {
	text, err := json.MarshalIndent(x, "", " ")
	if err != nil {
		return err
	}
	return durable.WriteFile(f.indexFile(), append(text, '\n'), 0o600)
}

// change changes the list of certificates, one process at a time: the endpoint serves while an operator
// revokes. What do refuses changes nothing.
func (f *Folder) change(do func(*index) error) error {
	lock, err := os.OpenFile(filepath.Join(f.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close() // gives the lock up
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock %s: %w", f.dir, err)
	}
	x, err := f.read()
	if err != nil {
		return err
	}
	if err := do(x); err != nil {
		return err
	}
	return f.write(x)
}

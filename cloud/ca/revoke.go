package ca

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"cloudcanvas/shared/durable"
)

// crl says how far the lists of revoked certificates have come.
type crl struct {
	Number int64     `json:"number"`
	This   time.Time `json:"this"`
}

// Revoke revokes every certificate of a name that is not ended, and writes the lists anew. Tokens of the
// name are taken back. It says how many certificates there were.
func (f *Folder) Revoke(name, by, reason string) (revoked int, err error) {
	err = f.change(func(x *index) error {
		now, changed := f.now().UTC().Truncate(time.Second), map[string]bool{}
		for _, c := range x.Certificates {
			if c.Name != name || !c.live(f.now()) {
				continue
			}
			c.Revoked, c.Reason = &now, fmt.Sprintf("by %s: %s", by, reason)
			changed[c.Kind.authority()] = true
			revoked++
		}
		taken := 0
		for _, t := range x.Tokens {
			if t.Name == name && t.open(f.now()) {
				t.Until = now
				taken++
			}
		}
		if revoked+taken == 0 {
			if have, _ := x.of(name, now); have != nil {
				return refuse("%s has no certificate that is good: its last one is %s", name, have.State(now))
			}
			return refuse("there is no certificate of %s: canvas-cloud ca ls lists them", name)
		}
		for authority := range changed {
			if err := f.writeCRLs(x, authority); err != nil {
				return err
			}
		}
		x.Last = latest(x.Last, now)
		return nil
	})
	return revoked, err
}

func (f *Folder) crlFile(authority string) string { return filepath.Join(f.dir, authority+".crl") }

// WriteCRLs writes the lists of revoked certificates anew, as brokers read them, and gives their files:
// those whose authority's key is here.
func (f *Folder) WriteCRLs() (files []string, err error) {
	err = f.change(func(x *index) error {
		for _, authority := range []string{devices, services} {
			if _, err := os.Stat(f.keyFile(authority)); errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err := f.writeCRLs(x, authority); err != nil {
				return err
			}
			files = append(files, f.crlFile(authority))
		}
		if len(files) == 0 {
			return refuse("no key of an authority is in %s: do this where they are kept", f.dir)
		}
		return nil
	})
	return files, err
}

// writeCRLs writes the lists of authorities. A list is good as long as its authority: a broker refuses
// everybody once its list has ended, so a list that somebody forgets to renew would close it.
func (f *Folder) writeCRLs(x *index, authorities ...string) error {
	for _, authority := range authorities {
		signer, err := f.signer(x, authority)
		if err != nil {
			return err
		}
		last := x.CRLs[authority]
		// Where a program has several lists of one authority, as after a reload, it takes the one with the newest
		// time, which is to a second: each has a later one. Backdated, as certificates are, so that no broker
		// finds it early.
		next := crl{Number: last.Number + 1, This: latest(f.now().Add(-backdated).UTC().Truncate(time.Second), last.This.Add(time.Second))}
		if next.This.After(f.now()) {
			return refuse("the clock of this machine says %s, and the last list of revoked certificates is of %s: set the clock", f.now().UTC().Format(time.RFC3339), last.This.Format(time.RFC3339))
		}
		template := &x509.RevocationList{Number: big.NewInt(next.Number), ThisUpdate: next.This, NextUpdate: f.roots[authority].NotAfter}
		for _, c := range x.Certificates {
			if c.Revoked == nil || c.Kind.authority() != authority || f.now().After(c.Until) {
				continue // what has ended is refused without a list
			}
			serial, ok := new(big.Int).SetString(c.Serial, 16)
			if !ok {
				return fmt.Errorf("the folder %s is broken: %q is no serial number", f.dir, c.Serial)
			}
			template.RevokedCertificateEntries = append(template.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: serial, RevocationTime: *c.Revoked})
		}
		der, err := x509.CreateRevocationList(rand.Reader, template, f.roots[authority], signer)
		if err != nil {
			return fmt.Errorf("sign the list of revoked certificates: %w", err)
		}
		if err := durable.WriteFile(f.crlFile(authority), pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}), 0o644); err != nil {
			return err
		}
		if x.CRLs == nil {
			x.CRLs = map[string]crl{}
		}
		x.CRLs[authority] = next
	}
	return nil
}

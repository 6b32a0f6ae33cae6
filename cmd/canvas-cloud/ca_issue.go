package main

import (
	"cmp"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cloud/ca"
	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/shared/durable"
	"cloudcanvas/shared/identity"
	"cloudcanvas/shared/visible"
)

// pair are the files of a certificate that is issued here.
type pair struct{ cert, key string }

func pairOf(c *urfave.Context, name string) pair {
	dir := cmp.Or(c.String("out"), filepath.Join(c.String("dir"), "issued"))
	return pair{filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")}
}

func issue(kind ca.Kind) urfave.ActionFunc {
	return func(c *urfave.Context) error {
		w := ca.Wanted{Kind: kind, By: person()}
		var err error
		if kind == ca.Server {
			w.Name, w.Hosts = c.String("name"), c.Args().Slice()
		} else if w.Name, err = oneName(c); err != nil {
			return err
		}
		if w.Life, err = life(c); err != nil {
			return err
		}
		f, err := ca.Open(c.String("dir"), time.Now)
		if err != nil {
			return said(err)
		}
		p := pairOf(c, filepath.Base(w.Name)) // the name is checked below, before anything is written
		for _, file := range []string{p.cert, p.key} {
			if _, err := os.Lstat(file); err == nil {
				return cli.Usagef("%s is there already: canvas-cloud ca renew %s issues it anew; else move it away", file, w.Name)
			}
		}
		key, public, err := newOrRequested(c.String("request"))
		if err != nil {
			return err
		}
		cert, err := f.Issue(w, public)
		if err != nil {
			return said(err)
		}
		return writePair(c, f, kind, p, cert, key)
	}
}

// newOrRequested is a new key, or the public one that a request proves.
func newOrRequested(request string) (key crypto.Signer, public crypto.PublicKey, err error) {
	if request == "" {
		key, err = identity.NewKey()
		if err != nil {
			return nil, nil, err
		}
		return key, key.Public(), nil
	}
	f, err := os.Open(request)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, identity.MaxAsk))
	if err != nil {
		return nil, nil, err
	}
	parsed, err := identity.ParseRequest(text)
	if err != nil {
		return nil, nil, cli.Usage(fmt.Errorf("%s: %w", request, err))
	}
	return nil, parsed.PublicKey, nil
}

// writePair writes key and certificate, which of a server or a service has its authority behind it: so a device
// that pins the authority gets it from the server.
func writePair(c *urfave.Context, f *ca.Folder, kind ca.Kind, p pair, cert *x509.Certificate, key crypto.Signer) error {
	if err := durable.MkdirAll(filepath.Dir(p.cert), 0o700); err != nil {
		return err
	}
	written := p.cert
	if key != nil {
		if err := identity.WriteKey(p.key, key); err != nil {
			return err
		}
		written += " and " + p.key
	}
	text := identity.EncodeCertificate(cert)
	if kind != ca.Device {
		text = append(text, identity.EncodeCertificate(f.Root(kind))...)
	}
	if err := durable.WriteFile(p.cert, text, 0o644); err != nil {
		return err
	}
	visible.Fprintf(c.App.Writer, "%s: good until %s, in %s\n", cert.Subject.CommonName, cert.NotAfter.Format(time.DateOnly), written)
	return nil
}

func renew(c *urfave.Context) error {
	name, err := oneName(c)
	if err != nil {
		return err
	}
	life, err := life(c)
	if err != nil {
		return err
	}
	f, err := ca.Open(c.String("dir"), time.Now)
	if err != nil {
		return said(err)
	}
	all, err := f.List()
	if err != nil {
		return err
	}
	kind := ca.Kind("")
	for _, cert := range all {
		if cert.Name == name {
			kind = cert.Kind
		}
	}
	p := pairOf(c, filepath.Base(name))
	key, err := identity.ReadKey(p.key)
	switch {
	case kind == "":
		return cli.Usagef("there is no certificate of %s: canvas-cloud ca ls lists them", name)
	case errors.Is(err, fs.ErrNotExist) && kind == ca.Device:
		return cli.Usagef("%s has its key itself: it renews with canvas-edge enroll --renew", name)
	case errors.Is(err, fs.ErrNotExist):
		return cli.Usagef("there is no key %s: name its folder with --out; if it is lost, revoke %s and issue it anew", p.key, name)
	case err != nil:
		return err
	}
	cert, err := f.Renew(name, person(), life, key.Public())
	if err != nil {
		return said(err)
	}
	return writePair(c, f, kind, p, cert, nil)
}

func writeCRLs(c *urfave.Context) error {
	f, err := ca.Open(c.String("dir"), time.Now)
	if err != nil {
		return said(err)
	}
	files, err := f.WriteCRLs()
	if err != nil {
		return said(err)
	}
	for _, file := range files {
		if out := c.String("out"); out != "" {
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			file = filepath.Join(out, filepath.Base(file))
			if err := durable.WriteFile(file, text, 0o644); err != nil {
				return err
			}
		}
		visible.Fprintf(c.App.Writer, "%s\n", file)
	}
	return nil
}

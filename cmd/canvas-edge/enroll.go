package main

import (
	"crypto/x509"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/edge"
	"cloudcanvas/shared/config"
	identities "cloudcanvas/shared/identity"
	"cloudcanvas/shared/visible"
)

func enrollCommand() *urfave.Command {
	return &urfave.Command{Name: "enroll", Usage: "get this device's certificate from the cloud's authority, or renew it; the key is made here and stays here",
		Flags: []urfave.Flag{
			&urfave.StringFlag{Name: "url", Usage: "the authority's address, https://HOST:8470; with --renew that of the enrolment"},
			&urfave.StringFlag{Name: "token-file", Usage: "`FILE` with the token of `canvas-cloud ca token`; -: the standard input"},
			&urfave.StringFlag{Name: "ca-fingerprint", Usage: "of the authority, sha256:…, as `canvas-cloud ca ls` shows it"},
			&urfave.BoolFlag{Name: "replace", Usage: "make another key although there is a certificate"},
			&urfave.BoolFlag{Name: "renew", Usage: "renew the certificate if its end is near, with itself in place of a token"},
			&urfave.BoolFlag{Name: "now", Usage: "with --renew: even if its end is not near"},
			&urfave.StringFlag{Name: "out", Usage: "write ca.pem, device.pem and device.key into `DIR`; default: the files that cloud.security names, else the folder tls inside data"},
		},
		Action: enroll}
}

func enroll(c *urfave.Context) error {
	if c.Args().Present() {
		return cli.Usagef("enroll takes no argument %q: the device's name is that of its configuration", c.Args().First())
	}
	cfg, err := configToEnroll(c)
	if err != nil {
		return err
	}
	d := identities.Device{Name: cfg.Edge, Files: filesToEnroll(cfg, c.String("out"))}
	if c.Bool("renew") {
		return renewCertificate(c, d)
	}
	for _, name := range []string{"url", "token-file", "ca-fingerprint"} {
		if c.String(name) == "" {
			return cli.Usagef("enroll needs --%s: canvas-cloud ca token %s says all three", name, d.Name)
		}
	}
	token, err := readToken(c)
	if err != nil {
		return err
	}
	cert, err := d.Enroll(c.Context, c.String("url"), token, c.String("ca-fingerprint"), c.Bool("replace"))
	if errors.Is(err, identities.ErrHave) {
		return cli.Usage(err)
	} else if err != nil {
		return err
	}
	tellEnrolled(c, d, cert)
	if named := cfg.Cloud.Security; named.CA != d.Files.CA || named.Cert != d.Files.Cert || named.Key != d.Files.Key {
		visible.Fprintf(c.App.Writer, "put this under cloud: in the configuration:\n  security: {ca: %s, cert: %s, key: %s}\n", d.Files.CA, d.Files.Cert, d.Files.Key)
	}
	return nil
}

func tellEnrolled(c *urfave.Context, d identities.Device, cert *x509.Certificate) {
	visible.Fprintf(c.App.Writer, "this device is %s until %s: %s\n", cert.Subject.CommonName, cert.NotAfter.UTC().Format(time.DateOnly), d.Files.Cert)
}

func renewCertificate(c *urfave.Context, d identities.Device) error {
	present, err := identities.ReadCertificate(d.Files.Cert)
	if err != nil {
		return err
	}
	if state, _ := identities.Assess(present, time.Now()); state == identities.Good && !c.Bool("now") {
		visible.Fprintf(c.App.Writer, "the certificate is good until %s: there is no need to renew it before %s\n", present.NotAfter.UTC().Format(time.DateOnly),
			present.NotAfter.Add(-identities.Notice(present)).UTC().Format(time.DateOnly))
		return nil
	}
	cert, err := d.Renew(c.Context, c.String("url"))
	if err == nil {
		tellEnrolled(c, d, cert)
	}
	return err
}

// toEnroll are the settings that can't be right before the files are there.
var toEnroll = []string{"cloud.security.ca", "cloud.security.cert", "cloud.security.key", "cloud.security.tls"}

// configToEnroll is the configuration, in which the files that enrolment is to write may be missing.
func configToEnroll(c *urfave.Context) (edge.Config, error) {
	cfg, err := loadConfig(c)
	var mistakes *config.Error
	if errors.As(err, &mistakes) {
		rest := config.Error{File: mistakes.File}
		for _, p := range mistakes.Problems {
			if !slices.Contains(toEnroll, p.Field) {
				rest.Problems = append(rest.Problems, p)
			}
		}
		if err = nil; len(rest.Problems) > 0 {
			err = &rest
		}
	}
	return cfg, err
}

// filesToEnroll are where certificate, key and authority go.
func filesToEnroll(cfg edge.Config, out string) identities.Files {
	named := cfg.Cloud.Security
	if out == "" && named.CA != "" && named.Cert != "" && named.Key != "" {
		return identities.Files{CA: named.CA, Cert: named.Cert, Key: named.Key}
	}
	if out == "" {
		out = filepath.Join(cfg.Data, "tls")
	}
	return identities.Files{CA: filepath.Join(out, "ca.pem"), Cert: filepath.Join(out, "device.pem"), Key: filepath.Join(out, "device.key")}
}

// readToken reads a token, never from the command line, where everybody on the machine sees it.
func readToken(c *urfave.Context) (string, error) {
	in := io.Reader(os.Stdin)
	if file := c.String("token-file"); file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", err
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, identities.MaxToken+3)) // with a line's end, and one too many
	token := strings.TrimSpace(string(text))
	if err == nil && (token == "" || len(token) > identities.MaxToken) {
		return "", cli.Usagef("%s holds no token: it is one line of 1 to %d characters", c.String("token-file"), identities.MaxToken)
	}
	return token, err
}

package main

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cloud/ca"
	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/shared/identity"
	"cloudcanvas/shared/visible"
)

const (
	caFolder = "/etc/canvas/ca"
	day      = 24 * time.Hour

	longestDays = 100 * 365
)

var (
	caFlag     = &urfave.StringFlag{Name: "dir", Value: caFolder, Usage: "the authority's folder, `DIR`"}
	reasonFlag = &urfave.StringFlag{Name: "reason", Usage: "kept, and shown by `ca ls`"}
)

// daysFlag says how long a certificate is good.
func daysFlag(days int) urfave.Flag {
	return &urfave.IntFlag{Name: "days", Value: days, Usage: "how many days it is good"}
}

// life is what --days says.
func life(c *urfave.Context) (time.Duration, error) {
	days := c.Int("days")
	if days < 1 || days > longestDays {
		return 0, cli.Usagef("--days is 1 to %d, not %d", longestDays, days)
	}
	return time.Duration(days) * day, nil
}

func caCommand() *urfave.Command {
	return &urfave.Command{Name: "ca", Usage: "certificates of devices, services and servers: an authority in a folder",
		Subcommands: []*urfave.Command{
			{Name: "init", Usage: "make the authorities of devices and of services", Flags: []urfave.Flag{
				&urfave.StringFlag{Name: "out", Value: caFolder, Usage: "the folder that is made, `DIR`"}, daysFlag(3650)}, Action: initAuthority},
			{Name: "issue", Usage: "issue a certificate, with its key", Subcommands: []*urfave.Command{
				{Name: "service", Usage: "for a service: canvas-bridge, canvas-console, canvas-import", ArgsUsage: "NAME", Flags: issueFlags(730), Action: issue(ca.Service)},
				{Name: "server", Usage: "for a server: the broker, and ca serve", ArgsUsage: "HOST …",
					Flags: append(issueFlags(730), &urfave.StringFlag{Name: "name", Value: "broker", Usage: "what it is called in the list, and its file"}), Action: issue(ca.Server)},
				{Name: "device", Usage: "for a device that can't reach ca serve", ArgsUsage: "NAME",
					Flags: append(issueFlags(365), &urfave.StringFlag{Name: "request", Usage: "the device's certificate request, so that its key stays there, `FILE`"}), Action: issue(ca.Device)},
			}},
			{Name: "ls", Usage: "list who has a certificate, until when, and who lost it", Flags: []urfave.Flag{caFlag, cli.JSONFlag,
				&urfave.BoolFlag{Name: "all", Usage: "earlier certificates of a name, too"}}, Action: listCertificates},
			{Name: "revoke", Usage: "revoke all certificates of a name, and its tokens", ArgsUsage: "NAME", Flags: []urfave.Flag{caFlag, reasonFlag}, Action: revoke},
			{Name: "crl", Usage: "write the lists of revoked certificates anew", Flags: []urfave.Flag{caFlag,
				&urfave.StringFlag{Name: "out", Usage: "copy them into a folder, too, `DIR`"}}, Action: writeCRLs},
			{Name: "renew", Usage: "issue a service's or a server's certificate anew, for the same key", ArgsUsage: "NAME", Flags: issueFlags(730), Action: renew},
			{Name: "token", Usage: "make a token with which one device enrolls once", ArgsUsage: "NAME", Flags: []urfave.Flag{caFlag,
				&urfave.DurationFlag{Name: "valid", Value: time.Hour, Usage: "how long the token is good"}}, Action: makeToken},
			caServeCommand(),
		}}
}

func issueFlags(days int) []urfave.Flag {
	return []urfave.Flag{caFlag, daysFlag(days), &urfave.StringFlag{Name: "out", Usage: "the folder that certificate and key are written to, `DIR`; default: issued in the authority's"}}
}

// said makes wrong usage of what the authority refuses.
func said(err error) error {
	if errors.Is(err, ca.ErrRefused) {
		return cli.Usage(err)
	}
	return err
}

// oneName is the command's argument.
func oneName(c *urfave.Context) (string, error) {
	if c.NArg() != 1 {
		return "", cli.Usagef("%s takes one name, after its flags", c.Command.Name)
	}
	return c.Args().First(), nil
}

func initAuthority(c *urfave.Context) error {
	if c.Args().Present() {
		return cli.Usagef("init takes no argument %q: name a folder with --out", c.Args().First())
	}
	life, err := life(c)
	if err != nil {
		return err
	}
	f, err := ca.Init(c.String("out"), life, time.Now)
	if err != nil {
		return said(err)
	}
	visible.Fprintf(c.App.Writer, "%s: an authority for devices (ca.pem), and one for services and servers (services-ca.pem), until %s\n"+
		"devices enroll with --ca-fingerprint %s\nkeep a copy of the folder where nobody else can read it: who has it can issue certificates, and without it nobody can\n",
		c.String("out"), f.Root(ca.Service).NotAfter.Format(time.DateOnly), identity.Fingerprint(f.Root(ca.Server)))
	return nil
}

// certificateLine is a line of `ca ls`.
type certificateLine struct {
	*ca.Certificate
	State string `json:"state"`
}

func listCertificates(c *urfave.Context) error {
	f, err := ca.Open(c.String("dir"), time.Now)
	if err != nil {
		return said(err)
	}
	all, err := f.List()
	if err != nil {
		return err
	}
	lines, last := []certificateLine{}, ""
	for _, cert := range all {
		if key := string(cert.Kind) + "/" + cert.Name; key != last || c.Bool("all") {
			lines = append(lines, certificateLine{cert, cert.State(time.Now())})
			last = key
		}
	}
	if c.Bool("json") {
		return cli.PrintJSON(c.App.Writer, map[string]any{"ca_fingerprint": identity.Fingerprint(f.Root(ca.Server)), "devices_ca_fingerprint": identity.Fingerprint(f.Root(ca.Device)),
			"until": f.Root(ca.Device).NotAfter, "certificates": lines})
	}
	visible.Fprintf(c.App.Writer, "authorities until %s; devices enroll with --ca-fingerprint %s\n", f.Root(ca.Device).NotAfter.Format(time.DateOnly), identity.Fingerprint(f.Root(ca.Server)))
	visible.Fprintf(c.App.Writer, "%-8s %-32s %-10s %-8s %s\n", "KIND", "NAME", "UNTIL", "STATE", "")
	for _, l := range lines {
		visible.Fprintf(c.App.Writer, "%-8s %-32s %-10s %-8s %s\n", l.Kind, l.Name, l.Until.Format(time.DateOnly), l.State, note(l.Certificate))
	}
	return nil
}

// note is what there is to say of a certificate besides.
func note(cert *ca.Certificate) string {
	if cert.Revoked != nil {
		return cert.Revoked.Format(time.DateOnly) + " " + cert.Reason
	}
	if parsed, err := identity.ParseCertificate([]byte(cert.PEM)); err == nil {
		if _, words := identity.Assess(parsed, time.Now()); words != "" {
			return words
		}
	}
	return fmt.Sprintf("issued %s, %s", cert.Issued.Format(time.DateOnly), cert.By)
}

func revoke(c *urfave.Context) error {
	name, err := oneName(c)
	if err != nil {
		return err
	}
	f, err := ca.Open(c.String("dir"), time.Now)
	if err != nil {
		return said(err)
	}
	n, err := f.Revoke(name, person(), cmp.Or(c.String("reason"), "no reason was given"))
	if err != nil {
		return said(err)
	}
	visible.Fprintf(c.App.Writer, "%s: %d certificates are revoked, and its tokens are taken back. Brokers know once they have the new list:\n"+
		"canvas-cloud ca crl --dir %s --out /etc/canvas/tls && systemctl reload mosquitto    # a connection that stands goes on until mosquitto is restarted\n", name, n, c.String("dir"))
	return nil
}

func makeToken(c *urfave.Context) error {
	name, err := oneName(c)
	if err != nil {
		return err
	}
	f, err := ca.Open(c.String("dir"), time.Now)
	if err != nil {
		return said(err)
	}
	text, err := f.NewToken(name, person(), c.Duration("valid"))
	if err != nil {
		return said(err)
	}
	// The token alone on stdout, so that it can go into a file.
	fmt.Fprintln(c.App.Writer, text)
	visible.Fprintf(c.App.ErrWriter, "good for %s once, until %s; on the device:\ncanvas-edge enroll --url https://HOST:8470 --token-file - --ca-fingerprint %s\n",
		name, time.Now().Add(c.Duration("valid")).UTC().Format(time.RFC3339), identity.Fingerprint(f.Root(ca.Server)))
	return nil
}

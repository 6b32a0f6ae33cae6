package main

import (
	"cmp"
	"fmt"
	"net"
	"path/filepath"
	"time"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cloud/ca"
	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/shared/telemetry"
)

func caServeCommand() *urfave.Command {
	return &urfave.Command{Name: "serve", Usage: "let devices enroll and renew over HTTPS; no proxy may end its TLS",
		Flags: []urfave.Flag{caFlag, daysFlag(365),
			&urfave.StringFlag{Name: "listen", Value: "127.0.0.1:8470", Usage: "`HOST:PORT`; devices elsewhere need one beyond loopback"},
			&urfave.StringFlag{Name: "cert", Usage: "the server's certificate with its authority behind it, `FILE`; default: issued/broker.pem in the authority's folder"},
			&urfave.StringFlag{Name: "key", Usage: "its key, `FILE`; default: issued/broker.key there"},
		},
		Action: func(c *urfave.Context) error {
			log, err := cli.Logger(c, "info")
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
			issued := filepath.Join(c.String("dir"), "issued")
			cert, key := cmp.Or(c.String("cert"), filepath.Join(issued, "broker.pem")), cmp.Or(c.String("key"), filepath.Join(issued, "broker.key"))
			l, err := net.Listen("tcp", c.String("listen"))
			if err != nil {
				return err
			}
			defer l.Close()
			log.Info("devices may enroll", "url", "https://"+l.Addr().String(), "version", version)
			telemetry.NotifyReady("devices may enroll")
			defer telemetry.NotifyStopping()
			if err := (&ca.Endpoint{Folder: f, Life: life, Log: log}).Serve(c.Context, l, cert, key); err != nil {
				return fmt.Errorf("serve enrolment (canvas-cloud ca issue server HOST … makes its certificate): %w", err)
			}
			return nil
		}}
}

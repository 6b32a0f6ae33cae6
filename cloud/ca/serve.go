package ca

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"cloudcanvas/shared/identity"
	"cloudcanvas/shared/telemetry"
)

const (
	atOnce   = 64 // exchanges at a time; a signature takes less than a millisecond, the disk some more
	slowness = 30 * time.Second
)

// Endpoint lets devices enroll and renew over HTTPS.
type Endpoint struct {
	Folder *Folder
	Life   time.Duration // of what it issues
	Log    *slog.Logger
	tries  limiter
	turns  chan struct{}
}

// Serve serves until ctx ends. cert is the server's file, with the services' authority behind its own
// certificate; it is read again for each handshake, as it is renewed.
func (e *Endpoint) Serve(ctx context.Context, l net.Listener, cert, key string) error {
	if _, err := tls.LoadX509KeyPair(cert, key); err != nil {
		return err
	}
	clients := x509.NewCertPool()
	clients.AddCert(e.Folder.Root(Device))
	e.turns = make(chan struct{}, atOnce)
	e.tries = limiter{now: e.Folder.now}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+identity.EnrollPath, e.handle(e.enroll))
	mux.HandleFunc("POST "+identity.RenewPath, e.handle(e.renew))
	server := &http.Server{Handler: mux, ReadTimeout: slowness, WriteTimeout: slowness, IdleTimeout: slowness, MaxHeaderBytes: 8 << 10,
		ErrorLog: slog.NewLogLogger(e.Log.Handler(), slog.LevelDebug), // strangers' handshakes
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: clients, Time: e.Folder.now,
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
				pair, err := tls.LoadX509KeyPair(cert, key)
				return &pair, err
			}}}
	defer context.AfterFunc(ctx, func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		server.Shutdown(ending)
	})()
	if err := server.ServeTLS(l, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// handle bounds what a stranger may take, and writes one line of each exchange.
func (e *Endpoint) handle(do func(r *http.Request, ask identity.Ask, from string) (*x509.Certificate, string, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		from, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			from = r.RemoteAddr
		}
		log := e.Log.With("from", from, "path", r.URL.Path)
		if wait, first := e.tries.begin(from); wait > 0 {
			if first {
				log.Warn("an address has failed too often, and is not heard for a while", "for", wait.Round(time.Second))
			}
			e.answer(w, http.StatusTooManyRequests, identity.Answer{Error: "too many attempts from this address failed: try again in " + wait.Round(time.Second).String()})
			return
		}
		select {
		case e.turns <- struct{}{}:
			defer func() { <-e.turns }()
		default:
			e.tries.succeed(from) // it is not the address's fault
			e.answer(w, http.StatusServiceUnavailable, identity.Answer{Error: "too many devices ask at a time: try again in a minute"})
			return
		}
		var ask identity.Ask
		text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, identity.MaxAsk))
		if err == nil {
			err = json.Unmarshal(text, &ask)
		}
		if err != nil {
			log.Warn("what came is no enrolment", telemetry.Err, err)
			e.answer(w, http.StatusBadRequest, identity.Answer{Error: "this is no enrolment: use canvas-edge enroll"})
			return
		}
		cert, name, err := do(r, ask, from)
		log = log.With(telemetry.Edge, name)
		switch {
		case errors.Is(err, ErrRefused):
			log.Warn("a device gets no certificate", telemetry.Err, err)
			e.answer(w, http.StatusForbidden, identity.Answer{Error: err.Error()})
		case err != nil:
			e.tries.succeed(from)
			log.Error("a certificate could not be issued", telemetry.Err, err)
			e.answer(w, http.StatusInternalServerError, identity.Answer{Error: "the authority can't issue certificates now: its log says why"})
		default:
			e.tries.succeed(from)
			log.Info("a device has a certificate", "serial", cert.SerialNumber.Text(16), "until", cert.NotAfter)
			e.answer(w, http.StatusOK, identity.Answer{Certificate: string(identity.EncodeCertificate(cert))})
		}
	}
}

func (e *Endpoint) answer(w http.ResponseWriter, status int, a identity.Answer) {
	a.Time = e.Folder.now().UTC()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(a) // who does not read it asks again
}

func (e *Endpoint) enroll(_ *http.Request, ask identity.Ask, from string) (*x509.Certificate, string, error) {
	if err := identity.CheckDevice(ask.Name); err != nil {
		return nil, "", refuse("%w", err)
	}
	if ask.Token == "" || len(ask.Token) > identity.MaxToken {
		return nil, ask.Name, refuse("a token has 1 to %d characters, not %d", identity.MaxToken, len(ask.Token))
	}
	request, err := identity.ParseRequest([]byte(ask.Request))
	if err != nil {
		return nil, ask.Name, refuse("%w", err)
	}
	cert, err := e.Folder.Enroll(ask.Name, ask.Token, from, e.Life, request)
	return cert, ask.Name, err
}

func (e *Endpoint) renew(r *http.Request, ask identity.Ask, from string) (*x509.Certificate, string, error) {
	if len(r.TLS.PeerCertificates) == 0 {
		return nil, "", refuse("a device that renews shows its certificate, and none came")
	}
	shown := r.TLS.PeerCertificates[0] // verified in the handshake: of the devices' authority, and not ended
	request, err := identity.ParseRequest([]byte(ask.Request))
	if err != nil {
		return nil, shown.Subject.CommonName, refuse("%w", err)
	}
	cert, err := e.Folder.RenewFor(shown, from, e.Life, request)
	return cert, shown.Subject.CommonName, err
}
